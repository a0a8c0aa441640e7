/* Addresses in a table of chains, and in a list by when they were last asked. */
#include "resolver/iterate/servers.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"
#include "resolver/base/rand.h"
#include "resolver/dns/siphash.h"
#include "resolver/iterate/bounds.h"

enum {
    BUCKETS = 8192,
    EVICT_LOOK = 64, /* how many of the oldest are looked at for one without a query under way */
    RTO_MIN_MS = 50, /* RFC 6298 would say a second; resolvers hedge instead of congesting */
    RTO_MAX_MS = 6000,
    RTO_MARGIN_US = 100000,
    PROBE_FIRST_MS = 2000,
    PROBE_MAX_MS = 60000,
    LAME_MS = 900000,
    EXPLORE_OF = 32, /* one question in so many goes to any living server */
};

struct entry {
    struct server v; /* first */
    struct entry *next;
    struct entry *newer, *older;
    uint64_t hash;
};

struct servers {
    struct entry *bucket[BUCKETS];
    struct entry *newest, *oldest;
    unsigned count;
    uint8_t key[16];
};

int servers_open(struct servers **out, struct err *err) {
    struct servers *s = calloc(1, sizeof *s);
    *out = s;
    if (s == NULL)
        return err_set(err, E_NOMEM, "servers: no memory");
    rand_bytes(s->key, sizeof s->key);
    return 0;
}

void servers_close(struct servers *s) {
    if (s == NULL)
        return;
    for (struct entry *e = s->newest, *older; e != NULL; e = older) {
        older = e->older;
        free(e);
    }
    free(s);
}

/* Addresses come from zones: keyed, so that nobody can put them all into one chain. */
static uint64_t hash_of(const struct servers *s, const struct addr *a) {
    uint8_t octets[18] = {0};
    if (addr_family(a) == AF_INET6)
        memcpy(octets, &a->in6.sin6_addr, 16);
    else
        memcpy(octets, &a->in.sin_addr, 4);
    put_u16(octets + 16, addr_port(a));
    return siphash24(s->key, octets, sizeof octets);
}

static void unlist(struct servers *s, struct entry *e) {
    *(e->newer != NULL ? &e->newer->older : &s->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &s->oldest) = e->newer;
}

static void list_first(struct servers *s, struct entry *e) {
    e->newer = NULL;
    e->older = s->newest;
    *(s->newest != NULL ? &s->newest->newer : &s->oldest) = e;
    s->newest = e;
}

static void forget(struct servers *s, struct entry *e) {
    struct entry **at = &s->bucket[e->hash % BUCKETS];
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    unlist(s, e);
    s->count--;
    free(e);
}

static bool make_room(struct servers *s) {
    struct entry *e = s->oldest;
    for (unsigned i = 0; s->count >= BOUND_SERVERS && e != NULL && i < EVICT_LOOK; i++) {
        struct entry *newer = e->newer;
        if (e->v.in_flight == 0)
            forget(s, e);
        e = newer;
    }
    return s->count < BOUND_SERVERS;
}

static struct entry *find(const struct servers *s, const struct addr *a, uint64_t hash) {
    struct entry *e = s->bucket[hash % BUCKETS];
    while (e != NULL && (e->hash != hash || !addr_same(&e->v.address, a)))
        e = e->next;
    return e;
}

struct server *servers_get(struct servers *s, const struct addr *a, int64_t now_ms) {
    uint64_t hash = hash_of(s, a);
    struct entry *e = find(s, a, hash);
    if (e != NULL) {
        unlist(s, e);
    } else {
        if (!make_room(s) || (e = calloc(1, sizeof *e)) == NULL)
            return NULL;
        e->v = (struct server){.address = *a, .rto_ms = SERVER_UNKNOWN_MS};
        e->hash = hash;
        e->next = s->bucket[hash % BUCKETS];
        s->bucket[hash % BUCKETS] = e;
        s->count++;
    }
    list_first(s, e);
    e->v.asked_ms = now_ms;
    return &e->v;
}

void servers_each(struct servers *s, void (*fn)(void *ctx, const struct server *v), void *ctx) {
    for (struct entry *e = s->newest; e != NULL; e = e->older)
        fn(ctx, &e->v);
}

static uint32_t bounded_rto(uint64_t ms) {
    return ms < RTO_MIN_MS ? RTO_MIN_MS : ms > RTO_MAX_MS ? RTO_MAX_MS : (uint32_t)ms;
}

