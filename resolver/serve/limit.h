/* Response rate limiting: how many answers a network of clients (IPv4 /24, IPv6 /56) gets over UDP in a second, so that
 * a forged source address cannot make this node flood somebody.
 *
 * A network may have a second's worth of answers at once, and after that one each 1/rate s. What it asked for beyond
 * that is held against it too, up to LIMIT_DEBT_NS: while more is asked than the rate, nothing passes; when the flood
 * is over, all passes again after at most a second. Of the answers that do not pass every slip-th (by chance, so that
 * nobody can time his own) becomes an empty one with TC: a real client asks again over TCP, where nobody is limited.
 * Error answers that do not pass cannot be cut and leave as they are instead. With a rate of their own
 * (errors-per-second) error answers are counted apart, without one they count as all others.
 *
 * One table of LIMIT_NETWORKS places per worker, of fixed size, four places to a cache line; the place hangs on a
 * random key. In a full line the network that owes least is forgotten. Not limited: who shows a good cookie (RFC 7873
 * section 5.2.3: its address is no forgery), TCP and TLS, and the networks in `exempt`. One thread, nothing allocated
 * after limit_open. */
#ifndef CANDOR_SERVE_LIMIT_H
#define CANDOR_SERVE_LIMIT_H

#include "resolver/base/addr.h"
#include "resolver/base/clock.h"
#include "resolver/base/conf.h"

enum {
    LIMIT_NETWORKS = 1 << 15,   /* 512 KiB */
    LIMIT_LOG_EVERY_MS = 15000, /* one line in, with what was limited since the last */
};
#define LIMIT_BURST_NS NS_PER_S
#define LIMIT_DEBT_NS NS_PER_S

enum limit_verdict { LIMIT_PASS, LIMIT_SLIP, LIMIT_DROP };

struct limit;

/* NULL in *out: nothing is limited. `conf` must outlive it. */
int limit_open(struct limit **out, const struct conf_rate_limit *conf, struct err *err) MUST_USE;
void limit_close(struct limit *l);

/* Counts one answer to `peer`. */
enum limit_verdict limit_take(struct limit *l, const struct addr *peer, bool error, int64_t now_ns);

#endif
