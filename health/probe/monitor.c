/* This node as a monitor of others: what they report, and what it gets when it asks their DNS ports itself. When most
 * of them are gone at once it says of itself that it is cut off, and nothing of them. */
#include <stdio.h>
#include <stdlib.h>

#include "health/monitor/receiver.h"
#include "health/monitor/watched.h"
#include "health/probe/impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { MONITOR_TRIES = 2, MONITOR_GAP_INTERVALS = 4, NODE_CHECKS = 4 };

enum node_check { CHECK_REPORT, CHECK_ANSWERS, CHECK_AGREE, CHECK_GAPS };
#define NO_CHECK SIZE_MAX

struct monitor_node {
    struct task task;
    struct prober *p;
    struct watched *w;
    struct ask_plan plan;
    unsigned mute;
    size_t check[NODE_CHECKS];
};

struct monitor_probe {
    struct task task; /* judges */
    struct prober *p;
    struct receiver *receiver;
    size_t count, quorum_check;
    bool cut_off;
    struct watched watched[LIMIT_PEERS];
    struct monitor_node node[LIMIT_PEERS];
};

static uint64_t take(void *ctx, size_t at, const struct report *r) {
    struct monitor_probe *m = ctx;
    if (at >= m->count)
        return 0;
    (void)watched_report(&m->watched[at], r, clock_mono_ms(), clock_wall_ms());
    return m->watched[at].missed;
}

/* Whoever answers has to say that it is that node. */
static bool right(const struct monitor_node *n, const struct ask_result *r, struct evidence *e) {
    struct nsid id;
    if (r->code != 0 || r->answer.rcode != RCODE_NOERROR || r->answer.answers == 0) {
        ask_problem(e->came, sizeof(e->came), r);
        return false;
    }
    if (nsid_read(&id, r->answer.nsid) != 0 || strcmp(id.node, n->w->name) != 0) {
        snprintf(e->came, sizeof(e->came), "somebody else answers: \"%.120s\"", r->answer.nsid);
        return false;
    }
    snprintf(e->came, sizeof(e->came), "worker %u of it answered", id.worker);
    return true;
}

static void node_answer(void *ctx, const struct ask_result *r) {
    struct monitor_node *n = ctx;
    struct evidence e;
    ask_evidence(&e, &n->plan, r);
    if (r->code == E_AGAIN) {
        task_done(&n->task, 0);
        return;
    }
    bool good = right(n, r, &e);
    n->mute = good ? 0 : n->mute + 1;
    if (good || n->mute >= n->p->conf->health.fall)
        watched_answer(n->w, good, clock_mono_ms());
    bool hurry =
        !n->p->monitor->cut_off && prober_result(n->p, n->check[CHECK_ANSWERS], good ? VERDICT_PASS : VERDICT_FAIL, &e);
    task_done(&n->task, hurry ? (int64_t)probe_hurry_ms(n->task.interval_ms) : -1);
}

static void node_start(struct task *task) {
    struct monitor_node *n = CONTAINER_OF(task, struct monitor_node, task);
    if (ask_start(n->p, &n->plan, node_answer, n) != 0)
        task_done(task, -1);
}

static void tell(struct prober *p, size_t check, enum verdict_state s, const char *asked, const char *came) {
    struct evidence e = {.wall_ms = clock_wall_ms(), .unit = NULL};
    text_copy(e.asked, sizeof(e.asked), asked);
    text_copy(e.came, sizeof(e.came), came);
    if (s != VERDICT_UNKNOWN && check != NO_CHECK)
        (void)prober_result(p, check, s, &e);
}

/* Before it was known that it is this monitor that is cut off, the first nodes may have been called silent: taken back.
 */
static void node_withhold(struct monitor_probe *m, size_t i) {
    static const enum node_check checks[] = {CHECK_REPORT, CHECK_ANSWERS, CHECK_AGREE};
    for (size_t k = 0; k < ARRAY_SIZE(checks); k++)
        tell(m->p, m->node[i].check[checks[k]], VERDICT_WARN, "nobody: this monitor is cut off",
             "not known: this monitor is cut off from most nodes");
}

static void node_judge(struct monitor_probe *m, size_t i, int64_t now) {
    struct monitor_node *n = &m->node[i];
    int64_t push = m->p->conf->health.interval.push_ms;
    char came[EVIDENCE_CAME_MAX];
    if (m->receiver != NULL) {
        enum verdict_state s = watched_judge(n->w, now, came, sizeof(came));
        tell(m->p, n->check[CHECK_REPORT], s, "its signed reports", came);
        s = watched_gaps(n->w, now, MONITOR_GAP_INTERVALS * push, came, sizeof(came));
        tell(m->p, n->check[CHECK_GAPS], s, "the numbers of its reports", came);
    }
    enum verdict_state s = watched_agree(n->w, now, came, sizeof(came));
    tell(m->p, n->check[CHECK_AGREE], s, "its own word beside what we get", came);
}

