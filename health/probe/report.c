/* What this node tells its monitors, and whether any of them hears it. A monitor is judged by its signed
 * acknowledgements alone: that a datagram could be sent proves nothing. */

#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"
#include "health/report/exec.h"
#include "health/report/https.h"
#include "health/report/sender.h"
#include "health/report/sql.h"
#include "health/report/syslog.h"
#include "health/snmp/agent.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum {
    REPORT_LOOKS = 15,             /* times a push interval that is looked whether something changed */
    REPORT_ASKED = 8,              /* push intervals without having been asked until a monitor is held to ask no more */
    REPORT_LOST = 3,               /* push intervals without a word until a way is held to be closed */
    REPORT_CLOCK_MS = 60000,       /* TSIG fails at 300 s */
    WAYS_MAX = 3 * LIMIT_PEERS + 4 /* datagrams, HTTPS and SNMP; a master agent, a database, a command, syslog */
};

/* One way out: datagrams to a monitor, or a sink with a thread of its own. */
struct way {
    const char *kind; /* "monitor", "https", "sql", "exec", "syslog" */
    bool events;      /* it is told events alone */
    char address[ADDR_TEXT_MAX];
    size_t target;             /* of the sender; SIZE_MAX: it is a sink */
    struct sink *sink;         /* NULL: it is a target */
    size_t check, certificate; /* SIZE_MAX: none */
    size_t asks;               /* whether that monitor asks this node itself; SIZE_MAX: it says nothing of it */
};

/* What is known of it now. */
struct word {
    int64_t silent_ms;
    bool ever, far; /* it was heard at all; its clock is another */
    uint64_t sequence;
    const char *who, *trouble;
    size_t waiting, events_waiting;
    uint64_t event; /* the last one that it has */
    int64_t not_after_wall_s;
    int64_t asked_ms; /* mono, when it asked this node last; 0: never, or it does not say */
};

