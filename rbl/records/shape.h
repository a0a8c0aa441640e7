/* From an owner name to a place of a zone. In a zone with address lists, or with no datasets at all, the shape decides:
 *
 *   2.2.0.192            192.0.2.2/32        *.2.0.192     192.0.2.0/24    *.10    10.0.0.0/8
 *   32 nibbles           an IPv6 /128        *. n nibbles  a prefix of 4n bits (n >= 4, unless it lists IPv6 alone)
 *   everything else      the name itself     *.example     names below it
 *
 * In a zone of names alone (dnset, generic) all are names. */
#ifndef CANDOR_RECORDS_SHAPE_H
#define CANDOR_RECORDS_SHAPE_H

#include "rbl/keep/edit.h"
#include "resolver/base/conf.h"

/* What the configuration says of a zone, made once. */
struct records_zone {
    struct name apex; /* lower-case */
    bool addresses;   /* shapes count */
    bool only6;       /* every address list in it is one of IPv6 */
    bool has6;
};
int records_zone_make(struct records_zone *z, const struct conf_zone *conf, struct err *err) MUST_USE;

/* A prefix or address alone. */
struct records_key {
    enum keep_kind kind; /* KEEP_4, KEEP_6 */
    uint8_t bits, addr[16];
};
/* Whether a name (relative, lower-case, for a wildcard without its star) is one. `exact`: an octet with leading zeros
 * is none; else it is one, as look-ups read it. */
bool records_shape(const struct records_zone *z, const struct name *n, bool wildcard, bool exact,
                   struct records_key *k);

/* A label as an octet or nibble of an address; -1: it is none. Look-ups pass leading zeros (rbl/answer_name.c). */
int records_octet(const uint8_t *label, bool exact);
int records_nibble(const uint8_t *label);

struct records_place {
    bool apex, has_address;
    struct keep_entry address, as_name; /* keys, without values */
};
/* `n` relative to the apex, lower-case. */
void records_place_of(const struct records_zone *z, const struct name *n, bool exact, struct records_place *p);
/* The owner relative to the apex, lower-case; false: it is not in the zone. */
bool records_relative(const struct name *owner, const struct name *apex, struct name *to);

#endif
