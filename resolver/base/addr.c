#include "resolver/base/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/text.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static int not_an_address(const char *text, struct err *err) {
    char shown[TEXT_SHOWN_MAX];
    return err_set(err, E_INVALID,
                   "expected ADDRESS@PORT, got \"%s\" (a host name would have to be looked up in DNS, "
                   "which must work without this program; write the address)",
                   text_shown(shown, text));
}

/* Digits only, 1..65535. */
static bool parse_port(uint16_t *port, const char *text) {
    unsigned value = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 5)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *port = (uint16_t)value;
    return value >= 1 && value <= 65535;
}

/* "eth0" or "2" after the % of a link-local address; the kernel knows interfaces without asking anyone. */
static bool parse_scope(uint32_t *scope, const char *text) {
    unsigned long value;
    char *end;
    if (*text >= '0' && *text <= '9') {
        value = strtoul(text, &end, 10);
        *scope = (uint32_t)value;
        return *end == '\0' && value > 0 && value <= UINT32_MAX;
    }
    *scope = if_nametoindex(text);
    return *scope != 0;
}

/* The host part alone; `host` is cut up. */
static bool parse_host(struct addr *a, char *host) {
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    size_t n = strlen(host);
    char *scope;
    bool bracketed = n > 2 && host[0] == '[' && host[n - 1] == ']';
    if (bracketed) {
        host[n - 1] = '\0';
        host++;
    }
    if (!bracketed && inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        a->in = in;
        return true;
    }
    scope = strchr(host, '%');
    if (scope != NULL) {
        *scope = '\0';
        if (!parse_scope(&in6.sin6_scope_id, scope + 1))
            return false;
    }
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
        return false;
    addr_from_sockaddr(a, (const struct sockaddr *)&in6);
    return true;
}

int addr_parse(struct addr *a, const char *text, uint16_t default_port, struct err *err) {
    char host[ADDR_TEXT_MAX];
    const char *at = strrchr(text, '@');
    size_t n = at != NULL ? (size_t)(at - text) : strlen(text);
    uint16_t port = default_port;
    char shown[TEXT_SHOWN_MAX];
    memset(a, 0, sizeof(*a));
    if (n >= sizeof(host))
        return not_an_address(text, err);
    memcpy(host, text, n);
    host[n] = '\0';
    if (!parse_host(a, host)) {
        memset(a, 0, sizeof(*a));
        return not_an_address(text, err);
    }
    if ((at != NULL && !parse_port(&port, at + 1)) || port == 0) {
        memset(a, 0, sizeof(*a));
        return err_set(err, E_INVALID, "expected ADDRESS@PORT with a port from 1 to 65535, got \"%s\"",
                       text_shown(shown, text));
    }
    addr_set_port(a, port);
    return E_OK;
}

const char *addr_host_text(const struct addr *a, char to[ADDR_TEXT_MAX]) {
    char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE];
    const void *from = a->sa.sa_family == AF_INET6 ? (const void *)&a->in6.sin6_addr : &a->in.sin_addr;
    text_copy(to, ADDR_TEXT_MAX, "none");
    if (addr_len(a) == 0 || inet_ntop(a->sa.sa_family, from, host, sizeof(host)) == NULL)
        return to;
    if (a->sa.sa_family == AF_INET || a->in6.sin6_scope_id == 0)
        text_copy(to, ADDR_TEXT_MAX, host);
    else if (if_indextoname(a->in6.sin6_scope_id, scope) != NULL)
        (void)snprintf(to, ADDR_TEXT_MAX, "%.46s%%%.15s", host, scope);
    else
        (void)snprintf(to, ADDR_TEXT_MAX, "%.46s%%%u", host, a->in6.sin6_scope_id);
    return to;
}

const char *addr_text(const struct addr *a, char to[ADDR_TEXT_MAX]) {
    size_t n;
    addr_host_text(a, to);
    n = strlen(to);
    if (addr_len(a) != 0)
        (void)snprintf(to + n, ADDR_TEXT_MAX - n, "@%u", addr_port(a));
    return to;
}

socklen_t addr_len(const struct addr *a) {
    switch (a->sa.sa_family) {
    case AF_INET:
        return sizeof(a->in);
    case AF_INET6:
        return sizeof(a->in6);
    default:
        return 0;
    }
}

int addr_family(const struct addr *a) { return a->sa.sa_family; }

uint16_t addr_port(const struct addr *a) {
    switch (a->sa.sa_family) {
    case AF_INET:
        return ntohs(a->in.sin_port);
    case AF_INET6:
        return ntohs(a->in6.sin6_port);
    default:
        return 0;
    }
}

void addr_set_port(struct addr *a, uint16_t port) {
    if (a->sa.sa_family == AF_INET)
        a->in.sin_port = htons(port);
    else if (a->sa.sa_family == AF_INET6)
        a->in6.sin6_port = htons(port);
}

bool addr_is_loopback(const struct addr *a) {
    if (a->sa.sa_family == AF_INET)
        return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
    return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

bool addr_is_any(const struct addr *a) {
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
    return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

bool addr_same_host(const struct addr *a, const struct addr *b) {
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return a->sa.sa_family == AF_INET6 && a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
           memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
}

bool addr_same(const struct addr *a, const struct addr *b) {
    return addr_same_host(a, b) && addr_port(a) == addr_port(b);
}

void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa) {
    struct sockaddr_in6 in6;
    memset(a, 0, sizeof(*a));
    if (sa->sa_family == AF_INET) {
        memcpy(&a->in, sa, sizeof(a->in));
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&in6, sa, sizeof(in6));
        if (memcmp(&in6.sin6_addr, mapped, sizeof(mapped)) != 0) {
            a->in6 = in6;
            a->in6.sin6_flowinfo = 0; /* differs from packet to packet of one client */
            return;
        }
        a->in.sin_family = AF_INET;
        a->in.sin_port = in6.sin6_port;
        memcpy(&a->in.sin_addr, (const uint8_t *)&in6.sin6_addr + sizeof(mapped), sizeof(a->in.sin_addr));
    }
}
