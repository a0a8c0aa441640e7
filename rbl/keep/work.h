/* One keep_replace under way: what is found out before anything is written, and the two ways to write it. */
#ifndef CANDOR_KEEP_WORK_H
#define CANDOR_KEEP_WORK_H

#include "rbl/keep/diff.h"

struct work {
    struct keep *k;
    const struct data *d;
    const struct keep_commit *c;
    struct store_txn *t; /* what is stored; NULL: nothing */
    struct ids ids;
    struct feed feed[FEED_KINDS];
    struct diff diff;
    struct meta *next; /* what meta will say */
    struct journal_header header;
};

/* Nothing stored is looked at any more: a write may begin. */
static inline void work_end_reading(struct work *w) {
    store_read_end(w->t);
    w->t = NULL;
}

/* --- guard.c: E_REFUSED with the numbers, or 0 --- */
int guard_check(struct work *w, struct err *err) MUST_USE;

/* --- commit.c: a small change, one transaction on the live generation --- */
int commit_live(struct work *w, uint64_t *bytes, struct err *err) MUST_USE;
/* Only the zone's record: times that move while the entries stay. */
int commit_quiet(struct keep *k, const struct meta *m, struct err *err) MUST_USE;
void commit_meta(struct buf *writes, const struct meta *m);

/* --- bulk.c: a new generation --- */
int bulk_replace(struct work *w, uint64_t *bytes, struct err *err) MUST_USE;

/* --- verify.c: everything in `t` against what `m` says --- */
int verify_all(struct store_txn *t, const struct meta *m, struct err *err) MUST_USE;

/* --- keep.c --- */
int keep_take_over(struct keep *k, const char *generation, unsigned how, struct err *err) MUST_USE;

#endif
