/* Data files of any bytes: first byte the dataset type, the rest the file, read twice in parts of two files. What comes
 * out must be settled and whole: in order, host bits zero, values that are values, texts within their size. */
#include <stdio.h>
#include <stdlib.h>

#include "rbl/load/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(int cond, const char *what) {
    if (!cond) {
        fprintf(stderr, "fuzz_load: %s\n", what);
        abort();
    }
}

static void check4(const struct data *d) {
    for (size_t i = 0; i < d->n4; i++) {
        const struct entry4 *e = &d->e4[i];
        must(e->bits <= 32 && (e->bits == 32 || (uint32_t)((uint64_t)e->addr << e->bits) == 0), "host bits");
        must(e->value < d->value_count && e->dataset < d->dataset_count, "value or dataset");
        must(i == 0 || e[-1].dataset < e->dataset || e[-1].addr < e->addr ||
                 (e[-1].addr == e->addr && e[-1].bits <= e->bits),
             "order");
    }
}

static void check_names(const struct data *d) {
    for (size_t i = 0; i < d->nn; i++) {
        const struct entry_name *e = &d->en[i];
        size_t at = 0;
        while (at < e->size) {
            must(e->name[at] >= 1 && e->name[at] <= 63, "label");
            at += e->name[at] + 1u;
        }
        must(at == e->size && at < LIMIT_NAME_WIRE, "name");
        must(e->value < d->value_count && e->dataset < d->dataset_count, "value or dataset");
    }
}

static void check_values(const struct data *d) {
    char text[VALUE_TEXT_MAX];
    for (uint32_t i = VALUE_FIRST; i < d->value_count; i++) {
        const struct value *v = &d->value[i];
        bool listed = v->kind == VALUE_LISTED || (v->kind == VALUE_ACL && v->act == ACL_LISTED);
        must(!listed || (v->has_txt == (v->txt_size > 0) && v->txt_size <= 254), "TXT");
        must(!listed || get_u32(v->a) != 0, "A");
        must(v->kind != VALUE_RR || (v->type != 0 && v->ttl != 0), "RR");
        must(strlen(value_text(v, text)) < VALUE_TEXT_MAX, "text");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct load_report report = {0};
    struct err err;
    if (size == 0)
        return 0;
    struct data *d = malloc(sizeof *d);
    must(d != NULL && data_open(d) == 0, "memory");
    const char *text = (const char *)bytes + 1;
    size_t first = (size - 1) / 2;
    int rc = load_text(d, (enum conf_dataset_type)(bytes[0] % DATASET_TYPES), text, first, "one", &report, &err);
    if (rc == 0)
        rc = load_text(d, (enum conf_dataset_type)(bytes[0] / DATASET_TYPES % DATASET_TYPES), text + first,
                       size - 1 - first, "two", &report, &err);
    must(rc == 0 || rc == E_INVALID || rc == E_REFUSED || rc == E_FULL, "error code");
    if (rc == 0) {
        must(data_settle(d, &err) == 0, "settle");
        check4(d);
        check_names(d);
        check_values(d);
        must(report.notes <= LIMIT_LOAD_ERRORS_SHOWN && report.bad_lines <= report.lines, "report");
    }
    data_free(d);
    free(d);
    return 0;
}
