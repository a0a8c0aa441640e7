/* The machine: looks in, alerts out. */
#include <stdlib.h>
#include <string.h>

#include "health/alert/impl.h"
#include "resolver/base/bytes.h"

int alerts_open(struct alerts **out, const struct alert_plan *plan, struct err *err) {
    struct alerts *a = *out = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(err, E_NOMEM, "no memory for alerts");
    a->plan = *plan;
    words_clean(a->monitor, sizeof a->monitor, plan->monitor);
    a->plan.monitor = a->monitor;
    a->settle_until_ms = ALERT_NEVER;
    return 0;
}

void alerts_close(struct alerts *a) { free(a); }

static struct subject *new_subject(struct alerts *a, enum alert_kind kind, const char *name) {
    for (size_t i = 0; i < ALERT_SUBJECTS; i++)
        if (a->subject[i].name[0] == '\0') {
            a->subject[i] = (struct subject){
                .kind = kind, .entry = -1, .ill_ms = ALERT_NEVER, .well_ms = ALERT_NEVER, .state = ALERT_DARK};
            text_copy(a->subject[i].name, ALERT_NAME, name);
            a->hint = i + 1;
            return &a->subject[i];
        }
    return NULL;
}

/* Subjects come in the same order each time, so the one behind the last one is it, most often. */
static struct subject *find_subject(struct alerts *a, enum alert_kind kind, const char *name) {
    for (size_t n = 0; n < ALERT_SUBJECTS; n++) {
        size_t i = (a->hint + n) % ALERT_SUBJECTS;
        struct subject *s = &a->subject[i];
        if (s->kind == kind && s->name[0] != '\0' && strcmp(s->name, name) == 0) {
            a->hint = i + 1;
            return s;
        }
    }
    return NULL;
}

/* Beyond all that was ever told, also when the past, or its last moment, is lost: the clock is ahead of it. */
static uint64_t next_change(struct alerts *a) {
    uint64_t now = a->wall_ms > 0 ? (uint64_t)a->wall_ms : 0;
    a->change = a->change + 1 > now ? a->change + 1 : now;
    return a->change;
}

static void tell(struct alerts *a, struct entry *e, enum alert_news news) {
    e->alert.news = news;
    e->alert.change = next_change(a);
    e->told_ms = a->mono_ms;
    e->told_total = e->alert.total;
}

size_t alerts_firing(const struct alerts *a, enum alert_kind k) {
    size_t n = 0;
    for (size_t i = 0; i < ALERT_MAX; i++)
        n += entry_holds(&a->entry[i]) && a->entry[i].alert.kind == k;
    return n;
}

/* A free place, else that of the one that ended first: there are more places than alerts that can hold. */
static int free_entry(const struct alerts *a) {
    int oldest = -1;
    size_t ended = 0;
    for (int i = 0; i < ALERT_MAX; i++) {
        const struct alert *at = &a->entry[i].alert;
        if (at->id == 0)
            continue;
        if (at->ended_wall_ms == 0)
            continue;
        ended++;
        if (oldest < 0 || at->change < a->entry[oldest].alert.change)
            oldest = i;
    }
    for (int i = 0; i < ALERT_MAX && ended < ALERT_ENDED; i++)
        if (a->entry[i].alert.id == 0)
            return i;
    return oldest;
}

static int begin_entry(struct alerts *a, enum alert_kind kind, const char *node, int64_t wall_ms) {
    int i = free_entry(a);
    if (i < 0)
        return -1;
    struct entry *e = &a->entry[i];
    *e = (struct entry){.pause_ms = a->plan.wait_ms};
    e->alert.kind = kind;
    e->alert.began_wall_ms = wall_ms;
    text_copy(e->alert.node, sizeof e->alert.node, node);
    tell(a, e, ALERT_BEGAN);
    e->alert.id = e->alert.change;
    return i;
}

static void end_entry(struct alerts *a, struct entry *e) {
    e->alert.ended_wall_ms = a->wall_ms > e->alert.began_wall_ms ? a->wall_ms : e->alert.began_wall_ms;
    tell(a, e, ALERT_OVER);
}

static void join(struct alerts *a, struct subject *s, int entry) {
    struct entry *e = &a->entry[entry];
    struct alert *at = &e->alert;
    s->entry = entry;
    s->well_ms = ALERT_NEVER;
    at->ill++;
    at->total += s->last != at->id;
    s->last = at->id;
    if (s->ill_wall_ms < at->began_wall_ms)
        at->began_wall_ms = s->ill_wall_ms;
    if (at->news == ALERT_BEGAN && e->told_ms == a->mono_ms)
        e->told_total = at->total;
}

