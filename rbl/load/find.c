#include <stdlib.h>

#include "rbl/load/impl.h"

/* Reads the files as a load does, but stops at the line that holds the entry and keeps nothing. */
static int find(enum conf_dataset_type type, const struct conf_list_text *files, const struct load_key *key,
                struct load_place *place, struct err *err) {
    struct {
        struct load load;
        struct load_report report;
        struct data scratch;
    } *x = calloc(1, sizeof *x);
    memset(place, 0, sizeof *place);
    if (x == NULL)
        return err_set(err, E_NOMEM, "no memory to read the files");
    int rc = data_open(&x->scratch);
    if (rc == 0)
        rc = load_open(&x->load, &x->scratch, 0, type, &x->report, err);
    x->load.key = key;
    x->load.place = place;
    for (size_t i = 0; rc == 0 && i < files->count && i < LIMIT_FILES; i++) {
        load_begin_file(&x->load, files->at[i]);
        rc = load_lines_file(&x->load, files->at[i], load_one_line);
    }
    rc = load_close(&x->load, rc);
    data_free(&x->scratch);
    free(x);
    return rc == E_EXISTS ? 0 : rc;
}

int load_find4(enum conf_dataset_type type, const struct conf_list_text *files, uint32_t addr, unsigned bits,
               struct load_place *place, struct err *err) {
    struct load_key key = {.addr = addr, .bits = bits};
    if (bits > 32)
        return err_set(err, E_RANGE, "an IPv4 prefix has at most 32 bits");
    return find(type, files, &key, place, err);
}

int load_find6(enum conf_dataset_type type, const struct conf_list_text *files, const uint8_t addr[16], unsigned bits,
               struct load_place *place, struct err *err) {
    struct load_key key = {.bits = bits};
    if (bits > 128)
        return err_set(err, E_RANGE, "an IPv6 prefix has at most 128 bits");
    memcpy(key.addr6, addr, sizeof key.addr6);
    return find(type, files, &key, place, err);
}

int load_find_name(enum conf_dataset_type type, const struct conf_list_text *files, const struct name *n, bool wildcard,
                   struct load_place *place, struct err *err) {
    struct load_key key = {.name = n, .wildcard = wildcard};
    return find(type, files, &key, place, err);
}
