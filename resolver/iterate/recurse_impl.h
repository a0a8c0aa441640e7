/* Private to recurse*.c: one name under way. */
#ifndef CANDOR_ITERATE_RECURSE_IMPL_H
#define CANDOR_ITERATE_RECURSE_IMPL_H

#include "resolver/iterate/asking.h"
#include "resolver/iterate/recurse.h"

/* Why it failed, from the least to the most telling. */
enum trouble { WELL, UNREACHABLE, SILENT, LAME, MALFORMED, REFUSING, BOUNDED };

/* What all of one client's question may cost, its children included. */
struct budget {
    unsigned sends, glueless;
    int64_t deadline_ms;
};

struct recurse {
    struct recurse *next, *before; /* of all */
    struct recurse *queue;         /* the next that can go on */
    bool queued;
    struct recursions *all;
    struct recurse *parent;
    struct recurse *child[BOUND_GLUELESS_AT_ONCE];
    unsigned host[BOUND_GLUELESS_AT_ONCE]; /* of the delegation, whose address the child looks for */
    struct budget own, *budget;
    struct resolve_question q; /* as it was asked */
    struct name name;          /* the name at the end of the chain so far */
    bool refresh;              /* of q.qname only */
    bool fell_back;            /* from forwarders that have failed */
    unsigned depth, chain, referrals, tries, glueless;

    struct delegation d;
    bool has_delegation, stepped_up;
    bool looked_again;                   /* for addresses that were known and did not answer */
    bool met_resolver, resolvers_too;    /* a server that is none; now taken for what it can give */
    struct addr glue[BOUND_NS_PER_NAME]; /* of a child: addresses of its name that came before any answer */
    unsigned glue_count;
    struct name failed_zone; /* before stepping up, and its servers */
    struct addr failed[BOUND_NS_ADDRESSES];
    unsigned failed_count;
    unsigned below; /* delegations with fewer labels only */

    bool minimise;
    unsigned shown, steps; /* labels that the servers were shown, how often */
    struct name asked;
    uint16_t asked_type;
    struct asking *asking;
    unsigned server; /* of the delegation, that is asked */

    struct parts parts;
    enum trouble why;
    const char *text;
    recurse_done done;
    void *ctx;
};

struct recursions {
    struct recursions_config config;
    struct hints hints;
    struct servers *servers;
    struct askings *askings;
    struct sift *sift;
    struct recurse *all;
    struct recurse *queue_head, *queue_tail;
    bool running;
    struct recurse *priming;
    int64_t prime_at_ms;
    unsigned fetches; /* under way */
    uint8_t buf[RRSET_MAX], work[RRSET_MAX];
};

/* recurse.c: goes on with one name until it waits or has ended. */
void recurse_run(struct recurse *x);

/* recurse_room.c. Nothing runs inside something else that runs: what can go on is queued, and run from one place. */
void recurse_ready(struct recurse *x);
void recurse_run_all(struct recursions *a);
int64_t recurse_now(const struct recursions *a);
/* A new one; of a child's parent, or of nobody. NULL: no memory. */
struct recurse *recurse_new(struct recursions *a, struct recurse *parent, const struct resolve_question *q);

/* recurse_own.c. The root servers say themselves who they are (RFC 8109); the hints are for finding one of them. */
void recurse_prime(struct recursions *a);
/* A client has its answer from a zone that was asked before and has few addresses: one of the names of its servers that
 * came without is looked up, if there is one, so that the next question has somebody else to go to. */
void recurse_fetch(struct recurse *x);

/* recurse_known.c: what the cache says of x->name. */
enum known { KNOWN_NOTHING, KNOWN_ANSWER, KNOWN_ALIAS, KNOWN_TOO_MUCH };
enum known recurse_look_up(struct recurse *x);
/* Keeps everything of the message that was sifted. `whole`: it was asked for by its full name. */
void recurse_keep(struct recurse *x, const struct sift_result *r, bool whole);
/* The RRsets of the answer section, and the denial, as parts. */
int recurse_take(struct recurse *x, const struct sift_result *r) MUST_USE;

/* recurse_hosts.c: looks for addresses of servers; true: something is under way. */
bool recurse_look_for_servers(struct recurse *x);
/* All known addresses have failed: those of a few servers are asked for anew, past the cache, once. */
bool recurse_look_again(struct recurse *x);
void recurse_drop_children(struct recurse *x);
void recurse_note_glue(struct recurse *child);

#endif
