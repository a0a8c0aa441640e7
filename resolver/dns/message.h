/* Reading DNS messages: bounded, allocation-free, nothing trusted (RFC 1035 section 4, RFC 6891).
 *
 * dns_query_read() takes in a client's question in one pass; dns_reader walks the RRs of an answer. Rules that every
 * message from the network must pass: pointers strictly backward, at most LIMIT_LABELS labels, one OPT, in the
 * additional section and owned by the root, RDATA inside the message, at most LIMIT_RRS_PER_MESSAGE RRs. */
#ifndef CANDOR_DNS_MESSAGE_H
#define CANDOR_DNS_MESSAGE_H

#include "resolver/base/bytes.h"
#include "resolver/dns/const.h"
#include "resolver/dns/name.h"

struct dns_header {
    uint16_t id, flags; /* flags: QR..CD as enum dns_flag */
    uint8_t opcode, rcode;
    uint16_t qd, an, ns, ar;
};

/* What the OPT RR said; `present` false: there was none, udp_size is 512. Of an option that comes twice the first
 * counts (RFC 7873 section 5.2). Options not named here are skipped. */
struct dns_edns {
    bool present, dnssec_ok, nsid_present;
    uint8_t version;
    uint16_t udp_size;   /* at least 512 */
    uint8_t rcode_high;  /* upper eight bits of the extended RCODE */
    struct bytes nsid;   /* into the message */
    struct bytes cookie; /* as received: 8 octets, or 16..40 */
    struct bytes ecs;    /* client subnet as received (RFC 7871), its shape checked */
    bool keepalive, padding;
    int ede;               /* first EDE code, EDE_NONE when there is none */
    struct bytes ede_text; /* as received: any octets */
    struct bytes options;  /* all of them, as they stand: dns_option_next; version 0 only */
};

struct dns_query {
    struct dns_header header;
    struct name qname; /* case as asked: echo it (0x20) */
    uint16_t qtype, qclass;
    size_t question_end; /* offset behind the question section */
    struct dns_edns edns;
    bool tsig; /* last RR of the additional section is a TSIG */
};

/* Returns 0, or the RCODE > 0 with which the message is to be answered (FORMERR, NOTIMP for an opcode other than
 * QUERY, NOTIFY, UPDATE; BADVERS), or E_INVALID when it deserves no answer: shorter than a header, or QR set. `q` is
 * filled as far as it could be read; the header always, unless E_INVALID for its length. question_end 0: no question
 * could be read, the qname is the root. Exactly one question, and nothing behind the last RR, else FORMERR; but of a
 * QUERY without a question that is well-formed otherwise, `edns` is filled (RFC 7873 section 5.4). The RRs
 * (of IXFR, NOTIFY, UPDATE) are walked and passed over; a dns_reader takes them out. */
int dns_query_read(struct dns_query *q, const uint8_t *msg, size_t size) MUST_USE;

struct dns_rr {
    struct name owner;
    uint16_t type, klass;
    uint32_t ttl;    /* RFC 2181: with the top bit set it is read as 0 */
    uint8_t section; /* enum dns_section */
    size_t rdata;    /* offset in the message */
    uint16_t rdata_size;
};

struct dns_reader {
    const uint8_t *msg;
    size_t size, at;
    struct dns_header header;
    uint16_t left[3];
    unsigned seen; /* RRs so far */
    bool opt_seen, tsig_seen;
};

/* Header and, if there is one, the question (q* may be NULL); more than one question is E_INVALID. Without a question
 * (a later message of a zone transfer) the qname is the root, type and class 0. */
int dns_reader_open(struct dns_reader *r, const uint8_t *msg, size_t size, struct name *qname, uint16_t *qtype,
                    uint16_t *qclass) MUST_USE;
/* The next RR: 0; E_NOTFOUND behind the last; E_INVALID. OPT and TSIG come as any other RR. Octets behind the last RR
 * are not looked at. After E_INVALID do not go on. */
int dns_reader_next(struct dns_reader *r, struct dns_rr *rr) MUST_USE;
/* Takes an OPT RR apart: 0 or E_INVALID (an option that runs out of the RDATA or has not its shape; more than
 * LIMIT_EDNS_OPTIONS of them). A version above 0 is no error here, its options are not looked at. */
int dns_edns_read(struct dns_edns *e, const struct dns_rr *opt, const uint8_t *msg, size_t size) MUST_USE;

/* The OPT of a whole message: 0, E_NOTFOUND when it has none, E_INVALID. */
int dns_edns_find(struct dns_edns *e, const uint8_t *msg, size_t size) MUST_USE;

/* Takes the next option of this code off `rest`, to begin with dns_edns.options: 0, or E_NOTFOUND when there is none
 * left (or what is left is no option). Several of one code come in their order. */
int dns_option_next(struct bytes *rest, uint16_t code, struct bytes *data) MUST_USE;

/* The one name that is the whole RDATA of an NS, CNAME, PTR or DNAME. */
int dns_name_rdata_read(struct name *n, const struct dns_rr *rr, const uint8_t *msg, size_t size) MUST_USE;
/* SOA RDATA at rr: serial and minimum (names are checked, not kept). */
int dns_soa_read(const struct dns_rr *rr, const uint8_t *msg, size_t size, uint32_t *serial,
                 uint32_t *minimum) MUST_USE;
/* The serial that a whole message tells (IXFR: RFC 1995 section 3, NOTIFY: RFC 1996 section 3.7): of the first SOA in
 * this section; with `owner` (may be NULL) of that owner. False: there is none. */
bool dns_soa_serial(const uint8_t *msg, size_t size, enum dns_section section, const struct name *owner,
                    uint32_t *serial);

#endif
