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

/* E_UNSUPPORTED for a socket with `tls`. What waits on the sockets from before is served as well. */

int server_open(struct server **out, struct loop *l, const struct server_sockets *sockets, server_handler handler,
                server_batch batch, void *ctx, struct board_worker *stats /* may be NULL */, struct err *err) MUST_USE;
/* A late answer, copied; at most one for each message. Size 0: there will be none (a TCP client may then ask on).
 * Calls no handler. May be called from inside a handler. */
void server_reply(struct server *s, const struct client *c, const uint8_t *msg, size_t size);
/* Closes all connections; not from inside a handler. */
void server_close(struct server *s);

/* Answers of many messages (zone transfers, what is pushed as it comes), TCP and TLS only: server_more() queues one and
 * the question stays open, without an idle timer, until server_reply() ends it. Returns 0; E_AGAIN: queued, but more
 * than SERVER_STREAM_SOFT octets wait: go on when SERVER_DRAINED is told; E_CLOSED: the client has gone. */
enum { SERVER_STREAM_SOFT = 256 << 10 };
int server_more(struct server *s, const struct client *c, const uint8_t *msg, size_t size) MUST_USE;
/* Once set: told for connections with an open question of many messages, on the loop, never from inside server_more. */
enum server_event { SERVER_DRAINED, SERVER_GONE };
typedef void (*server_event_fn)(void *ctx, uint64_t token, enum server_event e);
void server_on_event(struct server *s, server_event_fn fn);
/* What serves sockets with `tls`; before that connections to them are closed. It outlives the server. */
struct tls_context;
void server_use_tls(struct server *s, struct tls_context *tls);
/* A TLS client that showed a certificate which the CA vouches for: whether it bears this name. */
bool server_client_is(const struct server *s, const struct client *c, const char *tls_name);

/* Bounds of TCP, LIMIT_TCP_* unless set right after server_open (tests); never above those.
 * queue_bytes: answers that a client has not read yet; beyond it is closed. */
enum { SERVER_TCP_QUEUE = 256 << 10 };
struct server_limits {
    unsigned connections, per_client, pipeline;
    uint32_t idle_ms;
    size_t queue_bytes;
};
void server_set_limits(struct server *s, const struct server_limits *limits);

#endif
