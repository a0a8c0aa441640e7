/* Which of the addresses that are asked are this node's own, so that readiness hangs on them. A service address may be
 * translated on its way here, or move from node to node (VRRP, anycast): it is asked all the same and judged, but a
 * node is no less ready for an address that is somewhere else. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health/probe/impl.h"

/* Whether an interface of this machine has the address now; where bind() may take any (ip_nonlocal_bind), it says yes.
 */
static bool is_here(const struct addr *a) {
    struct addr any_port = *a;
    addr_set_port(&any_port, 0);
    int fd = socket(addr_family(a), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool here = bind(fd, &any_port.sa, addr_len(&any_port)) == 0;
    (void)close(fd);
    return here;
}

struct addr target_address(const struct addr *listen) {
    struct addr a = *listen;
    if (addr_is_any(&a) && addr_family(&a) == AF_INET)
        a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (addr_is_any(&a))
        a.in6.sin6_addr = in6addr_loopback;
    return a;
}

static bool same_or_any(const struct addr *listen, const struct addr *a, bool *any) {
    *any = addr_is_any(listen) && addr_family(listen) == addr_family(a) && addr_port(listen) == addr_port(a);
    return addr_same(listen, a) || (*any && addr_is_loopback(a));
}

enum target_kind target_kind(const struct conf *c, const struct addr *a) {
    bool covered = false, any;
    for (size_t i = 0; i < c->resolver.listen_count; i++) {
        if (c->resolver.listen[i].tls)
            continue;
        if (same_or_any(&c->resolver.listen[i].address, a, &any))
            return TARGET_LISTENED;
        covered |= any;
    }
    return covered ? TARGET_COVERED : TARGET_ELSEWHERE;
}

const struct addr *target_best(const struct prober *p) {
    for (size_t i = 0; i < p->target_count; i++) {
        const struct verdict_check *c = &p->book.checks[p->targets[i].udp_check];
        bool silent = c->settled == VERDICT_FAIL || c->worse > 0;
        if (!silent && target_kind(p->conf, &p->targets[i].addr) == TARGET_LISTENED)
            return &p->targets[i].addr;
    }
    return &p->targets[0].addr;
}

enum verdict_state target_settle(struct prober *p, size_t i, size_t check, enum verdict_state s, char *came,
                                 size_t size) {
    const char *words = "";
    enum target_kind kind = target_kind(p->conf, &p->targets[i].addr);
    bool here = kind == TARGET_LISTENED || (kind == TARGET_COVERED && is_here(&p->targets[i].addr));
    p->book.checks[check].readiness = here;
    if (kind == TARGET_ELSEWHERE)
        words = "; a service address that resolver.listen does not name: readiness does not hang on it";
    else if (!here)
        words = "; a service address that is not on this node now: readiness does not hang on it";
    size_t have = strnlen(came, size);
    snprintf(came + have, size - have, "%s", words);
    return kind == TARGET_COVERED && !here && s == VERDICT_FAIL ? VERDICT_WARN : s;
}
