/* This monitor tells people: the machine of alerts is fed from the book, and its news go to those who are to know. Who
 * of them hears it is judged, too. */
#include <stdio.h>
#include <stdlib.h>

#include "health/alert/memory.h"
#include "health/probe/alert.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum {
    LOOK_MIN_MS = 100, /* a look is a fifth of the wait, within these bounds */
    LOOK_MAX_MS = 1000,
    PAST_MS = 10000, /* what held before is waited for so long: the disk may hang */
    FRESH_MS = 5000, /* words are renewed this often while something holds */
    HOLD_WAITS = 2
};

struct alert_way {
    char address[ADDR_TEXT_MAX];
    size_t check, certificate; /* certificate SIZE_MAX: it shows none */
    int64_t trouble_ms;        /* since; INT64_MIN: there is none */
};

struct alert_probe {
    struct task task;
    struct prober *p;
    struct alerts *machine; /* NULL: nobody is told anything */
    struct courier *keeper;
    struct memory *memory;
    size_t memory_check;
    bool memory_read;
    bool begun; /* the past is known, or was given up */
    int64_t opened_ms, looked_ms, listed_ms;
    struct receiver_list list;
    struct alert_way way[3 * LIMIT_PEERS + 1]; /* one for each of the list */
    struct dead_men *dead_men;
};

static bool begin(struct alert_probe *a, int64_t now) {
    struct alert_list *past = NULL;
    if (a->begun)
        return true;
    a->memory_read = a->memory != NULL && memory_past(a->memory, &past);
    if (a->memory != NULL && !a->memory_read && now - a->opened_ms < PAST_MS)
        return false;
    if (past != NULL)
        alerts_restore(a->machine, past);
    alert_list_unref(past);
    a->begun = true;
    return true;
}

static void offer(struct alert_probe *a, int64_t now) {
    struct alert_list *l = alerts_list(a->machine);
    if (l == NULL)
        return; /* the next look will do */
    if (a->keeper != NULL)
        courier_offer(a->keeper, l);
    for (size_t i = 0; i < a->list.count; i++)
        courier_offer(a->list.at[i].courier, l);
    alert_list_unref(l);
    a->listed_ms = now;
}

static void follow_machine(struct alert_probe *a, const struct alert_look *look, int64_t now) {
    size_t firing = 0;
    if (a->machine == NULL || !begin(a, now))
        return;
    bool news = alert_tell(a->p, a->machine, look, now, clock_wall_ms());
    for (int k = 0; k < ALERT_KINDS; k++)
        firing += a->list.firing[k] = alerts_firing(a->machine, (enum alert_kind)k);
    if (news || a->listed_ms == INT64_MIN || (firing > 0 && now - a->listed_ms >= FRESH_MS))
        offer(a, now);
}

/* How long it has been in trouble, or 0. What takes long is no trouble before it has taken too long. */
static int64_t trouble_ms(struct alert_probe *a, size_t i, const struct courier_news *n, int64_t now) {
    struct alert_way *w = &a->way[i];
    bool bad = n->trouble[0] != '\0' || n->waiting > 0 || n->busy_since_mono_ms != 0;
    if (!bad)
        w->trouble_ms = INT64_MIN;
    else if (w->trouble_ms == INT64_MIN)
        w->trouble_ms = now;
    return bad ? now - w->trouble_ms : 0;
}

static void way_judge(struct alert_probe *a, size_t i, int64_t for_ms, bool others, int64_t now) {
    struct alert_way *w = &a->way[i];
    const struct courier_news *n = courier_news(a->list.at[i].courier);
    struct evidence e = {.wall_ms = clock_wall_ms(), .value = (double)n->waiting, .unit = "alerts"};
    enum verdict_state s = VERDICT_PASS;
    (void)snprintf(e.asked, sizeof e.asked, "alerts by %s to %s", a->list.at[i].kind, w->address);
    text_copy(e.server, sizeof e.server, w->address);
    if (for_ms > 2 * (int64_t)a->p->conf->health.interval.push_ms) {
        (void)snprintf(e.came, sizeof e.came, "not told for %lld s (%.120s), %zu wait; %s hears of alerts",
                       (long long)for_ms / 1000, n->trouble[0] != '\0' ? n->trouble : "a try is under way", n->waiting,
                       others ? "another one" : "nobody");
        s = others ? VERDICT_WARN : VERDICT_FAIL;
    } else if (n->reached_mono_ms == 0 || n->trouble[0] != '\0') {
        (void)snprintf(e.came, sizeof e.came, "not reached yet%s%.160s", n->trouble[0] != '\0' ? ": " : "", n->trouble);
        s = VERDICT_WARN;
    } else {
        (void)snprintf(e.came, sizeof e.came, "reached %lld s ago; told of %llu alerts so far",
                       (long long)(now - n->reached_mono_ms) / 1000, (unsigned long long)n->alerts);
    }
    (void)prober_result(a->p, w->check, s, &e);
    if (w->certificate != SIZE_MAX)
        certificate_judge(a->p, w->certificate, w->address, n->not_after_wall_s);
}

