#include "resolver/iterate/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"

enum { POINTS = 2, LOOPBACK = 127 };

struct guard {
    struct name zone, point[POINTS];
    unsigned points;
    const struct conf_list_prefix *refuse;
};

struct guards {
    struct guard *at;
    unsigned count;
};

/* RFC 5782 section 5: what is listed, and what is not. IPv4 127.0.0.2 and .1, IPv6 ::ffff:7f00:2 and :1, names. */
static const char *const points[][POINTS] = {
    [TEST_RFC5782_IP4] = {"2.0.0.127", "1.0.0.127"},
    [TEST_RFC5782_IP6] = {"2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
                          "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"},
    [TEST_RFC5782_DOMAIN] = {"test", "invalid"},
};

static int guard_open(struct guard *g, const struct conf_guard *conf, struct err *err) {
    char text[NAME_TEXT_MAX + 128], zone[NAME_TEXT_MAX];
    int e = name_from_text(&g->zone, conf->zone, err);
    if (e != 0)
        return err_prefix(err, "resolver.guard");
    name_lower(&g->zone);
    g->refuse = &conf->refuse;
    if (conf->test < ARRAY_SIZE(points) && points[conf->test][0] != NULL)
        for (; g->points < POINTS; g->points++) {
            (void)snprintf(text, sizeof text, "%s.%s", points[conf->test][g->points],
                           g->zone.labels > 0 ? name_text(&g->zone, zone) : "");
            if (name_from_text(&g->point[g->points], text, NULL) != 0)
                break; /* too long: nobody can ask for it */
        }
    return 0;
}

int guards_open(struct guards **out, const struct conf *conf, struct err *err) {
    const struct conf_resolver *c = &conf->resolver;
    int e = 0;
    *out = NULL;
    if (c->guard_count == 0)
        return 0;
    struct guards *g = calloc(1, sizeof *g);
    if (g == NULL || (g->at = calloc(c->guard_count, sizeof *g->at)) == NULL) {
        free(g);
        return err_set(err, E_NOMEM, "resolver.guard: no memory");
    }
    for (size_t i = 0; i < c->guard_count && i < LIMIT_GUARDS && e == 0; i++, g->count++)
        e = guard_open(&g->at[i], &c->guard[i], err);
    if (e != 0)
        guards_close(g);
    else
        *out = g;
    return e;
}

void guards_close(struct guards *g) {
    if (g == NULL)
        return;
    free(g->at);
    free(g);
}

int guards_find(const struct guards *g, const struct name *n) {
    int best = -1;
    for (unsigned i = 0; g != NULL && i < g->count; i++) {
        const struct name *zone = &g->at[i].zone;
        if (n->size <= zone->size || n->wire[n->size - zone->size] != zone->wire[0])
            continue; /* most, at once: no label of that length begins there */
        if (n->labels > zone->labels && (best < 0 || zone->labels > g->at[best].zone.labels) && name_under(n, zone))
            best = (int)i;
    }
    return best;
}

bool guards_is_point(const struct guards *g, int list, const struct name *n) {
    const struct guard *one = &g->at[list];
    for (unsigned i = 0; i < one->points; i++)
        if (name_equal(n, &one->point[i]))
            return true;
    return false;
}

static enum guard_found judge_address(const struct guard *g, const uint8_t octets[4]) {
    struct addr a = {.in = {.sin_family = AF_INET}};
    memcpy(&a.in.sin_addr, octets, 4);
    if (memcmp(octets, (const uint8_t[]){LOOPBACK, 255, 255}, 3) == 0 ||
        prefix_list_has(g->refuse->at, g->refuse->count, &a))
        return GUARD_REFUSED;
    return octets[0] == LOOPBACK ? GUARD_FINE : GUARD_OUTSIDE;
}

enum guard_found guards_judge(const struct guards *g, int list, const uint8_t *msg, size_t size) {
    enum guard_found worst = GUARD_FINE;
    struct dns_reader r;
    struct dns_rr rr;
    if (dns_reader_open(&r, msg, size, NULL, NULL, NULL) != 0)
        return GUARD_FINE;
    while (worst != GUARD_REFUSED && dns_reader_next(&r, &rr) == 0 && rr.section == SECTION_ANSWER) {
        enum guard_found found = GUARD_FINE;
        if (rr.type == TYPE_A && rr.rdata_size == 4)
            found = judge_address(&g->at[list], msg + rr.rdata);
        if (found != GUARD_FINE)
            worst = found;
    }
    return worst;
}

const char *guards_text(enum guard_found found) {
    return found == GUARD_REFUSED   ? "the list refuses to answer us: this is no listing"
           : found == GUARD_OUTSIDE ? "the list answers with an address outside 127.0.0.0/8: that is no listing"
                                    : NULL;
}

enum board_guard_mark guards_mark(const struct board *b, int list, int64_t now_ms) {
    if (b == NULL || list < 0 || list >= LIMIT_GUARDS)
        return GUARD_MARK_NONE;
    uint64_t mark = board_get(&b->guard[list].mark);
    bool counts = (int64_t)board_get(&b->guard[list].until_ms) > now_ms && mark < GUARD_MARKS;
    return counts ? (enum board_guard_mark)mark : GUARD_MARK_NONE;
}
