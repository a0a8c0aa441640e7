/* Inside of rbl/records, the way in.
 *
 *   in.c         RRs of a transfer, an owner at a time, as entries of the local dataset
 *   in_text.c    texts as templates
 *   in_fold.c    addresses: what DNS would answer beneath every owner becomes networks and exclusions, as few as can be
 *   in_names.c   the same for names
 *   zonemd.c     the digest of RFC 8976
 *
 * An owner without A or TXT of its own stands among the entries as an exclusion until in_fold.c and in_names.c know
 * whether anything above would answer for it. */
#ifndef CANDOR_RECORDS_IN_IMPL_H
#define CANDOR_RECORDS_IN_IMPL_H

#include "rbl/records/rdata.h"
#include "rbl/records/records.h"
#include "rbl/records/shape.h"
#include "resolver/dns/const.h"

enum { RECORDS_VALUES = 64, IDS = RECORDS_VALUES };

/* The RRs of one owner. */
struct group_rr {
    uint16_t type, size;
    uint32_t ttl;
    uint32_t at; /* in group.rdata */
};
struct group {
    struct name owner; /* relative, lower-case */
    bool held;
    unsigned rrs;
    struct group_rr rr[RECORDS_VALUES];
    size_t size;
    uint8_t rdata[RECORDS_VALUES * (VALUE_BYTES + 1)];
};

/* A listing's text: where the place's own address or name stands in it, '$' does. */
void records_template(struct value *v, struct bytes txt, const char *own, size_t own_size);

/* Values of one place: sorted, each once. */
struct told_ids {
    unsigned count;
    uint32_t id[IDS];
};
bool told_ids_same(const struct told_ids *a, const struct told_ids *b);
void told_ids_add(struct told_ids *to, uint32_t id);

/* Both sort; entries of DATASET_LOCAL alone. */
int records_fold4(struct data *d) MUST_USE;
int records_fold6(struct data *d) MUST_USE;
int records_fold_names(struct data *d) MUST_USE;

/* in.c */
/* RDATA that its type can have and an entry can hold. */
bool records_rdata_right(uint16_t type, struct bytes r);
int records_read_soa(struct bytes rdata, struct dns_soa *soa) MUST_USE;

/* zonemd.c */
struct zonemd;
int zonemd_open(struct zonemd **z) MUST_USE;
void zonemd_close(struct zonemd *z);
/* Every RR of the zone once, SOA and ZONEMD too; owner absolute. */
int zonemd_add(struct zonemd *z, const struct records_rr *rr) MUST_USE;
/* 1: checked and right; 0: none in a scheme and algorithm that we know; E_INVALID with the words. */
int zonemd_check(struct zonemd *z, const struct name *apex, struct err *err) MUST_USE;

#endif
