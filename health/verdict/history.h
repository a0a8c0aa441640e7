/* The last transitions: a ring that forgets the oldest and counts what it forgot. */
#ifndef CANDOR_VERDICT_HISTORY_H
#define CANDOR_VERDICT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "resolver/base/limits.h"

enum { HISTORY_WHAT_MAX = 160, HISTORY_CAUSE_MAX = 256 };

struct history_entry {
    uint64_t number;             /* 1, 2, 3... since the process started */
    int64_t wall_ms;             /* when it was judged */
    int64_t seen_wall_ms;        /* when the first evidence of it was seen */
    uint8_t scope, from, to;     /* enum verdict_scope, enum verdict_state; from and to alike: a doubt (verdict.h) */
    char what[HISTORY_WHAT_MAX]; /* the check, or "" for the scope as a whole */
    char cause[HISTORY_CAUSE_MAX];
};

struct history {
    struct history_entry *at; /* LIMIT_HISTORY of them */
    uint64_t total;
};

/* The slot to fill for the next transition; its number is set. */
struct history_entry *history_next(struct history *h);
/* The newest, to be completed. */
struct history_entry *history_last(struct history *h);
size_t history_count(const struct history *h);
/* back 0: the newest. NULL beyond what is kept. */
const struct history_entry *history_at(const struct history *h, size_t back);

#endif
