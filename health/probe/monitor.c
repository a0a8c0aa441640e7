/* This node as a monitor of others: what they report, what it gets when it asks them itself, what they see of each
 * other, and what is kept of all that. When most of them are gone at once it says of itself that it is cut off, and
 * nothing of them. */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/monitor.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { JUDGES = 15 /* times a push interval */, NEWS_MS = 250, STORE_HANGS_INTERVALS = 2 };

static const char store_file[] = "/monitor/monitor.sqlite";

static uint64_t take(void *ctx, size_t at, const struct report *r) {
    struct monitor_probe *m = ctx;
    if (at >= m->fleet->count)
        return 0;
    struct watched *w = &m->fleet->watched[at];
    enum watched_take taken = watched_report(w, r, clock_mono_ms(), clock_wall_ms());
    struct intake *i = m->taker != NULL && taken == WATCHED_NEW ? intake_of(r) : NULL;
    if (i != NULL) {
        i->node = at;
        i->came_ms = clock_wall_ms();
        i->taken = true;
        if (!taker_put(m->taker, i))
            intake_free(i);
    }
    https_in_tell(m->https, at, w->missed, w->asked_ms);
    return w->missed;
}

static int64_t asked(void *ctx, size_t at) {
    const struct monitor_probe *m = ctx;
    return at < m->fleet->count ? m->fleet->watched[at].asked_ms : 0;
}

void monitor_tell(struct prober *p, size_t check, enum verdict_state s, const char *asked_words, const char *came) {
    struct evidence e = {.wall_ms = clock_wall_ms(), .unit = NULL};
    if (s == VERDICT_UNKNOWN || check == NO_CHECK)
        return;
    text_copy(e.asked, sizeof(e.asked), asked_words);
    text_copy(e.came, sizeof(e.came), came);
    (void)prober_result(p, check, s, &e);
}

static void judge_store(struct monitor_probe *m, int64_t now) {
    char came[EVIDENCE_CAME_MAX];
    if (m->taker == NULL)
        return;
    const struct taker_state *s = taker_state(m->taker);
    m->fleet->store = *s;
    for (int i = 0; i < HTTPS_IN_REFUSALS && m->https != NULL; i++)
        m->fleet->refused[i] = https_in_refused(m->https, (enum https_in_refusal)i);
    int64_t hangs_ms = STORE_HANGS_INTERVALS * (int64_t)m->p->conf->health.interval.push_ms;
    enum verdict_state state = VERDICT_PASS;
    if (s->busy_since_ms != 0 && now - s->busy_since_ms > hangs_ms) {
        state = VERDICT_FAIL;
        snprintf(came, sizeof came, "at work for %lld s, and does not end; %zu wait",
                 (long long)(now - s->busy_since_ms) / 1000, s->waiting);
    } else if (s->trouble[0] != '\0') {
        state = s->trouble_since_ms != 0 ? VERDICT_FAIL : VERDICT_UNKNOWN;
        snprintf(came, sizeof came, "nothing is kept: %.200s", s->trouble);
    } else {
        state = s->asides > 0 ? VERDICT_WARN : VERDICT_PASS;
        snprintf(came, sizeof came, "%llu reports, %llu events, %llu details kept%s", (unsigned long long)s->reports,
                 (unsigned long long)s->events, (unsigned long long)s->details,
                 s->asides > 0 ? "; a damaged file was set aside" : "");
    }
    monitor_tell(m->p, m->store_check, state, "the monitor's store", came);
}

/* Names of zones and their serials do not change every second: once a push interval, sooner when details came. */
static void judge_zones(struct monitor_probe *m, int64_t now) {
    int64_t push = m->p->conf->health.interval.push_ms, pause = m->fleet->changed ? push / 3 : push;
    char came[EVIDENCE_CAME_MAX];
    if (now - m->compared_ms < pause)
        return;
    m->compared_ms = now;
    fleet_compare(m->fleet, now);
    enum verdict_state s = fleet_zones_judge(m->fleet, came, sizeof came);
    if (m->zones_check == NO_CHECK && s != VERDICT_UNKNOWN &&
        monitor_add(m->p, "fleet", "zones", "", (uint32_t)push, &m->zones_check) < 0)
        return; /* from the first details on */
    monitor_tell(m->p, m->zones_check, s == VERDICT_UNKNOWN ? VERDICT_WARN : s, "zones by the details of all nodes",
                 s == VERDICT_UNKNOWN ? "no details come" : came);
}

