/* Inside of a batch: the places it has looked at, what stands there now and what stood there before. edit.c makes the
 * edits, edit_place.c reads places, edit_commit.c writes what changed. */
#ifndef CANDOR_KEEP_EDIT_IMPL_H
#define CANDOR_KEEP_EDIT_IMPL_H

#include "rbl/keep/edit.h"
#include "rbl/keep/merge.h"
#include "rbl/keep/until.h"
#include "rbl/keep/values.h"
#include "rbl/keep/work.h"
#include "resolver/base/arena.h"

enum { BATCH_PLACES = 2 * KEEP_BATCH_EDITS, BATCH_SLOTS = 1024, BATCH_SPOTS = 4096 };

/* One value at one place; number 0: the local exclusion. */
struct spot {
    uint32_t value; /* number in the batch */
    uint32_t source;
    bool file;    /* a file lists it */
    bool was, is; /* a local entry */
    uint8_t file_dataset;
    int64_t was_until, until;
};

struct place {
    enum feed_kind kind;
    uint8_t bits;
    uint8_t size;
    const uint8_t *key; /* address or reversed labels; arena */
    uint32_t hash;
    unsigned count, cap;
    struct spot *spot; /* spot[0] is always the exclusion's */
};

struct batch_value {
    const struct value *v; /* arena, only what is used; NULL: number 0 */
    uint32_t hash;
    uint32_t id;      /* the store's; 0: not known yet */
    int64_t uses;     /* by how many local entries more; while a commit is made */
    bool fresh, gone; /* likewise: the id is new, or its last use went */
};

/* An edit, to be undone. */
struct undo {
    uint32_t place, spot, source;
    bool is;
    int64_t until;
};

struct keep_batch {
    struct keep *k;
    struct store_txn *t; /* NULL: not reading, or nothing stored */
    struct arena arena;
    struct place *place;
    uint32_t places, place_cap;
    uint32_t *slot, slots; /* places by key, + 1 */
    struct batch_value *value;
    uint32_t values, value_cap;
    uint32_t *value_slot, value_slots;
    struct undo *undo;
    size_t edits, undo_cap;
    const char **source;
    uint32_t sources, source_cap, source_now;
    struct view_apex *apex; /* another one than is committed; NULL: none was given */
    struct look_dataset look[LIMIT_DATASETS];
    bool looked; /* `look` is filled */
};

/* --- edit_place.c --- */
/* Begins reading when it has ended. */
int batch_read(struct keep_batch *b, struct err *err) MUST_USE;
void batch_read_end(struct keep_batch *b);
/* The number of a value; E_INVALID when it is none that a local entry can have. */
int batch_value_of(struct keep_batch *b, const struct value *v, uint32_t *number) MUST_USE;
/* The place of an entry, read from the store when it is new to the batch. E_FULL: too many. */
int batch_place(struct keep_batch *b, enum feed_kind kind, unsigned bits, const uint8_t *key, size_t size,
                struct place **p, struct err *err) MUST_USE;
/* The spot of a value, made when there is none. Spots may move. */
int batch_spot(struct keep_batch *b, struct place *p, uint32_t value, unsigned *spot) MUST_USE;
struct change batch_change(const struct place *p);

/* --- edit.c --- */
/* One spot becomes something else; remembered. */
int batch_set(struct keep_batch *b, struct place *p, unsigned spot, bool is, int64_t until) MUST_USE;
void batch_reset(struct keep_batch *b);

/* --- edit_commit.c --- */
/* One spot that is not as it was. */
struct edited {
    const struct place *p;
    const struct spot *s;
    uint32_t id;
};

struct edits {
    struct keep_batch *b;
    const struct keep_commit *c;
    struct edited *at;
    size_t count;
    bool entries;     /* some come or go */
    struct diff diff; /* writes, changeset, digest, first lines, what came and went */
    struct merge merge;
    struct meta *next;
    struct journal_header header;
    uint64_t less, more; /* that are listed, exclusions weighed */
};

/* --- edit_record.c --- */
/* By table, then as keys stand in it: the edits of one record side by side. */
void edits_sort(struct edits *e);
/* The changed records to the writes; the ids are known. E_CORRUPT: what was there is not. */
int edits_write_records(struct edits *e, struct err *err) MUST_USE;

#endif
