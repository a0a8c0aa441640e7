/* What this node tells its monitors, and whether any of them hears it. A monitor is judged by its signed
 * acknowledgements alone: that a datagram could be sent proves nothing. */

#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"
#include "health/report/https.h"
#include "health/report/sender.h"
#include "health/report/sql.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum {
    REPORT_LOOKS = 15,       /* times a push interval that is looked whether something changed */
    REPORT_LOST = 3,         /* push intervals without a word until a way is held to be closed */
    REPORT_CLOCK_MS = 60000, /* TSIG fails at 300 s */
    CERTIFICATE_DAYS = 21,
    DAY_S = 86400,
    WAYS_MAX = 2 * LIMIT_PEERS + 1
};

/* One way out: datagrams to a monitor, or a sink with a thread of its own. */
struct way {
    const char *kind; /* "monitor", "https", "sql" */
    char address[ADDR_TEXT_MAX];
    size_t target;             /* of the sender; SIZE_MAX: it is a sink */
    struct sink *sink;         /* NULL: it is a target */
    size_t check, certificate; /* SIZE_MAX: none */
};

/* What is known of it now. */
struct word {
    int64_t silent_ms;
    bool ever, far; /* it was heard at all; its clock is another */
    uint64_t sequence;
    const char *who, *trouble;
    size_t waiting;
    int64_t not_after_wall_s;
};

