/* Remote blocklists asked through this node (resolver.guard): their test points, whether they refuse us, and the mark
 * on the board by which the resolver knows whom not to believe (resolver/iterate/guard.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/zone.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { GUARD_TRIES = 2, MARK_INTERVALS = 4, MARK_SLACK_MS = 2000 };

/* What a point's newest answer was. */
enum came { CAME_OTHER, CAME_RIGHT, CAME_REFUSED, CAME_WORLD, CAME_EMPTY, CAME_NOTHING };

struct guard_probe {
    struct task task;
    struct prober *p;
    const struct conf_guard *conf;
    size_t check[POINTS], index; /* index: of resolver.guard */
    enum came came[POINTS];
    struct name apex;
    struct ask_plan plan;
    int point;
    bool hurry;
};

static void guard_ask(struct guard_probe *g);

/* The resolver has judged what came (EDE 24: a refusal, or no address that a list may give), but for what is listed. */
static enum came came_of(int point, const struct ask_result *r, enum verdict_state s) {
    if (r->code != 0 || r->answer.stale)
        return CAME_NOTHING;
    if (s == VERDICT_PASS)
        return CAME_RIGHT;
    if (r->answer.a_count > 0)
        return point == POINT_UNLISTED ? CAME_WORLD : CAME_OTHER;
    if (r->answer.rcode == RCODE_SERVFAIL)
        return r->answer.ede == EDE_INVALID_DATA ? CAME_REFUSED : CAME_NOTHING;
    return point == POINT_LISTED ? CAME_EMPTY : CAME_OTHER;
}

/* The mark that the checks, with their fall and rise, and the last answers come to; what is on its way stays. */
static enum board_guard_mark mark_of(const struct guard_probe *g, enum board_guard_mark now) {
    const struct verdict_check *checks = g->p->book.checks;
    enum verdict_state listed = checks[g->check[POINT_LISTED]].settled;
    enum verdict_state unlisted = checks[g->check[POINT_UNLISTED]].settled;
    if (unlisted == VERDICT_FAIL && g->came[POINT_UNLISTED] == CAME_WORLD)
        return GUARD_MARK_WORLD;
    if (listed == VERDICT_PASS && unlisted == VERDICT_PASS)
        return GUARD_MARK_GOOD;
    if (listed != VERDICT_FAIL)
        return now;
    if (g->came[POINT_LISTED] == CAME_REFUSED)
        return GUARD_MARK_REFUSES;
    if (g->came[POINT_LISTED] == CAME_EMPTY)
        return GUARD_MARK_EMPTY;
    return g->came[POINT_LISTED] == CAME_NOTHING && g->came[POINT_UNLISTED] == CAME_NOTHING ? GUARD_MARK_SILENT : now;
}

static void guard_mark(struct guard_probe *g) {
    struct board *b = g->p->board;
    int64_t now_ms = clock_mono_ms();
    uint64_t old = board_get(&b->guard[g->index].mark);
    bool alive = (int64_t)board_get(&b->guard[g->index].until_ms) > now_ms && old < GUARD_MARKS;
    enum board_guard_mark was = alive ? (enum board_guard_mark)old : GUARD_MARK_NONE, mark = mark_of(g, was);
    if (mark != was) {
        bool good = mark == GUARD_MARK_GOOD || mark == GUARD_MARK_NONE;
        board_set(&b->guard[g->index].since_wall_s, (uint64_t)(clock_wall_ms() / 1000));
        board_add(&b->guard[g->index].changes, 1);
        LOG(good ? LEVEL_INFO : LEVEL_WARN, "remote list", KS("list", g->conf->name),
            KS("is", board_guard_mark_name(mark)), KS("was", board_guard_mark_name(was)));
    }
    board_set(&b->guard[g->index].mark, mark);
    board_set(&b->guard[g->index].until_ms,
              (uint64_t)now_ms + MARK_INTERVALS * (uint64_t)g->task.interval_ms + MARK_SLACK_MS);
}

