/* The status page: one sentence with the age of the data, then tables. Nothing from outside, and whole without script;
 * read aloud it makes the same sense: states are words, shapes and colours only repeat them.
 *
 * Without script it reloads itself; should nobody answer then, the browser says so. With script (health/page) it is
 * fetched again and what changed is put in place. A page that is kept all the same (a frozen tab, a script that does
 * not run) ages by itself: an animation greys it and crosses it out three intervals after it was judged, and shows a
 * sentence that says why. */

#include "health/page/assets.h"
#include "health/web/document.h"
#include "health/web/page_part.h"

enum { REFRESH_S = 5 };

static void say(struct text *t, const struct snapshot *s) {
    static const char *const words[VERDICT_STATES] = {
        "This node is well: every check passes.",
        "This node works, with reservations: ",
        "This node is failing: ",
        "Not everything about this node is known: ",
    };
    static const char *const watched[VERDICT_STATES] = {
        "This monitor and what it watches are well: every check passes.",
        "This monitor sees reservations: ",
        "This monitor sees a failure: ",
        "This monitor does not know everything: ",
    };
    const struct snapshot_scope *watching = &s->scope[SCOPE_MONITOR];
    bool others = watching->present && watching->state == s->overall; /* whatever is as bad here has its line below */
    for (int i = 0; i < SCOPE_MONITOR && others && s->overall != VERDICT_PASS; i++)
        others = !s->scope[i].present || s->scope[i].state != s->overall;
    text_put(t, others ? watched[s->overall] : words[s->overall]);
    for (int i = 0; s->overall != VERDICT_PASS && i < SCOPE_COUNT; i++) {
        if (!s->scope[i].present || s->scope[i].state != s->overall)
            continue;
        text_fmt(t, "%s, ", verdict_scope_name((enum verdict_scope)i));
        text_html(t, s->scope[i].cause);
        text_put(t, ".");
        return;
    }
}

/* Seconds until what is on the page is three intervals old. */
static double left_s(const struct snapshot *s, int64_t mono_ms) {
    if (s == NULL)
        return 0;
    int64_t left_ms = s->mono_ms + (int64_t)VERDICT_AGE_INTERVALS * s->local_ms - mono_ms;
    return left_ms > 0 ? (double)left_ms / 1000 : 0;
}

/* With shorter intervals sooner, so that a page is new before it is old. */
static unsigned refresh_s(const struct snapshot *s) {
    unsigned local_s = s != NULL ? s->local_ms / 1000 : REFRESH_S;
    return local_s == 0 ? 1 : local_s < REFRESH_S ? local_s : REFRESH_S;
}

/* What script needs to tell the age between two looks: how old it was when it was sent, and when it is past. */
static void put_body(struct text *t, const struct snapshot *s, bool stale, int64_t mono_ms) {
    text_put(t, "<body");
    if (s != NULL)
        text_fmt(t, " data-age=\"%lld\" data-left=\"%.0f\"", (long long)(mono_ms - s->mono_ms),
                 1000 * left_s(s, mono_ms));
    text_fmt(t, " data-every=\"%u\"", refresh_s(s));
    if (stale)
        text_put(t, " class=\"stale\">");
    else
        text_fmt(t, " style=\"--old:%.1fs\">", left_s(s, mono_ms));
}

static void put_head(struct text *t, const struct snapshot *s, const char *node, enum verdict_state state, bool stale,
                     int64_t mono_ms) {
    const char *name = verdict_state_name(state), *stamp = page_asset_stamp();
    text_fmt(t,
             "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
             "content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">"
             "<noscript><meta http-equiv=\"refresh\" content=\"%u\"></noscript><title>%s: ",
             refresh_s(s), name);
    text_html(t, node);
    text_fmt(t,
             "</title><link rel=\"icon\" href=\"/icon/%s.svg\"><link rel=\"stylesheet\" href=\"/page.css?%s\"><script "
             "src=\"/page.js?%s\" defer></script></head>",
             name, stamp, stamp);
    put_body(t, s, stale, mono_ms);
    text_put(t, "<a class=\"skip\" href=\"#main\">To what was found</a><header><h1>Candor <span>");
    text_html(t, node);
    text_fmt(t, "</span></h1><div class=\"banner %s\" id=\"banner\"><p id=\"verdict\" role=\"%s\">", name,
             state == VERDICT_FAIL ? "alert" : "status");
}

