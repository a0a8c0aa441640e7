/* One UPDATE carried out on a batch of edits, without network or threads: what the door calls on a thread of the pool.
 *
 * Owner names become places in the zone (rbl/records/shape.h), RRs become entries so:
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
#include "rbl/records/rdata.h"
#include "rbl/records/shape.h"
#include "resolver/base/conf.h"
#include "resolver/dns/message.h"

enum {
    UPDATE_RRS = 4096,  /* prerequisites and updates of one message */
    UPDATE_VALUES = 64, /* at one place */
    UPDATE_TXT = RECORDS_TXT,
    UPDATE_MEMORY = 32 << 20
};

struct update_result {
    unsigned rcode;
    char why[160];           /* for the log and EDE, "" when the RCODE says it all */
    uint32_t serial_hint;    /* 0: none asked for */
    unsigned added, removed; /* entries */
};

/* Returns 0 with the edits in the batch; E_REFUSED with the RCODE in r (the batch is then to be rewound); or the
 * store's trouble (E_FULL: try again with an empty batch), RCODE SERVFAIL. The zone section has been looked at before,
 * the rest of the message is not trusted. May be called again with the same arguments. */
int update_run(const struct records_zone *z, const uint8_t *msg, size_t size, struct keep_batch *b,
               struct update_result *r, struct err *err) MUST_USE;

#endif
