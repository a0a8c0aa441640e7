/* Serving DNS on sockets: datagrams in batches and TCP connections, one handler for both.
 *
 *   wake -> batch(begin) -> recvmmsg(<= LIMIT_UDP_BATCH) -> handler for each -> one sendmmsg -> ... -> batch(end)
 *
 * UDP answers leave from the address that was asked (IP_PKTINFO). TCP (RFC 7766): pipelined, answered out of order,
 * bounded per worker, per client and per connection (limits.h), idle timer; a connection has exactly one owner, this
 * room. A handler answers at once by writing into the reply buffer, or keeps a copy of `struct client` and calls
 * server_reply() later: a client that has gone in the meantime is recognised by its token and the reply dropped. */
#ifndef CANDOR_NET_SERVER_H
#define CANDOR_NET_SERVER_H

#include "resolver/base/addr.h"
#include "resolver/base/board.h"
#include "resolver/base/bytes.h"
#include "resolver/net/loop.h"

struct server;

/* Where a question came from; plain value, copy it freely. */
struct client {
    uint8_t proto;   /* enum board_proto */
    uint16_t socket; /* index of the listening socket */
    struct addr peer, local;
    unsigned ifindex;
    uint64_t token;     /* TCP: connection and its generation */
    uint32_t question;  /* TCP: which of the connection's */
    int64_t arrived_ns; /* CLOCK_MONOTONIC, of the batch */
};

/* One message of a client. Returns the size written into `reply` (0: none now, or never). `cap`: UDP LIMIT_UDP_QUERY or
 * more, TCP 65,535; the handler keeps to what the client can take. */
typedef size_t (*server_handler)(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply,
                                 size_t cap);
/* NULL: nobody wants to know. begin: before the first message of a wake; end (begin false): after its last reply was
 * written, before the loop sleeps. */
typedef void (*server_batch)(void *ctx, bool begin);

struct server_sockets {
    struct {
        int udp, tcp;
        bool tls;
    } at[LIMIT_LISTEN]; /* -1: none; stay the caller's */
    size_t count;
};

/* What waits on the sockets from before is served as well. A socket with `tls` wants server_use_tls(). */
int server_open(struct server **out, struct loop *l, const struct server_sockets *sockets, server_handler handler,
                server_batch batch, void *ctx, struct board_worker *stats /* may be NULL */, struct err *err) MUST_USE;
/* A late answer, copied; at most one for each message. Size 0: there will be none (a TCP client may then ask on).
 * Calls no handler. May be called from inside a handler. */
void server_reply(struct server *s, const struct client *c, const uint8_t *msg, size_t size);
/* Bytes, as the kernel counts them, that datagrams take which wait on this socket. */
size_t server_waiting(const struct server *s, uint16_t socket);
/* Closes all connections; not from inside a handler. */
void server_close(struct server *s);

/* Answers of many messages (zone transfers, what is pushed as it comes), TCP and TLS only: server_more() queues one and
 * the question stays open, without an idle timer and without a place in the pipeline, until server_reply() ends it (or
 * size 0: without a last message). What is queued leaves at once. Other questions of the same connection are answered
 * meanwhile. Returns 0; E_AGAIN: queued, but more than SERVER_STREAM_SOFT octets wait on this connection: go on when
 * SERVER_DRAINED is told; E_CLOSED: the client has gone (SERVER_GONE was told or is about to be); E_FULL:
 * SERVER_STREAMS are open here, nothing was queued. A client that has merely ended its own side still gets everything.
 * A connection with SERVER_STREAM_HARD octets waiting, or one that has read nothing for SERVER_STALL_MS while something
 * waited, is closed. */
enum {
    SERVER_STREAM_SOFT = 256 << 10,
    SERVER_STREAM_HARD = 4 << 20, /* who heeds E_AGAIN, for all streams of the connection, stays far below */
    SERVER_STREAMS = LIMIT_ZONES, /* open questions of many messages on one connection */
    SERVER_STALL_MS = 60000
};
int server_more(struct server *s, const struct client *c, const uint8_t *msg, size_t size) MUST_USE;
/* Whether server_more() would return 0 or E_CLOSED now: several streams share the bound of their connection. */
bool server_has_room(const struct server *s, const struct client *c);
/* Once set: told for connections with an open question of many messages (one event for all of them), on the loop,
 * never from inside server_more or server_reply, but from inside server_close not at all. GONE: nothing may be said to
 * this token any more. */
enum server_event { SERVER_DRAINED, SERVER_GONE };
typedef void (*server_event_fn)(void *ctx, uint64_t token, enum server_event e);
void server_on_event(struct server *s, server_event_fn fn); /* `ctx`: the handler's */
/* What serves sockets with `tls`; before that connections to them are closed. It outlives the server. */
struct tls_context;
void server_use_tls(struct server *s, struct tls_context *tls);
/* A TLS client that showed a certificate which the CA vouches for: whether it bears this name. */
bool server_client_is(const struct server *s, const struct client *c, const char *tls_name);

/* Bounds of TCP, LIMIT_TCP_* unless set right after server_open; of connections never more than that.
 * queue_bytes: answers that a client has not read yet; beyond it is closed. */
enum { SERVER_TCP_QUEUE = 256 << 10 };
struct server_limits {
    unsigned connections, per_client, pipeline;
    uint32_t idle_ms;
    size_t queue_bytes;
    uint32_t stall_ms; /* 0: SERVER_STALL_MS */
};
/* Of a server as it is opened. */
struct server_limits server_default_limits(void);
void server_set_limits(struct server *s, const struct server_limits *limits);

#endif
