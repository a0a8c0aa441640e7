/* Sends reports as datagrams to each address of health.report.datagram, and knows who heard them.
 *
 * A report goes out once each health.interval.push and soon after a change; when nobody acknowledges it, it is sent
 * again, from a fresh port, SENDER_TRIES times in all, and then the next one must do: a report is what is true now, so
 * there is nothing to queue. Nothing here waits: a monitor that is silent holds nobody up. On the loop of whoever
 * opened it. */
#ifndef CANDOR_REPORT_SENDER_H
#define CANDOR_REPORT_SENDER_H

#include "health/report/report.h"
#include "resolver/net/loop.h"

enum { SENDER_TRIES = 3, SENDER_TRY_MS = 2000 /* of a try; a fifth of the push interval, if that is less */ };
enum sender_result {
    SENDER_ACKNOWLEDGED,
    SENDER_SILENT,  /* no answer to any try, or the network said no */
    SENDER_REFUSED, /* an answer that is no acknowledgement: an RCODE, a TSIG error, a wrong signature */
    SENDER_RESULTS
};
const char *sender_result_name(enum sender_result r);

struct sender_target {
    char address[ADDR_TEXT_MAX]; /* as in the configuration */
    uint64_t results[SENDER_RESULTS];
    int64_t acked_mono_ms, acked_wall_ms; /* last acknowledgement; 0: none yet */
    uint64_t sequence;                    /* of the report that was acknowledged last */
    int64_t asked_mono_ms;                /* when it asked this node last, by the same; 0: never */
    int64_t clock_offset_ms;              /* the monitor's clock less ours, by the last acknowledgement */
    char monitor[REPORT_NODE];            /* its node name, by the same; "": none yet */
    char trouble[160];                    /* why the last try came to nothing; "": it went well */
};

struct sender;
/* `interval_ms` between reports. E_NOTFOUND with the reason when a key of health.report.datagram is not in rbl.keys. */
int sender_open(struct sender **out, struct loop *l, const struct conf *conf, struct err *err) MUST_USE;
void sender_close(struct sender *s);
size_t sender_count(const struct sender *s);
const struct sender_target *sender_target(const struct sender *s, size_t i);
/* Sends it to all. A report that is still under way is given up for it. */
void sender_send(struct sender *s, const struct report *r);

#endif
