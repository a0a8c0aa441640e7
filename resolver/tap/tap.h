/* dnstap: every question and answer, as it was on the wire, told to a receiver (docs/dnstap.md, decision 0033).
 *
 *   worker -> tap_put: packed (protobuf), into a queue of TAP_QUEUE frames and TAP_OCTETS octets
 *          -> libfstrm's thread -> unix socket or file, as Frame Streams of content type protobuf:dnstap.Dnstap
 *
 * A worker never waits for the receiver: while none takes frames, or the queue is full, tap_put counts the frame as
 * dropped and does nothing else (board_worker.tap_drops). One thread may call it, besides the library's own. */
#ifndef CANDOR_TAP_TAP_H
#define CANDOR_TAP_TAP_H

#include "resolver/base/addr.h"
#include "resolver/base/board.h"
#include "resolver/base/bytes.h"
#include "resolver/base/conf.h"

enum { TAP_QUEUE = 4096, TAP_OCTETS = 8 << 20, TAP_END_MS = 1000 };

struct tap;

/* The numbers are those of dnstap. */
enum tap_kind {
    TAP_RESOLVER_QUERY = 3,
    TAP_RESOLVER_RESPONSE = 4,
    TAP_CLIENT_QUERY = 5,
    TAP_CLIENT_RESPONSE = 6,
    TAP_FORWARDER_QUERY = 7,
    TAP_FORWARDER_RESPONSE = 8,
};

struct tap_message {
    enum tap_kind kind;
    enum board_proto proto;
    const struct addr *asks, *answers; /* NULL, or without a family: not known */
    int64_t asked_ns, answered_ns;     /* CLOCK_MONOTONIC; answered_ns 0: a question */
    struct bytes msg;
};

struct tap_config {
    const struct conf_dnstap *conf;
    const char *identity;
    unsigned worker;            /* its file is `file`.WORKER */
    struct board_worker *stats; /* NULL: counts nowhere */
};

/* NULL in *out: nowhere to tell. A receiver that is not there is no error: it is tried again each second. In the
 * process that calls tap_put: a thread begins here. */
int tap_open(struct tap **out, const struct tap_config *config, struct err *err) MUST_USE;
/* Waits for what is queued, a second at most. */
void tap_close(struct tap *t);

void tap_put(struct tap *t, const struct tap_message *m);

#endif