static void leave(struct alerts *a, struct subject *s) {
    struct entry *e = &a->entry[s->entry];
    s->entry = -1;
    s->ill_ms = s->well_ms = ALERT_NEVER;
    if (e->alert.ill > 0 && --e->alert.ill == 0)
        end_entry(a, e);
}

void alerts_begin(struct alerts *a, int64_t mono_ms, int64_t wall_ms, const char *cut_off) {
    a->mono_ms = mono_ms;
    a->wall_ms = wall_ms;
    a->nodes = a->hint = 0;
    words_clean(a->cut, sizeof a->cut, cut_off);
    if (cut_off != NULL && a->cut[0] == '\0')
        text_copy(a->cut, sizeof a->cut, "most nodes are not heard");
    if (a->cut[0] != '\0' || (a->restored && alerts_firing(a, ALERT_CUT_OFF) > 0))
        a->settle_until_ms = mono_ms + a->plan.settle_ms;
    for (size_t i = 0; i < ALERT_SUBJECTS; i++) {
        a->subject[i].spoken = false;
        if (a->restored)
            a->subject[i].ill_ms = mono_ms;
    }
    for (size_t i = 0; i < ALERT_MAX && a->restored; i++)
        a->entry[i].told_ms = mono_ms;
    a->restored = false;
}

static bool is_quiet(const struct alerts *a) { return a->mono_ms < a->settle_until_ms; }

void alerts_see(struct alerts *a, const struct alert_view *v) {
    char name[ALERT_NAME];
    words_clean(name, sizeof name, v->name);
    struct subject *s = name[0] != '\0' ? find_subject(a, v->kind, name) : NULL;
    if (s == NULL && name[0] != '\0')
        s = new_subject(a, v->kind, name);
    if (s == NULL || s->spoken)
        return;
    s->spoken = true;
    s->state = v->state;
    a->nodes += v->kind == ALERT_NODE;
    if (v->state != ALERT_ILL || is_quiet(a))
        return;
    words_clean(s->why, sizeof s->why, v->why);
    words_clean(s->own, sizeof s->own, v->own);
    words_clean(s->got, sizeof s->got, v->got);
    words_clean(s->seen, sizeof s->seen, v->seen);
}

static void follow(struct alerts *a, struct subject *s) {
    if (!s->spoken) { /* it is watched no more */
        if (s->entry >= 0)
            leave(a, s);
        s->name[0] = '\0';
        return;
    }
    if (is_quiet(a) || s->state == ALERT_DARK) {
        s->well_ms = ALERT_NEVER;
        if (s->entry < 0)
            s->ill_ms = ALERT_NEVER;
    } else if (s->state == ALERT_ILL) {
        s->well_ms = ALERT_NEVER;
        if (s->ill_ms == ALERT_NEVER) {
            s->ill_ms = a->mono_ms;
            s->ill_wall_ms = a->wall_ms;
        }
    } else if (s->entry < 0) {
        s->ill_ms = ALERT_NEVER;
    } else if (s->well_ms == ALERT_NEVER) {
        s->well_ms = a->mono_ms;
    } else if (a->mono_ms - s->well_ms >= (int64_t)a->plan.hold_ms) {
        leave(a, s);
    }
}

static bool is_pending(const struct subject *s) {
    return s->name[0] != '\0' && s->entry < 0 && s->ill_ms != ALERT_NEVER;
}

/* The newest alert about many, if enough of them are still ill; `any`: whether or not. -1: there is none. */
static int together(const struct alerts *a, bool any) {
    int best = -1;
    for (int i = 0; i < ALERT_MAX; i++) {
        const struct alert *at = &a->entry[i].alert;
        if (entry_holds(&a->entry[i]) && at->kind == ALERT_NODES && (any || at->ill > ALERT_SINGLY) &&
            (best < 0 || at->id > a->entry[best].alert.id))
            best = i;
    }
    return best;
}

