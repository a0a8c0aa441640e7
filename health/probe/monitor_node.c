/* One node as its monitor sees it: its DNS port and its health port are asked, what it says stands beside both. */
#include <stdio.h>

#include "health/probe/monitor.h"
#include "resolver/base/clock.h"
#include "resolver/base/rand.h"

enum { MONITOR_TRIES = 2, GAP_INTERVALS = 4 };

static struct watched *watched_of(const struct monitor_node *n) { return &n->p->monitor->fleet->watched[n->at]; }

static const struct conf_peer *conf_of(const struct monitor_node *n) {
    return &n->p->conf->health.monitor.nodes[n->at];
}

static void note_asked(const struct monitor_node *n) {
    struct watched *w = watched_of(n);
    w->asked_ms = clock_mono_ms();
    https_in_tell(n->p->monitor->https, n->at, w->missed, w->asked_ms);
}

/* Whoever answers has to say that it is that node. */
static bool right(const struct monitor_node *n, const struct ask_result *r, struct evidence *e) {
    struct nsid id;
    if (r->code != 0 || r->answer.rcode != RCODE_NOERROR || r->answer.answers == 0) {
        ask_problem(e->came, sizeof(e->came), r);
        return false;
    }
    if (nsid_read(&id, r->answer.nsid) != 0 || strcmp(id.node, conf_of(n)->name) != 0) {
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
        task_done(&n->ask, 0);
        return;
    }
    bool good = right(n, r, &e);
    n->mute = good ? 0 : n->mute + 1;
    if (good || n->mute >= n->p->conf->health.fall)
        watched_answer(watched_of(n), good, clock_mono_ms());
    bool hurry =
        !n->p->monitor->cut_off && prober_result(n->p, n->check[CHECK_ANSWERS], good ? VERDICT_PASS : VERDICT_FAIL, &e);
    task_done(&n->ask, hurry ? (int64_t)probe_hurry_ms(n->ask.interval_ms) : -1);
}

static void ask_node(struct task *task) {
    struct monitor_node *n = CONTAINER_OF(task, struct monitor_node, ask);
    note_asked(n);
    if (ask_start(n->p, &n->plan, node_answer, n) != 0)
        task_done(task, -1);
}

/* Each peer that it names: seen when any of its addresses answers DNS, gone when some do not and none does. */
static struct facts *sights_of(const struct view *v) {
    const char *peer[LIMIT_PEERS];
    enum facts_sight sight[LIMIT_PEERS];
    size_t count = 0, k;
    for (size_t i = 0; i < v->count; i++) {
        const struct seen *s = &v->seen[i];
        if (s->by == SEEN_HTTP)
            continue;
        for (k = 0; k < count && strcmp(peer[k], s->node) != 0; k++)
            ;
        if (k == count && count == LIMIT_PEERS)
            continue;
        if (k == count) {
            peer[count] = s->node;
            sight[count++] = FACTS_UNSURE;
        }
        if (s->state == SEEN_GOOD)
            sight[k] = FACTS_WELL;
        else if (s->state == SEEN_BAD && sight[k] != FACTS_WELL)
            sight[k] = FACTS_GONE;
    }
    return facts_of_sights(peer, sight, count);
}

/* What it shows there is believed when its key proves it. */
static int take_view(const struct monitor_node *n, const struct http_result *r, struct evidence *e, struct err *err) {
    struct view v = {.stale = true};
    int64_t now = clock_mono_ms();
    int rc = r->code == 0 ? peers_proved(n->p->monitor->keys, n->at, r->mac, &r->body, err)
                          : err_set(err, r->code, "%s", r->error);
    if (rc == 0)
        rc = view_read(&v, (const char *)r->body.at, r->body.size, conf_of(n)->name, n->nonce, err);
    if (rc < 0)
        return rc;
    enum verdict_state shown = v.stale ? VERDICT_UNKNOWN : v.status;
    watched_pulled(watched_of(n), true, shown, v.ready, now);
    snprintf(e->came, sizeof e->came, "it shows %s%s%s%.120s", verdict_state_name(shown),
             v.ready ? ", ready" : ", not ready", v.cause[0] != '\0' ? ": " : "", v.cause);
    struct facts *sights = v.stale ? NULL : sights_of(&v);
    if (sights != NULL)
        fleet_see(n->p->monitor->fleet, n->at, sights, now);
    view_free(&v);
    return 0;
}

static enum verdict_state shown_state(const struct watched *w) {
    return w->shown == VERDICT_PASS || w->shown == VERDICT_WARN ? w->shown : VERDICT_FAIL;
}

static void pulled(void *ctx, const struct http_result *r) {
    struct monitor_node *n = ctx;
    char server[ADDR_TEXT_MAX];
    struct evidence e = {.wall_ms = clock_wall_ms(), .took_us = r->took_us, .tcp = true};
    struct err err = {.text = ""};
    int64_t lateness = prober_lateness(n->p) - n->lateness_ms;
    n->fetch = NULL;
    if (r->code == E_TIMEOUT && lateness > r->took_us / 2000) {
        task_done(&n->pull, 0); /* the time was lost here */
        return;
    }
    snprintf(e.asked, sizeof e.asked, "its health port");
    text_copy(e.server, sizeof e.server, addr_text(&conf_of(n)->health, server));
    int rc = take_view(n, r, &e, &err);
    n->hidden = rc == 0 ? 0 : n->hidden + 1;
    if (rc < 0) {
        snprintf(e.came, sizeof e.came, "no view of it: %.200s", err.text);
        if (n->hidden >= n->p->conf->health.fall)
            watched_pulled(watched_of(n), false, VERDICT_UNKNOWN, false, clock_mono_ms());
    }
    enum verdict_state s = rc < 0 ? VERDICT_FAIL : shown_state(watched_of(n));
    bool hurry = !n->p->monitor->cut_off && prober_result(n->p, n->check[CHECK_HEALTH], s, &e);
    task_done(&n->pull, hurry ? (int64_t)probe_hurry_ms(n->pull.interval_ms) : -1);
}

