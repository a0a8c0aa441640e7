/* The difference between a zone's new contents and what is stored: found by walking both in key order, told as records
 * to write, counts, digest and changeset. Nothing is written here. */
#ifndef CANDOR_KEEP_DIFF_H
#define CANDOR_KEEP_DIFF_H

#include "rbl/keep/journal.h"

/* Writes to be done, one after the other in one buffer: table, delete or put, key, value. */
void writes_put(struct buf *w, unsigned table, struct bytes key, struct bytes value);
void writes_del(struct buf *w, unsigned table, struct bytes key);
/* The last of the writes to a record, if any; size 0: it goes. */
bool writes_find(const struct buf *w, unsigned table, struct bytes key, struct bytes *value);
/* Does them all; the transaction may be repeated. */
int writes_apply(const struct buf *w, struct store_txn *t, struct err *err) MUST_USE;

struct diff {
    const struct data *d;
    const struct ids *ids;
    struct store_txn *t;  /* what is stored; NULL: nothing */
    uint64_t bulk_from;   /* more changes than this: give up collecting, a new generation will be made */
    bool whole;           /* local entries are the data's too */
    size_t changeset_max; /* a longer changeset is not kept */
    /* found */
    uint64_t added, removed;
    uint64_t bytes, pages, last_page; /* walked past so far; pages' worth of them with changes; the last such one */
    struct digest digest;             /* starts as that of what is stored */
    bool bulk;
    struct buf writes;
    bool changeset_kept;
    struct changeset_writer changeset;
    char first[8][96];
    unsigned first_count;
    /* scratch */
    struct items old, new;
    struct value value; /* the last one looked up, and its id */
    uint32_t value_id;
    bool value_known;
};

static inline bool diff_changeset_kept(const struct diff *x) {
    return x->changeset_kept && x->changeset.out.size <= x->changeset_max;
}

int diff_open(struct diff *x, const struct data *d, const struct ids *ids, struct store_txn *t,
              struct digest stored) MUST_USE;
void diff_close(struct diff *x);
/* Remembers the change as text while there is room. */
void diff_note_first(struct diff *x, const struct change *c);
/* After all kinds: whether so many pages change that a new generation is the better way. */
void diff_choose(struct diff *x);
/* One kind of entries. */
int diff_run(struct diff *x, struct feed *f, struct err *err) MUST_USE;

#endif
