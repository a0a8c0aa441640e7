#include "resolver/serve/fair.h"

#include <stdlib.h>

#include "resolver/base/rand.h"
#include "resolver/dns/siphash.h"
#include "resolver/serve/network.h"

enum { KEEP = 3, OF = 4 /* of the cost known so far, when it is measured anew */ };

struct cell {
    int64_t at_ns;  /* when it was looked at last */
    double owed_ns; /* CPU, as of then */
};

struct fair {
    struct board_worker *stats;
    uint8_t key[SIPHASH_KEY];
    double share; /* FAIR_SHARE_MOST: nobody is held back */
    int64_t step_ns;
    uint32_t all, late; /* datagrams of this step, and those of turns that left others waiting */
    uint64_t heavy;     /* the network that was beyond its share last */
    int64_t others_ns;  /* when another asked */
    double cost[2];     /* of a hit, of a miss; nanoseconds */
    struct {
        int64_t begin_ns, cpu_ns;
        uint32_t asked, missed, refused;
    } measure;
    struct cell cell[FAIR_ROWS][FAIR_CELLS];
    uint16_t held[FAIR_ROWS][FAIR_CELLS];
};
_Static_assert(FAIR_CELLS <= 1 << 16, "the hash has 16 bits for each row");

int fair_open(struct fair **out, struct board_worker *stats, struct err *err) {
    struct fair *f = *out = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, E_NOMEM, "no memory for %zu bytes of shares", sizeof *f);
    f->stats = stats;
    f->share = FAIR_SHARE_MOST;
    f->cost[0] = FAIR_HIT_NS;
    f->cost[1] = FAIR_MISS_NS;
    rand_bytes(f->key, sizeof f->key);
    return 0;
}

void fair_close(struct fair *f) { free(f); }

double fair_share(const struct fair *f) { return f->share; }

static struct fair_place place_of(const struct fair *f, uint64_t network) {
    uint8_t octets[sizeof network];
    memcpy(octets, &network, sizeof network);
    uint64_t h = siphash24(f->key, octets, sizeof octets);
    return (struct fair_place){{(uint16_t)(h % FAIR_CELLS), (uint16_t)((h >> 16) % FAIR_CELLS)}};
}

/* --- CPU */

static double owed_ns(const struct fair *f, struct cell *c, int64_t now_ns) {
    double worked_off = now_ns > c->at_ns ? (double)(now_ns - c->at_ns) * f->share : 0;
    c->owed_ns = c->owed_ns > worked_off ? c->owed_ns - worked_off : 0;
    c->at_ns = now_ns;
    return c->owed_ns;
}

/* Adds to what the network owes, no more than to twice what it may; the result is what it owed before. The larger cell
 * is another's: it grows only with what this network owes. */
static double charge(struct fair *f, uint64_t network, double cost_ns, int64_t now_ns) {
    struct fair_place at = place_of(f, network);
    struct cell *c[FAIR_ROWS];
    double least = 2.0 * FAIR_BURST_NS;
    for (unsigned row = 0; row < FAIR_ROWS; row++) {
        c[row] = &f->cell[row][at.cell[row]];
        double owed = owed_ns(f, c[row], now_ns);
        least = owed < least ? owed : least;
    }
    double now_owed = least + cost_ns;
    if (now_owed > 2.0 * FAIR_BURST_NS)
        now_owed = 2.0 * FAIR_BURST_NS;
    for (unsigned row = 0; row < FAIR_ROWS; row++)
        if (c[row]->owed_ns < now_owed)
            c[row]->owed_ns = now_owed;
    return least;
}

bool fair_asks(struct fair *f, const struct addr *peer, int64_t now_ns) {
    f->measure.asked++;
    if (f->share >= FAIR_SHARE_MOST)
        return false;
    uint64_t network = network_of(peer);
    if (network != f->heavy)
        f->others_ns = now_ns;
    if (charge(f, network, 0, now_ns) <= FAIR_BURST_NS) {
        (void)charge(f, network, f->cost[0], now_ns);
        return false;
    }
    f->heavy = network;
    if (now_ns - f->others_ns > FAIR_ALONE_NS)
        return false;
    f->measure.refused++;
    return true;
}

