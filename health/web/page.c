/* The status page: one sentence with the age of the data, then tables. No scripts, nothing from outside, read aloud it
 * makes the same sense: states are words, colours only repeat them.
 *
 * It reloads itself; should nobody answer then, the browser says so. A page that is kept all the same (a frozen tab, a
 * browser that does not reload) ages by itself: an animation without script greys it and crosses it out three intervals
 * after it was judged, and shows a sentence that says why. */

#include "health/web/document.h"
#include "health/web/page_part.h"

enum { REFRESH_S = 5 };

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
    "section{overflow-x:auto}figure{display:inline-block;margin:.5rem 1.5rem .5rem 0}figcaption{font-size:.85rem}"
    "summary{margin-top:1.6rem;cursor:pointer}code{font-size:.9em}"
    "@keyframes past{to{filter:grayscale(1);opacity:.55;text-decoration:line-through}}"
    "@keyframes say{to{visibility:visible;height:auto}}"
    ".stale main{filter:grayscale(1);opacity:.55;text-decoration:line-through}"
    "main,.banner{animation:past .1s var(--old) forwards}"
    "#late{visibility:hidden;height:0;margin:0;animation:say .1s var(--old) forwards}"
    "footer{margin-top:2rem;font-size:.85rem}";

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

static void put_head(struct text *t, const struct snapshot *s, const char *node, enum verdict_state state, bool stale,
                     int64_t mono_ms) {
    text_fmt(t,
             "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" "
             "content=\"%u\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>%s: ",
             refresh_s(s), verdict_state_name(state));
    text_html(t, node);
    text_fmt(t, "</title><style>%s</style></head><body", style);
    if (stale)
        text_put(t, " class=\"stale\"");
    else
        text_fmt(t, " style=\"--old:%.1fs\"", left_s(s, mono_ms));
    text_put(t, "><header><h1>Candor node ");
    text_html(t, node);
    text_fmt(t, "</h1><p class=\"banner %s\" role=\"status\">", verdict_state_name(state));
}

void document_page(struct document *d, const struct snapshot *s, const char *node, int64_t mono_ms, int64_t wall_ms) {
    bool stale = s == NULL || snapshot_is_stale(s, mono_ms);
    *d = (struct document){.state = stale ? VERDICT_UNKNOWN : s->overall};
    struct text *t = &d->head;
    put_head(t, s, node, d->state, stale, mono_ms);
    if (s == NULL) {
        text_put(t, "Nothing was judged yet: nothing is known about this node.");
    } else if (stale) {
        text_fmt(t, "Nothing is known: the last judgement is %.1f s old. What stands below is past.",
                 (double)(mono_ms - s->mono_ms) / 1000);
    } else {
        say(t, s);
        text_fmt(t, " <small>Judged %.1f s ago.</small>", (double)(mono_ms - s->mono_ms) / 1000);
    }
    text_put(t,
             "</p><p id=\"late\">This page is old: it was not renewed in time, and says nothing about now.</p></header>"
             "<main>");
    if (s != NULL && s->page.size > 0)
        d->body[d->bodies++] = (struct bytes){(const uint8_t *)s->page.at, s->page.size};
    text_put(&d->tail, "</main><footer>Page made ");
    page_clock(&d->tail, wall_ms);
    text_fmt(&d->tail,
             " UTC; it reloads itself every %u s. <a href=\"/health\">health</a> <a href=\"/history\">history</a> <a "
             "href=\"/metrics\">metrics</a></footer></body></html>\n",
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
    page_scopes(t, s);
    page_checks(t, "What does not pass", b, SCOPE_COUNT);
    page_peers(t, s, mono_ms);
    page_zones(t, s, wall_ms);
    page_guard(t, s, mono_ms);
    page_replica(t, s, wall_ms);
    page_traffic(t, s);
    page_workers(t, s, mono_ms, wall_ms);
    page_upstreams(t, s, wall_ms);
    page_capacity(t, s);
    page_reporting(t, s, wall_ms);
    page_availability(t, s);
    page_timeline(t, b);
    text_put(t, "<details><summary>Every check with its evidence</summary>");
    for (size_t i = 0; i < ARRAY_SIZE(details); i++)
        page_checks(t, details[i].title, b, details[i].scope);
    text_put(t, "</details>");
}
