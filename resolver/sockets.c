/* Opened by the parent, shared by SO_REUSEPORT, handed to the workers by fork. */
#include "resolver/sockets.h"

#include <poll.h>
#include <unistd.h>

#include "resolver/base/log.h"
#include "resolver/net/socket.h"

/* A port may be held for a moment by some program's outgoing query, or by a predecessor that is being ended. */
enum { BIND_TRIES = 20, BIND_PAUSE_MS = 50 };
enum { RCVBUF_SMALL = 1 << 20 }; /* below this a burst of some ten thousand queries is lost */

static int bind_patiently(const struct addr *a, bool udp, int *rcvbuf, struct err *err) {
    int fd = E_SYSTEM;
    for (unsigned i = 0; i < BIND_TRIES && fd == E_SYSTEM; i++) {
        if (i > 0)
            poll(NULL, 0, BIND_PAUSE_MS);
        fd = udp ? socket_udp(a, true, rcvbuf, err) : socket_tcp(a, true, err);
    }
    return fd;
}

static int listen_tls(struct server_sockets *s, const struct addr *a, struct err *err) {
    int fd = bind_patiently(a, false, NULL, err);
    if (fd < 0)
        return fd;
    s->at[s->count].udp = -1;
    s->at[s->count].tcp = fd;
    s->at[s->count++].tls = true;
    return 0;
}

static int listen_open(struct server_sockets *s, const struct addr *a, bool first, struct err *err) {
    char text[ADDR_TEXT_MAX];
    int rcvbuf = 0;
    size_t at = s->count;
    s->at[at].tcp = -1;
    s->at[at].tls = false;
    s->at[at].udp = bind_patiently(a, true, &rcvbuf, err);
    if (s->at[at].udp < 0)
        return s->at[at].udp;
    s->count++;
    if (first && rcvbuf < RCVBUF_SMALL)
        LOG(LEVEL_WARN, "small receive buffer: bursts will be lost (net.core.rmem_max)",
            KS("listen", addr_text(a, text)), KI("octets", rcvbuf));
    s->at[at].tcp = bind_patiently(a, false, NULL, err);
    return s->at[at].tcp < 0 ? s->at[at].tcp : 0;
}

int sockets_open(struct server_sockets *s, const struct conf *conf, bool first, struct err *err) {
    char text[ADDR_TEXT_MAX];
    *s = (struct server_sockets){.count = 0};
    for (size_t i = 0; i < conf->resolver.listen_count; i++) {
        const struct conf_listen *l = &conf->resolver.listen[i];
        if (l->tls && conf->resolver.tls.certificate[0] == '\0') {
            if (first)
                LOG(LEVEL_WARN, "DNS over TLS needs resolver.tls.certificate: not listening",
                    KS("listen", addr_text(&l->address, text)));
            continue;
        }
        int e = s->count >= LIMIT_LISTEN ? err_set(err, E_RANGE, "resolver.listen: more than %d", LIMIT_LISTEN)
                : l->tls                 ? listen_tls(s, &l->address, err)
                                         : listen_open(s, &l->address, first, err);
        if (e != 0) {
            sockets_close(s);
            return e;
        }
    }
    return 0;
}

void sockets_close(struct server_sockets *s) {
    for (size_t i = 0; i < s->count; i++) {
        if (s->at[i].udp >= 0)
            close(s->at[i].udp);
        if (s->at[i].tcp >= 0)
            close(s->at[i].tcp);
    }
    s->count = 0;
}
