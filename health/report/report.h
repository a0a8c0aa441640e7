/* What a node tells its monitors, and what they answer: a DNS message over UDP, signed with TSIG (RFC 8945) by a key of
 * rbl.keys, so that age, forgery and a wrong clock are judged by what is in use for transfers already.
 *
 *   report.server. CH TXT with REPORT_OPTION (the report) -> the same question, REPORT_OPTION (the acknowledgement)
 *
 * A report is a bit map of verdicts with its boot and its sequence number: a monitor sees what it missed, and the
 * acknowledgement tells the node who hears it. The octets are described in docs/protocol.md. All pure: no clock, no
 * socket; nobody's name is looked up anywhere on the way. */
#ifndef CANDOR_REPORT_H
#define CANDOR_REPORT_H

#include "health/verdict/verdict.h"
#include "resolver/dns/tsig.h"

enum {
    REPORT_OPTION = 65314, /* for local use, RFC 6891 section 9 */
    REPORT_VERSION = 1,
    REPORT_NODE = 64,
    REPORT_WORDS = 160,
    REPORT_OPTION_MAX = 400,       /* octets of a report's option data, at most */
    REPORT_MESSAGE = 1232,         /* fits where fragments do not pass */
    REPORT_ABSENT = VERDICT_STATES /* of a scope that has no checks */
};

struct report {
    char node[REPORT_NODE], version[32];
    uint64_t boot;     /* of candor-health; sequences begin at 1 with each */
    uint64_t sequence; /* one for each report, sent again with the same one when nobody answered */
    int64_t wall_ms;   /* when it was made */
    uint64_t revision; /* of the book: transitions so far */
    uint32_t lag_ms;   /* how late its own loop was lately: what a slow node says is worth less (Lifeguard) */
    uint8_t overall, scope[SCOPE_COUNT]; /* enum verdict_state or REPORT_ABSENT */
    bool ready;
    char cause[REPORT_WORDS]; /* of a state other than pass */
};

struct report_ack {
    char monitor[REPORT_NODE]; /* its node name */
    uint64_t boot, sequence;   /* of the report */
    int64_t wall_ms;           /* the monitor's clock */
    uint64_t missed;           /* reports of this boot that it has not seen */
    int64_t asked_ago_ms;      /* when it asked this node last, by its own ports; -1: never, or it does not say */
};

/* The question that everything is asked with. */
void report_question(struct name *qname);

/* Octets of the option's data: size, or E_FULL. */
int report_write(const struct report *r, uint8_t *to, size_t cap) MUST_USE;
int report_ack_write(const struct report_ack *a, uint8_t *to, size_t cap) MUST_USE;
/* 0; E_UNSUPPORTED of another version; E_INVALID. Nothing of it is believed before the message's TSIG was right. */
int report_read(struct report *r, struct bytes data) MUST_USE;
int report_ack_read(struct report_ack *a, struct bytes data) MUST_USE;

/* A whole message with the option in it, signed. `signing` is what tsig_answer() wants later. Size or error. */
int report_message(const struct report *r, const struct tsig_key *key, struct tsig *signing, uint8_t *to, size_t cap,
                   int64_t now_s) MUST_USE;
/* The data of the first REPORT_OPTION of a message: 0 or E_NOTFOUND. */
int report_option(struct bytes *data, const uint8_t *msg, size_t size) MUST_USE;

#endif
