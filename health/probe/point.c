#include <stdio.h>

#include "health/probe/zone.h"

static const char *const ip6_rest = "0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.";

/* Section 5: IPv4 127.0.0.2 and 127.0.0.1; IPv6 ::FFFF:7F00:2 and ::FFFF:7F00:1; names TEST and INVALID. */
int point_name(struct name *qname, enum conf_test test, int point, const struct name *zone) {
    char text[NAME_TEXT_MAX + 128], apex[NAME_TEXT_MAX];
    name_text(zone, apex);
    const char *rest = zone->labels == 0 ? "" : apex;
    if (test == TEST_RFC5782_IP4)
        snprintf(text, sizeof(text), "%d.0.0.127.%s", point == POINT_LISTED ? 2 : 1, rest);
    else if (test == TEST_RFC5782_IP6)
        snprintf(text, sizeof(text), "%d.0.%s%s", point == POINT_LISTED ? 2 : 1, ip6_rest + 2, rest);
    else if (test == TEST_RFC5782_DOMAIN)
        snprintf(text, sizeof(text), "%s.%s", point == POINT_LISTED ? "test" : "invalid", rest);
    else
        return E_NOTFOUND;
    return name_from_text(qname, text, NULL) == 0 ? 0 : E_RANGE;
}

/* 127.255.255.0/24 says so by custom of the large lists, whatever the configuration. */
static bool is_refusal(const struct answer *a, const struct conf_list_prefix *refuse) {
    struct addr addr = {.in = {.sin_family = AF_INET}};
    memcpy(&addr.in.sin_addr, a->a, 4);
    if (a->a[0] == 127 && a->a[1] == 255 && a->a[2] == 255)
        return true;
    return refuse != NULL && prefix_list_has(refuse->at, refuse->count, &addr);
}

enum verdict_state point_judge(int point, const struct answer *a, const struct conf_list_prefix *refuse, char *came,
                               size_t size) {
    char buf[16];
    const char *rcode = dns_rcode_text(a->rcode, buf);
    if (a->a_count == 0) {
        bool right = point == POINT_UNLISTED && a->rcode == RCODE_NXDOMAIN;
        snprintf(came, size, "%s, no address%s", rcode, right ? ": not listed, as it must be" : "");
        return right ? VERDICT_PASS : VERDICT_FAIL;
    }
    const char *words = ": listed, as it must be";
    enum verdict_state s = VERDICT_PASS;
    if (is_refusal(a, refuse)) {
        words = ": the list refuses to answer us";
        s = VERDICT_FAIL;
    } else if (point == POINT_UNLISTED) {
        words = ": listed, though it must never be: this zone lists the world";
        s = VERDICT_FAIL;
    } else if (a->rcode != RCODE_NOERROR || a->a[0] != 127) {
        words = ": not an answer in 127.0.0.0/8";
        s = VERDICT_FAIL;
    }
    snprintf(came, size, "%s %u.%u.%u.%u%s", rcode, a->a[0], a->a[1], a->a[2], a->a[3], words);
    return s;
}
