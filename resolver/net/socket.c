#include "resolver/net/socket.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* The queue of a worker that is being replaced must hold what comes meanwhile: a small datagram takes 768 bytes of
     * it, and the kernel doubles the figure, so this is some 20,000. */
    RECEIVE_BYTES = 8 << 20,
    SEND_BYTES = 4 << 20,
    BACKLOG = 511,
    IPV6_MIN_MTU = 1280,
};

static bool set(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* Beyond what net.core.*mem_max allows, when the privilege is there. */
static void set_buffer(int fd, int force, int plain, int bytes) {
    if (!set(fd, SOL_SOCKET, force, bytes))
        (void)set(fd, SOL_SOCKET, plain, bytes);
}

static int open_one(const struct addr *a, int type, struct err *err) {
    char text[ADDR_TEXT_MAX];
    int family = addr_family(a), fd;
    if (family != AF_INET && family != AF_INET6)
        return err_set(err, E_INVALID, "no address to listen on");
    fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "%s: socket", addr_text(a, text));
    return fd;
}

static int fail(int fd, const struct addr *a, const char *what, struct err *err) {
    char text[ADDR_TEXT_MAX];
    int rc = err_errno(err, "%s: %s", addr_text(a, text), what);
    (void)close(fd);
    return rc;
}

/* Without these a wildcard socket would answer from whatever address the route prefers. */
static bool want_details(int fd, int family) {
    if (!set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1))
        return false;
    if (family == AF_INET)
        return set(fd, IPPROTO_IP, IP_PKTINFO, 1);
    return set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

/* Forged "fragmentation needed" messages must not shape our answers: never DF, never a learned path MTU; IPv6
 * fragments at the size that every path carries. */
static void ignore_path_mtu(int fd, int family) {
    if (family == AF_INET) {
        if (!set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT))
            (void)set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    } else {
        if (!set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT))
            (void)set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
        (void)set(fd, IPPROTO_IPV6, IPV6_MTU, IPV6_MIN_MTU);
    }
}

int socket_udp(const struct addr *a, bool shared, int *rcvbuf, struct err *err) {
    int family = addr_family(a), got = 0;
    socklen_t size = sizeof got;
    int fd = open_one(a, SOCK_DGRAM, err);
    if (fd < 0)
        return fd;
    if (shared && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return fail(fd, a, "SO_REUSEPORT", err);
    if (family == AF_INET6 && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
        return fail(fd, a, "IPV6_V6ONLY", err);
    if (!want_details(fd, family))
        return fail(fd, a, "IP_PKTINFO or SO_RXQ_OVFL", err);
    ignore_path_mtu(fd, family);
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BYTES);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BYTES);
    if (bind(fd, &a->sa, addr_len(a)) != 0)
        return fail(fd, a, "bind (UDP)", err);
    if (rcvbuf != NULL)
        *rcvbuf = getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &size) == 0 ? got : 0;
    return fd;
}

int socket_tcp(const struct addr *a, bool shared, struct err *err) {
    int fd = open_one(a, SOCK_STREAM, err);
    if (fd < 0)
        return fd;
    if (shared && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return fail(fd, a, "SO_REUSEPORT", err);
    if (!set(fd, SOL_SOCKET, SO_REUSEADDR, 1))
        return fail(fd, a, "SO_REUSEADDR", err);
    if (addr_family(a) == AF_INET6 && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
        return fail(fd, a, "IPV6_V6ONLY", err);
    (void)set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted connections inherit it */
    if (bind(fd, &a->sa, addr_len(a)) != 0)
        return fail(fd, a, "bind (TCP)", err);
    if (listen(fd, BACKLOG) != 0)
        return fail(fd, a, "listen", err);
    return fd;
}

int socket_name(int fd, struct addr *a) {
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return E_SYSTEM;
    addr_from_sockaddr(a, (struct sockaddr *)&name);
    return addr_family(a) == AF_INET || addr_family(a) == AF_INET6 ? 0 : E_INVALID;
}

static uint32_t meminfo(int fd, unsigned which) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) != 0 || size <= which * sizeof info[0])
        return 0;
    return info[which];
}

unsigned socket_receive_queue(int fd) { return meminfo(fd, SK_MEMINFO_RMEM_ALLOC); }

uint32_t socket_drops(int fd) { return meminfo(fd, SK_MEMINFO_DROPS); }

int socket_error(int fd) {
    int number = 0;
    socklen_t size = sizeof number;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) == 0 ? number : errno;
}
