/* Questions to one DNS server, side by side: UDP, again on silence, TCP when an answer was cut. */
#ifndef CANDOR_COMMAND_QUERY_H
#define CANDOR_COMMAND_QUERY_H

#include "resolver/base/addr.h"
#include "resolver/dns/message.h"

enum { QUERY_WINDOW = 32, QUERY_TRIES = 3, QUERY_TIMEOUT_MS = 1500, QUERY_RRS = 16, QUERY_TEXT_MAX = 300 };

struct query {
    /* the question */
    struct name qname;
    uint16_t qtype;
    /* what came; `code` 0: an answer, with `rcode`, `flags` (enum dns_flag) and the rest */
    int code;
    int sys_errno;
    unsigned rcode;
    uint16_t flags;
    unsigned rrs; /* of qtype (or CNAME) in the answer section, at most QUERY_RRS are kept */
    struct {
        uint16_t type;
        uint32_t ttl;
        char text[QUERY_TEXT_MAX]; /* cleaned */
    } rr[QUERY_RRS];
    char nsid[64]; /* cleaned; "": none */
    int ede;       /* EDE_NONE: none */
    char ede_text[128];
    int64_t took_ns;
    /* the asker's */
    unsigned tries;
    bool tcp;
};

/* Fills in the answers of all questions. An error only when asking is not possible at all. */
int query_all(const struct addr *server, struct query *list, size_t count, struct err *err) MUST_USE;

/* Takes an answer apart; E_INVALID when it is none. */
int query_take(struct query *q, const uint8_t *msg, size_t size) MUST_USE;

#endif
