/* Socket addresses and prefixes, from and to text. Never by name: what is not an address is an error, so nothing
 * in this file can ever cause a look-up. */
#ifndef CANDOR_BASE_ADDR_H
#define CANDOR_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/err.h"

enum { ADDR_TEXT_MAX = 64 }; /* "ADDRESS%scope@PORT" and its NUL */

/* IPv4 or IPv6 address with port; family 0: none. IPv4 in IPv6 (::ffff:0:0/96) is turned into IPv4 by
 * addr_from_sockaddr. */
struct addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};

/* "192.0.2.1@53", "2001:db8::1@53", "[2001:db8::1]@53", port optional when default_port > 0. Anything else, a
 * host name above all, is E_INVALID with a text that says so. */
int addr_parse(struct addr *a, const char *text, uint16_t default_port, struct err *err) MUST_USE;

/* "192.0.2.1@53" into `to`; returns `to`. */
const char *addr_text(const struct addr *a, char to[ADDR_TEXT_MAX]);
/* The same without the port. */
const char *addr_host_text(const struct addr *a, char to[ADDR_TEXT_MAX]);

socklen_t addr_len(const struct addr *a);
int addr_family(const struct addr *a);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
bool addr_is_loopback(const struct addr *a);
bool addr_is_any(const struct addr *a);
bool addr_same_host(const struct addr *a, const struct addr *b);
bool addr_same(const struct addr *a, const struct addr *b); /* host and port */
void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa);

/* A network: family AF_INET or AF_INET6, `bits` leading bits of `bytes` count, the rest is zero. */
struct prefix {
    uint8_t family;
    uint8_t bits;
    uint8_t bytes[16];
};

/* "10.0.0.0/8", "::/0", or an address alone (/32, /128). Host bits that are set are an error. */
int prefix_parse(struct prefix *p, const char *text, struct err *err) MUST_USE;
/* "192.0.2.0/24". */
enum { PREFIX_TEXT_MAX = 64 };
const char *prefix_text(const struct prefix *p, char to[PREFIX_TEXT_MAX]);
bool prefix_has(const struct prefix *p, const struct addr *a);
/* Whether one of `count` prefixes holds the address. */
bool prefix_list_has(const struct prefix *list, size_t count, const struct addr *a);

#endif
