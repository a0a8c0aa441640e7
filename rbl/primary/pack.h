/* RRs packed into the messages of a transfer (RFC 5936 section 2.2): as many as fit into about PACK_SIZE octets, owner
 * names compressed against the question and the owner before. In the store's order names share what stands to their
 * right, so that is nearly all there is to gain, and a pointer reaches no further than 16 KiB anyway.
 *
 * The first message has room for the question, the zone's apex; id, case of its letters and question type are filled in
 * for each client, so that one packing serves all of them (pack_aim). OPT and TSIG go behind the octets that are here.
 */
#ifndef CANDOR_RBL_PRIMARY_PACK_H
#define CANDOR_RBL_PRIMARY_PACK_H

#include "resolver/base/bytes.h"
#include "resolver/dns/const.h"
#include "resolver/dns/name.h"

enum {
    PACK_SIZE = 16000,
    PACK_BEHIND = 1024, /* for OPT and TSIG */
    PACK_MOST = LIMIT_MESSAGE - PACK_BEHIND
};

struct pack {
    struct name apex;
    uint8_t msg[LIMIT_MESSAGE];
    size_t size; /* 0: no message is begun */
    unsigned count;
    bool question;     /* the message at hand has one */
    struct name owner; /* the last one, and where its labels stand; labels beyond `reach` are nowhere */
    uint16_t at[LIMIT_LABELS];
    bool owner_known;
};

void pack_open(struct pack *p, const struct name *apex);
/* Begins a message; the first of all with the question. */
void pack_begin(struct pack *p, bool question);
/* 0; E_FULL: take the message (pack_end), begin the next one and call again. An RR that no message holds: E_RANGE. */
int pack_add(struct pack *p, const struct name *owner, uint16_t type, uint32_t ttl, struct bytes rdata) MUST_USE;
/* The message, its counts set; size 0: there is none. */
struct bytes pack_end(struct pack *p);

/* Makes the message a client's own: id, flags, and in a first one qname and qtype as asked. */
void pack_aim(uint8_t *msg, size_t size, uint16_t id, uint16_t flags, const struct name *qname, uint16_t qtype);

#endif
