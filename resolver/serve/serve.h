/* One client question from packet to packet.
 *
 *   read (dns_query_read) -> wrong? FORMERR, NOTIMP, BADVERS, or silence
 *     -> class CH: who are you (local.c)
 *     -> a zone of ours holds the name? its answer, AA           (source.h; zones win over everything)
 *     -> may this client ask for recursion? else REFUSED + EDE Prohibited
 *     -> a local zone or local data? its answer, AA               (local_zones.h)
 *     -> ANY with refuse-any: HINFO (RFC 8482)
 *     -> the cache has it? its answer, TTLs counted down          (cache.h); shortly before it ends, asked for anew
 *     -> RD=0: REFUSED; it would have to be asked for
 *     -> resolve_ask, and the client is kept in a pending object   (pending.c; resolve.h)
 *     -> it takes too long, or fails: what the cache had, if that has not ended too long ago (stale.c; RFC 8767)
 *     -> over UDP: more answers than this network of clients may have? nothing, or TC    (limit.h)
 *
 * What every reply has: id, question with its case, RD and CD as asked, RA when this client may recurse, AD never (no
 * validation), EDNS answered with EDNS, TC with whole RRsets when it does not fit min(client's size, udp-size). NSID
 * (RFC 5001) says node/boot/worker, to loopback, this machine, peers and monitors only. Zone and cache answers allocate
 * nothing. One thread. */
#ifndef CANDOR_SERVE_SERVE_H
#define CANDOR_SERVE_SERVE_H

#include "resolver/base/conf.h"
#include "resolver/iterate/resolve.h"
#include "resolver/net/server.h"
#include "resolver/serve/cookies.h"
#include "resolver/serve/local_zones.h"
#include "resolver/serve/source.h"

enum {
    SERVE_PENDING_MAX = 16384,               /* clients that wait for an answer, per worker; more get SERVFAIL */
    SERVE_REFRESHES = 256,                   /* questions asked anew for the cache at once, per worker */
    SERVE_REFRESH_BELOW = LIMIT_FLIGHTS / 2, /* and only while fewer than these are under way */
    SERVE_PREFETCH_TTL_S = 10,               /* what lives shorter is not asked for before its end */
    SERVE_PREFETCH_PART = 10,                /* in this part of its life at the end it is */
    SERVE_STALE_AT_ONCE = 256,               /* clients that get a stale answer in one go: then the loop turns */
};

struct serve;

struct serve_config {
    const struct conf *conf;     /* must outlive it, as must all of these */
    const struct source *source; /* NULL: no zones */
    struct cache *cache;         /* NULL: none */
    struct resolve *resolve;
    const struct local_zones *locals; /* NULL: none */
    const struct cookies *cookies;    /* NULL: cookies are passed over */
    struct board_worker *stats;       /* NULL: counts nowhere */
    struct board *board;              /* where labels of probes stand; NULL: none */
    const char *identity;             /* "node/boot/worker" */
    /* A late answer: server_reply. */
    void (*reply)(void *ctx, const struct client *c, const uint8_t *msg, size_t size);
    /* server_waiting. NULL: nothing ever waits, and nobody is held back. */
    size_t (*waiting)(void *ctx, uint16_t socket);
    void *reply_ctx; /* of both */
    /* serve_wake() is to be called once, after so long, with reply_ctx; a later call moves it. NULL: nobody waits for
     * stale answers. */
    void (*wake)(void *ctx, unsigned after_ms);
};

int serve_open(struct serve **out, const struct serve_config *config, struct err *err) MUST_USE;
/* After resolve_close, which gives back what is pending. */
void serve_close(struct serve *s);

/* As server_handler and server_batch of net/server.h, with the serve as ctx. */
size_t serve_handle(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap);
void serve_batch(void *ctx, bool begin);
/* Clients whose wait for a fresh answer has been long enough (serve-stale.answer-after) get the stale one, if there is
 * one. Never from inside a batch. */
void serve_wake(struct serve *s);

#endif