void fair_misses(struct fair *f, const struct addr *peer, int64_t now_ns) {
    f->measure.missed++;
    if (f->share < FAIR_SHARE_MOST)
        (void)charge(f, network_of(peer), f->cost[1], now_ns);
}

/* --- what questions cost, and what a share is */

static void learn(struct fair *f, bool miss, double ns) {
    double *cost = &f->cost[miss], least = miss ? f->cost[0] : 1, most = (double)NS_PER_S / FAIR_SAMPLE;
    ns = ns < least ? least : ns > most * (miss ? 64 : 1) ? most * (miss ? 64 : 1) : ns;
    *cost = (KEEP * *cost + (OF - KEEP) * ns) / OF;
    if (f->stats != NULL)
        board_set(miss ? &f->stats->fair_miss_ns : &f->stats->fair_hit_ns, (uint64_t)*cost);
}

/* All CPU that the thread used belongs to questions: a second with hardly a miss says what hits cost, another, with
 * that known, what misses do. Who was refused cost something too: such a second says nothing; and neither does
 * one in which the loop slept, where each question had a turn of its own. */
static void measure(struct fair *f, int64_t now_ns, int64_t (*cpu_ns)(void)) {
    int64_t passed_ns = now_ns - f->measure.begin_ns;
    if (passed_ns < FAIR_MEASURE_NS)
        return;
    int64_t cpu = cpu_ns();
    double used_ns = (double)(cpu - f->measure.cpu_ns), asked = f->measure.asked, missed = f->measure.missed;
    if (passed_ns < 2 * FAIR_MEASURE_NS && f->measure.refused == 0 && asked >= FAIR_SAMPLE &&
        used_ns > (double)passed_ns / 2) {
        if (missed * 100 < asked)
            learn(f, false, (used_ns - missed * f->cost[1]) / (asked - missed));
        else
            learn(f, true, (used_ns - (asked - missed) * f->cost[0]) / missed);
    }
    f->measure.begin_ns = now_ns;
    f->measure.cpu_ns = cpu;
    f->measure.asked = f->measure.missed = f->measure.refused = 0;
}

/* A turn that came late, since the kernel ran somebody else, finds many waiting as well, but the next ones do not. */
static void step(struct fair *f, int64_t now_ns) {
    if (f->late > f->all / 2)
        f->share = (f->share > 1 ? 1 : f->share) * FAIR_SHARE_FALLS;
    else if (f->late <= f->all / 4)
        f->share *= FAIR_SHARE_GROWS;
    f->share = f->share > FAIR_SHARE_MOST ? FAIR_SHARE_MOST : f->share < FAIR_SHARE_LEAST ? FAIR_SHARE_LEAST : f->share;
    f->all = f->late = 0;
    f->step_ns = now_ns;
}

void fair_turn(struct fair *f, unsigned datagrams, bool behind, int64_t now_ns, int64_t (*cpu_ns)(void)) {
    f->all += datagrams;
    if (behind) {
        f->late += datagrams;
        if (f->stats != NULL)
            board_add(&f->stats->fair_turns, 1);
    }
    if (now_ns - f->step_ns >= FAIR_STEP_NS && f->all > 0)
        step(f, now_ns);
    measure(f, now_ns, cpu_ns);
}

/* --- places */

bool fair_take(struct fair *f, const struct addr *peer, unsigned left, struct fair_place *place) {
    *place = place_of(f, network_of(peer));
    unsigned held = UINT16_MAX;
    for (unsigned row = 0; row < FAIR_ROWS; row++)
        if (f->held[row][place->cell[row]] < held)
            held = f->held[row][place->cell[row]];
    if (held >= left || held == UINT16_MAX)
        return false;
    for (unsigned row = 0; row < FAIR_ROWS; row++)
        f->held[row][place->cell[row]]++;
    return true;
}

void fair_give(struct fair *f, const struct fair_place *place) {
    for (unsigned row = 0; row < FAIR_ROWS; row++)
        f->held[row][place->cell[row]]--;
}
