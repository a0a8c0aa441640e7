/* The nodes that this one is a monitor of, on its status page: what each says of itself by scope, beside what is seen
 * of it here and by its peers, and whether they agree; then what changed among them, and the zones they share. Those
 * that are not well come first; script shows all nodes (health/page/fleet.js). */
#include <stdio.h>

#include "health/web/page_part.h"

/* The weight of the page is bounded: with more than this the rest is only counted. */
enum { FLEET_ROWS = 20, FLEET_CHANGES = 20, FLEET_ZONE_ROWS = 20 };

/* Its word does not fit what is seen; of those that this monitor lost because it is cut off nothing is said. */
static bool differs(const struct fleet *f, size_t i, int64_t mono_ms) {
    char no[EVIDENCE_CAME_MAX];
    return !(f->cut_off && watched_is_lost(&f->watched[i], mono_ms)) &&
           watched_agree(&f->watched[i], mono_ms, no, sizeof(no)) == VERDICT_FAIL;
}

static void put_seen(struct text *t, const struct watched *w, bool disagrees) {
    text_put(t, "<td>");
    if (!w->asked)
        text_put(t, "not asked yet");
    else if (w->answers)
        text_put(t, "<b class=\"pass\">answers</b>");
    else
        text_put(t, "<b class=\"fail\">no answer</b>");
    text_put(t, disagrees ? " <b class=\"differs\">disagrees</b></td><td>" : "</td><td>");
    if (w->peers_of == 0)
        text_put(t, "nobody looks");
    else
        text_fmt(t, "<b class=\"%s\">%zu of %zu</b>",
                 w->peers_miss == 0  ? w->peers_see > 0 ? "pass" : "unknown"
                 : w->peers_see == 0 ? "fail"
                                     : "warn",
                 w->peers_see, w->peers_of);
    text_put(t, "</td>");
}

static void put_node(struct text *t, const struct fleet *f, size_t i, int64_t mono_ms) {
    const struct watched *w = &f->watched[i];
    char words[EVIDENCE_CAME_MAX];
    enum verdict_state state = fleet_node_judge(f, i, f->cut_off, mono_ms, words, sizeof(words));
    bool fresh = w->heard_once && !watched_is_silent(w, mono_ms);
    page_row(t, w->name);
    text_put(t, "<td>");
    page_state(t, state);
    text_put(t, "</td><td>");
    page_clock(t, f->node[i].since_ms);
    text_put(t, "</td><td>");
    page_state(t, fresh ? (enum verdict_state)w->last.overall : VERDICT_UNKNOWN);
    text_put(t, "</td>");
    put_seen(t, w, differs(f, i, mono_ms));
    page_age(t, w->heard_once ? mono_ms - w->heard_ms : -1);
    for (int k = 0; k < SCOPE_COUNT; k++) {
        uint8_t s = w->last.scope[k];
        text_put(t, "<td>");
        if (!fresh || s < VERDICT_STATES)
            page_state(t, fresh ? (enum verdict_state)s : VERDICT_UNKNOWN);
        text_put(t, "</td>");
    }
    page_cell(t, state == VERDICT_PASS ? "" : words);
    text_put(t, "</tr>");
}

static void put_sums(struct text *t, const struct fleet *f, int64_t mono_ms) {
    size_t sums[VERDICT_STATES] = {0}, differ = 0;
    for (size_t i = 0; i < f->count; i++) {
        sums[f->node[i].state]++;
        differ += differs(f, i, mono_ms);
    }
    text_fmt(t, "<p class=\"sums\"><strong>%zu %s</strong>: ", f->count, f->count == 1 ? "node" : "nodes");
    for (int i = VERDICT_STATES; i-- > 0;)
        if (sums[i] > 0)
            text_fmt(t, "<b class=\"%s\">%zu %s</b> ", verdict_state_name((enum verdict_state)i), sums[i],
                     verdict_state_name((enum verdict_state)i));
    if (differ > 0)
        text_fmt(t, "<b class=\"differs\">%zu say otherwise than is seen</b> ", differ);
    if (f->cut_off)
        text_fmt(t,
                 "<b class=\"fail\">%zu are lost at once: it is this monitor that is cut off, and of those nothing is "
                 "known.</b>",
                 f->lost);
    text_put(t, "</p>");
}