/* What this monitor shows: nodes that trust another one, or time, report no more. */
static void judge_certificate(struct monitor_probe *m) {
    char trouble[CERTIFICATE_TROUBLE], came[EVIDENCE_CAME_MAX];
    if (m->certificate_check == NO_CHECK)
        return;
    int64_t until_s = https_in_until_s(m->https, trouble);
    if (trouble[0] == '\0' || until_s < clock_wall_s()) {
        certificate_judge(m->p, m->certificate_check, "this monitor", until_s);
        return;
    }
    (void)snprintf(came, sizeof came, "the files cannot be used, the old one stays: %.180s", trouble);
    monitor_tell(m->p, m->certificate_check, VERDICT_WARN, "health.monitor.tls", came);
}

static void fetch_news(struct task *task) {
    struct monitor_probe *m = CONTAINER_OF(task, struct monitor_probe, news);
    int64_t now = clock_mono_ms(), wall = clock_wall_ms();
    struct intake *i = m->taker != NULL ? taker_fetch(m->taker) : NULL;
    while (i != NULL) {
        struct intake *next = i->next;
        size_t at = i->node;
        fleet_take(m->fleet, i, now, wall);
        if (at < m->fleet->count)
            https_in_tell(m->https, at, m->fleet->watched[at].missed, m->fleet->watched[at].asked_ms);
        i = next;
    }
    https_in_tick(m->https);
    task_done(task, -1);
}

/* As /fleet shows them: since when each is what it is. */
static void note_states(struct monitor_probe *m, int64_t now) {
    char words[EVIDENCE_CAME_MAX];
    for (size_t i = 0; i < m->fleet->count; i++) {
        struct fleet_node *n = &m->fleet->node[i];
        enum verdict_state s = fleet_node_judge(m->fleet, i, m->cut_off, now, words, sizeof words);
        if (s != n->state || n->since_ms == 0)
            n->since_ms = clock_wall_ms();
        n->state = s;
    }
}

static void judge_all(struct task *task) {
    struct monitor_probe *m = CONTAINER_OF(task, struct monitor_probe, task);
    const struct fleet *f = m->fleet;
    int64_t now = clock_mono_ms();
    size_t lost;
    char came[EVIDENCE_CAME_MAX];
    m->cut_off = m->fleet->cut_off = watched_cut_off(f->watched, f->count, now, &lost);
    m->fleet->lost = lost;
    if (prober_late(m->p, now - (int64_t)task->interval_ms)) {
        task_done(task, -1); /* what was not taken in yet is no silence */
        return;
    }
    snprintf(came, sizeof(came), "%zu of %zu nodes are heard%s", f->count - lost, f->count,
             m->cut_off ? ": most are gone at once, so it is this monitor that is cut off" : "");
    monitor_tell(m->p, m->quorum_check, m->cut_off ? VERDICT_FAIL : VERDICT_PASS, "who is heard at all", came);
    fleet_sights(m->fleet, now);
    for (size_t i = 0; i < f->count; i++)
        m->cut_off ? monitor_node_withhold(m, i) : monitor_node_judge(m, i, now);
    note_states(m, now);
    judge_store(m, now);
    judge_certificate(m);
    judge_zones(m, now);
    task_done(task, -1);
}

int monitor_add(struct prober *p, const char *component, const char *measurement, const char *id, uint32_t interval_ms,
                size_t *check) {
    int at = verdict_add(&p->book, SCOPE_MONITOR, component, measurement, id, interval_ms, false);
    if (at >= 0)
        *check = (size_t)at;
    return at < 0 ? at : 0;
}

static int cannot(struct prober *p, const char *what, const struct err *err) {
    LOG(LEVEL_ERROR, "a monitor's part cannot work", KS("what", what), KS("why", err->text));
    int rc = verdict_add_off(&p->book, SCOPE_MONITOR, "monitor", what, "", err->text, clock_wall_ms());
    return rc < 0 ? rc : 0;
}

