#include "health/probe/stuck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"

struct stuck_probe {
    struct task task;
    struct prober *p;
    size_t check, uncached; /* of the book */
    struct stuck_watch watch;
    enum stuck_state state;
    uint64_t failed, boot; /* boot of the resolver that is looked at */
    int64_t counted_ms;    /* time of the newest result of canary:uncached that was counted */
};

enum stuck_state stuck_look(struct stuck_watch *w, const struct stuck_view *v, int64_t now_ms, int64_t deadline_ms) {
    if (!v->direct || v->through) {
        w->since_ms = 0;
        return v->through ? STUCK_NOT : STUCK_BLIND;
    }
    if (w->since_ms == 0)
        *w = (struct stuck_watch){.since_ms = now_ms, .failed = v->failed};
    /* One that failed now may have begun before the forwarder was back. */
    bool enough = v->failed - w->failed > STUCK_FAILS;
    return enough && now_ms - w->since_ms >= deadline_ms ? STUCK_YES : STUCK_MAYBE;
}

/* Servers that are asked without recursion prove nothing here: what lies below them may be gone. */
static bool is_forwarder(const struct verdict_check *c) {
    return c->scope == SCOPE_UPSTREAM && strcmp(c->component, "upstream") == 0 &&
           strcmp(c->measurement, "answers") == 0;
}

static bool is_good(const struct verdict_check *c) {
    return c->worse == 0 && (c->settled == VERDICT_PASS || c->settled == VERDICT_WARN || c->better > 0);
}

/* The newest results, not the settled verdicts: those lag behind by design. */
static struct stuck_view view_of(struct stuck_probe *s) {
    const struct verdict_book *b = &s->p->book;
    const struct verdict_check *u = &b->checks[s->uncached];
    bool known = u->settled != VERDICT_UNKNOWN;
    if (known && !is_good(u) && u->last_mono_ms != s->counted_ms) {
        s->counted_ms = u->last_mono_ms;
        s->failed++;
    }
    struct stuck_view v = {.through = !known || is_good(u), .failed = s->failed};
    for (size_t i = 0; i < b->count && !v.direct; i++) {
        const struct verdict_check *c = &b->checks[i];
        v.direct = !c->fixed && is_forwarder(c) && c->settled != VERDICT_UNKNOWN && is_good(c);
    }
    return v;
}

static int64_t deadline_ms(const struct prober *p) { return p->conf->health.interval.upstream_ms / 2; }

static void stuck_start(struct task *task) {
    struct stuck_probe *s = CONTAINER_OF(task, struct stuck_probe, task);
    struct prober *p = s->p;
    int64_t now = clock_mono_ms();
    struct stuck_view v = view_of(s);
    struct evidence e = {.wall_ms = clock_wall_ms()};
    uint64_t boot = board_get(&p->board->process[ROLE_RESOLVER].boot);
    if (boot != s->boot) /* a new one has all its time */
        s->watch.since_ms = 0;
    s->boot = boot;
    s->state = stuck_look(&s->watch, &v, now, deadline_ms(p));
    snprintf(e.asked, sizeof(e.asked), "random names, of the forwarders directly and through this node");
    switch (s->state) {
    case STUCK_NOT:
        text_copy(e.came, sizeof(e.came), "what forwarders answer comes through this node as well");
        (void)prober_result(p, s->check, VERDICT_PASS, &e);
        break;
    case STUCK_BLIND:
        text_copy(e.came, sizeof(e.came),
                  "no forwarder answers directly either: whether the resolver is stuck is not known");
        (void)prober_result(p, s->check, VERDICT_WARN, &e);
        break;
    case STUCK_YES:
        e.value = (double)(now - s->watch.since_ms) / 1000;
        e.unit = "s";
        snprintf(e.came, sizeof(e.came),
                 "forwarders have answered directly for %.1f s, and through this node nothing comes: the resolver is "
                 "stuck",
                 e.value);
        prober_proof(p, s->check, VERDICT_FAIL, &e);
        break;
    case STUCK_MAYBE:
        break; /* the last word stays, for as long as it is fresh */
    }
    if (s->state == STUCK_MAYBE || s->state == STUCK_YES)
        canary_hurry(p, probe_hurry_ms(p->conf->health.interval.upstream_ms));
    task_done(task, -1);
}

bool stuck_resolver(const struct prober *p) {
    const struct stuck_probe *s = p->stuck;
    return s != NULL && s->state == STUCK_YES && clock_mono_ms() - s->watch.since_ms >= 2 * deadline_ms(p);
}

/* Nothing to compare without both a canary through the node and a forwarder that is asked directly. */
int stuck_open(struct prober *p) {
    struct stuck_probe *s = p->stuck = calloc(1, sizeof(*s));
    bool through = false, direct = false;
    if (s == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < p->book.count; i++) {
        const struct verdict_check *c = &p->book.checks[i];
        if (c->fixed)
            continue;
        if (c->scope == SCOPE_RESOLUTION && strcmp(c->measurement, "uncached") == 0) {
            s->uncached = i;
            through = true;
        }
        direct |= is_forwarder(c);
    }
    if (!through || !direct)
        return 0;
    uint32_t local = p->conf->health.interval.local_ms;
    int check =
        verdict_add(&p->book, SCOPE_RESOLUTION, "resolution", "stuck", "", p->conf->health.interval.upstream_ms, false);
    if (check < 0)
        return check;
    s->p = p;
    s->check = (size_t)check;
    return prober_add(p, &s->task, stuck_start, local < PROBE_SAMPLE_MS ? local : PROBE_SAMPLE_MS, false);
}

void stuck_close(struct prober *p) { free(p->stuck); }
