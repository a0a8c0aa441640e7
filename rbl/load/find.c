#include <stdlib.h>

#include "rbl/load/impl.h"

struct find {
    struct load load;
    struct load_report report;
    struct data scratch; /* counts datasets, holds no entries */
};

/* Reads one configured dataset as a load does, but stops at the line that holds the entry. */
static int look_through(struct find *f, const struct conf_dataset *data, const struct load_key *key,
                        struct load_place *place, struct err *err) {
    struct load *l = &f->load;
    int rc = load_open(l, &f->scratch, data->type, &f->report, err);
    l->key = key;
    l->place = place;
    if (rc == 0 && (l->combined || l->dataset == key->dataset))
        rc = load_files(l, &data->files);
    return load_close(l, rc);
}

/* NULL, or what is wrong with it. */
static const char *wrong(const struct load_key *key) {
    if (key->kind == LOAD_KEY_4)
        return key->bits > 32 ? "an IPv4 prefix has at most 32 bits" : NULL;
    if (key->kind == LOAD_KEY_6)
        return key->bits > 128 ? "an IPv6 prefix has at most 128 bits" : NULL;
    return key->name == NULL ? "no name to look for" : NULL;
}

int load_find(const struct conf_dataset *data, size_t count, const struct load_key *key, struct load_place *place,
              struct err *err) {
    const char *text = wrong(key);
    memset(place, 0, sizeof *place);
    if (text != NULL)
        return err_set(err, E_RANGE, "%s", text);
    struct find *f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, E_NOMEM, "no memory to read the files");
    int rc = data_open(&f->scratch);
    for (size_t i = 0; i < count && rc == 0 && f->scratch.dataset_count <= key->dataset; i++)
        rc = look_through(f, &data[i], key, place, err);
    data_free(&f->scratch);
    free(f);
    return rc == E_EXISTS ? 0 : rc;
}
