/* One UPDATE carried out on a batch of edits, without network or threads: what the door calls on a thread of the pool.
 *
 * Owner names become places in the zone. In a zone with address lists, or with no datasets at all, the shape decides:
 *
 *   2.2.0.192            192.0.2.2/32        *.2.0.192     192.0.2.0/24    *.10    10.0.0.0/8
 *   32 nibbles           an IPv6 /128        *. n nibbles  a prefix of 4n bits (n >= 4, unless it lists IPv6 alone)
 *   everything else      the name itself     *.example     names below it
 *
 * In a zone of names alone (dnset, generic) all are names. RRs become entries so:
 *
 *   A in 127/8     a listing with this value; several A are several listings
 *   TXT            the text of the listing that has none yet; with every one taken, of one more with the same A;
 * without a listing it stands as an RR of its own and lists nothing, and moves into the listing that comes other A at a
 * name an RR of its own, at an address REFUSED: a list says 127/8 the rest       RRs at names. At the apex everything
 * is one.
 *
 * A literal dollar sign in a TXT stays one. TTL 0 is kept as 1: 0 in the store means "the zone's". What files list is
 * there for prerequisites and deletion, too; adding what a file lists already changes nothing. The apex: SOA with a
 * higher serial is the serial that the commit should take; its other fields, and NS, come from the configuration or the
 * files: what is the same already is taken, a change REFUSED. */
#ifndef CANDOR_RBL_UPDATE_RUN_H
#define CANDOR_RBL_UPDATE_RUN_H

#include "rbl/keep/edit.h"
#include "resolver/base/conf.h"
#include "resolver/dns/message.h"

enum {
    UPDATE_RRS = 4096,  /* prerequisites and updates of one message */
    UPDATE_VALUES = 64, /* at one place */
    UPDATE_TXT = 254,   /* octets of a listing's text; a longer one stands as an RR of its own */
    UPDATE_MEMORY = 32 << 20
};

/* What the configuration says of a zone, made once. */
struct update_zone {
    struct name apex; /* lower-case */
    bool addresses;   /* shapes count */
    bool only6;       /* every address list in it is one of IPv6 */
    bool has6;
};
int update_zone_make(struct update_zone *z, const struct conf_zone *conf, struct err *err) MUST_USE;

struct update_result {
    unsigned rcode;
    char why[160];           /* for the log and EDE, "" when the RCODE says it all */
    uint32_t serial_hint;    /* 0: none asked for */
    unsigned added, removed; /* entries */
};

/* Returns 0 with the edits in the batch; E_REFUSED with the RCODE in r (the batch is then to be rewound); or the
 * store's trouble (E_FULL: try again with an empty batch), RCODE SERVFAIL. The zone section has been looked at before,
 * the rest of the message is not trusted. May be called again with the same arguments. */
int update_run(const struct update_zone *z, const uint8_t *msg, size_t size, struct keep_batch *b,
               struct update_result *r, struct err *err) MUST_USE;

#endif
