/* Where reports come in: health.monitor.listen[].datagram. A report counts when it is signed by the key of the node
 * that it names (health.monitor.nodes); then it is acknowledged under that key. Everything else is refused as DNS does
 * it: NOTAUTH with the TSIG error, REFUSED, FORMERR. One datagram, one answer of about its size: nothing to amplify. */
#ifndef CANDOR_MONITOR_RECEIVER_H
#define CANDOR_MONITOR_RECEIVER_H

#include "health/report/report.h"
#include "resolver/net/loop.h"

struct receiver;

enum receiver_refusal {
    RECEIVER_TSIG,
    RECEIVER_UNKNOWN /* no such node, or another's key */,
    RECEIVER_FORM,
    RECEIVER_REFUSALS
};
const char *receiver_refusal_name(enum receiver_refusal r);

/* A report of health.monitor.nodes[node]. Returns how many reports of this boot never came, for the acknowledgement. */
typedef uint64_t (*receiver_report)(void *ctx, size_t node, const struct report *r);

/* When this monitor asked that node last, in mono ms; 0: never. The acknowledgement tells how long ago that was. */
typedef int64_t (*receiver_asked)(void *ctx, size_t node);

/* NULL in *out and 0 when no datagram address is configured. E_NOTFOUND when a node has no key of rbl.keys. */
int receiver_open(struct receiver **out, struct loop *l, const struct conf *conf, receiver_report take,
                  receiver_asked asked, void *ctx, struct err *err) MUST_USE;
void receiver_close(struct receiver *r);
const uint64_t *receiver_refused(const struct receiver *r); /* RECEIVER_REFUSALS of them */

#endif