static int open_store(struct monitor_probe *m) {
    const struct conf *conf = m->p->conf;
    const char *given = conf->health.monitor.store.path;
    char path[LIMIT_CONF_TEXT + sizeof store_file];
    struct err err = {.text = ""};
    (void)snprintf(path, sizeof path, "%s%s", given[0] != '\0' ? given : conf->node.state,
                   given[0] != '\0' ? "" : store_file);
    const struct archive_plan plan = {.path = path,
                                      .push_ms = conf->health.interval.push_ms,
                                      .keep_ms = (int64_t)conf->health.monitor.store.keep_s * 1000};
    if (taker_open(&m->taker, &plan, &err) < 0)
        return cannot(m->p, "store", &err);
    int rc = monitor_add(m->p, "monitor", "store", "", conf->health.interval.push_ms, &m->store_check);
    if (rc == 0 && https_in_open(&m->https, conf, m->taker, &err) < 0)
        rc = cannot(m->p, "https", &err);
    if (rc == 0 && m->https != NULL)
        rc = monitor_add(m->p, "monitor", "certificate", "", conf->health.interval.push_ms, &m->certificate_check);
    return rc;
}

static int open_ways(struct monitor_probe *m) {
    struct prober *p = m->p;
    struct err err = {.text = ""};
    int rc = open_store(m);
    if (rc == 0 && receiver_open(&m->receiver, p->loop, p->conf, take, asked, m, &err) < 0)
        rc = cannot(p, "datagram", &err);
    m->hears = m->receiver != NULL || m->https != NULL;
    return rc;
}

int monitor_open(struct prober *p) {
    const struct conf_health *h = &p->conf->health;
    struct err err = {.text = ""};
    if (!h->monitor.enabled)
        return 0;
    struct monitor_probe *m = p->monitor = calloc(1, sizeof(*m));
    if (m == NULL)
        return E_NOMEM;
    m->p = p;
    m->quorum_check = m->store_check = m->certificate_check = m->zones_check = NO_CHECK;
    p->more_in_flight = (unsigned)(h->monitor.node_count < LIMIT_NODES ? h->monitor.node_count : LIMIT_NODES) / 8;
    int rc = fleet_open(&m->fleet, p->conf, clock_mono_ms(), &err);
    if (rc == 0 && (m->node = calloc(m->fleet->count + 1, sizeof *m->node)) == NULL)
        rc = E_NOMEM;
    if (rc == 0)
        rc = peers_keys_open(&m->keys, p->conf, h->monitor.nodes, m->fleet->count, &err);
    if (rc == 0)
        rc = open_ways(m);
    if (rc == 0)
        rc = monitor_add(p, "monitor", "quorum", "nodes", h->interval.push_ms, &m->quorum_check);
    for (size_t i = 0; rc == 0 && i < m->fleet->count; i++)
        rc = monitor_node_open(m, i);
    if (rc == 0)
        rc = prober_add(p, &m->news, fetch_news, NEWS_MS, false);
    return rc < 0 ? rc : prober_add(p, &m->task, judge_all, h->interval.push_ms / JUDGES, false);
}

void monitor_close(struct prober *p) {
    struct monitor_probe *m = p->monitor;
    if (m == NULL)
        return;
    bool ended = taker_close(m->taker); /* before the port whose requests wait for it */
    https_in_close(m->https, ended);
    receiver_close(m->receiver);
    peers_keys_close(m->keys);
    for (size_t i = 0; m->node != NULL && i < m->fleet->count; i++)
        monitor_node_close(&m->node[i]);
    free(m->node);
    fleet_close(m->fleet);
    free(m);
}

const struct watched *prober_watched(const struct prober *p, size_t *count) {
    *count = p->monitor != NULL ? p->monitor->fleet->count : 0;
    return p->monitor != NULL ? p->monitor->fleet->watched : NULL;
}

const struct fleet *prober_fleet(const struct prober *p) { return p->monitor != NULL ? p->monitor->fleet : NULL; }
