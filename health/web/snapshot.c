#include "health/web/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "health/web/asked.h"
#include "health/web/kept.h"
#include "health/web/render.h"
#include "resolver/base/bytes.h"

static void say_cause(char *to, const struct verdict_book *b, size_t check) {
    char label[CHECK_ID_MAX + 64];
    to[0] = '\0';
    if (check >= b->count)
        return;
    const struct verdict_check *c = &b->checks[check];
    verdict_label(c, label, sizeof(label));
    snprintf(to, SNAPSHOT_CAUSE_MAX, "%.240s: %s%.240s", label,
             c->shown != VERDICT_UNKNOWN    ? ""
             : c->before == VERDICT_UNKNOWN ? "not known yet: "
                                            : "no fresh evidence; last: ",
             c->evidence.came);
}

static void copy_scope(struct snapshot_scope *to, const struct verdict_book *b, int i) {
    const struct verdict_scope_state *from = &b->scope[i];
    *to = (struct snapshot_scope){.present = from->present,
                                  .state = from->state,
                                  .evaluated_wall_ms = from->evaluated_wall_ms,
                                  .changed_wall_ms = from->changed_wall_ms,
                                  .failing_since_wall_ms = from->failing_since_wall_ms};
    memcpy(to->transitions, from->transitions, sizeof(to->transitions));
    memcpy(to->counts, from->counts, sizeof(to->counts));
    if (from->present && from->state != VERDICT_PASS)
        say_cause(to->cause, b, from->cause);
}

static bool failed(const struct snapshot *s) {
    bool bad = s->lived.failed || s->asked.failed || s->kept.failed || s->replica.failed || s->availability.failed ||
               s->metrics[0].failed || s->metrics[1].failed || s->page.failed;
    for (int i = 0; i < SCOPE_COUNT; i++)
        bad |= s->checks[i].failed;
    bad |= s->fleet.head.failed || s->fleet.sums.failed || s->fleet.nodes.failed || s->fleet.events.failed ||
           s->fleet.zones.failed;
    bad |= s->peers.failed || s->matrix.failed || s->view.head.failed || s->view.seen.failed;
    return bad;
}

bool snapshot_replica(const struct snapshot_source *s, size_t i, int64_t wall_ms, struct board_zone *z,
                      struct replica *r) {
    const struct conf_zone *zone = &s->conf->rbl.zones[i];
    if (i >= LIMIT_ZONES || zone->name[0] == '\0' || i >= board_get(&s->board->zone_count) ||
        !board_zone_read(&s->board->zone[i], z) || strcasecmp(z->name, zone->name) != 0)
        return false;
    *r = (struct replica){
        .conf = s->conf, .zone = zone, .z = z, .now_ms = wall_ms, .allowance_ms = s->conf->health.interval.zones_ms};
    if (s->links != NULL)
        r->links = replica_links_of(s->links, i, &r->link);
    return true;
}

static void render_all(struct snapshot *s, const struct snapshot_source *from) {
    for (int i = 0; i < SCOPE_COUNT; i++) {
        copy_scope(&s->scope[i], from->book, i);
        if (s->scope[i].present)
            render_checks(&s->checks[i], from->book, (enum verdict_scope)i);
    }
    render_asked(&s->asked, from);
    render_kept(&s->kept, from);
    render_lived(&s->lived, from);
    render_replica(&s->replica, from, s->wall_ms);
    render_peers(&s->peers, from, s->mono_ms);
    render_matrix(&s->matrix, from);
    render_view(&s->view, from, s);
    render_availability(&s->availability, from);
    if (from->ledger != NULL) {
        ledger_state(from->ledger, &s->ledger);
        s->events = event_list_ref(ledger_events(from->ledger));
    }
    for (int open = 0; open <= 1; open++)
        render_metrics(&s->metrics[open], from, open, s->sequence, s->mono_ms, s->wall_ms);
    render_page(&s->page, from, s->mono_ms, s->wall_ms);
    render_fleet(&s->fleet, from, s->mono_ms, s->wall_ms);
}

struct snapshot *snapshot_make(const struct snapshot_source *source, uint64_t sequence, int64_t mono_ms,
                               int64_t wall_ms) {
    struct snapshot *s = calloc(1, sizeof(*s));
    struct snapshot_source with_links = *source, *from = &with_links;
    struct replica_links links = {0};
    size_t cause;
    if (s == NULL)
        return NULL;
    from->links = replica_links_read(&links, from->board) == 0 ? &links : NULL;
    s->refs = 1;
    s->sequence = sequence;
    s->mono_ms = mono_ms;
    s->wall_ms = wall_ms;
    s->valid_until_ms = mono_ms + (int64_t)VERDICT_AGE_INTERVALS * from->conf->health.interval.local_ms;
    int64_t evidence = verdict_valid_until(from->book);
    if (evidence < s->valid_until_ms)
        s->valid_until_ms = evidence;
    text_copy(s->node, sizeof(s->node), from->conf->node.name);
    s->overall = from->book->overall;
    s->run = from->run;
    s->detail = detail_ref(from->detail);
    s->local_ms = from->conf->health.interval.local_ms;
    s->ready = verdict_ready(from->book, &cause);
    say_cause(s->ready_cause, from->book, cause);
    render_all(s, from);
    replica_links_free(&links);
    if (failed(s)) {
        snapshot_unref(s);
        return NULL;
    }
    return s;
}

void snapshot_ref(struct snapshot *s) { __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED); }

void snapshot_unref(struct snapshot *s) {
    if (s == NULL || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (int i = 0; i < SCOPE_COUNT; i++)
        text_free(&s->checks[i]);
    text_free(&s->asked);
    text_free(&s->kept);
    text_free(&s->lived);
    text_free(&s->replica);
    text_free(&s->peers);
    text_free(&s->matrix);
    text_free(&s->view.head);
    text_free(&s->view.seen);
    text_free(&s->availability);
    event_list_unref(s->events);
    detail_unref(s->detail);
    text_free(&s->metrics[0]);
    text_free(&s->metrics[1]);
    text_free(&s->page);
    fleet_shot_free(&s->fleet);
    free(s);
}