static void put_nodes(struct text *t, const struct fleet *f, int64_t mono_ms) {
    static const enum verdict_state order[] = {VERDICT_FAIL, VERDICT_UNKNOWN, VERDICT_WARN, VERDICT_PASS};
    char columns[512];
    size_t rows = 0, at = (size_t)snprintf(columns, sizeof(columns),
                                           "Node|Is|Since (UTC)|Says|Seen from here|Seen by peers|#Heard ago");
    for (int i = 0; i < SCOPE_COUNT; i++)
        at += (size_t)snprintf(columns + at, sizeof(columns) - at, "|%s", verdict_scope_name((enum verdict_scope)i));
    (void)snprintf(columns + at, sizeof(columns) - at, "|Why");
    page_open(t, "Fleet");
    put_sums(t, f, mono_ms);
    page_columns(t, columns);
    for (size_t k = 0; k < ARRAY_SIZE(order); k++)
        for (size_t i = 0; i < f->count && rows < FLEET_ROWS; i++) {
            if (f->node[i].state != order[k])
                continue;
            put_node(t, f, i, mono_ms);
            rows++;
        }
    page_rows_end(t);
    if (f->count > rows)
        text_fmt(t, "<p>and %zu more that are no worse.</p>", f->count - rows);
    text_put(t, "</section>");
}

static void put_change(struct text *t, const struct fleet_event *from) {
    const struct event *e = &from->event;
    bool known = e->kind != EVENT_START && e->scope < SCOPE_COUNT;
    uint8_t states[] = {e->from, e->to};
    text_put(t, "<tr><td>");
    page_clock(t, e->wall_ms);
    text_put(t, "</td>");
    page_cell(t, from->node);
    text_put(t, "<td>");
    text_html(t, !known ? event_kind_name((enum event_kind)e->kind) : verdict_scope_name((enum verdict_scope)e->scope));
    text_put(t, e->what[0] != '\0' ? ", " : "");
    text_html(t, e->what);
    text_put(t, e->kind == EVENT_DOUBT ? " (a doubt)</td>" : "</td>");
    for (int i = 0; i < 2; i++) {
        text_put(t, "<td>");
        if (known && states[i] < VERDICT_STATES)
            page_state(t, (enum verdict_state)states[i]);
        text_put(t, "</td>");
    }
    page_cell(t, e->cause);
    text_put(t, "</tr>");
}

static void put_changes(struct text *t, const struct fleet *f) {
    const struct fleet_event *e = fleet_event_at(f, 0);
    page_open(t, "What changed in the fleet");
    if (e == NULL) {
        text_put(t, "<p>Nothing that a node has told of: events come over HTTPS.</p></section>");
        return;
    }
    page_columns(t, "When (UTC)|Node|What|From|To|Cause");
    for (size_t back = 0; back < FLEET_CHANGES && (e = fleet_event_at(f, back)) != NULL; back++)
        put_change(t, e);
    page_table_end(t);
}

static void put_names(struct text *t, const struct fleet *f, const uint16_t *list, size_t count) {
    text_put(t, "<td>");
    for (size_t i = 0; i < count && i < FLEET_NAMED; i++) {
        text_put(t, i > 0 ? ", " : "");
        text_html(t, f->watched[list[i]].name);
    }
    if (count > FLEET_NAMED)
        text_fmt(t, " and %zu more", count - FLEET_NAMED);
    text_put(t, "</td>");
}

static void put_zones(struct text *t, const struct fleet *f) {
    size_t rows = 0;
    for (int well = 0; well <= 1; well++)
        for (size_t i = 0; i < f->zones && rows < FLEET_ZONE_ROWS; i++) {
            const struct fleet_zone *z = &f->zone[i];
            if (z->nodes < 2 || (z->state == VERDICT_PASS) != (well == 1))
                continue;
            if (rows++ == 0)
                page_table(t, "Zones of the fleet", "Zone|State|#Nodes|Serials|Behind|Other contents");
            page_row(t, z->zone);
            text_put(t, "<td>");
            page_state(t, z->state);
            text_put(t, "</td>");
            page_number(t, z->nodes);
            text_put(t, "<td>");
            for (size_t k = 0; k < z->serials; k++)
                text_fmt(t, "%s%u (%zu)", k > 0 ? ", " : "", (unsigned)z->serial[k], z->have[k]);
            text_put(t, "</td>");
            put_names(t, f, z->lagging, z->lag);
            put_names(t, f, z->differing, z->differ);
            text_put(t, "</tr>");
        }
    if (rows > 0)
        page_table_end(t);
}

void page_fleet(struct text *t, const struct snapshot_source *s, int64_t mono_ms) {
    if (s->fleet == NULL || s->fleet->count == 0)
        return;
    put_nodes(t, s->fleet, mono_ms);
    put_changes(t, s->fleet);
    put_zones(t, s->fleet);
}
