/* The status page: one sentence with the age of the data, then tables. No scripts, nothing from outside, read aloud it
 * makes the same sense: states are words, colours only repeat them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "health/web/document.h"
#include "health/web/render.h"

enum { PAGE_ROWS = 200, PAGE_HISTORY = 50, REFRESH_S = 5 };

static const char style[] =
    ":root{color-scheme:light dark;--pass:#1a7f37;--warn:#9a6700;--fail:#c62828;--unknown:#5f6368;--line:#8884;"
    "--bg:#fff;--fg:#1b1b1b}"
    "@media(prefers-color-scheme:dark){:root{--pass:#4cc26b;--warn:#e0a526;--fail:#ff7b72;--unknown:#9aa0a6;"
    "--bg:#111417;--fg:#e6e6e6}}"
    "body{font:16px/1.45 system-ui,sans-serif;margin:0 auto;max-width:76rem;padding:1rem;background:var(--bg);"
    "color:var(--fg)}"
    "h1{font-size:1.2rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .3rem}"
    ".banner{border-left:.5rem solid var(--unknown);padding:.6rem .9rem;margin:.8rem 0;font-size:1.15rem}"
    ".banner.pass{border-color:var(--pass)}.banner.warn{border-color:var(--warn)}.banner.fail{border-color:var(--fail)}"
    "table{border-collapse:collapse;width:100%;font-size:.92rem}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);"
    "overflow-wrap:anywhere}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "b.pass{color:var(--pass)}b.warn{color:var(--warn)}b.fail{color:var(--fail)}b.unknown{color:var(--unknown)}"
    ".stale main{filter:grayscale(1);opacity:.55;text-decoration:line-through}"
    "footer{margin-top:2rem;font-size:.85rem}";

static void put_state(struct text *t, enum verdict_state s) {
    text_fmt(t, "<b class=\"%s\">%s</b>", verdict_state_name(s), verdict_state_name(s));
}

static void put_clock(struct text *t, int64_t wall_ms) {
    struct text iso = {0};
    if (wall_ms <= 0) {
        text_put(t, "never");
        return;
    }
    text_time(&iso, wall_ms);
    if (iso.size > 19)
        text_fmt(t, "%.10s %.8s", iso.at, iso.at + 11);
    text_free(&iso);
}

static void say(struct text *t, const struct snapshot *s) {
    static const char *const words[VERDICT_STATES] = {
        "This node is well: every check passes.",
        "This node works, with reservations: ",
        "This node is failing: ",
        "Not everything about this node is known: ",
    };
    text_put(t, words[s->overall]);
    for (int i = 0; s->overall != VERDICT_PASS && i < SCOPE_COUNT; i++) {
        if (!s->scope[i].present || s->scope[i].state != s->overall)
            continue;
        text_fmt(t, "%s, ", verdict_scope_name((enum verdict_scope)i));
        text_html(t, s->scope[i].cause);
        text_put(t, ".");
        return;
    }
}

void document_page(struct document *d, const struct snapshot *s, const char *node, int64_t mono_ms, int64_t wall_ms) {
    bool stale = s == NULL || snapshot_is_stale(s, mono_ms);
    *d = (struct document){.state = stale ? VERDICT_UNKNOWN : s->overall};
    struct text *t = &d->head;
    text_fmt(t,
             "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" "
             "content=\"%d\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>%s: ",
             REFRESH_S, verdict_state_name(d->state));
    text_html(t, node);
    text_fmt(t, "</title><style>%s</style></head><body%s><header><h1>Candor node ", style,
             stale ? " class=\"stale\"" : "");
    text_html(t, node);
    text_fmt(t, "</h1><p class=\"banner %s\" role=\"status\">", verdict_state_name(d->state));
    if (s == NULL) {
        text_put(t, "Nothing was judged yet: nothing is known about this node.");
    } else if (stale) {
        text_fmt(t, "Nothing is known: the last judgement is %.1f s old. What stands below is past.",
                 (double)(mono_ms - s->mono_ms) / 1000);
    } else {
        say(t, s);
        text_fmt(t, " <small>Judged %.1f s ago.</small>", (double)(mono_ms - s->mono_ms) / 1000);
    }
    text_put(t, "</p></header><main>");
    if (s != NULL && s->page.size > 0)
        d->body[d->bodies++] = (struct bytes){(const uint8_t *)s->page.at, s->page.size};
    text_put(&d->tail, "</main><footer>Page made ");
    put_clock(&d->tail, wall_ms);
    text_put(&d->tail, " UTC; it reloads itself every five seconds. <a href=\"/health\">health</a> <a "
                       "href=\"/history\">history</a> <a href=\"/metrics\">metrics</a></footer></body></html>\n");
}

static void put_scopes(struct text *t, const struct verdict_book *b) {
    text_put(t, "<h2>Scopes</h2><table><tr><th scope=\"col\">Scope</th><th scope=\"col\">State</th><th "
                "scope=\"col\">Checks</th><th scope=\"col\">Cause</th><th scope=\"col\">Since (UTC)</th></tr>");
    for (int i = 0; i < SCOPE_COUNT; i++) {
        const struct verdict_scope_state *s = &b->scope[i];
        if (!s->present)
            continue;
        size_t all = 0;
        for (int k = 0; k < VERDICT_STATES; k++)
            all += s->counts[k];
        text_fmt(t, "<tr><th scope=\"row\">%s</th><td>", verdict_scope_name((enum verdict_scope)i));
        put_state(t, s->state);
        text_fmt(t, "</td><td>%zu of %zu pass</td><td>", s->counts[VERDICT_PASS], all);
        if (s->state != VERDICT_PASS && s->cause < b->count)
            text_html(t, b->checks[s->cause].evidence.came);
        text_put(t, "</td><td>");
        put_clock(t, s->changed_wall_ms);
        text_put(t, "</td></tr>");
    }
    text_put(t, "</table>");
}

static void put_check(struct text *t, const struct verdict_check *c) {
    char label[CHECK_ID_MAX + 64];
    text_put(t, "<tr><th scope=\"row\">");
    text_html(t, verdict_label(c, label, sizeof(label)));
    text_put(t, "</th><td>");
    put_state(t, c->shown);
    text_put(t, "</td><td>");
    text_html(t, c->evidence.asked);
    if (c->evidence.server[0] != '\0') {
        text_put(t, ", of ");
        text_html(t, c->evidence.server);
        text_fmt(t, "/%s from port %u", c->evidence.tcp ? "tcp" : "udp", c->evidence.source_port);
    }
    text_put(t, "</td><td>");
    text_html(t, c->evidence.came);
    text_fmt(t, "</td><td class=\"n\">%.1f ms</td><td>", (double)c->evidence.took_us / 1000);
    put_clock(t, c->evidence.wall_ms);
    text_put(t, "</td></tr>");
}

static void checks_table(struct text *t, const char *title, const struct verdict_book *b, enum verdict_scope scope,
                         bool troubled) {
    size_t rows = 0, more = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct verdict_check *c = &b->checks[i];
        if (troubled ? c->shown == VERDICT_PASS : c->scope != scope)
            continue;
        if (rows == 0)
            text_fmt(t,
                     "<h2>%s</h2><table><tr><th scope=\"col\">Check</th><th scope=\"col\">State</th><th "
                     "scope=\"col\">Asked</th><th scope=\"col\">Came back</th><th scope=\"col\">Took</th><th "
                     "scope=\"col\">When (UTC)</th></tr>",
                     title);
        if (rows++ < PAGE_ROWS)
            put_check(t, c);
        else
            more++;
    }
    if (rows > 0)
        text_put(t, "</table>");
    if (more > 0)
        text_fmt(t, "<p>and %zu more: <a href=\"/health\">all of them</a>.</p>", more);
}

static const char *zone_state_words(uint64_t state) {
    static const char *const words[] = {"loading", "ok", "newest refused", "source bad", "expired", "error"};
    return state < sizeof(words) / sizeof(words[0]) ? words[state] : "?";
}

static uint64_t wrong(const struct board_asked *a) {
    uint64_t n = 0;
    for (int w = 0; w < WRONG_COUNT; w++)
        n += board_get(&a->wrong[w]);
    return n;
}

static void put_zone(struct text *t, const struct board_zone *z, const struct board_asked *a) {
    text_put(t, "<tr><th scope=\"row\">");
    text_html(t, z->name);
    text_fmt(t,
             "</th><td>%s</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
             "</td><td>",
             zone_state_words(z->state), z->serial, z->entries, z->local_entries);
    put_clock(t, (int64_t)z->last_change_wall_s * 1000);
    text_put(t, "</td><td>");
    put_clock(t, (int64_t)z->last_check_wall_s * 1000);
    text_put(t, "</td><td>");
    if (z->expires_wall_s != 0)
        put_clock(t, (int64_t)z->expires_wall_s * 1000);
    text_fmt(t, "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64 "</td></tr>",
             board_get(&a->listed) + board_get(&a->unlisted), wrong(a));
}

static void put_zones(struct text *t, const struct snapshot_source *s) {
    uint64_t on_board = board_get(&s->board->zone_count);
    size_t count = s->conf->rbl.zone_count;
    if (count == 0)
        return;
    text_put(t, "<h2>Zones as committed</h2><table><tr><th scope=\"col\">Zone</th><th scope=\"col\">State</th><th "
                "scope=\"col\">Serial</th><th scope=\"col\">Entries</th><th scope=\"col\">By hand</th><th "
                "scope=\"col\">Last change (UTC)</th><th "
                "scope=\"col\">Last check (UTC)</th><th scope=\"col\">Expires</th><th scope=\"col\">Questions</th><th "
                "scope=\"col\">Asked wrongly</th></tr>");
    for (size_t i = 0; i < count && i < PAGE_ROWS && i < LIMIT_ZONES && i < on_board; i++) {
        struct board_zone z;
        if (!board_zone_read(&s->board->zone[i], &z))
            continue;
        z.name[sizeof(z.name) - 1] = '\0';
        if (z.name[0] != '\0' && strcasecmp(z.name, s->conf->rbl.zones[i].name) == 0)
            put_zone(t, &z, &s->board->asked[i]);
    }
    text_put(t, "</table>");
}

static void put_timeline(struct text *t, const struct verdict_book *b) {
    const struct history_entry *e;
    text_put(t, "<h2>Transitions</h2><table><tr><th scope=\"col\">When (UTC)</th><th scope=\"col\">Scope</th><th "
                "scope=\"col\">From</th><th scope=\"col\">To</th><th scope=\"col\">Cause</th></tr>");
    for (size_t i = 0; i < PAGE_HISTORY && (e = history_at(&b->scopes, i)) != NULL; i++) {
        text_put(t, "<tr><td>");
        put_clock(t, e->wall_ms);
        text_fmt(t, "</td><td>%s</td><td>", verdict_scope_name(e->scope));
        put_state(t, e->from);
        text_put(t, "</td><td>");
        put_state(t, e->to);
        text_put(t, "</td><td>");
        text_html(t, e->cause);
        text_put(t, "</td></tr>");
    }
    text_put(t, "</table>");
}

void render_page(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    const struct verdict_book *b = s->book;
    put_scopes(t, b);
    checks_table(t, "What does not pass", b, SCOPE_COUNT, true);
    put_zones(t, s);
    page_replica(t, s, wall_ms);
    checks_table(t, "Replication", b, SCOPE_REPLICATION, false);
    checks_table(t, "Workers and addresses", b, SCOPE_WORKER, false);
    checks_table(t, "Upstreams", b, SCOPE_UPSTREAM, false);
    checks_table(t, "Resolution", b, SCOPE_RESOLUTION, false);
    checks_table(t, "Processes", b, SCOPE_PROCESS, false);
    checks_table(t, "Storage", b, SCOPE_STORAGE, false);
    checks_table(t, "Zones as served", b, SCOPE_ZONES, false);
    put_timeline(t, b);
}
