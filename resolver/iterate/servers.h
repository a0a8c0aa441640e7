/* What this worker knows of each server address it asks: how fast it answers, whether it answers at all, and what it
 * cannot stand (EDNS, cookies, mixed case). One table per worker, bounded (BOUND_SERVERS): what was not
 * asked for longest goes first, never one with a query under way.
 *
 * Retransmission timeout after RFC 6298: srtt + 4 * rttvar (at least 100 ms), 50 ms .. 6 s, doubled at each silence. A
 * server that was silent for SERVER_DEAD_TIMEOUTS in a row over SERVER_DEAD_MS is dead: asked again by one probe at
 * growing intervals only, beside a living one where there is one. */
#ifndef CANDOR_ITERATE_SERVERS_H
#define CANDOR_ITERATE_SERVERS_H

#include "resolver/base/addr.h"
#include "resolver/base/err.h"
#include "resolver/dns/name.h"

enum { SERVER_COOKIE_MAX = 40, SERVER_LAMES = 8 };

struct server {
    struct addr address;
    uint32_t srtt_us, rttvar_us; /* 0: never measured */
    uint32_t rto_ms;
    uint16_t timeouts; /* in a row */
    uint16_t in_flight;
    int64_t silent_since_ms;            /* the first of `timeouts` */
    int64_t dead_since_ms, probe_at_ms; /* 0: alive */
    uint32_t probe_every_ms;
    int64_t asked_ms;                  /* last */
    int64_t plain_until_ms;            /* no EDNS: it answers it with FORMERR, NOTIMP or never */
    int64_t case_until_ms;             /* keeps not the case of names */
    int64_t tcp_until_ms;              /* somebody guesses at its answers: TCP only */
    uint16_t edns_size_max;            /* 0: as configured; lower after silence to large answers */
    bool edns_answered;                /* it has answered EDNS with EDNS: silence has another reason */
    uint8_t cookie[SERVER_COOKIE_MAX]; /* client and server cookie; RFC 7873, 9018 */
    uint8_t cookie_size;               /* 0: none yet */
    bool cookies;                      /* it has sent one: an answer without is not its */
    struct {
        uint64_t zone; /* hash; 0: free */
        int64_t until_ms;
    } lame[SERVER_LAMES];
};

struct servers;
int servers_open(struct servers **out, struct err *err) MUST_USE;
void servers_close(struct servers *s);

/* The entry of an address, made when it is not there; stays where it is while in_flight > 0. NULL: all are in flight.
 */
struct server *servers_get(struct servers *s, const struct addr *a, int64_t now_ms);
/* For statistics and the health page: calls for each known. */
void servers_each(struct servers *s, void (*fn)(void *ctx, const struct server *v), void *ctx);

void server_answered(struct server *v, int64_t took_us, int64_t now_ms);
void server_silent(struct server *v, int64_t now_ms);
bool server_dead(const struct server *v, int64_t now_ms); /* and it is not time to probe it */
void server_is_lame(struct server *v, const struct name *zone, int64_t now_ms);
bool server_lame(const struct server *v, const struct name *zone, int64_t now_ms);

/* One candidate of a delegation. */
struct server_choice {
    struct addr address;
    uint8_t tries; /* sends to it for this question */
    bool given_up; /* for this question */
};
/* The index of the one to ask next, -1: none is left. Fast ones before slow ones within a band (never the same one
 * always: an unknown one counts as SERVER_UNKNOWN_MS, a few per cent go to a slower one so that its recovery is seen),
 * living before dead, not lame for `zone`, below BOUND_SERVER_IN_FLIGHT and BOUND_TRIES_PER_SERVER. */
enum { SERVER_UNKNOWN_MS = 376, SERVER_BAND_MS = 100, SERVER_DEAD_TIMEOUTS = 4, SERVER_DEAD_MS = 10000 };
int servers_pick(struct servers *s, const struct server_choice *all, unsigned count, const struct name *zone,
                 int64_t now_ms);

#endif