void server_answered(struct server *v, int64_t took_us, int64_t now_ms) {
    uint32_t us = took_us < 1 ? 1 : took_us > 60000000 ? 60000000 : (uint32_t)took_us;
    (void)now_ms;
    if (v->srtt_us == 0) {
        v->srtt_us = us;
        v->rttvar_us = us / 2;
    } else {
        uint32_t apart = us > v->srtt_us ? us - v->srtt_us : v->srtt_us - us;
        v->rttvar_us = (uint32_t)((3ull * v->rttvar_us + apart) / 4);
        v->srtt_us = (uint32_t)((7ull * v->srtt_us + us) / 8);
    }
    /* A steady server's variance goes to nothing, and then each answer that is a little late would be lost. */
    uint64_t margin = 4ull * v->rttvar_us > RTO_MARGIN_US ? 4ull * v->rttvar_us : RTO_MARGIN_US;
    v->rto_ms = bounded_rto((v->srtt_us + margin) / 1000);
    v->timeouts = 0;
    v->dead_since_ms = v->probe_at_ms = 0;
    v->probe_every_ms = 0;
}

void server_silent(struct server *v, int64_t now_ms) {
    v->rto_ms = bounded_rto(2ull * v->rto_ms);
    if (v->timeouts < UINT16_MAX)
        v->timeouts++;
    if (v->timeouts == 1)
        v->silent_since_ms = now_ms;
    if (v->dead_since_ms != 0) { /* a probe in vain */
        v->probe_every_ms = v->probe_every_ms * 2 > PROBE_MAX_MS ? PROBE_MAX_MS : v->probe_every_ms * 2;
        v->probe_at_ms = now_ms + v->probe_every_ms;
    } else if (v->timeouts >= SERVER_DEAD_TIMEOUTS && now_ms - v->silent_since_ms >= SERVER_DEAD_MS) {
        v->dead_since_ms = now_ms == 0 ? 1 : now_ms;
        v->probe_every_ms = PROBE_FIRST_MS;
        v->probe_at_ms = now_ms + PROBE_FIRST_MS;
    }
}

bool server_dead(const struct server *v, int64_t now_ms) { return v->dead_since_ms != 0 && now_ms < v->probe_at_ms; }

static uint64_t zone_key(const struct name *zone) { return name_hash(zone, 1) | 1; }

void server_is_lame(struct server *v, const struct name *zone, int64_t now_ms) {
    unsigned pick = 0;
    uint64_t key = zone_key(zone);
    for (unsigned i = 0; i < SERVER_LAMES; i++) {
        if (v->lame[i].zone == key) {
            pick = i;
            break;
        }
        if (v->lame[i].until_ms < v->lame[pick].until_ms)
            pick = i;
    }
    v->lame[pick].zone = key;
    v->lame[pick].until_ms = now_ms + LAME_MS;
}

bool server_lame(const struct server *v, const struct name *zone, int64_t now_ms) {
    uint64_t key = zone_key(zone);
    for (unsigned i = 0; i < SERVER_LAMES; i++)
        if (v->lame[i].zone == key && now_ms < v->lame[i].until_ms)
            return true;
    return false;
}

/* What to expect of it, in milliseconds; and how much the others have to be better to be asked instead. */
static uint32_t cost_of(const struct entry *e) {
    if (e == NULL || (e->v.srtt_us == 0 && e->v.timeouts == 0))
        return SERVER_UNKNOWN_MS;
    return e->v.timeouts > 0 || e->v.srtt_us == 0 ? e->v.rto_ms : e->v.srtt_us / 1000;
}

struct candidate {
    bool usable, dead;
    uint32_t cost_ms;
};

static struct candidate judge(const struct servers *s, const struct server_choice *c, const struct name *zone,
                              int64_t now_ms) {
    struct candidate k = {.usable = !c->given_up && c->tries < BOUND_TRIES_PER_SERVER};
    const struct entry *e = k.usable ? find(s, &c->address, hash_of(s, &c->address)) : NULL;
    /* One that was asked for this question already waits until the others have been. */
    k.cost_ms = cost_of(e) + c->tries * SERVER_UNKNOWN_MS;
    if (e == NULL)
        return k;
    k.usable = e->v.in_flight < BOUND_SERVER_IN_FLIGHT && !server_lame(&e->v, zone, now_ms);
    k.dead = server_dead(&e->v, now_ms);
    return k;
}

int servers_pick(struct servers *s, const struct server_choice *all, unsigned count, const struct name *zone,
                 int64_t now_ms) {
    struct candidate k[BOUND_NS_ADDRESSES];
    uint32_t best = UINT32_MAX;
    bool living = false;
    unsigned in_band = 0;
    int at = -1;
    if (count > BOUND_NS_ADDRESSES)
        count = BOUND_NS_ADDRESSES;
    for (unsigned i = 0; i < count; i++) {
        k[i] = judge(s, &all[i], zone, now_ms);
        living |= k[i].usable && !k[i].dead;
    }
    for (unsigned i = 0; i < count; i++) {
        k[i].usable &= !living || !k[i].dead;
        if (k[i].usable && k[i].cost_ms < best)
            best = k[i].cost_ms;
    }
    bool explore = rand_below(EXPLORE_OF) == 0;
    for (unsigned i = 0; i < count; i++)
        if (k[i].usable && (explore || k[i].cost_ms - best <= SERVER_BAND_MS) && rand_below(++in_band) == 0)
            at = (int)i;
    return at;
}
