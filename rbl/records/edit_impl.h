/* Inside of records_edit_*: differences of RRs into a batch.
 *
 * What an RR comes to depends on what is around it: wildcards above, names beneath, neighbours that are one entry. So
 * the entries are not edited RR by RR. Everything that a changed owner has to do with is a region of the tree: what
 * holds it, as far up as anything does, and all in that. The region is walked as RRs, changed there, made entries again
 * as a whole transfer would be, and compared with what is stored.
 *
 *   edit.c          RRs collected; the batch
 *   edit_region.c   which regions
 *   edit_stored.c   which entries stand in a region
 *   edit_put.c      the difference into the batch */
#ifndef CANDOR_RECORDS_EDIT_IMPL_H
#define CANDOR_RECORDS_EDIT_IMPL_H

#include "rbl/records/impl.h"
#include "rbl/records/in_impl.h"
#include "rbl/records/text.h"

enum { EDIT_RRS = 1 << 20, EDIT_WALKED = 1 << 20 };

/* One entry of either side; names have a path. */
struct edit_entry {
    enum keep_kind kind;
    bool wildcard;
    uint8_t bits, size;
    uint32_t value; /* of the data that the region became */
    read_addr addr;
    const uint8_t *path;
};
struct edit_entries {
    struct edit_entry *at;
    size_t count, cap;
};
int edit_entry_order(const void *a, const void *b);

/* What an owner has to do with. */
int edit_region_of(struct zone_read *z, struct arena *arena, struct bytes path, bool star, struct region *r) MUST_USE;
/* The local entries in a region, their values as those of `d`; paths in the arena. */
int edit_stored(struct zone_read *z, struct arena *arena, const struct region *r, struct data *d,
                struct edit_entries *to) MUST_USE;
/* All entries of `d`, which the region became. */
int edit_entries_of(struct edit_entries *to, const struct data *d) MUST_USE;
/* Removes what was and is not, adds what is and was not; sorts both. */
int edit_put(struct keep_batch *b, struct edit_entries *was, struct edit_entries *is, const struct data *d,
             struct err *err) MUST_USE;
int edit_entries_add(struct edit_entries *to, const struct edit_entry *e) MUST_USE;

/* in.c: as records_in_open, for a part of a zone. */
int records_in_open_part(struct records_in **out, const struct conf_zone *zone, uint32_t ttl, struct err *err) MUST_USE;
struct data *records_in_part(struct records_in *in);

#endif
