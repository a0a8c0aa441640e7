/* Inside of rbl/update, without the door (door.c):
 *
 *   run.c     the order of RFC 2136 section 3: read, prerequisites, prescan, updates, edits
 *   rr.c      RRs of the message: relative owner, RDATA without compression
 *   place.c   from an owner name to a place of the zone; places of one message, loaded once
 *   values.c  RRs of a place as values, and changes of them
 *   apex.c    SOA and NS of the zone, which are no entries */
#ifndef CANDOR_RBL_UPDATE_IMPL_H
#define CANDOR_RBL_UPDATE_IMPL_H

#include "rbl/update/run.h"

enum { CLASS_ZONE = CLASS_IN };

/* An RR of the message. */
struct update_rr {
    struct name name; /* relative to the apex, lower-case; root: the apex */
    bool outside;     /* of the zone; `name` is then unset */
    uint16_t type, klass;
    uint32_t ttl;
    uint16_t rdata_size; /* as it came */
    bool rdata_bad;
    struct bytes rdata; /* uncompressed; in the arena. Empty for classes ANY, and NONE in prerequisites */
};

/* A value at a place, with what keeps it. */
struct update_value {
    struct value v;
    bool is_name; /* a name's entry, also at a place that is an address */
    bool local;   /* DATASET_LOCAL, or new */
};

struct update_place {
    struct update_place *next;
    struct name name;
    uint32_t hash;
    bool apex, has_address, loaded, touched;
    bool files;                         /* something here is from files */
    struct keep_entry address, as_name; /* keys, without values */
    unsigned had_count, count;
    struct update_value *had;
    struct update_value *value[UPDATE_VALUES];
};

struct update_run {
    const struct records_zone *zone;
    const uint8_t *msg;
    size_t size;
    struct keep_batch *batch;
    struct update_result *result;
    struct err *err;
    struct arena arena;
    struct update_rr *rr;
    unsigned prerequisites, count; /* rr[0..prerequisites), rr[prerequisites..count) */
    struct update_place *places;
    struct keep_entry *found; /* UPDATE_VALUES of them */
};

/* Ends the message with this RCODE: returns E_REFUSED. */
int update_refuse(struct update_run *u, unsigned rcode, const char *why);

/* rr.c: fills u->rr from the message; E_REFUSED with FORMERR. */
int update_read(struct update_run *u) MUST_USE;

/* place.c */
void update_place_shape(const struct records_zone *z, struct update_place *p);
/* The place of this name, with what is there; E_NOMEM, the store's error, E_REFUSED. */
int update_place_get(struct update_run *u, const struct name *name, struct update_place **out) MUST_USE;
/* Puts the difference between what was there and what is to be there into the batch. */
int update_place_put(struct update_run *u, struct update_place *p) MUST_USE;

/* values.c. The RDATA of value i as RR of `type`; size 0: it has none. `to` holds VALUE_BYTES + 1. */
struct bytes update_value_rdata(const struct update_place *p, unsigned i, uint16_t type, uint8_t to[VALUE_BYTES + 1]);
/* Whether an RR of this type is there; TYPE_ANY: any. */
bool update_has(const struct update_place *p, uint16_t type);
bool update_has_rdata(const struct update_place *p, uint16_t type, struct bytes rdata);
int update_add(struct update_run *u, struct update_place *p, const struct update_rr *rr) MUST_USE;
/* RRset of a type, all with TYPE_ANY; with `rdata` (not NULL) this RR alone. */
int update_remove(struct update_run *u, struct update_place *p, uint16_t type, const struct bytes *rdata) MUST_USE;

/* apex.c. A zone to which nothing was ever committed has none yet. */
unsigned update_apex_count(const struct update_run *u, uint16_t type); /* SOA or NS RRs */
bool update_apex_has(const struct update_run *u, uint16_t type, struct bytes rdata);
bool update_apex_serial(const struct update_run *u, uint32_t *serial);
/* All but the serial. */
bool update_apex_same_soa(const struct update_run *u, struct bytes rdata);

#endif
