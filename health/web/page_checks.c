/* The verdicts on the status page: scopes, checks with their evidence, transitions. */
#include <stdio.h>

#include "health/web/page_part.h"

void page_scopes(struct text *t, const struct snapshot_source *s) {
    const struct verdict_book *b = s->book;
    page_table(t, "Scopes", "Scope|State|Checks|Cause|Since (UTC)");
    for (int i = 0; i < SCOPE_COUNT; i++) {
        const struct verdict_scope_state *c = &b->scope[i];
        size_t all = 0;
        if (!c->present)
            continue;
        for (int k = 0; k < VERDICT_STATES; k++)
            all += c->counts[k];
        page_row(t, verdict_scope_name((enum verdict_scope)i));
        text_put(t, "<td>");
        page_state(t, c->state);
        text_fmt(t, "</td><td>%zu of %zu pass</td>", c->counts[VERDICT_PASS], all);
        page_cell(t, c->state != VERDICT_PASS && c->cause < b->count ? b->checks[c->cause].evidence.came : "");
        text_put(t, "<td>");
        page_clock(t, c->changed_wall_ms);
        text_put(t, "</td></tr>");
    }
    page_table_end(t);
}

static void put_check(struct text *t, const struct verdict_check *c) {
    char label[CHECK_ID_MAX + 64];
    page_row(t, verdict_label(c, label, sizeof(label)));
    text_put(t, "<td>");
    page_state(t, c->shown);
    text_put(t, "</td><td>");
    text_html(t, c->evidence.asked);
    if (c->evidence.server[0] != '\0') {
        text_put(t, ", of ");
        text_html(t, c->evidence.server);
        text_fmt(t, "/%s from port %u",
                 c->evidence.tls   ? "tls"
                 : c->evidence.tcp ? "tcp"
                                   : "udp",
                 c->evidence.source_port);
    }
    text_put(t, "</td>");
    page_cell(t, c->evidence.came);
    page_value(t, (double)c->evidence.took_us / 1000, 1, " ms");
    text_put(t, "<td>");
    page_clock(t, c->evidence.wall_ms);
    text_put(t, "</td></tr>");
}

void page_checks(struct text *t, const char *title, const struct verdict_book *b, enum verdict_scope scope) {
    size_t rows = 0, most = scope == SCOPE_MONITOR ? PAGE_WATCHED_ROWS : PAGE_ROWS;
    for (size_t i = 0; i < b->count; i++) {
        const struct verdict_check *c = &b->checks[i];
        if (c->scope == SCOPE_COUNT || (scope == SCOPE_COUNT ? c->shown == VERDICT_PASS : c->scope != scope))
            continue;
        if (rows++ == 0)
            page_table(t, title, "Check|State|Asked|Came back|#Took|When (UTC)");
        if (rows <= most)
            put_check(t, c);
    }
    if (rows > 0)
        page_rows_end(t);
    if (rows > most)
        text_fmt(t, "<p>and %zu more: <a href=\"/health\">all of them</a>.</p>", rows - most);
    if (rows > 0)
        text_put(t, "</section>");
}

void page_timeline(struct text *t, const struct verdict_book *b) {
    const struct history_entry *e;
    page_table(t, "What changed", "When (UTC)|Scope|From|To|Cause");
    for (size_t i = 0; i < PAGE_HISTORY && (e = history_at(&b->scopes, i)) != NULL; i++) {
        text_put(t, "<tr><td>");
        page_clock(t, e->wall_ms);
        text_fmt(t, "</td><td>%s</td><td>", verdict_scope_name(e->scope));
        page_state(t, e->from);
        text_put(t, "</td><td>");
        page_state(t, e->to);
        text_put(t, "</td>");
        page_cell(t, e->cause);
        text_put(t, "</tr>");
    }
    page_table_end(t);
}
