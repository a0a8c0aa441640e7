#include <stdlib.h>

#include "rbl/records/impl.h"

int path_compare(struct bytes a, struct bytes b) {
    size_t size = a.size < b.size ? a.size : b.size;
    int c = size > 0 ? memcmp(a.at, b.at, size) : 0;
    return c != 0 ? c : (a.size > b.size) - (a.size < b.size);
}

bool path_is_under(struct bytes p, struct bytes above) {
    return p.size >= above.size && (above.size == 0 || memcmp(p.at, above.at, above.size) == 0);
}

bool region_has(const struct region *r, struct bytes path) {
    struct bytes last = {r->last, r->last_size};
    if (path_compare(path, (struct bytes){r->from, r->from_size}) < 0)
        return false;
    return path_compare(path, last) <= 0 || (r->beneath && path_is_under(path, last));
}

static int order(const void *va, const void *vb) {
    const struct region *a = va, *b = vb;
    return path_compare((struct bytes){a->from, a->from_size}, (struct bytes){b->from, b->from_size});
}

size_t regions_settle(struct region *at, size_t count) {
    size_t kept = 0;
    if (count > 1)
        qsort(at, count, sizeof *at, order);
    for (size_t i = 0; i < count; i++) {
        struct region *top = kept > 0 ? &at[kept - 1] : NULL, *r = &at[i];
        struct bytes last = {r->last, r->last_size};
        if (top == NULL || !region_has(top, (struct bytes){r->from, r->from_size}))
            at[kept++] = *r;
        else if (path_compare((struct bytes){top->last, top->last_size}, last) == 0)
            top->beneath |= r->beneath;
        else if (!region_has(top, last))
            *top = *r;
    }
    return kept;
}