/* "&key=scan1.": by which key the answer is to be proved. */
static void put_key(char *to, size_t size, const char *key) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    if (key == NULL || key[0] == '\0')
        return;
    size_t at = (size_t)snprintf(to, size, "&key=");
    for (const char *c = key; *c != '\0' && at + 4 < size; c++)
        at += (size_t)snprintf(to + at, size - at, strchr(plain, *c) != NULL ? "%c" : "%%%02X", (unsigned char)*c);
}

static void pull_node(struct task *task) {
    struct monitor_node *n = CONTAINER_OF(task, struct monitor_node, pull);
    const struct conf *conf = n->p->conf;
    uint8_t octets[(VIEW_NONCE - 1) / 2];
    char path[HTTP_PATH];
    struct err err = {.text = ""};
    rand_bytes(octets, sizeof octets);
    for (size_t i = 0; i < sizeof octets; i++)
        snprintf(n->nonce + 2 * i, 3, "%02x", octets[i]);
    int size = snprintf(path, sizeof path, "/peers?for=%.63s&nonce=%s", conf->node.name, n->nonce);
    put_key(path + size, sizeof path - (size_t)size, conf_of(n)->key);
    note_asked(n);
    n->lateness_ms = prober_lateness(n->p);
    struct http_plan plan = {.server = conf_of(n)->health,
                             .path = path,
                             .most = VIEW_BYTES,
                             .timeout_ms = probe_timeout_ms(n->pull.interval_ms),
                             .done = pulled,
                             .ctx = n};
    if (http_start(&n->fetch, n->p->loop, &plan, &err) < 0)
        task_done(task, -1); /* no descriptor or memory of our own: the check ages */
}

/* Before it was known that it is this monitor that is cut off, the first nodes may have been called silent: taken back.
 */
void monitor_node_withhold(struct monitor_probe *m, size_t at) {
    static const enum node_check checks[] = {CHECK_REPORT, CHECK_ANSWERS, CHECK_HEALTH, CHECK_AGREE};
    for (size_t k = 0; k < ARRAY_SIZE(checks); k++)
        monitor_tell(m->p, m->node[at].check[checks[k]], VERDICT_WARN, "nobody: this monitor is cut off",
                     "not known: this monitor is cut off from most nodes");
}

void monitor_node_judge(struct monitor_probe *m, size_t at, int64_t now) {
    const struct monitor_node *n = &m->node[at];
    const struct watched *w = &m->fleet->watched[at];
    int64_t push = m->p->conf->health.interval.push_ms;
    char came[EVIDENCE_CAME_MAX];
    if (n->check[CHECK_REPORT] != NO_CHECK) {
        enum verdict_state s = watched_judge(w, now, came, sizeof(came));
        monitor_tell(m->p, n->check[CHECK_REPORT], s, "its signed reports", came);
        s = watched_gaps(w, now, GAP_INTERVALS * push, came, sizeof(came));
        monitor_tell(m->p, n->check[CHECK_GAPS], s, "the numbers of its reports", came);
    }
    enum verdict_state s = watched_agree(w, now, came, sizeof(came));
    monitor_tell(m->p, n->check[CHECK_AGREE], s, "its own word beside what we get, and what its peers see", came);
}

static int open_ask(struct monitor_node *n, const struct conf_peer *conf) {
    struct prober *p = n->p;
    uint32_t interval = p->conf->health.interval.peers_ms, timeout = probe_timeout_ms(interval);
    int rc = monitor_add(p, "node", "answers", conf->name, interval, &n->check[CHECK_ANSWERS]);
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
    return rc < 0 ? rc : prober_add(p, &n->ask, ask_node, interval, false);
}

int monitor_node_open(struct monitor_probe *m, size_t at) {
    struct prober *p = m->p;
    const struct conf_peer *conf = &p->conf->health.monitor.nodes[at];
    struct monitor_node *n = &m->node[at];
    uint32_t push = p->conf->health.interval.push_ms;
    int rc = 0;
    *n = (struct monitor_node){.p = p, .at = at};
    for (size_t i = 0; i < NODE_CHECKS; i++)
        n->check[i] = NO_CHECK;
    if (m->hears && conf->key[0] != '\0') {
        rc = monitor_add(p, "node", "report", conf->name, push, &n->check[CHECK_REPORT]);
        if (rc >= 0)
            rc = monitor_add(p, "node", "gaps", conf->name, push, &n->check[CHECK_GAPS]);
        if (rc >= 0)
            rc = monitor_add(p, "node", "agree", conf->name, push, &n->check[CHECK_AGREE]);
    } else {
        m->fleet->watched[at].unreported = true;
        rc = verdict_add_off(&p->book, SCOPE_MONITOR, "node", "report", conf->name,
                             "it has no key, or there is no address for reports: they are not taken in",
                             clock_wall_ms());
    }
    if (rc >= 0 && addr_family(&conf->resolver) != 0)
        rc = open_ask(n, conf);
    if (rc >= 0 && addr_family(&conf->health) != 0) {
        rc = monitor_add(p, "node", "health", conf->name, push, &n->check[CHECK_HEALTH]);
        if (rc == 0)
            rc = prober_add(p, &n->pull, pull_node, push, false);
    }
    return rc < 0 ? rc : 0;
}

void monitor_node_close(struct monitor_node *n) { http_cancel(n->fetch); }
