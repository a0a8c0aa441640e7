/* Where questions meet what is shared out among clients (fair.h). */
#include <time.h>

#include "resolver/serve/impl.h"

static int64_t thread_cpu_ns(void) {
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Connections cost as well, but are held back by what they may have unanswered. */
bool shared_refuses(struct serve *s, const struct client *c) {
    s->arrived_ns = c->arrived_ns;
    s->socket = c->socket;
    s->datagrams += c->proto == PROTO_UDP;
    return fair_asks(s->fair, &c->peer, c->arrived_ns) && c->proto == PROTO_UDP;
}

/* A client that waits for answers before it asks on keeps a turn as long as may be busy, but no queue grows of it. */
static bool is_behind(const struct serve *s) {
    return s->datagrams >= FAIR_FULL_TURN && s->config.waiting != NULL &&
           s->config.waiting(s->config.reply_ctx, s->socket) >= FAIR_WAITING;
}

void shared_turn(struct serve *s) { fair_turn(s->fair, s->datagrams, is_behind(s), s->arrived_ns, thread_cpu_ns); }

static unsigned places_left(const struct serve *s) {
    unsigned flights = resolve_flights(s->config.resolve), clients = SERVE_PENDING_MAX - s->pending;
    unsigned left = flights < LIMIT_FLIGHTS ? LIMIT_FLIGHTS - flights : 0;
    return left < clients ? left : clients;
}

bool shared_place(const struct ask *a, struct fair_place *place) {
    struct serve *s = a->s;
    if (s->fair == NULL)
        return true;
    fair_misses(s->fair, &a->client->peer, a->client->arrived_ns);
    return fair_take(s->fair, &a->client->peer, places_left(s), place);
}

void shared_place_back(struct serve *s, const struct fair_place *place) {
    if (s->fair != NULL)
        fair_give(s->fair, place);
}
