/* Servers as primaries of zones: sessions, and the questions on them (peer.c). */
#ifndef CANDOR_SECONDARY_PEER_H
#define CANDOR_SECONDARY_PEER_H

#include "rbl/secondary/secondary.h"
#include "resolver/net/session.h"

enum {
    SECONDARY_TICK_MS = 100,
    SECONDARY_CONNECT_MS = 5000,
    SECONDARY_ANSWER_MS = 5000,             /* for a SOA question */
    SECONDARY_SILENT_MS = 5000,             /* of a held question that has spoken: NATIVE_BEAT_MS several times over */
    SECONDARY_STALL_MS = 30000,             /* of a transfer */
    SECONDARY_LONGEST_MS = 6 * 3600 * 1000, /* of a transfer that goes on and on */
    SECONDARY_DEAD_MS = 10000,              /* of a connection */
    SECONDARY_IDLE_MS = 8000,               /* a session with nothing to do is closed */
    SECONDARY_BESIDE_MS = 5000,             /* between questions to native primaries that hold none of ours */
    SECONDARY_CONFIRM_MS = 1000,            /* until a digest that differs is looked at again */
    SECONDARY_QUESTIONS = 4096,             /* on one session */
    SECONDARY_NATIVE_TRIES = 2,             /* then plain, until it speaks of another serial */
    SECONDARY_QUEUE = 32,                   /* pushes of one zone that wait for their commit; then the session pauses */
    SECONDARY_HELD = 8 << 20,               /* octets that wait to be taken in; then likewise */
    SECONDARY_SMALL = 256 << 10,            /* less is taken in by the job that commits it */
    SECONDARY_IXFR_MOST = 256 << 20,        /* octets of an IXFR that are kept for its commit */
    SECONDARY_LOG_MS = 60000                /* what goes on going wrong is said so often */
};

struct question;

/* A server as a zone's primary, one session for all zones with the same address, key and certificate */
struct peer {
    struct peer *next;
    struct secondary *in;
    unsigned users; /* primaries of zones; 0 and no questions: it goes */
    struct addr address;
    const struct tsig_key *key; /* NULL: unsigned */
    char *tls_name, *ca;
    struct session *session;
    struct question *questions;
    unsigned count;
    int64_t idle_since_ms;
    unsigned pauses;
    bool own; /* one transfer alone uses it */
};
enum question_end { QUESTION_MORE, QUESTION_OVER };
/* One message that answers, `msg.at` NULL: nothing more comes, `why` says what happened (the question is gone then).
 * `is_signed`: all so far is proved, always true without a key. QUESTION_OVER: that was all, the question goes. */
typedef enum question_end (*question_fn)(void *ctx, struct bytes msg, bool is_signed, const struct err *why);
struct question {
    struct question *next;
    struct peer *peer;
    uint16_t id;
    bool many;   /* several messages may answer */
    bool busy;   /* its callback runs */
    bool closed; /* question_close while it ran */
    uint32_t within_ms;
    int64_t deadline_ms;
    struct tsig tsig;
    struct tsig_run *run;
    question_fn answer;
    void *ctx;
    struct board_link *link;
};
struct question_plan {
    bool many;
    uint32_t within_ms;
    question_fn answer;
    void *ctx;
    struct board_link *link; /* TSIG errors are counted here */
};
/* `own`: a session that nobody shares. NULL: no memory, no such key, or a certificate that cannot be used. */
struct peer *peer_get(struct secondary *in, const struct conf_peer_rule *rule, bool own, struct err *err);
void peer_put(struct peer *p);
/* Sends msg[0..size), room for TSIG behind it up to `cap`; its id is chosen here. NULL: err says why. */
struct question *peer_ask(struct peer *p, uint8_t *msg, size_t size, size_t cap, const struct question_plan *plan,
                          struct err *err);
/* Nobody wants the rest of the answer. */
void question_close(struct question *q);
/* Ends the session: all questions on it end with `why`. */
void peer_fail(struct peer *p, const struct err *why);
void peer_pause(struct peer *p, bool pause); /* counted */
void peers_tick(struct secondary *in, int64_t now_ms);
void peers_close(struct secondary *in);

#endif