/* What is told is told all the same; after a restart it would be told anew. */
static void judge_memory(struct alert_probe *a) {
    const struct courier_news *n = a->keeper != NULL ? courier_news(a->keeper) : NULL;
    struct evidence e = {.wall_ms = clock_wall_ms(), .asked = "health/alerts.json below node.state"};
    bool well = n != NULL && n->trouble[0] == '\0' && a->memory_read;
    (void)snprintf(e.came, sizeof e.came, "%s%.160s",
                   well              ? "what holds is kept over restarts"
                   : !a->memory_read ? "it could not be read in time: what held may be told anew"
                                     : "what holds is not kept over restarts: ",
                   n != NULL ? n->trouble : "no thread");
    (void)prober_result(a->p, a->memory_check, well ? VERDICT_PASS : VERDICT_WARN, &e);
}

static void judge_ways(struct alert_probe *a, int64_t now) {
    int64_t for_ms[ARRAY_SIZE(a->way)] = {0};
    size_t well = 0;
    for (size_t i = 0; i < a->list.count; i++) {
        const struct courier_news *n = courier_news(a->list.at[i].courier);
        for_ms[i] = trouble_ms(a, i, n, now);
        well += for_ms[i] == 0 && n->reached_mono_ms != 0;
    }
    for (size_t i = 0; i < a->list.count; i++)
        way_judge(a, i, for_ms[i], well > 0, now);
    if (a->begun)
        judge_memory(a);
}

static void alert_start(struct task *task) {
    struct alert_probe *a = CONTAINER_OF(task, struct alert_probe, task);
    int64_t now = clock_mono_ms();
    struct alert_look look;
    alert_look(a->p, now, &look);
    dead_men_look(a->dead_men, &look, now);
    if (!prober_late(a->p, a->looked_ms)) { /* what was not taken in yet is nobody's silence */
        follow_machine(a, &look, now);
        judge_ways(a, now);
    }
    a->looked_ms = now;
    task_done(task, -1);
}

/* One that cannot even be begun is said so and holds up no other. */
static int add_way(struct alert_probe *a, const char *kind, const char *address, bool tls, int rc, struct courier *c,
                   const struct err *err) {
    struct prober *p = a->p;
    uint32_t push_ms = p->conf->health.interval.push_ms;
    if (rc < 0) {
        LOG(LEVEL_ERROR, "alerts cannot be told", KS("by", kind), KS("why", err->text));
        rc = verdict_add_off(&p->book, SCOPE_REPORTING, "alert", kind, address, err->text, clock_wall_ms());
        return rc < 0 ? rc : 0;
    }
    struct alert_way *w = &a->way[a->list.count];
    *w = (struct alert_way){.certificate = SIZE_MAX, .trouble_ms = INT64_MIN};
    text_copy(w->address, sizeof w->address, address);
    a->list.at[a->list.count].kind = kind;
    a->list.at[a->list.count].address = w->address;
    a->list.at[a->list.count++].courier = c;
    rc = verdict_add(&p->book, SCOPE_REPORTING, "alert", kind, w->address, push_ms, false);
    w->check = rc < 0 ? 0 : (size_t)rc;
    if (rc < 0 || !tls)
        return rc < 0 ? rc : 0;
    rc = verdict_add(&p->book, SCOPE_REPORTING, "alert", "certificate", w->address, push_ms, false);
    w->certificate = rc < 0 ? SIZE_MAX : (size_t)rc;
    return rc < 0 ? rc : 0;
}