static void guard_answer(void *ctx, const struct ask_result *r) {
    struct guard_probe *g = ctx;
    enum verdict_state s = VERDICT_FAIL;
    struct evidence e;
    ask_evidence(&e, &g->plan, r);
    if (strcmp(g->conf->name, g->conf->zone) != 0) /* the zone may hold a key */
        (void)snprintf(e.asked, sizeof(e.asked), "the test point of %.255s", g->conf->name);
    if (r->code != 0)
        ask_problem(e.came, sizeof(e.came), r);
    else if (r->answer.stale)
        text_copy(e.came, sizeof(e.came), "a stale answer: the list itself gives none");
    else if (r->answer.rcode == RCODE_SERVFAIL && r->answer.ede_text[0] != '\0')
        (void)snprintf(e.came, sizeof(e.came), "SERVFAIL: %s", r->answer.ede_text);
    else
        s = point_judge(g->point, &r->answer, &g->conf->refuse, e.came, sizeof(e.came));
    ask_tally(g->p, TALLY_POINT, &g->plan, r, s == VERDICT_PASS);
    g->came[g->point] = came_of(g->point, r, s);
    g->hurry |= r->code == E_AGAIN || prober_result(g->p, g->check[g->point], s, &e);
    if (++g->point == POINTS)
        guard_mark(g);
    guard_ask(g);
}

static void guard_ask(struct guard_probe *g) {
    bool more = g->point < POINTS && point_name(&g->plan.qname, g->conf->test, g->point, &g->apex) == 0;
    if (!more || ask_start(g->p, &g->plan, guard_answer, g) != 0)
        task_done(&g->task, g->hurry ? (int64_t)probe_hurry_ms(g->task.interval_ms) : -1);
}

static void guard_start(struct task *task) {
    struct guard_probe *g = CONTAINER_OF(task, struct guard_probe, task);
    g->point = 0;
    g->hurry = false;
    guard_ask(g);
}

static int plan_guard(struct prober *p, struct guard_probe *g, const struct conf_guard *conf) {
    uint32_t interval = p->conf->health.interval.upstream_ms, timeout = probe_timeout_ms(interval);
    static const char *const names[POINTS] = {"point_listed", "point_unlisted"};
    if (conf->test <= TEST_NONE)
        return verdict_add_off(&p->book, SCOPE_ZONES, "guard", "point", conf->name,
                               "no test point configured: whether the list still answers us is not known",
                               clock_wall_ms());
    for (int i = 0; i < POINTS; i++) {
        int check = verdict_add(&p->book, SCOPE_ZONES, "guard", names[i], conf->name, interval, false);
        if (check < 0)
            return check;
        g->check[i] = (size_t)check;
    }
    g->p = p;
    g->conf = conf;
    g->index = (size_t)(conf - p->conf->resolver.guard);
    g->plan = (struct ask_plan){.server = p->targets[0].addr,
                                .rd = true,
                                .nsid = true,
                                .far = true,
                                .qtype = TYPE_A,
                                .qclass = CLASS_IN,
                                .tries = GUARD_TRIES,
                                .hedge_ms = timeout,
                                .timeout_ms = timeout};
    p->tally.probe[TALLY_POINT][0][addr_family(&g->plan.server) == AF_INET6 ? FAMILY_V6 : FAMILY_V4].planned = true;
    int rc = name_from_text(&g->apex, conf->zone, NULL);
    return rc < 0 ? rc : prober_add(p, &g->task, guard_start, interval, false);
}

int guard_open(struct prober *p) {
    size_t count = p->target_count > 0 ? p->conf->resolver.guard_count : 0;
    p->guards = calloc(count > 0 ? count : 1, sizeof(*p->guards));
    int rc = p->guards == NULL ? E_NOMEM : 0;
    for (size_t i = 0; rc >= 0 && i < count; i++)
        rc = plan_guard(p, &p->guards[i], &p->conf->resolver.guard[i]);
    return rc < 0 ? rc : 0;
}

void guard_close(struct prober *p) { free(p->guards); }