static void monitor_start(struct task *task) {
    struct monitor_probe *m = CONTAINER_OF(task, struct monitor_probe, task);
    int64_t now = clock_mono_ms();
    size_t lost;
    char came[EVIDENCE_CAME_MAX];
    m->cut_off = watched_cut_off(m->watched, m->count, now, &lost);
    if (prober_late(m->p, now - (int64_t)task->interval_ms)) {
        task_done(task, -1); /* what was not taken in yet is no silence */
        return;
    }
    snprintf(came, sizeof(came), "%zu of %zu nodes are heard%s", m->count - lost, m->count,
             m->cut_off ? ": most are gone at once, so it is this monitor that is cut off" : "");
    tell(m->p, m->quorum_check, m->cut_off ? VERDICT_FAIL : VERDICT_PASS, "who is heard at all", came);
    for (size_t i = 0; i < m->count; i++)
        m->cut_off ? node_withhold(m, i) : node_judge(m, i, now);
    task_done(task, -1);
}

static int add(struct prober *p, const char *component, const char *measurement, const char *id, uint32_t interval_ms,
               size_t *check) {
    int at = verdict_add(&p->book, SCOPE_MONITOR, component, measurement, id, interval_ms, false);
    if (at >= 0)
        *check = (size_t)at;
    return at < 0 ? at : 0;
}

static int node_open(struct monitor_probe *m, const struct conf_peer *conf) {
    struct prober *p = m->p;
    const struct conf_health *h = &p->conf->health;
    struct monitor_node *n = &m->node[m->count];
    uint32_t judge_ms = h->interval.push_ms, timeout = probe_timeout_ms(h->interval.peers_ms);
    n->p = p;
    for (size_t i = 0; i < NODE_CHECKS; i++)
        n->check[i] = NO_CHECK;
    n->w = &m->watched[m->count++];
    *n->w = (struct watched){.name = conf->name, .push_ms = h->interval.push_ms, .since_ms = clock_mono_ms()};
    int rc = 0;
    if (m->receiver != NULL && conf->key[0] != '\0')
        rc = add(p, "node", "report", conf->name, judge_ms, &n->check[CHECK_REPORT]);
    else
        rc = verdict_add_off(&p->book, SCOPE_MONITOR, "node", "report", conf->name,
                             "it has no key, or there is no datagram address: its reports are not taken in",
                             clock_wall_ms());
    if (rc >= 0)
        rc = add(p, "node", "gaps", conf->name, judge_ms, &n->check[CHECK_GAPS]);
    if (rc >= 0)
        rc = add(p, "node", "agree", conf->name, judge_ms, &n->check[CHECK_AGREE]);
    if (rc < 0 || addr_family(&conf->resolver) == 0)
        return rc < 0 ? rc : 0;
    rc = add(p, "node", "answers", conf->name, h->interval.peers_ms, &n->check[CHECK_ANSWERS]);
    n->plan = (struct ask_plan){.server = conf->resolver,
                                .nsid = true,
                                .far = true,
                                .qtype = TYPE_TXT,
                                .qclass = CLASS_CH,
                                .tries = MONITOR_TRIES,
                                .hedge_ms = timeout / 2,
                                .timeout_ms = timeout};
    if (rc == 0)
        rc = name_from_text(&n->plan.qname, "id.server.", NULL);
    return rc < 0 ? rc : prober_add(p, &n->task, node_start, h->interval.peers_ms, false);
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
    int rc = receiver_open(&m->receiver, p->loop, p->conf, take, m, &err);
    if (rc < 0) {
        LOG(LEVEL_ERROR, "reports cannot be taken in", KS("why", err.text));
        rc = verdict_add_off(&p->book, SCOPE_MONITOR, "monitor", "datagram", "", err.text, clock_wall_ms());
    }
    if (rc >= 0)
        rc = add(p, "monitor", "quorum", "nodes", h->interval.push_ms, &m->quorum_check);
    for (size_t i = 0; rc >= 0 && i < h->monitor.node_count && i < LIMIT_PEERS; i++)
        rc = node_open(m, &h->monitor.nodes[i]);
    return rc < 0 ? rc : prober_add(p, &m->task, monitor_start, h->interval.push_ms / 15, false);
}

void monitor_close(struct prober *p) {
    if (p->monitor != NULL)
        receiver_close(p->monitor->receiver);
    free(p->monitor);
}

const struct watched *prober_watched(const struct prober *p, size_t *count) {
    *count = p->monitor != NULL ? p->monitor->count : 0;
    return p->monitor != NULL ? p->monitor->watched : NULL;
}
