/* What this node tells its monitors, and whether any of them hears it. A monitor is judged by its signed
 * acknowledgements alone: that a datagram could be sent proves nothing. */
#include "health/report/sender.h"

#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum {
    REPORT_LOOKS = 15,      /* times a push interval that is looked whether something changed */
    REPORT_LOST = 3,        /* push intervals without an acknowledgement until a monitor is held to be gone */
    REPORT_CLOCK_MS = 60000 /* TSIG fails at 300 s */
};

struct report_probe {
    struct task task;
    struct prober *p;
    struct sender *sender;
    size_t check[LIMIT_PEERS];
    int64_t opened_ms, sent_ms;
    uint64_t revision;
};

static const char *cause(const struct verdict_book *b, char *to, size_t size) {
    char label[CHECK_ID_MAX + 64];
    to[0] = '\0';
    for (int s = 0; s < SCOPE_COUNT && b->overall != VERDICT_PASS; s++) {
        const struct verdict_scope_state *at = &b->scope[s];
        if (!at->present || at->state != b->overall || at->cause >= b->count)
            continue;
        const struct verdict_check *c = &b->checks[at->cause];
        snprintf(to, size, "%.80s: %.76s", verdict_label(c, label, sizeof(label)), c->evidence.came);
        break;
    }
    return to;
}

static struct report make(const struct report_probe *rp) {
    const struct prober *p = rp->p;
    const struct verdict_book *b = &p->book;
    const struct board_process *own = &p->board->process[ROLE_HEALTH];
    struct report r = {.boot = board_get(&own->boot),
                       .wall_ms = clock_wall_ms(),
                       .revision = b->revision,
                       .lag_ms = (uint32_t)(board_get(&own->loop_lag_us) / 1000),
                       .overall = (uint8_t)b->overall};
    size_t first;
    r.ready = verdict_ready(b, &first);
    text_copy(r.node, sizeof(r.node), p->conf->node.name);
    text_copy(r.version, sizeof(r.version), CANDOR_VERSION);
    for (int s = 0; s < SCOPE_COUNT; s++)
        r.scope[s] = b->scope[s].present ? (uint8_t)b->scope[s].state : REPORT_ABSENT;
    (void)cause(b, r.cause, sizeof(r.cause));
    return r;
}

static int64_t silent_ms(const struct report_probe *rp, const struct sender_target *t, int64_t now) {
    return now - (t->acked_mono_ms != 0 ? t->acked_mono_ms : rp->opened_ms);
}

/* One of several monitors that is silent is to be looked at; when nobody hears us, nobody knows how we are. */
static enum verdict_state target_judge(const struct report_probe *rp, const struct sender_target *t, bool others,
                                       int64_t now, struct evidence *e) {
    int64_t lost_ms = (int64_t)REPORT_LOST * rp->p->conf->health.interval.push_ms, silent = silent_ms(rp, t, now);
    const char *who = t->monitor[0] != '\0' ? t->monitor : "it";
    *e = (struct evidence){.wall_ms = clock_wall_ms(), .value = (double)silent / 1000, .unit = "s"};
    snprintf(e->asked, sizeof(e->asked), "report to %s", t->address);
    text_copy(e->server, sizeof(e->server), t->address);
    if (silent > lost_ms) {
        snprintf(e->came, sizeof(e->came), "no acknowledgement for %lld s (%.120s)%s", (long long)silent / 1000,
                 t->trouble, others ? "; another monitor hears this node" : "; no monitor hears this node");
        return others ? VERDICT_WARN : VERDICT_FAIL;
    }
    if (t->acked_mono_ms == 0) {
        snprintf(e->came, sizeof(e->came), "not acknowledged yet");
        return VERDICT_WARN;
    }
    long long off_ms = t->clock_offset_ms;
    bool far = off_ms > REPORT_CLOCK_MS || off_ms < -REPORT_CLOCK_MS;
    snprintf(e->came, sizeof(e->came), "%s acknowledged report %llu %.1f s ago%s", who, (unsigned long long)t->sequence,
             (double)silent / 1000, far ? "; its clock is another" : "");
    return far ? VERDICT_WARN : VERDICT_PASS;
}

static void judge_targets(struct report_probe *rp, int64_t now) {
    size_t count = sender_count(rp->sender), heard = 0;
    int64_t lost_ms = (int64_t)REPORT_LOST * rp->p->conf->health.interval.push_ms;
    for (size_t i = 0; i < count; i++) {
        const struct sender_target *t = sender_target(rp->sender, i);
        heard += t->acked_mono_ms != 0 && silent_ms(rp, t, now) <= lost_ms;
    }
    for (size_t i = 0; i < count; i++) {
        struct evidence e;
        enum verdict_state s = target_judge(rp, sender_target(rp->sender, i), heard > 0, now, &e);
        if (s == VERDICT_PASS || !prober_late(rp->p, now - (int64_t)rp->task.interval_ms))
            (void)prober_result(rp->p, rp->check[i], s, &e);
    }
}

static void report_start(struct task *task) {
    struct report_probe *rp = CONTAINER_OF(task, struct report_probe, task);
    int64_t now = clock_mono_ms();
    bool due = now - rp->sent_ms >= (int64_t)rp->p->conf->health.interval.push_ms;
    if (due || rp->revision != rp->p->book.revision) {
        struct report r = make(rp);
        rp->sent_ms = now;
        rp->revision = r.revision;
        rp->p->tally.report_sequence = sender_send(rp->sender, &r);
    }
    judge_targets(rp, now);
    task_done(task, -1);
}

int report_open(struct prober *p) {
    const struct conf_health *h = &p->conf->health;
    struct err err = {.text = ""};
    if (h->datagram_count == 0)
        return 0;
    struct report_probe *rp = p->report = calloc(1, sizeof(*rp));
    if (rp == NULL)
        return E_NOMEM;
    int rc = sender_open(&rp->sender, p->loop, p->conf, &err);
    if (rc < 0) {
        LOG(LEVEL_ERROR, "reports cannot be sent", KS("why", err.text));
        return verdict_add_off(&p->book, SCOPE_REPORTING, "report", "datagram", "", err.text, clock_wall_ms());
    }
    rp->p = p;
    rp->opened_ms = clock_mono_ms();
    rp->sent_ms = INT64_MIN / 2;
    for (size_t i = 0; rc >= 0 && i < sender_count(rp->sender); i++) {
        rc = verdict_add(&p->book, SCOPE_REPORTING, "report", "monitor", sender_target(rp->sender, i)->address,
                         h->interval.push_ms, false);
        rp->check[i] = rc < 0 ? 0 : (size_t)rc;
    }
    return rc < 0 ? rc : prober_add(p, &rp->task, report_start, h->interval.push_ms / REPORT_LOOKS, false);
}

void report_close(struct prober *p) {
    if (p->report != NULL)
        sender_close(p->report->sender);
    free(p->report);
}

const struct sender *prober_sender(const struct prober *p) { return p->report != NULL ? p->report->sender : NULL; }
