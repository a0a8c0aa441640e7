#include "health/verdict/history.h"

struct history_entry *history_next(struct history *h) {
    struct history_entry *e = &h->at[h->total % LIMIT_HISTORY];
    e->number = ++h->total;
    return e;
}

struct history_entry *history_last(struct history *h) {
    return &h->at[(h->total - 1) % LIMIT_HISTORY];
}

size_t history_count(const struct history *h) { return h->total < LIMIT_HISTORY ? (size_t)h->total : LIMIT_HISTORY; }

const struct history_entry *history_at(const struct history *h, size_t back) {
    if (back >= history_count(h))
        return NULL;
    return &h->at[(h->total - 1 - back) % LIMIT_HISTORY];
}
