/* Zones on the status page: as committed, as served, and what was asked of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "health/web/page_part.h"

static const char *state_words(uint64_t state) {
    static const char *const words[] = {"loading", "ok",    "newest refused", "source bad",
                                        "expired", "error", "not stored"};
    return state < ARRAY_SIZE(words) ? words[state] : "?";
}

static uint64_t wrong(const struct board_asked *a) {
    uint64_t n = 0;
    for (int w = 0; w < WRONG_COUNT; w++)
        n += board_get(&a->wrong[w]);
    return n;
}

/* The worst of the zone's checks of a kind; unknown: there is none. */
static bool worst(const struct verdict_book *b, const char *zone, const char *measurement, enum verdict_state *to) {
    bool found = false;
    for (size_t i = 0; i < b->count; i++) {
        const struct verdict_check *c = &b->checks[i];
        if (c->scope != SCOPE_ZONES || strncmp(c->measurement, measurement, strlen(measurement)) != 0 ||
            strcmp(c->component, "zone") != 0 || strcasecmp(c->id, zone) != 0)
            continue;
        *to = found ? verdict_worse(*to, c->shown) : c->shown;
        found = true;
    }
    return found;
}

static void put_verdict(struct text *t, const struct verdict_book *b, const char *zone, const char *measurement) {
    enum verdict_state s;
    text_put(t, "<td>");
    if (worst(b, zone, measurement, &s))
        page_state(t, s);
    else
        text_put(t, "not asked");
    text_put(t, "</td>");
}

static void put_time(struct text *t, uint64_t wall_s, const char *never) {
    text_put(t, "<td>");
    if (wall_s > 0)
        page_clock(t, (int64_t)wall_s * 1000);
    else
        text_put(t, never);
    text_put(t, "</td>");
}

static void put_zone(struct text *t, const struct verdict_book *b, const struct board_zone *z,
                     const struct board_asked *a) {
    page_row(t, z->name);
    page_cell(t, state_words(z->state));
    page_number(t, z->serial);
    put_verdict(t, b, z->name, "serial");
    put_verdict(t, b, z->name, "point_");
    page_number(t, z->entries);
    page_number(t, z->local_entries);
    text_fmt(t, "<td><code>%02x%02x%02x%02x</code></td>", z->digest[0], z->digest[1], z->digest[2], z->digest[3]);
    put_time(t, z->last_change_wall_s, "never");
    put_time(t, z->last_check_wall_s, "never");
    put_time(t, z->expires_wall_s, "");
    page_number(t, board_get(&a->listed) + board_get(&a->unlisted));
    page_number(t, wrong(a));
    text_put(t, "</tr>");
}

void page_zones(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    uint64_t on_board = board_get(&s->board->zone_count);
    size_t count = s->conf->rbl.zone_count, rows = 0;
    (void)wall_ms;
    for (size_t i = 0; i < count && i < LIMIT_ZONES && i < on_board; i++) {
        struct board_zone z;
        if (!board_zone_read(&s->board->zone[i], &z))
            continue;
        z.name[sizeof(z.name) - 1] = '\0';
        if (z.name[0] == '\0' || strcasecmp(z.name, s->conf->rbl.zones[i].name) != 0)
            continue;
        if (rows++ == 0)
            page_table(t, "Zones",
                       "Zone|State|#Serial|Served|Test points|#Entries|#By hand|Digest|Last change (UTC)|Last check "
                       "(UTC)|Expires|#Questions|#Asked wrongly");
        if (rows <= PAGE_ROWS)
            put_zone(t, s->book, &z, &s->board->asked[i]);
    }
    if (rows > 0)
        page_rows_end(t);
    if (rows > PAGE_ROWS)
        text_fmt(t, "<p>and %zu more: <a href=\"/health/zones\">all of them</a>.</p>", rows - PAGE_ROWS);
    if (rows > 0)
        text_put(t, "</section>");
}
