/* The five questions that somebody comes to the page with, each answered in a line: since when, where, what others see,
 * who hears of it, what changed. */
#include "health/web/page_part.h"

static void item(struct text *t, const char *title) { text_fmt(t, "<div><dt>%s</dt><dd>", title); }
static void item_end(struct text *t) { text_put(t, "</dd></div>"); }

static void put_ago(struct text *t, int64_t then_ms, int64_t wall_ms) {
    char age[32];
    if (then_ms <= 0) {
        text_put(t, "not known");
        return;
    }
    page_clock(t, then_ms);
    text_fmt(t, " <small>%s ago</small>", replica_age_text(age, wall_ms > then_ms ? wall_ms - then_ms : 0));
}

/* Green since the last scope became so; anything else since the first one did. */
static void put_since(struct text *t, const struct verdict_book *b, int64_t wall_ms) {
    int64_t since = 0;
    for (int i = 0; i < SCOPE_COUNT; i++) {
        const struct verdict_scope_state *c = &b->scope[i];
        if (!c->present || c->state != b->overall)
            continue;
        bool later = b->overall == VERDICT_PASS ? c->changed_wall_ms > since : c->changed_wall_ms < since;
        since = since == 0 || later ? c->changed_wall_ms : since;
    }
    item(t, "Since");
    put_ago(t, since, wall_ms);
    item_end(t);
}

static void put_where(struct text *t, const struct verdict_book *b) {
    unsigned bad = 0, all = 0;
    item(t, "Where");
    for (int i = 0; i < SCOPE_COUNT; i++) {
        const struct verdict_scope_state *c = &b->scope[i];
        all += c->present;
        if (!c->present || c->state == VERDICT_PASS)
            continue;
        text_put(t, bad++ > 0 ? ", " : "");
        text_fmt(t, "%s ", verdict_scope_name((enum verdict_scope)i));
        page_state(t, c->state);
    }
    if (bad == 0)
        text_fmt(t, "nowhere: %u of %u scopes pass", all, all);
    item_end(t);
}

static void put_others(struct text *t, const struct peers_known *k) {
    item(t, "Others see");
    if (k == NULL || k->count == 0) {
        text_put(t, "nobody looks: no peers are configured");
    } else if (k->summary.cut_off) {
        text_put(t, "nobody is heard: <b class=\"fail\">this node is cut off</b>");
    } else {
        const struct peers_summary *sum = &k->summary;
        text_fmt(t, "%u of %u peers are heard; ", sum->heard, sum->configured);
        if (sum->see_us == 0)
            text_put(t, "none says freshly what it gets here");
        else if (sum->miss_us == 0)
            text_fmt(t, "%u get right answers here", sum->see_us);
        else
            text_fmt(t, "<b class=\"fail\">%u of %u get no right answer here</b>", sum->miss_us, sum->see_us);
    }
    item_end(t);
}

/* Acknowledged lately enough that one report may have been lost. */
static void put_heard(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    size_t count = s->sender != NULL ? sender_count(s->sender) : 0, heard = 0;
    int64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t acked = sender_target(s->sender, i)->acked_wall_ms;
        heard += acked > 0 && wall_ms - acked <= (int64_t)3 * s->conf->health.interval.push_ms;
        last = acked > last ? acked : last;
    }
    item(t, "Heard by");
    if (count == 0) {
        text_put(t, "nobody: no monitors are configured");
    } else {
        if (heard > 0)
            text_fmt(t, "%zu of %zu monitors, last ", heard, count);
        else
            text_fmt(t, "<b class=\"fail\">none of %zu monitors</b>, last ", count);
        put_ago(t, last, wall_ms);
    }
    item_end(t);
}

static void put_change(struct text *t, const struct verdict_book *b, int64_t wall_ms) {
    const struct history_entry *e = history_at(&b->scopes, 0);
    item(t, "Changed last");
    if (e == NULL) {
        text_put(t, "nothing since the start");
    } else {
        text_fmt(t, "%s to ", verdict_scope_name(e->scope));
        page_state(t, e->to);
        text_put(t, ", ");
        put_ago(t, e->wall_ms, wall_ms);
    }
    item_end(t);
}

void page_glance(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    text_put(t, "<dl class=\"glance\">");
    put_since(t, s->book, wall_ms);
    put_where(t, s->book);
    put_others(t, s->peers);
    put_heard(t, s, wall_ms);
    put_change(t, s->book, wall_ms);
    text_put(t, "</dl>");
}
