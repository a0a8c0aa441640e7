/* Inside of rbl/records, the way out: owners and their RRs.
 *
 *   look.h        what holds a place
 *   walker.c      all looks of a zone as one tree of names: owners in order, all of it or regions
 *   region.c      regions of the tree
 *   tell.c        an owner's answers as RRs
 *   walk.c        records_walk_*; diff.c records_diff_* */
#ifndef CANDOR_RECORDS_IMPL_H
#define CANDOR_RECORDS_IMPL_H

#include "rbl/records/look.h"

/* --- walker.c --- */
struct told_rr {
    uint16_t type, size;
    uint32_t ttl;
    uint32_t at; /* in told.rdata */
};
/* An owner and its RRs. */
struct told {
    uint8_t path_size, labels;
    bool star;
    uint8_t path[PATH_MAX_SIZE];
    unsigned rrs;
    struct told_rr *rr;
    unsigned cap;
    struct buf rdata;
};
/* Paths from `from` to `last`, and with `beneath` all beneath that. */
struct region {
    const uint8_t *from, *last;
    uint8_t from_size, last_size;
    bool beneath;
};
bool region_has(const struct region *r, struct bytes path);
/* Regions lie inside of each other or apart: sorts them and leaves those that are in no other. */
size_t regions_settle(struct region *r, size_t count);

struct walker;
int walker_open(struct walker **w, struct zone_read *z) MUST_USE;
void walker_close(struct walker *w);
/* 1: the next owner, until the next call; 0: no more. */
int walker_next(struct walker *w, const struct told **t) MUST_USE;
/* From now on only owners in these, which rise and do not overlap, and the owners above them. */
void walker_regions(struct walker *w, const struct region *r, size_t count);

/* --- walk.c --- */
int records_zone_name(struct name *apex, const struct keep *reading, struct err *err) MUST_USE;
/* NS number `index` of the apex. */
bool records_ns(const struct meta *m, const struct name *apex, unsigned index, struct records_rr *rr);
/* The owner's name; false: it is too long for one beneath the apex. */
bool records_owner(struct name *to, const struct told *t, const struct name *apex);

/* --- tell.c --- */
void told_clear(struct told *t);
/* Takes the RRs of hits, as rbl/answer collects them. `asked`: what stands for '$'; NULL: the listed entry's own. */
struct told_place {
    enum keep_kind kind;
    bool whole; /* a whole address or a name itself; else all beneath it */
    read_addr addr;
    struct bytes path; /* names: beneath the subzone */
};
int told_add(struct told *t, struct zone_read *z, const struct hits *final, const struct told_place *p,
             bool apex) MUST_USE;
int told_excluded(struct told *t, uint32_t ttl) MUST_USE;
/* One type's RRs side by side, with one TTL. */
void told_settle(struct told *t);

#endif
