/* One noisy client must not slow the others (docs/decisions/0032-fairness.md). Two things are shared out among networks
 * of clients (network.h): the worker's CPU when it is short, and places for questions under way.
 *
 *   CPU. Nothing is counted while the worker keeps up. A turn of the loop that leaves questions waiting in the receive
 *   queue makes it count: each network owes what its questions cost (measured: a hit, a miss) and works it off at its
 *   share of the worker's time. Who owes more than FAIR_BURST_NS is not answered. The share falls while
 *   turns leave questions waiting and grows while they do not, so that just as much is refused as must be; beyond
 *   the whole worker the counting ends. A client that is alone is never refused: nobody would gain by it.
 *
 *   Places. A network may begin another question upstream as long as it has fewer under way than there are free places
 *   ("dynamic threshold" of Choudhury and Hahne): one alone may take half of them, and there is always room for the
 *   next.
 *
 * What networks owe and hold stands in two rows of FAIR_CELLS cells, at places that hang on a random key; the smaller
 * cell counts. Two rows: who shares a cell of one with a noisy client has another of his own. One thread, nothing
 * allocated after fair_open. */
#ifndef CANDOR_SERVE_FAIR_H
#define CANDOR_SERVE_FAIR_H

#include "resolver/base/addr.h"
#include "resolver/base/board.h"
#include "resolver/base/clock.h"

enum {
    FAIR_ROWS = 2,
    FAIR_CELLS = 4096, /* 128 KiB for what is owed, 16 KiB for what is held */
    FAIR_FULL_TURN = LIMIT_UDP_BATCH * LIMIT_UDP_BATCHES_PER_WAKE, /* datagrams: what a turn takes at most, and */
    FAIR_WAITING = 512 << 10, /* bytes still waiting after one: the worker is behind; some 700 small questions */
    FAIR_SAMPLE = 1000,       /* questions in a second that say what one costs */
};
#define FAIR_STEP_NS (10 * NS_PER_MS) /* the share changes */
#define FAIR_BURST_NS (5 * NS_PER_MS) /* of CPU that a network may owe: eighty misses at once */
#define FAIR_ALONE_NS NS_PER_S        /* that long no other network has asked: the client is alone */
#define FAIR_MEASURE_NS NS_PER_S      /* costs are measured over */
#define FAIR_HIT_NS 3000              /* until they are */
#define FAIR_MISS_NS 60000
#define FAIR_SHARE_LEAST (1.0 / 256) /* of the worker's time that a network always has */
#define FAIR_SHARE_MOST 4.0   /* at which the counting ends: more than 1, since costs may be less than they were */
#define FAIR_SHARE_FALLS 0.75 /* per step */
#define FAIR_SHARE_GROWS 1.03

struct fair;

/* A place that is held, to be given back. */
struct fair_place {
    uint16_t cell[FAIR_ROWS];
};

int fair_open(struct fair **out, struct board_worker *stats /* may be NULL */, struct err *err) MUST_USE;
void fair_close(struct fair *f);

/* A question came. Whether its network is beyond its share; its cost is owed if not. */
bool fair_asks(struct fair *f, const struct addr *peer, int64_t now_ns);
/* It has to be asked upstream. */
void fair_misses(struct fair *f, const struct addr *peer, int64_t now_ns);
/* A turn ended that took so many datagrams; behind: many more wait. cpu_ns: what this thread has used so far, asked for
 * once in FAIR_MEASURE_NS.
 */
void fair_turn(struct fair *f, unsigned datagrams, bool behind, int64_t now_ns, int64_t (*cpu_ns)(void));

/* A place for a question under way, when `left` are free. False: the network has its share. */
bool fair_take(struct fair *f, const struct addr *peer, unsigned left, struct fair_place *place) MUST_USE;
void fair_give(struct fair *f, const struct fair_place *place);

/* What a network may use of the worker's time: FAIR_SHARE_MOST while nobody is held back. */
double fair_share(const struct fair *f);

#endif
