/* Inside of the server, for server*.c only.
 *
 *   server_udp.c   udp_port: a datagram socket; udp_batch: the buffers of one wake, shared by all of them
 *   server_tcp.c   tcp_port: a listening socket; who gets a connection, and who has to go
 *   server_conn.c  conn: one TCP connection, from the first byte to the last
 *   server_stream.c  its questions with answers of many messages */
#ifndef CANDOR_NET_SERVER_IMPL_H
#define CANDOR_NET_SERVER_IMPL_H

#include "resolver/net/buffer.h"
#include "resolver/net/loop_owned.h"
#include "resolver/net/server.h"
#include "resolver/net/stream.h"

enum {
    SERVER_ACCEPTS_PER_WAKE = 32,
    SERVER_FRAMES_PER_WAKE = 256,  /* messages of one connection, then the others' turn */
    SERVER_TCP_READ = 4096,        /* one read, unless a longer message is under way */
    SERVER_TCP_QUEUE_SOFT = 65536, /* answers not read yet: no more questions are taken */
    SERVER_ACCEPT_PAUSE_MS = 100,  /* out of descriptors */
    SERVER_ACCEPT_LOG_MS = 1000,   /* at most one line about it in */
    SERVER_QUEUE_LOOK_MS = 1000,   /* board_worker.receive_queue_bytes */
    SERVER_FRAME_MAX = 2 + LIMIT_MESSAGE,
};

struct udp_port {
    struct server *server;
    struct loop_watch *watch;
    int fd; /* -1: none */
    uint16_t index;
    bool wildcard; /* replies must name their source */
    enum board_family family;
    struct addr bound;
    uint32_t drops; /* SO_RXQ_OVFL as last seen */
};

struct tcp_port {
    struct server *server;
    struct loop_watch *watch;
    int fd; /* -1: none */
    uint16_t index;
    bool tls;
};

struct conn {
    struct server *server;
    struct conn *older, *newer; /* by last_ms */
    struct loop_watch *watch;
    struct stream stream;
    uint16_t slot, socket;
    enum board_family family;
    struct addr peer, local;
    int64_t last_ms;     /* last complete message in, or last answer wholly out */
    int64_t moved_ms;    /* octets left, or began to wait */
    uint64_t acked;      /* by the client's kernel, when last looked */
    unsigned unanswered; /* those of many messages not among them */
    uint32_t questions;  /* taken so far */
    uint32_t *streams;   /* questions of many messages that are open */
    unsigned stream_count, stream_cap;
    bool full; /* server_more has said E_AGAIN */
    struct buffer in, out;
    bool ended;  /* the client will send no more */
    bool broken; /* to be closed as soon as nobody stands inside */
    bool busy;   /* somebody stands inside */
};

struct udp_batch;

struct server {
    struct loop_owned owned;
    struct loop *loop;
    server_handler handler;
    server_batch batch;
    server_event_fn event; /* may be NULL */
    void *ctx;
    struct tls_context *tls; /* may be NULL */
    struct board_worker *stats;
    struct server_limits limits;
    size_t count; /* of ports, each UDP, TCP or both */
    struct udp_port udp[LIMIT_LISTEN];
    struct tcp_port tcp[LIMIT_LISTEN];
    struct udp_batch *udp_batch;

    struct conn *conns[LIMIT_TCP_CONNECTIONS];
    uint32_t generation[LIMIT_TCP_CONNECTIONS]; /* of a slot; changes with each connection in it */
    unsigned conn_count;
    struct conn *oldest, *newest;
    uint8_t *frame; /* LIMIT_MESSAGE bytes: what the handler answers */
    struct loop_timer *idle_timer, *accept_timer, *wake_timer, *queue_timer;
    bool accept_paused;
    int64_t accept_logged_ms, tls_logged_ms;
};

static inline void server_count(struct server *s, enum board_proto proto, enum board_family family, unsigned n) {
    if (s->stats != NULL)
        board_add(&s->stats->queries[proto][family], n);
}

static inline void server_drop(struct server *s, enum board_drop why) {
    if (s->stats != NULL)
        board_add(&s->stats->drops[why], 1);
}

static inline void server_begin_end(struct server *s, bool begin) {
    if (s->batch != NULL)
        s->batch(s->ctx, begin);
}

int udp_batch_new(struct server *s, struct err *err) MUST_USE;
void udp_batch_free(struct server *s);
int udp_port_open(struct udp_port *p, struct server *s, uint16_t index, int fd, struct err *err) MUST_USE;
void udp_port_close(struct udp_port *p);
void udp_reply(struct udp_port *p, const struct client *c, const uint8_t *msg, size_t size);
/* Drops and bytes waiting, to the board. */
void udp_look(struct server *s);
/* A successor on sockets of a dead worker: counts what was dropped while nobody read. Never too much: where the board
 * has counted sockets from before these, it may be too little. */
void udp_catch_up(struct server *s);

int tcp_open(struct server *s, struct err *err) MUST_USE; /* timers and the frame */
void tcp_close(struct server *s);
int tcp_port_open(struct tcp_port *p, struct server *s, uint16_t index, int fd, struct err *err) MUST_USE;
void tcp_port_close(struct tcp_port *p);
void tcp_limits_changed(struct server *s);

/* Takes `fd` over, also when it fails: E_NOMEM. */
int conn_open(struct tcp_port *p, uint16_t slot, int fd, const struct addr *peer) MUST_USE;
void conn_close(struct conn *c);
/* Of idle connections: young again, if it may live. */
void conn_idle(struct conn *c);
void conn_reply(struct server *s, const struct client *c, const uint8_t *msg, size_t size);
/* NULL: it has gone. */
struct conn *conn_of(const struct server *s, const struct client *c);
/* Queues a message with its length; marks the connection broken when it may not have more than `most` waiting. */
void conn_queue(struct conn *c, const uint8_t *msg, size_t size, size_t most);
/* Sends what waits, from outside of its own callbacks: nobody is told, nobody freed. What is left to do is done on the
 * next wake. */
void conn_push(struct conn *c);

/* The question was one of many messages; it is none any more. */
bool stream_end(struct conn *c, uint32_t question);
/* Told when it is due. The connection may be gone afterwards. */
void stream_tell_drained(struct conn *c);

#endif
