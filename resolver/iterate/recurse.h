/* Recursion: one name followed from the deepest delegation that is known down to who has the answer (RFC 1034 section
 * 5.3.3), along aliases into other zones, with the addresses of servers looked up as questions of their own.
 *
 * What is known is looked up first: the answer, or an alias to go on with. Then the deepest delegation, one of its
 * servers, the question, and what comes is sifted:
 *   an answer ................ is the end; an alias begins anew, in the zone that it leads into
 *   a referral ............... is a deeper delegation
 *   part of the name ......... (minimised) is there: one label more
 *   lame, an error, silence .. another server; all of them: once more from further up, the delegation may have changed
 * Servers without an address are questions of their own, children of this one (bounds.h).
 *
 * Every message is sifted (sift.h), every RRset kept goes into the cache by its trust. One thread; no timers: all that
 * waits waits on a query with a deadline. */
#ifndef CANDOR_ITERATE_RECURSE_H
#define CANDOR_ITERATE_RECURSE_H

#include "resolver/iterate/compose.h"
#include "resolver/iterate/delegation.h"

struct recursions;
struct recurse;

struct recursions_config {
    const struct conf *conf; /* these outlive it */
    struct cache *cache;     /* NULL: keeps nothing */
    struct sender sender;
};

int recursions_open(struct recursions **out, const struct recursions_config *config, struct err *err) MUST_USE;
void recursions_close(struct recursions *a); /* what is under way ends without a word */

struct recurse_result {
    bool answered;
    const struct parts *parts; /* answered: during the call */
    int ede;                   /* else: why not */
    const char *text;          /* static; NULL */
    bool remember;             /* the failure is the servers', not a lack of room here */
};
typedef void (*recurse_done)(void *ctx, const struct recurse_result *r);

struct recurse_plan {
    const struct resolve_question *q; /* qname in lower case; copied */
    int64_t deadline_ms;              /* it ends by then */
    bool fell_back;                   /* `forward` entries with a fallback are not asked */
    recurse_done done;                /* may be called from inside recurse_start */
    void *ctx;
};
/* E_NOMEM: done is not called. What is returned is gone as soon as `done` is called: *out is set before anything else
 * happens. */
int recurse_start(struct recurse **out, struct recursions *a, const struct recurse_plan *plan) MUST_USE;
void recurse_cancel(struct recurse *x); /* without done */
/* What the cache's RRsets say to a question, without asking anybody: the size of the message in `to`. E_NOTFOUND, or
 * why it could not be written. */
int recurse_known(struct recursions *a, const struct resolve_question *q, uint8_t *to, size_t cap) MUST_USE;

/* Each server that was asked (servers.h). */
struct servers *recursions_servers(struct recursions *a);

#endif