struct report_probe {
    struct task task;
    struct prober *p;
    struct sender *sender; /* NULL: no datagrams */
    struct way way[WAYS_MAX];
    size_t ways;
    struct sink_list sinks;
    int64_t opened_ms, sent_ms;
    uint64_t revision, sequence;
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

static struct word listen_to(const struct report_probe *rp, const struct way *w, int64_t now) {
    struct word out = {.who = "it"};
    int64_t last_ms;
    if (w->sink != NULL) {
        const struct sink_news *n = sink_news(w->sink);
        out.sequence = n->sequence;
        out.trouble = n->busy_since_mono_ms != 0 && n->trouble[0] == '\0' ? "a delivery is under way" : n->trouble;
        out.waiting = n->waiting;
        out.not_after_wall_s = n->not_after_wall_s;
        last_ms = n->delivered_mono_ms;
    } else {
        const struct sender_target *t = sender_target(rp->sender, w->target);
        out.who = t->monitor[0] != '\0' ? t->monitor : "it";
        out.sequence = t->sequence;
        out.trouble = t->trouble;
        out.far = t->clock_offset_ms > REPORT_CLOCK_MS || t->clock_offset_ms < -REPORT_CLOCK_MS;
        last_ms = t->acked_mono_ms;
    }
    out.ever = last_ms != 0;
    out.silent_ms = now - (out.ever ? last_ms : rp->opened_ms);
    return out;
}

static bool is_lost(const struct report_probe *rp, const struct word *w) {
    return w->silent_ms > (int64_t)REPORT_LOST * rp->p->conf->health.interval.push_ms;
}

/* One of several that is silent is to be looked at; when nobody hears us, nobody knows how we are. */
static enum verdict_state way_judge(const struct report_probe *rp, const struct word *said, bool others,
                                    struct evidence *e) {
    char wait[48] = "";
    if (said->waiting > 0)
        snprintf(wait, sizeof(wait), ", %zu report%s wait%s", said->waiting, said->waiting == 1 ? "" : "s",
                 said->waiting == 1 ? "s" : "");
    if (is_lost(rp, said)) {
        snprintf(e->came, sizeof(e->came), "no acknowledgement for %lld s (%.120s)%s; %s hears this node",
                 (long long)said->silent_ms / 1000, said->trouble, wait, others ? "another one" : "nobody");
        return others ? VERDICT_WARN : VERDICT_FAIL;
    }
    if (!said->ever) {
        snprintf(e->came, sizeof(e->came), "not acknowledged yet%s%.120s", said->trouble[0] != '\0' ? ": " : "",
                 said->trouble);
        return VERDICT_WARN;
    }
    snprintf(e->came, sizeof(e->came), "%s acknowledged report %llu %.1f s ago%s%s", said->who,
             (unsigned long long)said->sequence, (double)said->silent_ms / 1000,
             said->far ? "; its clock is another" : "", wait);
    return said->far ? VERDICT_WARN : VERDICT_PASS;
}

static void judge_certificate(const struct report_probe *rp, const struct way *w, const struct word *said) {
    int64_t now_s = clock_wall_s(), left_s = said->not_after_wall_s - now_s;
    struct evidence e = {.wall_ms = clock_wall_ms(), .value = (double)left_s / DAY_S, .unit = "d"};
    if (said->not_after_wall_s == 0)
        return; /* none was seen yet */
    snprintf(e.asked, sizeof(e.asked), "the certificate that %s shows", w->address);
    snprintf(e.came, sizeof(e.came), left_s < 0 ? "it ended %lld days ago" : "it ends in %lld days",
             (long long)(left_s < 0 ? -left_s : left_s) / DAY_S);
    (void)prober_result(rp->p, w->certificate,
                        left_s < 0                          ? VERDICT_FAIL
                        : left_s < CERTIFICATE_DAYS * DAY_S ? VERDICT_WARN
                                                            : VERDICT_PASS,
                        &e);
}

static void judge_ways(struct report_probe *rp, int64_t now) {
    struct word said[WAYS_MAX];
    size_t heard = 0;
    for (size_t i = 0; i < rp->ways; i++) {
        said[i] = listen_to(rp, &rp->way[i], now);
        heard += said[i].ever && !is_lost(rp, &said[i]);
    }
    for (size_t i = 0; i < rp->ways; i++) {
        const struct way *w = &rp->way[i];
        struct evidence e = {
            .wall_ms = clock_wall_ms(), .value = (double)said[i].silent_ms / 1000, .unit = "s", .took_us = 0};
        snprintf(e.asked, sizeof(e.asked), "reports to %s", w->address);
        text_copy(e.server, sizeof(e.server), w->address);
        enum verdict_state s = way_judge(rp, &said[i], heard > 0, &e);
        if (s == VERDICT_PASS || !prober_late(rp->p, now - (int64_t)rp->task.interval_ms))
            (void)prober_result(rp->p, w->check, s, &e);
        if (w->certificate != SIZE_MAX)
            judge_certificate(rp, w, &said[i]);
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
        r.sequence = ++rp->sequence;
        if (rp->sender != NULL)
            sender_send(rp->sender, &r);
        for (size_t i = 0; i < rp->ways; i++)
            if (rp->way[i].sink != NULL)
                sink_offer(rp->way[i].sink, &r);
        rp->p->tally.report_sequence = r.sequence;
    }
    judge_ways(rp, now);
    task_done(task, -1);
}

static int add_way(struct report_probe *rp, const char *kind, const char *address, size_t target, struct sink *sink) {
    struct prober *p = rp->p;
    struct way *w = &rp->way[rp->ways++];
    *w = (struct way){.kind = kind, .target = target, .sink = sink, .certificate = SIZE_MAX};
    text_copy(w->address, sizeof(w->address), address);
    uint32_t push = p->conf->health.interval.push_ms;
    if (sink != NULL && rp->sinks.count < ARRAY_SIZE(rp->sinks.at)) {
        rp->sinks.at[rp->sinks.count].kind = kind;
        rp->sinks.at[rp->sinks.count].address = w->address;
        rp->sinks.at[rp->sinks.count++].sink = sink;
    }
    int at = verdict_add(&p->book, SCOPE_REPORTING, "report", kind, address, push, false);
    w->check = at < 0 ? 0 : (size_t)at;
    if (at >= 0 && strcmp(kind, "https") == 0) {
        at = verdict_add(&p->book, SCOPE_REPORTING, "report", "certificate", address, push, false);
        w->certificate = at < 0 ? SIZE_MAX : (size_t)at;
    }
    return at < 0 ? at : 0;
}

/* A sink that cannot even be begun is said so and holds up no other. */
static int cannot(struct prober *p, const char *kind, const char *why) {
    LOG(LEVEL_ERROR, "reports cannot be sent", KS("by", kind), KS("why", why));
    int rc = verdict_add_off(&p->book, SCOPE_REPORTING, "report", kind, "", why, clock_wall_ms());
    return rc < 0 ? rc : 0;
}

static int open_sinks(struct report_probe *rp) {
    struct prober *p = rp->p;
    const struct conf_health *h = &p->conf->health;
    uint32_t retry_ms = h->interval.push_ms / 3;
    char address[ADDR_TEXT_MAX];
    struct sink *sink;
    struct err err = {.text = ""};
    int rc = 0;
    for (size_t i = 0; i < h->https_count && i < LIMIT_PEERS && rc == 0; i++)
        rc = https_open(&sink, &h->https[i], retry_ms, &err) < 0
                 ? cannot(p, "https", err.text)
                 : add_way(rp, "https", addr_text(&h->https[i].address, address), SIZE_MAX, sink);
    if (rc == 0 && h->sql.enabled)
        rc = sql_open(&sink, &h->sql, retry_ms, &err) < 0
                 ? cannot(p, "sql", err.text)
                 : add_way(rp, "sql", addr_text(&h->sql.address, address), SIZE_MAX, sink);
    return rc;
}

int report_open(struct prober *p) {
    const struct conf_health *h = &p->conf->health;
    struct err err = {.text = ""};
    if (h->datagram_count + h->https_count == 0 && !h->sql.enabled)
        return 0;
    struct report_probe *rp = p->report = calloc(1, sizeof(*rp));
    if (rp == NULL)
        return E_NOMEM;
    rp->p = p;
    rp->opened_ms = clock_mono_ms();
    rp->sent_ms = INT64_MIN / 2;
    int rc = 0;
    if (h->datagram_count > 0 && sender_open(&rp->sender, p->loop, p->conf, &err) < 0)
        rc = cannot(p, "datagram", err.text);
    for (size_t i = 0; rc == 0 && rp->sender != NULL && i < sender_count(rp->sender); i++)
        rc = add_way(rp, "monitor", sender_target(rp->sender, i)->address, i, NULL);
    if (rc == 0)
        rc = open_sinks(rp);
    return rc < 0 || rp->ways == 0 ? rc
                                   : prober_add(p, &rp->task, report_start, h->interval.push_ms / REPORT_LOOKS, false);
}

void report_close(struct prober *p) {
    if (p->report == NULL)
        return;
    for (size_t i = 0; i < p->report->ways; i++)
        sink_close(p->report->way[i].sink);
    sender_close(p->report->sender);
    free(p->report);
}

const struct sender *prober_sender(const struct prober *p) { return p->report != NULL ? p->report->sender : NULL; }

const struct sink_list *prober_sinks(const struct prober *p) { return p->report != NULL ? &p->report->sinks : NULL; }
