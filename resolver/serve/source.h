/* Where zones come from: the table of functions by which serving asks for blocklist zones without knowing rbl/.
 *
 * A source belongs to one worker and one thread. Serving brackets each batch with begin and end; between them every
 * answer of one zone comes from one generation (one read transaction), so no answer ever mixes two. */
#ifndef CANDOR_SERVE_SOURCE_H
#define CANDOR_SERVE_SOURCE_H

#include "resolver/base/addr.h"
#include "resolver/dns/message.h"
#include "resolver/dns/writer.h"

/* What the source decided; RRs were written to the writer. */
struct source_answer {
    uint8_t rcode;        /* NOERROR, NXDOMAIN, SERVFAIL, REFUSED */
    int ede;              /* EDE_NONE or the reason of a SERVFAIL or REFUSED */
    const char *ede_text; /* static or owned by the source until end() */
    bool drop;            /* no reply at all: the zone's access list ignores this asker */
};

struct source_ops {
    void (*begin)(void *self);
    void (*end)(void *self);
    /* Index of the zone that holds qname (the longest that matches), -1: none. qname in any case. */
    int (*zone)(void *self, const struct name *qname);
    /* Answers q from zone `zone`: writes answer and authority RRs behind the question that is in w already. Room that
     * runs out sticks in w->error, the caller truncates. `client` for the zone's own access list. */
    void (*answer)(void *self, int zone, const struct dns_query *q, const struct addr *client, struct dns_writer *w,
                   struct source_answer *a);
};

struct source {
    const struct source_ops *ops;
    void *self;
};

#endif
