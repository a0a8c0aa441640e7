/* The built-in zones. */
#include "resolver/serve/local_zones_impl.h"

#include <stdio.h>

#define EMPTY(zone)                                                                                                    \
    {                                                                                                                  \
        zone, LOCAL_STATIC, { NULL, NULL }                                                                             \
    }

/* RFC 6761 with the names that later documents added to its registry, and RFC 6303 section 4 with the shared address
 * space of RFC 7793. example. and its like are no special names to a resolver (RFC 6761 section 6.5). */
static const struct local_default zones[] = {
    {"localhost.", LOCAL_REDIRECT, {"localhost. 10800 A 127.0.0.1", "localhost. 10800 AAAA ::1"}},
    EMPTY("test."),
    EMPTY("invalid."),
    EMPTY("onion."),     /* RFC 7686 */
    EMPTY("local."),     /* RFC 6762 section 22.1 */
    EMPTY("home.arpa."), /* RFC 8375 */
    EMPTY("10.in-addr.arpa."),
    EMPTY("16.172.in-addr.arpa."),
    EMPTY("17.172.in-addr.arpa."),
    EMPTY("18.172.in-addr.arpa."),
    EMPTY("19.172.in-addr.arpa."),
    EMPTY("20.172.in-addr.arpa."),
    EMPTY("21.172.in-addr.arpa."),
    EMPTY("22.172.in-addr.arpa."),
    EMPTY("23.172.in-addr.arpa."),
    EMPTY("24.172.in-addr.arpa."),
    EMPTY("25.172.in-addr.arpa."),
    EMPTY("26.172.in-addr.arpa."),
    EMPTY("27.172.in-addr.arpa."),
    EMPTY("28.172.in-addr.arpa."),
    EMPTY("29.172.in-addr.arpa."),
    EMPTY("30.172.in-addr.arpa."),
    EMPTY("31.172.in-addr.arpa."),
    EMPTY("168.192.in-addr.arpa."),
    EMPTY("0.in-addr.arpa."),
    {"127.in-addr.arpa.", LOCAL_STATIC, {"1.0.0.127.in-addr.arpa. 10800 PTR localhost.", NULL}},
    EMPTY("254.169.in-addr.arpa."),
    EMPTY("2.0.192.in-addr.arpa."),
    EMPTY("100.51.198.in-addr.arpa."),
    EMPTY("113.0.203.in-addr.arpa."),
    EMPTY("255.255.255.255.in-addr.arpa."),
    EMPTY("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."),
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
     LOCAL_STATIC,
     {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa. 10800 PTR localhost.", NULL}},
    EMPTY("d.f.ip6.arpa."),
    EMPTY("8.e.f.ip6.arpa."),
    EMPTY("9.e.f.ip6.arpa."),
    EMPTY("a.e.f.ip6.arpa."),
    EMPTY("b.e.f.ip6.arpa."),
    EMPTY("8.b.d.0.1.0.0.2.ip6.arpa."),
};

enum { ZONES = sizeof zones / sizeof *zones, SHARED_FIRST = 64, SHARED_LAST = 127 };

/* 64.100.in-addr.arpa. to 127.100.in-addr.arpa. (RFC 7793) are made here; one thread, at start. */
const struct local_default *local_default(size_t index) {
    static char name[sizeof "127.100.in-addr.arpa."];
    static struct local_default shared = {name, LOCAL_STATIC, {NULL, NULL}};
    if (index < ZONES)
        return &zones[index];
    unsigned third = SHARED_FIRST + (unsigned)(index - ZONES);
    if (third > SHARED_LAST)
        return NULL;
    (void)snprintf(name, sizeof name, "%u.100.in-addr.arpa.", third);
    return &shared;
}
