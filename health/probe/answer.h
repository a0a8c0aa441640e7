/* What a probe wants to know of an answer, read in one bounded pass. "Any answer is healthy" is not believed here. */
#ifndef CANDOR_PROBE_ANSWER_H
#define CANDOR_PROBE_ANSWER_H

#include <stdbool.h>

#include "resolver/base/board.h"
#include "resolver/dns/message.h"

enum { ANSWER_NSID_MAX = 320, ANSWER_EDE_MAX = 128 };

struct answer {
    struct dns_header header;
    unsigned rcode;                /* extended */
    size_t size;                   /* of the message */
    char nsid[ANSWER_NSID_MAX];    /* "": none; bytes that are no plain ASCII stand as '?' */
    int ede;                       /* the first, EDE_NONE: none */
    char ede_text[ANSWER_EDE_MAX]; /* as nsid */
    unsigned answers;              /* RRs in the answer section */
    bool soa;                      /* an SOA in the answer section, owned by qname */
    uint32_t serial;
    bool stale;       /* what was there is too old, nothing fresh was to be had (EDE 3 or 19, RFC 8767) */
    unsigned a_count; /* A RRs in the answer section */
    uint8_t a[4];     /* the first of them */
};

/* E_INVALID when it is no DNS message. */
int answer_read(struct answer *a, const uint8_t *msg, size_t size, const struct name *qname) MUST_USE;

/* Who answered: `<node>/<boot hex>/<worker>`, all three of the right kind. */
struct nsid {
    char node[ANSWER_NSID_MAX];
    uint64_t boot;
    unsigned worker;
};
int nsid_read(struct nsid *n, const char *text) MUST_USE;

/* Whether it is one of this node's present workers. E_NOTFOUND and why not in *err; the worker's index in *worker. */
int nsid_judge(const char *text, const char *node, const struct board *b, unsigned workers, unsigned *worker,
               struct err *err) MUST_USE;

#endif
