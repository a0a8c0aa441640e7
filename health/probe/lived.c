/* Looks at what clients live through (health/verdict/lived.h) and holds it beside what the canaries say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "health/verdict/lived.h"
#include "resolver/base/clock.h"

struct lived_probe {
    struct task task;
    struct prober *p;
    struct lived lived;
    size_t lived_check, disagree_check, canary; /* of the book; SIZE_MAX: there is no canary to compare with */
    struct lived_sample sample;
};

static const struct lived_view *shown(const struct lived *l) {
    int at = lived_window(l, LIVED_WARN_QUERIES);
    return &l->view[at == LIVED_WINDOWS ? LIVED_LONG : at];
}

static void tell(struct lived_probe *lp) {
    struct prober *p = lp->p;
    const struct lived_view *v = shown(&lp->lived);
    struct evidence e = {.wall_ms = clock_wall_ms(), .value = 100 * lived_servfail_ratio(v), .unit = "%"};
    text_copy(e.asked, sizeof(e.asked), "counters of the workers: questions of clients, without probes");
    enum verdict_state s = lived_judge(&lp->lived, e.came, sizeof(e.came));
    (void)prober_result(p, lp->lived_check, s, &e);
    if (lp->canary == SIZE_MAX)
        return;
    const struct verdict_check *c = &p->book.checks[lp->canary];
    struct evidence d = {.wall_ms = e.wall_ms};
    text_copy(d.asked, sizeof(d.asked), "counters of the workers, beside canary:uncached");
    s = lived_disagree(&lp->lived, c->settled, c->evidence.came, d.came, sizeof(d.came));
    (void)prober_result(p, lp->disagree_check, s, &d);
}

static void lived_start(struct task *task) {
    struct lived_probe *lp = CONTAINER_OF(task, struct lived_probe, task);
    lived_read(&lp->sample, lp->p->board, clock_mono_ms());
    lived_add(&lp->lived, &lp->sample);
    tell(lp);
    task_done(task, -1);
}

const struct lived *prober_lived(const struct prober *p) { return &p->lived->lived; }

int lived_open_probe(struct prober *p) {
    struct lived_probe *lp = p->lived = calloc(1, sizeof(*lp));
    uint32_t local = p->conf->health.interval.local_ms;
    if (lp == NULL)
        return E_NOMEM;
    lp->p = p;
    lp->canary = SIZE_MAX;
    lived_open(&lp->lived, local);
    int lived = verdict_add(&p->book, SCOPE_RESOLUTION, "resolution", "lived", "", local, false);
    if (lived < 0)
        return lived;
    lp->lived_check = (size_t)lived;
    for (size_t i = 0; i < p->book.count; i++)
        if (p->book.checks[i].scope == SCOPE_RESOLUTION && !p->book.checks[i].fixed &&
            strcmp(p->book.checks[i].measurement, "uncached") == 0)
            lp->canary = i;
    if (lp->canary != SIZE_MAX) {
        int at = verdict_add(&p->book, SCOPE_RESOLUTION, "resolution", "disagreement", "", local, false);
        if (at < 0)
            return at;
        lp->disagree_check = (size_t)at;
    }
    return prober_add(p, &lp->task, lived_start, (uint32_t)lived_step_ms(&lp->lived), false);
}

void lived_close_probe(struct prober *p) { free(p->lived); }
