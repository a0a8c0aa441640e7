#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "resolver/base/addr.h"
#include "resolver/base/text.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Digits only, 0..max. */
static bool parse_bits(uint8_t *bits, const char *text, unsigned max) {
    unsigned value = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 3)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    if (value > max)
        return false;
    *bits = (uint8_t)value;
    return true;
}

static bool host_bits_set(const struct prefix *p) {
    for (unsigned bit = p->bits; bit < sizeof(p->bytes) * 8; bit++)
        if ((p->bytes[bit / 8] & 0x80 >> bit % 8) != 0)
            return true;
    return false;
}

/* Clients that come as ::ffff:192.0.2.1 are IPv4 everywhere else in the program, so their prefixes are too. */
static void unmap(struct prefix *p) {
    if (p->family != AF_INET6 || p->bits < 96 || memcmp(p->bytes, mapped, sizeof(mapped)) != 0)
        return;
    memmove(p->bytes, p->bytes + sizeof(mapped), 4);
    memset(p->bytes + 4, 0, sizeof(p->bytes) - 4);
    p->family = AF_INET;
    p->bits = (uint8_t)(p->bits - 96);
}

int prefix_parse(struct prefix *p, const char *text, struct err *err) {
    char host[INET6_ADDRSTRLEN], shown[TEXT_SHOWN_MAX];
    const char *slash = strchr(text, '/');
    size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
    unsigned max;
    memset(p, 0, sizeof(*p));
    if (n >= sizeof(host))
        goto bad;
    memcpy(host, text, n);
    host[n] = '\0';
    if (inet_pton(AF_INET, host, p->bytes) == 1)
        p->family = AF_INET;
    else if (inet_pton(AF_INET6, host, p->bytes) == 1)
        p->family = AF_INET6;
    else
        goto bad;
    max = p->family == AF_INET ? 32 : 128;
    p->bits = (uint8_t)max;
    if (slash != NULL && !parse_bits(&p->bits, slash + 1, max))
        goto bad;
    if (host_bits_set(p)) {
        memset(p, 0, sizeof(*p));
        return err_set(err, E_INVALID, "expected a network ADDRESS/BITS, got \"%s\": bits behind the prefix are set",
                       text_shown(shown, text));
    }
    unmap(p);
    return E_OK;
bad:
    memset(p, 0, sizeof(*p));
    return err_set(err, E_INVALID, "expected a network ADDRESS/BITS or an address, got \"%s\"",
                   text_shown(shown, text));
}

const char *prefix_text(const struct prefix *p, char to[PREFIX_TEXT_MAX]) {
    char address[INET6_ADDRSTRLEN] = "?";
    (void)inet_ntop(p->family, p->bytes, address, sizeof address);
    (void)snprintf(to, PREFIX_TEXT_MAX, "%s/%u", address, p->bits);
    return to;
}

bool prefix_has(const struct prefix *p, const struct addr *a) {
    const uint8_t *bytes;
    struct addr plain;
    unsigned whole = p->bits / 8, rest = p->bits % 8;
    addr_from_sockaddr(&plain, &a->sa);
    if (p->family == 0 || plain.sa.sa_family != p->family)
        return false;
    bytes = p->family == AF_INET ? (const uint8_t *)&plain.in.sin_addr : (const uint8_t *)&plain.in6.sin6_addr;
    if (memcmp(bytes, p->bytes, whole) != 0)
        return false;
    return rest == 0 || (bytes[whole] ^ p->bytes[whole]) >> (8 - rest) == 0;
}

bool prefix_list_has(const struct prefix *list, size_t count, const struct addr *a) {
    for (size_t i = 0; i < count; i++)
        if (prefix_has(&list[i], a))
            return true;
    return false;
}