static void put_age(struct text *t, const struct snapshot *s, int64_t mono_ms) {
    if (s != NULL)
        text_fmt(t, "<p class=\"age\">Judged <span id=\"age\">%.1f s</span> ago.</p>",
                 (double)(mono_ms - s->mono_ms) / 1000);
}

void document_page(struct document *d, const struct snapshot *s, const char *node, int64_t mono_ms, int64_t wall_ms) {
    bool stale = s == NULL || snapshot_is_stale(s, mono_ms);
    *d = (struct document){.state = stale ? VERDICT_UNKNOWN : s->overall};
    struct text *t = &d->head;
    put_head(t, s, node, d->state, stale, mono_ms);
    if (s == NULL)
        text_put(t, "Nothing was judged yet: nothing is known about this node.");
    else if (stale)
        text_put(t, "Nothing is known: the last judgement is too old. What stands below is past.");
    else
        say(t, s);
    text_put(t, "</p>");
    put_age(t, s, mono_ms);
    text_put(
        t, "</div><p id=\"late\">This page is old: it was not renewed in time, and says nothing about now.</p></header>"
           "<main id=\"main\" tabindex=\"-1\">");
    if (s != NULL && s->page.size > 0)
        d->body[d->bodies++] = (struct bytes){(const uint8_t *)s->page.at, s->page.size};
    text_put(&d->tail, "</main><footer>Page made ");
    page_clock(&d->tail, wall_ms);
    text_fmt(&d->tail,
             " UTC; it renews itself every %u s. <a href=\"/health\">health</a> <a href=\"/history\">history</a> <a "
             "href=\"/detail\">detail</a> <a href=\"/metrics\">metrics</a></footer></body></html>\n",
             refresh_s(s));
}

void render_page(struct text *t, const struct snapshot_source *s, int64_t mono_ms, int64_t wall_ms) {
    static const struct {
        const char *title;
        enum verdict_scope scope;
    } details[] = {{"Workers and addresses", SCOPE_WORKER},
                   {"Resolution", SCOPE_RESOLUTION},
                   {"Zones as served", SCOPE_ZONES},
                   {"Replication", SCOPE_REPLICATION},
                   {"Upstreams, asked", SCOPE_UPSTREAM},
                   {"Storage", SCOPE_STORAGE},
                   {"Processes", SCOPE_PROCESS},
                   {"Peers", SCOPE_PEERS},
                   {"Reporting", SCOPE_REPORTING},
                   {"Monitor", SCOPE_MONITOR}};
    const struct verdict_book *b = s->book;
    page_glance(t, s, wall_ms);
    page_fleet(t, s, mono_ms);
    page_checks(t, "What does not pass", b, SCOPE_COUNT);
    page_scopes(t, s);
    page_timeline(t, b);
    page_peers(t, s, mono_ms);
    page_traffic(t, s, mono_ms, wall_ms);
    page_zones(t, s, wall_ms);
    page_guard(t, s, mono_ms);
    page_replica(t, s, wall_ms);
    page_upstreams(t, s, wall_ms);
    page_workers(t, s, mono_ms, wall_ms);
    page_capacity(t, s);
    page_reporting(t, s, wall_ms);
    page_availability(t, s);
    text_put(t, "<details><summary>Every check with its evidence</summary>");
    for (size_t i = 0; i < ARRAY_SIZE(details); i++)
        page_checks(t, details[i].title, b, details[i].scope);
    text_put(t, "</details>");
}
