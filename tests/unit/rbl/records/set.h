/* Sets of RRs as sorted lines "owner ttl type hex", a resolver over them, and random zones. */
#ifndef CANDOR_TEST_RECORDS_SET_H
#define CANDOR_TEST_RECORDS_SET_H

#include "rbl/records/records.h"
#include "resolver/dns/const.h"
#include "tests/unit/rbl/keep/zone.h"

struct set_rr {
    struct name owner; /* absolute */
    uint16_t type;
    uint32_t ttl;
    uint16_t size;
    uint8_t rdata[VALUE_BYTES];
};
struct set {
    struct set_rr *at;
    size_t count, cap;
};
void set_free(struct set *s);
void set_add(struct set *s, const struct records_rr *rr);
/* Takes one away; whether it was there. */
bool set_drop(struct set *s, const struct records_rr *rr);
void set_sort(struct set *s);
struct records_rr set_get(const struct set *s, size_t i);
int set_compare_rr(const struct set_rr *a, const struct set_rr *b);
/* Both sorted; fails with the first RR that is in one alone. */
void set_same(const struct set *a, const struct set *b, const char *where);
const char *set_text(const struct set_rr *rr);

/* Everything that the walk tells of a zone, sorted; that no RR comes twice and owners stand together is checked. */
void set_walk(struct set *s, const char *state, const struct conf_zone *z);
/* What DNS answers (RFC 1034 section 4.3.2, RFC 4592): indices into the sorted set, of all types. */
size_t set_ask(const struct set *s, const struct name *apex, const struct name *qname, size_t found[64]);

#endif
