/* A connected socket, plain or with TLS on it: octets from and to a buffer, never waiting, never SIGPIPE. Inside of
 * this room: what sessions and the server's connections stand on. */
#ifndef CANDOR_NET_STREAM_H
#define CANDOR_NET_STREAM_H

#include "resolver/net/buffer.h"
#include "resolver/net/tls.h"

struct ssl_st;

struct stream {
    int fd;             /* -1: none */
    struct ssl_st *tls; /* NULL: plain */
    bool up;            /* octets may flow: plain, or the handshake is over */
    bool broken;        /* TLS has failed: nothing more may be said, not even goodbye */
    int wants;          /* LOOP_READ, LOOP_WRITE: what TLS waits for besides what the owner waits for */
};

/* Puts TLS on a connected socket, as the context's side of it. `name`: what the server's certificate must say; NULL at
 * a server. */
int stream_tls(struct stream *s, struct tls_context *t, const char *name, struct err *err) MUST_USE;
/* The next step of the handshake. 0: up; E_AGAIN: when what it wants is there; E_DENIED: certificates; E_CLOSED,
 * E_SYSTEM, E_TIMEOUT, E_INVALID. */
int stream_handshake(struct stream *s, struct err *err) MUST_USE;
/* From the front of `b` as much as goes now. 0, or as stream_handshake but E_AGAIN. */
int stream_send(struct stream *s, struct buffer *b, struct err *err) MUST_USE;
/* Behind `b`, at most `most` octets, as many as are there. 0, E_AGAIN: none; E_CLOSED: the other side has ended it;
 * E_NOMEM; E_SYSTEM, E_TIMEOUT, E_DENIED, E_INVALID. */
int stream_receive(struct stream *s, struct buffer *b, size_t most, struct err *err) MUST_USE;
/* Octets are there that no watch tells of. */
bool stream_pending(const struct stream *s);
/* The client showed a certificate that is vouched for and says `name`. */
bool stream_peer_is(const struct stream *s, const char *name);
/* Says goodbye if that goes at once; closes the descriptor. */
void stream_close(struct stream *s);

#endif