struct report_probe {
    struct task task;
    struct prober *p;
    struct sender *sender; /* NULL: no datagrams */
    struct way way[WAYS_MAX];
    size_t ways;
    struct sink_list sinks;
    int64_t opened_ms, sent_ms;
    uint64_t revision, sequence, event; /* of what was sent last */
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
        out.who = n->who[0] != '\0' ? n->who : "it";
        out.trouble = n->busy_since_mono_ms != 0 && n->trouble[0] == '\0' ? "a delivery is under way" : n->trouble;
        out.waiting = n->waiting;
        out.events_waiting = n->events_waiting;
        out.event = n->event_sequence;
        out.not_after_wall_s = n->not_after_wall_s;
        out.asked_ms = n->asked_mono_ms;
        last_ms = n->delivered_mono_ms;
    } else {
        const struct sender_target *t = sender_target(rp->sender, w->target);
        out.who = t->monitor[0] != '\0' ? t->monitor : "it";
        out.sequence = t->sequence;
        out.trouble = t->trouble;
        out.asked_ms = t->asked_mono_ms;
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

static const char *what_waits(const struct word *said, char *to, size_t size) {
    size_t n = 0;
    to[0] = '\0';
    if (said->waiting > 0)
        n = (size_t)snprintf(to, size, ", %zu report%s wait%s", said->waiting, said->waiting == 1 ? "" : "s",
                             said->waiting == 1 ? "s" : "");
    if (said->events_waiting > 0 && n < size)
        (void)snprintf(to + n, size - n, ", %zu event%s wait%s", said->events_waiting,
                       said->events_waiting == 1 ? "" : "s", said->events_waiting == 1 ? "s" : "");
    return to;
}

/* One of several that is silent is to be looked at; when nobody hears us, nobody knows how we are. */
static enum verdict_state way_judge(const struct report_probe *rp, const struct way *way, const struct word *said,
                                    bool others, struct evidence *e) {
    char wait[80];
    (void)what_waits(said, wait, sizeof(wait));
    if (is_lost(rp, said)) {
        snprintf(e->came, sizeof(e->came), "%s for %lld s (%.120s)%s; %s hears this node",
                 way->events ? "nothing could be told" : "no acknowledgement", (long long)said->silent_ms / 1000,
                 said->trouble, wait, others ? "another one" : "nobody");
        return others ? VERDICT_WARN : VERDICT_FAIL;
    }
    if (!said->ever || (way->events && said->trouble[0] != '\0')) {
        snprintf(e->came, sizeof(e->came), "%s%s%.120s%s", way->events ? "not told" : "not acknowledged yet",
                 said->trouble[0] != '\0' ? ": " : "", said->trouble, wait);
        return VERDICT_WARN;
    }
    if (way->events && said->event == 0)
        snprintf(e->came, sizeof(e->came), "it can be told, and nothing has happened since%s", wait);
    else if (way->events)
        snprintf(e->came, sizeof(e->came), "told of all up to event %llu%s", (unsigned long long)said->event, wait);
    else
        snprintf(e->came, sizeof(e->came), "%s acknowledged report %llu %.1f s ago%s%s", said->who,
                 (unsigned long long)said->sequence, (double)said->silent_ms / 1000,
                 said->far ? "; its clock is another" : "", wait);
    return said->far ? VERDICT_WARN : VERDICT_PASS;
}

/* One that was never shown is not known; when there is nobody to show it, that is not worse than that nobody is there.
 */
static void judge_certificate(const struct report_probe *rp, const struct way *w, const struct word *said) {
    if (said->not_after_wall_s != 0 || is_lost(rp, said))
        certificate_judge(rp->p, w->certificate, w->address, said->not_after_wall_s);
}

static bool asks(const struct report_probe *rp, const struct word *said, int64_t now) {
    return said->asked_ms != 0 && now - said->asked_ms <= REPORT_ASKED * (int64_t)rp->p->conf->health.interval.push_ms;
}

/* Who asked me lately? A monitor that takes reports and asks nobody sees what nodes say, and not how they are. */
static void judge_asks(struct report_probe *rp, struct way *w, const struct word *said, bool others, int64_t now) {
    bool fresh = asks(rp, said, now), late = prober_late(rp->p, now - (int64_t)rp->task.interval_ms);
    int64_t since_ms = now - (said->asked_ms != 0 ? said->asked_ms : rp->opened_ms);
    int64_t most_ms = REPORT_ASKED * (int64_t)rp->p->conf->health.interval.push_ms;
    struct evidence e = {.wall_ms = clock_wall_ms(), .value = (double)since_ms / 1000, .unit = "s"};
    snprintf(e.asked, sizeof(e.asked), "whether %s asks this node itself", said->who);
    text_copy(e.server, sizeof(e.server), w->address);
    if (fresh)
        snprintf(e.came, sizeof(e.came), "%s asked %.1f s ago, by its own word", said->who, (double)since_ms / 1000);
    else if (said->asked_ms == 0 && since_ms <= most_ms)
        snprintf(e.came, sizeof(e.came), "not asked yet");
    else
        snprintf(e.came, sizeof(e.came), "%s by it for %lld s; %s", said->asked_ms != 0 ? "not asked" : "never asked",
                 (long long)since_ms / 1000, others ? "another one asks" : "nobody asks this node");
    if (w->asks == SIZE_MAX || (late && !fresh))
        return;
    (void)prober_result(rp->p, w->asks,
                        fresh                           ? VERDICT_PASS
                        : others || since_ms <= most_ms ? VERDICT_WARN
                                                        : VERDICT_FAIL,
                        &e);
}

/* Who takes reports over HTTPS need not be a monitor: the check is there when it says that it is one. */
static void find_monitor(struct report_probe *rp, struct way *w, const struct word *said) {
    int at = w->asks == SIZE_MAX && said->asked_ms != 0
                 ? verdict_add(&rp->p->book, SCOPE_REPORTING, "monitor", "asks", w->address,
                               rp->p->conf->health.interval.push_ms, false)
                 : -1;
    w->asks = at >= 0 ? (size_t)at : w->asks;
}

static void judge_ways(struct report_probe *rp, int64_t now) {
    struct word said[WAYS_MAX];
    size_t heard = 0, asked = 0;
    for (size_t i = 0; i < rp->ways; i++) {
        said[i] = listen_to(rp, &rp->way[i], now);
        heard += said[i].ever && !is_lost(rp, &said[i]);
        asked += asks(rp, &said[i], now);
    }
    for (size_t i = 0; i < rp->ways; i++) {
        const struct way *w = &rp->way[i];
        struct evidence e = {
            .wall_ms = clock_wall_ms(), .value = (double)said[i].silent_ms / 1000, .unit = "s", .took_us = 0};
        snprintf(e.asked, sizeof(e.asked), "%s to %s", w->events ? "events" : "reports", w->address);
        text_copy(e.server, sizeof(e.server), w->address);
        enum verdict_state s = way_judge(rp, w, &said[i], heard > 0, &e);
        if (s == VERDICT_PASS || !prober_late(rp->p, now - (int64_t)rp->task.interval_ms))
            (void)prober_result(rp->p, w->check, s, &e);
        if (w->certificate != SIZE_MAX)
            judge_certificate(rp, w, &said[i]);
        find_monitor(rp, &rp->way[i], &said[i]);
        judge_asks(rp, &rp->way[i], &said[i], asked > 0, now);
    }
}

static void report_start(struct task *task) {
    struct report_probe *rp = CONTAINER_OF(task, struct report_probe, task);
    int64_t now = clock_mono_ms();
    bool due = now - rp->sent_ms >= (int64_t)rp->p->conf->health.interval.push_ms;
    const struct event *newest = rp->p->events != NULL ? event_list_at(rp->p->events, 0) : NULL;
    uint64_t event = newest != NULL ? newest->sequence : 0;
    if (due || rp->revision != rp->p->book.revision || (rp->event != event && rp->sinks.count > 0)) {
        struct report r = make(rp);
        rp->sent_ms = now;
        rp->revision = r.revision;
        rp->event = event;
        r.sequence = ++rp->sequence;
        if (rp->sender != NULL)
            sender_send(rp->sender, &r);
        for (size_t i = 0; i < rp->ways; i++)
            if (rp->way[i].sink != NULL)
                sink_offer(rp->way[i].sink, &r, rp->p->events, rp->p->detail);
        rp->p->tally.report_sequence = r.sequence;
    }
    judge_ways(rp, now);
    task_done(task, -1);
}

static int add_way(struct report_probe *rp, const char *kind, const char *address, size_t target, struct sink *sink) {
    struct prober *p = rp->p;
    struct way *w = &rp->way[rp->ways++];
    *w = (struct way){.kind = kind, .target = target, .sink = sink, .certificate = SIZE_MAX, .asks = SIZE_MAX};
    w->events = strcmp(kind, "exec") == 0 || strcmp(kind, "syslog") == 0 || strcmp(kind, "snmp") == 0;
    text_copy(w->address, sizeof(w->address), address);
    uint32_t push = p->conf->health.interval.push_ms;
    if (sink != NULL && rp->sinks.count < ARRAY_SIZE(rp->sinks.at)) {
        rp->sinks.at[rp->sinks.count].kind = kind;
        rp->sinks.at[rp->sinks.count].address = w->address;
        rp->sinks.at[rp->sinks.count++].sink = sink;
    }
    int at = verdict_add(&p->book, SCOPE_REPORTING, "report", kind, address, push, false);
    w->check = at < 0 ? 0 : (size_t)at;
    if (at >= 0 && target != SIZE_MAX) {
        at = verdict_add(&p->book, SCOPE_REPORTING, "monitor", "asks", address, push, false);
        w->asks = at < 0 ? SIZE_MAX : (size_t)at;
    }
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

/* Those that are told of events alone. */
static int open_local(struct report_probe *rp, const char *folder, uint32_t retry_ms) {
    const struct conf_health *h = &rp->p->conf->health;
    char address[ADDR_TEXT_MAX];
    struct sink *sink;
    struct err err = {.text = ""};
    int rc = 0;
    if (h->exec[0] != '\0')
        rc = exec_open(&sink, rp->p->conf, folder, retry_ms, &err) < 0 ? cannot(rp->p, "exec", err.text)
                                                                       : add_way(rp, "exec", h->exec, SIZE_MAX, sink);
    if (rc == 0 && h->syslog.enabled)
        rc = syslog_open(&sink, rp->p->conf, folder, retry_ms, &err) < 0
                 ? cannot(rp->p, "syslog", err.text)
                 : add_way(rp, "syslog",
                           h->syslog.has_address ? addr_text(&h->syslog.address, address) : h->syslog.socket, SIZE_MAX,
                           sink);
    return rc;
}

/* The tables for a master agent, and who is notified directly. */
static int open_snmp(struct report_probe *rp, const char *folder, uint32_t retry_ms) {
    const struct conf *conf = rp->p->conf;
    const struct conf_snmp *snmp = &conf->health.snmp;
    char address[ADDR_TEXT_MAX];
    struct sink *sink;
    struct err err = {.text = ""};
    int rc = 0;
    if (snmp->agentx[0] != '\0')
        rc = snmp_agent_open(&sink, conf, folder, conf->health.interval.push_ms, &err) < 0
                 ? cannot(rp->p, "agentx", err.text)
                 : add_way(rp, "agentx", snmp->agentx, SIZE_MAX, sink);
    for (size_t i = 0; rc == 0 && i < snmp->traps.count && i < LIMIT_PEERS; i++)
        rc = snmp_trap_open(&sink, conf, &snmp->traps.at[i], folder, retry_ms, &err) < 0
                 ? cannot(rp->p, "snmp", err.text)
                 : add_way(rp, "snmp", addr_text(&snmp->traps.at[i], address), SIZE_MAX, sink);
    return rc;
}

static int open_sinks(struct report_probe *rp) {
    struct prober *p = rp->p;
    const struct conf_health *h = &p->conf->health;
    uint32_t retry_ms = h->interval.push_ms / 3;
    char address[ADDR_TEXT_MAX], folder[LIMIT_CONF_TEXT + 16];
    struct sink *sink;
    (void)snprintf(folder, sizeof folder, "%s/health", p->conf->node.state);
    struct err err = {.text = ""};
    int rc = 0;
    for (size_t i = 0; i < h->https_count && i < LIMIT_PEERS && rc == 0; i++)
        rc = https_open(&sink, p->conf, &h->https[i], folder, retry_ms, &err) < 0
                 ? cannot(p, "https", err.text)
                 : add_way(rp, "https", addr_text(&h->https[i].address, address), SIZE_MAX, sink);
    if (rc == 0 && h->sql.enabled)
        rc = sql_open(&sink, p->conf, folder, retry_ms, &err) < 0
                 ? cannot(p, "sql", err.text)
                 : add_way(rp, "sql", addr_text(&h->sql.address, address), SIZE_MAX, sink);
    if (rc == 0)
        rc = open_snmp(rp, folder, retry_ms);
    return rc < 0 ? rc : open_local(rp, folder, retry_ms);
}

int report_open(struct prober *p) {
    const struct conf_health *h = &p->conf->health;
    struct err err = {.text = ""};
    if (h->datagram_count + h->https_count == 0 && !h->sql.enabled && h->exec[0] == '\0' && !h->syslog.enabled &&
        h->snmp.agentx[0] == '\0' && h->snmp.traps.count == 0)
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
        return; /* then nothing was attached */
    for (size_t i = 0; i < p->report->ways; i++)
        sink_close(p->report->way[i].sink);
    sender_close(p->report->sender);
    free(p->report);
    event_list_unref(p->events);
    detail_unref(p->detail);
}

const struct sender *prober_sender(const struct prober *p) { return p->report != NULL ? p->report->sender : NULL; }

bool prober_wants_detail(const struct prober *p) { return p->report != NULL && p->report->sinks.count > 0; }

void prober_attach(struct prober *p, struct event_list *events, struct detail *detail) {
    if (p->report == NULL)
        return;
    if (events != NULL && events != p->events) {
        event_list_unref(p->events);
        p->events = event_list_ref(events);
    }
    if (detail != NULL && detail != p->detail) {
        detail_unref(p->detail);
        p->detail = detail_ref(detail);
    }
}

const struct sink_list *prober_sinks(const struct prober *p) { return p->report != NULL ? &p->report->sinks : NULL; }
