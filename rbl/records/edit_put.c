/* A region as it was and as it is: the difference of its entries, into the batch. */
#include <stdlib.h>
#include <string.h>

#include "rbl/records/edit_impl.h"

int edit_entries_of(struct edit_entries *to, const struct data *d) {
    int rc = 0;
    for (size_t i = 0; i < d->n4 && rc == 0; i++)
        rc = edit_entries_add(to, &(struct edit_entry){.kind = KEEP_4,
                                                       .addr = (read_addr)d->e4[i].addr << 96,
                                                       .bits = d->e4[i].bits,
                                                       .value = d->e4[i].value});
    for (size_t i = 0; i < d->n6 && rc == 0; i++)
        rc = edit_entries_add(to, &(struct edit_entry){.kind = KEEP_6,
                                                       .addr = read_addr_of(d->e6[i].addr, 16),
                                                       .bits = d->e6[i].bits,
                                                       .value = d->e6[i].value});
    for (size_t i = 0; i < d->nn && rc == 0; i++)
        rc = edit_entries_add(to, &(struct edit_entry){.kind = KEEP_NAME,
                                                       .path = d->en[i].name,
                                                       .size = d->en[i].size,
                                                       .wildcard = d->en[i].wildcard,
                                                       .value = d->en[i].value});
    return rc;
}

static void keep_entry_of(const struct edit_entry *from, const struct data *d, struct keep_entry *to) {
    memset(to, 0, offsetof(struct keep_entry, value));
    to->kind = from->kind;
    to->bits = from->kind == KEEP_NAME ? from->wildcard : from->bits;
    to->until_wall_s = 0;
    to->dataset = DATASET_LOCAL;
    read_addr_put(from->addr, to->addr);
    if (from->kind == KEEP_NAME)
        records_name_of_path((struct bytes){from->path, from->size}, &to->name);
    to->excluded = from->value == VALUE_EXCLUDED;
    if (!to->excluded)
        value_copy(&to->value, &d->value[from->value]);
}

static void sort(struct edit_entries *e) {
    if (e->count > 1)
        qsort(e->at, e->count, sizeof *e->at, edit_entry_order);
}

int edit_put(struct keep_batch *b, struct edit_entries *was, struct edit_entries *is, const struct data *d,
             struct err *err) {
    static _Thread_local struct keep_entry one; /* large */
    size_t i = 0, k = 0;
    int rc = 0;
    sort(was);
    sort(is);
    while (rc == 0 && (i < was->count || k < is->count)) {
        int c = i == was->count ? 1 : k == is->count ? -1 : edit_entry_order(&was->at[i], &is->at[k]);
        if (c != 0)
            keep_entry_of(c < 0 ? &was->at[i] : &is->at[k], d, &one);
        if (c < 0)
            rc = keep_batch_remove(b, &one, false, err);
        else if (c > 0)
            rc = keep_batch_add(b, &one, err);
        i += c <= 0;
        k += c >= 0;
    }
    return rc;
}