static void alert_nodes(struct alerts *a, size_t count, int64_t wall_ms) {
    size_t singles = alerts_firing(a, ALERT_NODE);
    int one = together(a, alerts_firing(a, ALERT_NODES) >= ALERT_TOGETHER);
    if (one < 0 && (count > ALERT_SINGLY || singles + count > ALERT_SINGLES))
        one = begin_entry(a, ALERT_NODES, "", wall_ms);
    for (size_t i = 0; i < ALERT_SUBJECTS; i++) {
        struct subject *s = &a->subject[i];
        if (s->kind != ALERT_NODE || !is_pending(s))
            continue;
        int entry = one >= 0 ? one : begin_entry(a, ALERT_NODE, s->name, s->ill_wall_ms);
        if (entry >= 0)
            join(a, s, entry);
    }
}

/* Those that began within `wait` are one group. More than half of all at once may be the monitor's own trouble. */
static void group(struct alerts *a) {
    size_t pending = 0, ill = 0;
    int64_t since_ms = INT64_MAX, wall_ms = INT64_MAX;
    for (size_t i = 0; i < ALERT_SUBJECTS; i++) {
        const struct subject *s = &a->subject[i];
        if (s->name[0] == '\0' || s->kind != ALERT_NODE)
            continue;
        ill += s->state == ALERT_ILL;
        if (!is_pending(s))
            continue;
        pending++;
        since_ms = s->ill_ms < since_ms ? s->ill_ms : since_ms;
        wall_ms = s->ill_wall_ms < wall_ms ? s->ill_wall_ms : wall_ms;
    }
    bool doubtful = a->nodes >= 2 && 2 * ill > a->nodes;
    int64_t wait_ms = doubtful && a->plan.doubt_ms > a->plan.wait_ms ? a->plan.doubt_ms : a->plan.wait_ms;
    if (pending > 0 && a->mono_ms - since_ms >= wait_ms)
        alert_nodes(a, pending, wall_ms);
}

/* The fleet and the monitor stand for themselves. */
static void alert_others(struct alerts *a) {
    for (size_t i = 0; i < ALERT_SUBJECTS; i++) {
        struct subject *s = &a->subject[i];
        if (s->kind == ALERT_NODE || !is_pending(s) || a->mono_ms - s->ill_ms < (int64_t)a->plan.wait_ms)
            continue;
        int entry = begin_entry(a, s->kind, s->kind == ALERT_MONITOR ? s->name : "", s->ill_wall_ms);
        if (entry >= 0)
            join(a, s, entry);
    }
}

static void follow_cut_off(struct alerts *a) {
    int entry = -1;
    for (int i = 0; i < ALERT_MAX && entry < 0; i++)
        if (entry_holds(&a->entry[i]) && a->entry[i].alert.kind == ALERT_CUT_OFF)
            entry = i;
    if (a->cut[0] != '\0' && entry < 0)
        entry = begin_entry(a, ALERT_CUT_OFF, a->monitor, a->wall_ms);
    if (entry >= 0 && a->cut[0] != '\0')
        words_cut_off(a, &a->entry[entry].alert);
    else if (entry >= 0 && !is_quiet(a))
        end_entry(a, &a->entry[entry]);
}

static void speak(struct alerts *a, int i) {
    struct entry *e = &a->entry[i];
    int64_t silent_ms = a->mono_ms - e->told_ms;
    if (e->alert.kind == ALERT_NODES && !is_quiet(a))
        words_many(a, &e->alert, i);
    if (e->alert.total > e->told_total && silent_ms >= e->pause_ms) {
        tell(a, e, ALERT_GREW);
        e->pause_ms = e->pause_ms > ALERT_UPDATE_MS / 2 ? ALERT_UPDATE_MS : 2 * e->pause_ms;
    } else if (a->plan.again_ms > 0 && silent_ms >= (int64_t)a->plan.again_ms) {
        tell(a, e, ALERT_AGAIN);
    }
}

bool alerts_end(struct alerts *a) {
    uint64_t before = a->change;
    for (size_t i = 0; i < ALERT_SUBJECTS; i++)
        if (a->subject[i].name[0] != '\0')
            follow(a, &a->subject[i]);
    follow_cut_off(a);
    group(a);
    alert_others(a);
    for (size_t i = 0; i < ALERT_SUBJECTS; i++) {
        const struct subject *s = &a->subject[i];
        if (s->name[0] != '\0' && s->entry >= 0 && s->state == ALERT_ILL && !is_quiet(a) &&
            a->entry[s->entry].alert.kind != ALERT_NODES)
            words_single(a, &a->entry[s->entry].alert, s);
    }
    for (int i = 0; i < ALERT_MAX; i++)
        if (entry_holds(&a->entry[i]))
            speak(a, i);
    return a->change != before;
}
