/* Datagrams: one recvmmsg, the handler for each, one sendmmsg; nothing allocated. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/net/server_impl.h"
#include "resolver/net/socket.h"

union udp_control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint32_t))];
};

struct udp_batch {
    struct mmsghdr in[LIMIT_UDP_BATCH], out[LIMIT_UDP_BATCH];
    struct iovec in_at[LIMIT_UDP_BATCH], out_at[LIMIT_UDP_BATCH];
    struct addr peer[LIMIT_UDP_BATCH];
    union udp_control in_control[LIMIT_UDP_BATCH], out_control[LIMIT_UDP_BATCH];
    uint8_t query[LIMIT_UDP_BATCH][LIMIT_UDP_QUERY];
    uint8_t reply[LIMIT_UDP_BATCH][LIMIT_UDP_QUERY];
};

int udp_batch_new(struct server *s, struct err *err) {
    struct udp_batch *b = s->udp_batch = calloc(1, sizeof *b);
    if (b == NULL)
        return err_set(err, E_NOMEM, "no memory for %zu bytes of datagrams", sizeof *b);
    for (size_t i = 0; i < LIMIT_UDP_BATCH; i++) {
        b->in_at[i] = (struct iovec){b->query[i], LIMIT_UDP_QUERY};
        b->in[i].msg_hdr = (struct msghdr){.msg_iov = &b->in_at[i], .msg_iovlen = 1, .msg_name = &b->peer[i]};
        b->in[i].msg_hdr.msg_control = &b->in_control[i];
        b->out_at[i].iov_base = b->reply[i];
        b->out[i].msg_hdr = (struct msghdr){.msg_iov = &b->out_at[i], .msg_iovlen = 1};
    }
    return 0;
}

void udp_batch_free(struct server *s) { free(s->udp_batch); }

/* The kernel's count of this socket is absolute, ours outlives workers: only what is new is added. A datagram brings
 * the count as it was when it was queued, which may be older than what was seen already. */
static void count_drops(struct udp_port *p, uint32_t drops) {
    int32_t more = (int32_t)(drops - p->drops);
    if (more <= 0)
        return;
    p->drops = drops;
    if (p->server->stats != NULL)
        board_add(&p->server->stats->socket_drops, (uint32_t)more);
}

/* Where it was sent to and how many were lost before it. */
static void read_control(struct udp_port *p, struct msghdr *h, struct client *c) {
    for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m != NULL; m = CMSG_NXTHDR(h, m)) {
        if (m->cmsg_level == SOL_SOCKET && m->cmsg_type == SO_RXQ_OVFL && m->cmsg_len >= CMSG_LEN(sizeof(uint32_t))) {
            uint32_t drops;
            memcpy(&drops, CMSG_DATA(m), sizeof drops);
            count_drops(p, drops);
        } else if (m->cmsg_level == IPPROTO_IP && m->cmsg_type == IP_PKTINFO &&
                   m->cmsg_len >= CMSG_LEN(sizeof(struct in_pktinfo))) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(m), sizeof info);
            c->local.in.sin_addr = info.ipi_spec_dst; /* of a broadcast: the address that we have in that net */
            c->ifindex = (unsigned)info.ipi_ifindex;
        } else if (m->cmsg_level == IPPROTO_IPV6 && m->cmsg_type == IPV6_PKTINFO &&
                   m->cmsg_len >= CMSG_LEN(sizeof(struct in6_pktinfo))) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(m), sizeof info);
            c->local.in6.sin6_addr = info.ipi6_addr;
            c->ifindex = info.ipi6_ifindex;
        }
    }
}

/* The interface is left to the routing table, except where an address means something only on one link. */
static void name_source(struct msghdr *h, union udp_control *room, const struct client *c) {
    struct cmsghdr *m = &room->align;
    h->msg_control = room;
    if (addr_family(&c->local) == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = c->local.in.sin_addr};
        h->msg_controllen = CMSG_SPACE(sizeof info);
        *m = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IP, IP_PKTINFO};
        memcpy(CMSG_DATA(m), &info, sizeof info);
    } else {
        struct in6_pktinfo info = {.ipi6_addr = c->local.in6.sin6_addr};
        if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
            info.ipi6_ifindex = c->ifindex;
        h->msg_controllen = CMSG_SPACE(sizeof info);
        *m = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IPV6, IPV6_PKTINFO};
        memcpy(CMSG_DATA(m), &info, sizeof info);
    }
}

static void aim(struct udp_port *p, struct msghdr *h, union udp_control *room, const struct client *c) {
    h->msg_name = (void *)(uintptr_t)&c->peer;
    h->msg_namelen = addr_len(&c->peer);
    h->msg_control = NULL;
    h->msg_controllen = 0;
    if (p->wildcard && !addr_is_any(&c->local))
        name_source(h, room, c);
}

/* Every message gets one try: what the kernel refuses (ENOBUFS, EAGAIN, EPERM, a dead route) is counted and left, the
 * client asks again. */
static void send_all(struct udp_port *p, unsigned count) {
    unsigned sent = 0;
    while (sent < count) {
        int n = sendmmsg(p->fd, p->server->udp_batch->out + sent, count - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            sent += (unsigned)n;
        } else {
            server_drop(p->server, DROP_SEND);
            sent++;
        }
    }
}

