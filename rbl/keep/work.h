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
    bool anew; /* what was stored is damaged and counts no more */
};

/* Nothing stored is looked at any more: a write may begin. */
static inline void work_end_reading(struct work *w) {
    store_read_end(w->t);
    w->t = NULL;
}

/* --- guard.c: E_REFUSED with the numbers, or 0 --- */
int guard_check(struct work *w, struct err *err) MUST_USE;
struct guard_batch {
    struct keep *k;
    const struct meta *next;         /* counts and entries as they will be; datasets as they are */
    const struct look_source *after; /* the zone as it will be, DATASET_LOCAL included */
    uint64_t less, more; /* entries that will be listed no more, or newly: an exclusion that comes is less */
    bool force;
};
int guard_check_batch(const struct guard_batch *g, struct err *err) MUST_USE;

/* --- commit.c: a small change, one transaction on the live generation --- */
int commit_live(struct work *w, uint64_t *bytes, struct err *err) MUST_USE;
/* Only the zone's record: times that move while the entries stay. */
int commit_quiet(struct keep *k, const struct meta *m, struct err *err) MUST_USE;
void commit_meta(struct buf *writes, const struct meta *m);
/* Puts the commit's header, and its changeset when it was kept, to the writes; what it takes of the limit is told. */
uint64_t commit_journal(struct journal_header *h, uint64_t commit, bool kept, struct bytes changeset,
                        struct buf *writes);
/* What the journal may come to: what is configured, and no more than the zone is worth (KEEP_JOURNAL_LEAST). */
uint64_t commit_journal_limit(const struct keep *k, const struct meta *next);
/* Takes the oldest records away until what stays fits beside `fresh` new octets; sets next->journal_bytes. */
int commit_trim(struct keep *k, struct store_txn *t, uint64_t fresh, struct meta *next, struct buf *writes,
                struct err *err) MUST_USE;
/* Never 0, never backwards; the commit's hint when it is newer, or exact. */
uint32_t commit_serial(struct keep *k, const struct keep_commit *c);
/* Whether a commit without a change has to be made: the source's serial is another one than ours. */
bool commit_wants_serial(const struct keep *k, const struct keep_commit *c);
/* Applies the writes to the live generation. */
int commit_write(struct keep *k, struct buf *writes, struct err *err) MUST_USE;

/* One entry more or less in counts and sums; E_CORRUPT: there is none. */
int commit_count(struct meta *next, const struct change *c) MUST_USE;
/* A value that is used by so many more (less) local entries, and entries of files; `fresh`: it is new. *gone: it has no
 * use left. */
struct commit_use {
    uint32_t id;
    const struct value *v;
    int64_t local, files;
    bool fresh, gone;
};
int commit_use(struct store_txn *t, struct commit_use *use, struct buf *writes, struct err *err) MUST_USE;
/* Once it is written: k->values goes with it, or is forgotten. NULL: with the commit alone. */
int commit_used(struct keep *k, const struct commit_use *use) MUST_USE;
/* What is stored with the writes over it, for the guards. */
struct commit_after {
    const struct buf *writes;
    struct store_txn *t;
    bool local; /* nothing but local entries is written */
};
struct look_source commit_after_source(struct commit_after *a);

/* --- copy.c: making a new generation --- */
/* Everything in `table` from the key `from` on (size 0: all), as it stands, appended to that of `s`; *bytes: how much
 * it was. E_CORRUPT: a key that does not belong there. */
int copy_table(struct store *s, struct store_txn *t, unsigned table, struct bytes from, uint64_t *bytes,
               struct err *err) MUST_USE;
/* Reads everything back. */
int copy_check(struct store *s, const struct meta *m, struct err *err) MUST_USE;
struct making {
    char generation[32], folder[40];
};
void making_name(struct making *m, const struct keep *k);
/* `rc` 0: what is in the folder is whole and synced and becomes the live generation. Else, and when that fails, it is
 * removed and the code returned; the old one stays. *bytes: size of the file. */
int making_finish(const struct making *m, struct keep *k, int rc, uint64_t *bytes, struct err *err) MUST_USE;

/* --- bulk.c: a new generation --- */
int bulk_replace(struct work *w, uint64_t *bytes, struct err *err) MUST_USE;

/* --- verify.c: everything in `t` against what `m` says --- */
int verify_all(struct store_txn *t, const struct meta *m, struct err *err) MUST_USE;
/* The same one record after the other, for who reads them anyway: those of TABLE_4, TABLE_6 and TABLE_NAMES in their
 * order, then the rest by itself. Inside of a guard. */
struct verify *verify_open(struct store_txn *t, const struct meta *m);
int verify_record(struct verify *v, unsigned table, struct bytes key, struct bytes record, struct err *err) MUST_USE;
/* `journal`: that too, which may be as long as the zone. */
int verify_rest(struct verify *v, bool journal, struct err *err) MUST_USE;
void verify_close(struct verify *v); /* NULL is none */
/* The local entries alone, whatever else is damaged; *digest: theirs. */
int verify_local(struct store_txn *t, const struct meta *m, struct digest *digest, struct err *err) MUST_USE;

/* --- keep.c --- */
/* A generation that is whole, opened; then it is kept from now on, or let go. Not one that is open here already. */
struct keep_prepared {
    struct store *store;
    struct meta *meta;
};
int keep_prepare(struct keep_prepared *p, const struct keep *k, const char *generation, unsigned how,
                 struct err *err) MUST_USE;
void keep_adopt(struct keep *k, const char *generation, struct keep_prepared *p);
void keep_unprepare(struct keep_prepared *p);
int keep_take_over(struct keep *k, const char *generation, unsigned how, struct err *err) MUST_USE;

#endif
