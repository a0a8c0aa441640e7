/* Questions with answers of many messages: which are open, what may be queued, who is told when there is room again. */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "resolver/net/server_impl.h"

enum { STREAMS_FIRST = 4, DRAINED = SERVER_STREAM_SOFT / 2 };

static int find(const struct conn *c, uint32_t question) {
    for (unsigned i = 0; i < c->stream_count; i++)
        if (c->streams[i] == question)
            return (int)i;
    return -1;
}

bool stream_end(struct conn *c, uint32_t question) {
    int at = find(c, question);
    if (at < 0)
        return false;
    c->streams[at] = c->streams[--c->stream_count];
    if (c->stream_count == 0)
        c->full = false;
    return true;
}

/* A path that died is noticed although what is said now and then fits into the kernel's buffers for hours. */
static void bound_silence(const struct conn *c) {
    unsigned ms = c->server->limits.stall_ms;
    (void)setsockopt(c->stream.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

/* The question leaves the pipeline and becomes one of many messages. */
static int begin(struct conn *c, uint32_t question) {
    if (c->unanswered == 0)
        return E_CLOSED;
    if (c->stream_count == SERVER_STREAMS)
        return E_FULL;
    if (c->stream_count == c->stream_cap) {
        unsigned cap = c->stream_cap > 0 ? 2 * c->stream_cap : STREAMS_FIRST;
        uint32_t *more = realloc(c->streams, cap * sizeof *more);
        if (more == NULL)
            return E_FULL;
        c->streams = more;
        c->stream_cap = cap;
    }
    if (c->stream_count == 0)
        bound_silence(c);
    c->streams[c->stream_count++] = question;
    c->unanswered--;
    return 0;
}

int server_more(struct server *s, const struct client *client, const uint8_t *msg, size_t size) {
    struct conn *c = conn_of(s, client);
    if (c == NULL || c->broken || size > LIMIT_MESSAGE)
        return E_CLOSED;
    int rc = find(c, client->question) >= 0 ? 0 : begin(c, client->question);
    if (rc != 0)
        return rc;
    conn_queue(c, msg, size, SERVER_STREAM_HARD);
    conn_push(c);
    if (c->broken)
        return E_CLOSED;
    if (c->out.size <= SERVER_STREAM_SOFT)
        return 0;
    c->full = true;
    return E_AGAIN;
}

bool server_has_room(const struct server *s, const struct client *client) {
    const struct conn *c = conn_of(s, client);
    return c == NULL || c->broken || c->out.size <= SERVER_STREAM_SOFT;
}

void stream_tell_drained(struct conn *c) {
    struct server *s = c->server;
    if (!c->full || c->out.size > DRAINED)
        return;
    c->full = false;
    if (s->event != NULL)
        s->event(s->ctx, (uint64_t)s->generation[c->slot] << 32 | c->slot, SERVER_DRAINED);
}

bool server_client_is(const struct server *s, const struct client *client, const char *tls_name) {
    const struct conn *c = conn_of(s, client);
    return c != NULL && stream_peer_is(&c->stream, tls_name);
}