static bool is_usable(const struct mmsghdr *m) {
    const struct addr *peer = m->msg_hdr.msg_name;
    /* Cut off, or from port 0, to which nothing can be sent. */
    return (m->msg_hdr.msg_flags & MSG_TRUNC) == 0 && addr_port(peer) != 0;
}

static void handle_all(struct udp_port *p, unsigned count) {
    struct server *s = p->server;
    struct udp_batch *b = s->udp_batch;
    struct client c = {.proto = PROTO_UDP, .socket = p->index, .arrived_ns = clock_ns(CLOCK_KIND_MONO)};
    unsigned replies = 0, handled = 0;
    for (unsigned i = 0; i < count; i++) {
        c.local = p->bound;
        c.ifindex = 0;
        read_control(p, &b->in[i].msg_hdr, &c);
        if (!is_usable(&b->in[i])) {
            server_drop(s, DROP_MALFORMED);
            continue;
        }
        c.peer = b->peer[i];
        handled++;
        size_t size = s->handler(s->ctx, &c, b->query[i], b->in[i].msg_len, b->reply[replies], LIMIT_UDP_QUERY);
        if (size == 0 || size > LIMIT_UDP_QUERY)
            continue;
        b->out_at[replies].iov_len = size;
        aim(p, &b->out[replies].msg_hdr, &b->out_control[replies], &c);
        b->out[replies].msg_hdr.msg_name = &b->peer[i];
        replies++;
    }
    server_count(s, PROTO_UDP, p->family, handled);
    send_all(p, replies);
}

static int receive_some(struct udp_port *p) {
    struct udp_batch *b = p->server->udp_batch;
    for (unsigned i = 0; i < LIMIT_UDP_BATCH; i++) {
        b->in[i].msg_hdr.msg_namelen = sizeof b->peer[i];
        b->in[i].msg_hdr.msg_controllen = sizeof b->in_control[i];
        b->in[i].msg_hdr.msg_flags = 0;
    }
    return recvmmsg(p->fd, b->in, LIMIT_UDP_BATCH, MSG_DONTWAIT, NULL);
}

/* A pending error, such as from ICMP, is taken off the socket by the first call that reports it; what waits on the
 * error queue is thrown away, or the socket would stay "ready" for ever. */
static void clear_errors(int fd) {
    char byte;
    (void)socket_error(fd);
    for (unsigned i = 0; i < LIMIT_UDP_BATCH; i++)
        if (recv(fd, &byte, 1, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            return;
}

static void on_datagrams(void *ctx, int events) {
    struct udp_port *p = ctx;
    bool begun = false;
    if ((events & LOOP_ERROR) != 0)
        clear_errors(p->fd);
    for (unsigned i = 0; i < LIMIT_UDP_BATCHES_PER_WAKE; i++) {
        int n = receive_some(p);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0)
            continue; /* an error of an earlier answer, or a signal: not of what waits behind it */
        if (!begun)
            server_begin_end(p->server, true);
        begun = true;
        handle_all(p, (unsigned)n);
        if (n < LIMIT_UDP_BATCH)
            break;
    }
    if (begun)
        server_begin_end(p->server, false);
}

void udp_reply(struct udp_port *p, const struct client *c, const uint8_t *msg, size_t size) {
    union udp_control room;
    struct iovec at = {(void *)(uintptr_t)msg, size};
    struct msghdr h = {.msg_iov = &at, .msg_iovlen = 1};
    aim(p, &h, &room, c);
    if (sendmsg(p->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        server_drop(p->server, DROP_SEND);
}

int udp_port_open(struct udp_port *p, struct server *s, uint16_t index, int fd, struct err *err) {
    char text[ADDR_TEXT_MAX];
    if (socket_name(fd, &p->bound) != 0)
        return err_set(err, E_INVALID, "descriptor %d is no socket of the Internet", fd);
    p->server = s;
    p->index = index;
    p->wildcard = addr_is_any(&p->bound);
    p->family = addr_family(&p->bound) == AF_INET6 ? FAMILY_V6 : FAMILY_V4;
    p->watch = loop_watch_start(s->loop, fd, LOOP_READ, on_datagrams, p);
    if (p->watch == NULL)
        return err_set(err, E_SYSTEM, "%s: cannot be watched", addr_text(&p->bound, text));
    p->fd = fd;
    return 0;
}

void udp_port_close(struct udp_port *p) {
    if (p->watch != NULL)
        loop_watch_stop(p->watch);
    p->watch = NULL;
    p->fd = -1;
}

void udp_catch_up(struct server *s) {
    uint64_t total = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->udp[i].fd < 0)
            continue;
        s->udp[i].drops = socket_drops(s->udp[i].fd);
        total += s->udp[i].drops;
    }
    if (s->stats != NULL && board_get(&s->stats->socket_drops) < total)
        board_set(&s->stats->socket_drops, total);
}

size_t server_waiting(const struct server *s, uint16_t socket) {
    return socket < s->count && s->udp[socket].fd >= 0 ? socket_receive_queue(s->udp[socket].fd) : 0;
}

void udp_look(struct server *s) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->udp[i].fd < 0)
            continue;
        count_drops(&s->udp[i], socket_drops(s->udp[i].fd));
        bytes += socket_receive_queue(s->udp[i].fd);
    }
    if (s->stats != NULL)
        board_set(&s->stats->receive_queue_bytes, bytes);
}
