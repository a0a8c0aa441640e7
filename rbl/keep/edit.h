/* Changing a kept zone entry by entry: candor add and del, UPDATE.
 *
 * They live in a dataset of their own (DATASET_LOCAL) beside those of the files, so that they outlast every new version
 * of the files; keep_replace never touches it. Across all datasets the most specific entry decides: a local exclusion
 * silences what other datasets list by the same or a shorter prefix (name: the same, or a wildcard above), and a local
 * entry that is no exclusion adds its answer to theirs.
 *
 *   add     a local exclusion of exactly this entry goes; the local entry comes, unless a file lists it alike
 *   remove  the local entry goes; if files list exactly this one, a local exclusion of it comes
 *
 * A batch collects the edits of many publishers and commits them in one durable transaction. Its cost goes with the
 * number of edits, not with the size of the zone. Between open and close no other call on the same keep. */
#ifndef CANDOR_KEEP_EDIT_H
#define CANDOR_KEEP_EDIT_H

#include "rbl/keep/keep.h"

enum keep_kind { KEEP_4, KEEP_6, KEEP_NAME };
struct keep_entry {
    enum keep_kind kind;
    uint8_t bits;     /* prefix length; names: 1 for a wildcard, 0 for the name itself */
    uint8_t addr[16]; /* KEEP_4: the first four octets; host bits zero */
    struct name name; /* KEEP_NAME: relative to the zone, lower-case, without the "*" */
    bool excluded;
    struct value value;   /* unless excluded */
    int64_t until_wall_s; /* goes by itself then; 0: stays */
    unsigned dataset;     /* filled when looked up */
};

struct keep_batch;
int keep_batch_open(struct keep_batch **b, struct keep *k, struct err *err) MUST_USE;
void keep_batch_close(struct keep_batch *b); /* what was not committed is gone; NULL is none */
/* Who makes the edits that follow, for why and history: "update key.example.", "add". */
void keep_batch_source(struct keep_batch *b, const char *source);
/* SOA and NS as they were last committed; NULL: nothing ever was. */
struct view_apex;
const struct view_apex *keep_batch_apex(const struct keep_batch *b);
/* SOA (but its serial), NS and TTLs as a transfer brings them: committed with the batch, also without an entry changed.
 */
int keep_batch_set_apex(struct keep_batch *b, const struct view_apex *apex) MUST_USE;
/* The entries at exactly this place (kind, bits, addr or name of `at`), edits of the batch included, local exclusions
 * applied and not told. At most cap; *count says how many there are. */
int keep_batch_at(struct keep_batch *b, const struct keep_entry *at, struct keep_entry *found, unsigned cap,
                  unsigned *count, struct err *err) MUST_USE;
/* E_FULL beyond KEEP_BATCH_EDITS: commit and go on. Adding what is there already renews its `until` only (a commit with
 * a serial of its own: other nodes have to know it). A value that
 * takes another's place is a remove and an add. */
enum { KEEP_BATCH_EDITS = 65536 };
int keep_batch_add(struct keep_batch *b, const struct keep_entry *e, struct err *err) MUST_USE;
/* Takes away the one with this value, or with `any_value` all at this place. Nothing there: 0, nothing happens. With
 * e->until_wall_s what files list here comes back by itself then. */
int keep_batch_remove(struct keep_batch *b, const struct keep_entry *e, bool any_value, struct err *err) MUST_USE;
/* A place to come back to: all edits since are undone (an UPDATE that fails half-way). */
size_t keep_batch_mark(const struct keep_batch *b);
void keep_batch_rewind(struct keep_batch *b, size_t mark);
/* Durable when it returns 0; without a change no commit and no new serial. E_REFUSED from the guards: nothing was done,
 * the batch may be rewound and committed again in smaller parts. c->source is the commit's in the history. */
int keep_batch_commit(struct keep_batch *b, const struct keep_commit *c, struct keep_result *r,
                      struct err *err) MUST_USE;
/* Adds the removal of every entry whose time is up at `now_wall_s` to the batch; *next_wall_s: when the next one is due
 * (0: none). */
int keep_batch_expire(struct keep_batch *b, int64_t now_wall_s, int64_t *next_wall_s, struct err *err) MUST_USE;

#endif
