/* Asking the node as a client would, on a loop of its own process.
 *
 *   conf -> plan of tasks -> each when due, with jitter, at most LIMIT_PROBES_IN_FLIGHT at once, each with its own
 *   deadline -> evidence -> book (health/verdict) -> `judged` (render and publish what is known now)
 *
 * Each probe comes from a fresh source port, because a fixed one meets the same worker of an SO_REUSEPORT group for
 * ever. Answers are judged by content: rcode, AA, serial, who answered (NSID, RFC 5001) and in which boot. A round is
 * no round before every worker was seen. What the board says is evidence beside the probes and never instead of them.
 * Silence counts only while this process's own loop is in time. Nothing here resolves a name, opens a zone or waits
 * for a disk. */
#ifndef CANDOR_PROBE_H
#define CANDOR_PROBE_H

#include "health/alert/receivers.h"
#include "health/monitor/fleet.h"
#include "health/peers/known.h"
#include "health/report/sender.h"
#include "health/report/sink.h"
#include "health/system/sample.h"
#include "health/verdict/lived.h"
#include "health/verdict/tally.h"
#include "health/verdict/verdict.h"
#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/net/loop.h"

struct prober;

/* After each look at the results, at least each PROBER_JUDGE_MS. */
enum { PROBER_JUDGE_MS = 1000 };
typedef void (*prober_judged)(void *ctx);

/* conf and board stay the caller's and outlive the prober. */
int prober_open(struct prober **out, struct loop *l, const struct conf *conf, struct board *board, prober_judged judged,
                void *ctx, struct err *err) MUST_USE;
void prober_close(struct prober *p);

const struct verdict_book *prober_book(const struct prober *p);
const struct tally_set *prober_tallies(const struct prober *p);
/* What /proc said when last looked at. */
const struct sys_sample *prober_sample(const struct prober *p);
/* What clients live through. */
const struct lived *prober_lived(const struct prober *p);
/* Who is told of this node; NULL: nobody. */
const struct sender *prober_sender(const struct prober *p);
/* The sinks with threads of their own. */
const struct sink_list *prober_sinks(const struct prober *p);
/* The nodes that this one is a monitor of. */
const struct watched *prober_watched(const struct prober *p, size_t *count);
/* All that it knows of them; NULL: it is none. */
const struct fleet *prober_fleet(const struct prober *p);
/* Who is told of alerts, and what holds; NULL: this is no monitor. */
const struct receiver_list *prober_receivers(const struct prober *p);
/* What the peers of this node come to; without peers all is 0. Never NULL. */
const struct peers_summary *prober_peers(const struct prober *p);
/* All that is known of them; NULL: none are configured. */
const struct peers_known *prober_peers_known(const struct prober *p);
/* What goes to the sinks with the next reports: events of the ledger and the detail, either may be NULL. References are
 * taken. */
void prober_attach(struct prober *p, struct event_list *events, struct detail *detail);
/* Whether there are sinks that want them. */
bool prober_wants_detail(const struct prober *p);
/* Makes every probe due now. */
void prober_run_now(struct prober *p);
/* Probes that have not been made from beginning to end since then. */
size_t prober_run_waiting(const struct prober *p);

#endif