static int open_ways(struct alert_probe *a, const struct receiver_plan *plan) {
    const struct conf_alert *to = &a->p->conf->health.monitor.alert;
    char address[ADDR_TEXT_MAX];
    struct err err = {.text = ""};
    struct courier *c;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < to->alertmanager_count && i < LIMIT_PEERS; i++) {
        const struct conf_sink *at = &to->alertmanager[i];
        rc = manager_open(&c, plan, at, &err);
        rc = add_way(a, "alertmanager", addr_text(&at->address, address), at->tls_name[0] != '\0', rc, c, &err);
    }
    for (size_t i = 0; rc == 0 && i < to->webhook_count && i < LIMIT_PEERS; i++) {
        const struct conf_sink *at = &to->webhook[i];
        rc = webhook_open(&c, plan, at, &err);
        rc = add_way(a, "webhook", addr_text(&at->address, address), at->tls_name[0] != '\0', rc, c, &err);
    }
    for (size_t i = 0; rc == 0 && i < to->smtp_count && i < LIMIT_PEERS; i++) {
        const struct conf_smtp *at = &to->smtp[i];
        rc = mail_open(&c, plan, at, &err);
        rc = add_way(a, "smtp", addr_text(&at->address, address), at->tls_name[0] != '\0', rc, c, &err);
    }
    if (rc == 0 && to->exec[0] != '\0') {
        rc = command_open(&c, plan, to->exec, &err);
        rc = add_way(a, "exec", to->exec, false, rc, c, &err);
    }
    return rc;
}

static int open_machine(struct alert_probe *a) {
    const struct conf_health *h = &a->p->conf->health;
    const struct conf_alert *to = &h->monitor.alert;
    uint32_t waits = HOLD_WAITS * to->wait_ms, push = h->interval.push_ms;
    const struct alert_plan plan = {.monitor = a->p->conf->node.name,
                                    .wait_ms = to->wait_ms,
                                    .hold_ms = waits > push ? waits : push,
                                    .doubt_ms = push + push / 2,
                                    .settle_ms = (waits > push ? waits : push) + push / 2,
                                    .again_ms = to->again_s * 1000};
    char folder[LIMIT_CONF_TEXT + 16], address[ADDR_TEXT_MAX];
    struct receiver_plan receivers = {.folder = folder, .monitor = a->p->conf->node.name};
    struct err err = {.text = ""};
    if (to->alertmanager_count + to->webhook_count + to->smtp_count == 0 && to->exec[0] == '\0')
        return 0;
    (void)snprintf(folder, sizeof folder, "%s/health", a->p->conf->node.state);
    if (h->listen.count > 0) {
        const struct addr *at = &h->listen.at[0];
        bool v6 = addr_family(at) == AF_INET6;
        (void)snprintf(receivers.page, sizeof receivers.page, "http://%s%s%s:%u/", v6 ? "[" : "",
                       addr_host_text(at, address), v6 ? "]" : "", addr_port(at));
    }
    int rc = alerts_open(&a->machine, &plan, &err);
    if (rc == 0 && memory_open(&a->keeper, &a->memory, folder, &err) < 0)
        LOG(LEVEL_ERROR, "what is told is not kept over restarts", KS("why", err.text));
    int check = verdict_add(&a->p->book, SCOPE_REPORTING, "alert", "memory", "", push, false);
    a->memory_check = check < 0 ? 0 : (size_t)check;
    if (rc == 0 && check < 0)
        rc = check;
    return rc < 0 ? rc : open_ways(a, &receivers);
}

int alert_open(struct prober *p) {
    const struct conf_alert *to = &p->conf->health.monitor.alert;
    if (!p->conf->health.monitor.enabled)
        return 0;
    struct alert_probe *a = p->alert = calloc(1, sizeof(*a));
    if (a == NULL)
        return E_NOMEM;
    a->p = p;
    a->opened_ms = a->looked_ms = clock_mono_ms();
    a->listed_ms = INT64_MIN;
    int rc = open_machine(a);
    if (rc == 0)
        rc = dead_men_open(&a->dead_men, p, &a->list);
    uint32_t look_ms = to->wait_ms / 5;
    look_ms = look_ms < LOOK_MIN_MS ? LOOK_MIN_MS : look_ms > LOOK_MAX_MS ? LOOK_MAX_MS : look_ms;
    return rc < 0 || (a->machine == NULL && a->dead_men == NULL) ? rc
                                                                 : prober_add(p, &a->task, alert_start, look_ms, false);
}

void alert_close(struct prober *p) {
    if (p->alert == NULL)
        return;
    dead_men_close(p->alert->dead_men);
    for (size_t i = 0; i < p->alert->list.count; i++)
        courier_close(p->alert->list.at[i].courier);
    courier_close(p->alert->keeper);
    alerts_close(p->alert->machine);
    free(p->alert);
}

size_t alert_checks(const struct conf *c) {
    const struct conf_alert *to = &c->health.monitor.alert;
    return 2 * (to->alertmanager_count + to->webhook_count + to->smtp_count + 1 + c->health.monitor.dead_man_count);
}

const struct receiver_list *prober_receivers(const struct prober *p) {
    return p->alert != NULL ? &p->alert->list : NULL;
}
