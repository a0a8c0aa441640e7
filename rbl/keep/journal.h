/* ZONE_FORMAT_DEF. The journal: one header for every commit, and for commits by difference the changeset, in records of
 * at most KEEP_JOURNAL_CHUNK bytes behind it. Key: number of the commit, number of the record (0: the header). */
#ifndef CANDOR_KEEP_JOURNAL_H
#define CANDOR_KEEP_JOURNAL_H

#include "rbl/keep/changeset.h"

enum { JOURNAL_KEY = 12 };
/* JOURNAL_APEX: SOA (but the serial), NS, TTLs or datasets changed, which the changeset does not tell. */
enum journal_flag { JOURNAL_BULK = 1, JOURNAL_FROM_EMPTY = 2, JOURNAL_FORCED = 4, JOURNAL_APEX = 8 };

struct journal_header {
    unsigned flags;
    uint32_t from_serial, to_serial;
    int64_t wall_s;
    uint64_t added, removed, entries;
    struct digest before, after;
    uint32_t chunks; /* 0: the changeset was not kept */
    uint64_t bytes;  /* of the changeset */
    char source[64], reason[128];
};

void journal_key(uint8_t key[JOURNAL_KEY], uint64_t commit, uint32_t record);
void journal_write_header(struct buf *to, const struct journal_header *h);
int journal_read_header(struct bytes record, struct journal_header *h) MUST_USE;

/* Header of a commit: E_NOTFOUND when it is no longer there. */
int journal_header_of(struct store_txn *t, uint64_t commit, struct journal_header *h) MUST_USE;
/* The whole changeset of a commit; E_NOTFOUND when it was not kept, E_CORRUPT when chunks are missing. */
int journal_changeset(struct store_txn *t, uint64_t commit, const struct journal_header *h, struct buf *to) MUST_USE;

#endif
