#include "health/report/notice.h"

#include <stdlib.h>
#include <string.h>

struct detail *detail_make(const char *json, size_t size) {
    struct detail *d = malloc(sizeof *d + size + 1);
    if (d == NULL)
        return NULL;
    d->refs = 1;
    d->size = size;
    memcpy(d->json, json, size);
    d->json[size] = '\0';
    return d;
}

struct detail *detail_ref(struct detail *d) {
    if (d != NULL)
        __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
    return d;
}

void detail_unref(struct detail *d) {
    if (d != NULL && __atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free(d);
}
