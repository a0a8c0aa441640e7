/* Is what was committed what is served? For each zone: its SOA, of as many workers as fresh ports meet, against the
 * board; and its test points. A round comes twice an interval, so that a fault and its confirmation fit into one; the
 * points are asked in every second round, and in the first after a commit. */
#include "health/probe/zone.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "resolver/base/clock.h"

enum {
    ASKS_PER_ROUND = 2000, /* over all zones: keeps a node with a thousand of them at a trickle */
    ASKS_MIN = 2,
    ASKS_PER_WORKER = 4,
    ZONE_TRIES = 3,
    SAMPLE_ZONES = 128, /* with more, the board is looked at only each local interval */
    COMMIT_SETTLE_MS = 1000,
};

enum phase { PHASE_SERIAL, PHASE_LISTED, PHASE_UNLISTED, PHASE_END };

struct zone_probe {
    struct task task;
    struct prober *p;
    const struct conf_zone *conf;
    size_t index, data_check, serial_check, point_check[POINTS];
    struct name apex;
    uint64_t commits;                             /* as of the last look */
    int64_t points_due_ms;                        /* when the points are to be asked again */
    struct serial_watch watch[LIMIT_WORKERS + 1]; /* the last: who does not say which worker it is */
    /* of the round under way */
    struct ask_plan plan;
    enum phase phase;
    unsigned asked, quota, behind;
    uint64_t seen;
    uint32_t serial;
    bool hurry, judged, bad, points;
    struct evidence evidence;
    /* zones come and go */
    bool there, has_task, has_points; /* there: a zone of ours is at this place */
    size_t checks[4], check_count;
};

struct zone_sampler {
    struct task task;
    struct prober *p;
};

static void zone_ask(struct zone_probe *z);

static bool has_acl(const struct zone_probe *z) {
    const struct conf *c = z->p->conf;
    for (size_t i = 0; i < z->conf->data_count; i++)
        if (z->conf->data[i].type == DATASET_ACL)
            return true;
    for (size_t i = 0; i < c->rbl.zone_count; i++)
        if (conf_zone_is_global_acl(&c->rbl.zones[i]))
            return true;
    return false;
}

/* We ask from an address of our own, and who may ask is the owner's to say: why that is no fault, or NULL. An access
 * list can also say nothing at all; that the workers do not answer others either is scope worker's to see. */
static const char *kept_out(const struct zone_probe *z, const struct ask_result *r) {
    const struct conf_list_prefix *allow = &z->conf->allow;
    bool refused = r->code == 0 && r->answer.rcode == RCODE_REFUSED;
    if (refused && allow->count > 0 && !prefix_list_has(allow->at, allow->count, &r->local))
        return "REFUSED: our own questions are refused by the zone's access list (allow)";
    if (refused && has_acl(z))
        return "REFUSED: our own questions are refused by the zone's acl; what it serves to others is not seen from "
               "here";
    if (r->code == E_TIMEOUT && has_acl(z))
        return "no answer: our own questions are ignored by the zone's acl, unless the workers are silent (listen:udp)";
    return NULL;
}

static void judge(struct zone_probe *z, size_t check, enum verdict_state s) {
    if (!z->there)
        return; /* it went while it was asked */
    z->hurry |= prober_result(z->p, check, s, &z->evidence);
}

/* Looks at one SOA. True: it is bad, and z->evidence says why. */
static bool serial_is_bad(struct zone_probe *z, const struct ask_result *r) {
    struct board_zone board;
    struct err err = {0};
    unsigned worker = LIMIT_WORKERS;
    char *came = z->evidence.came;
    size_t size = sizeof(z->evidence.came);
    if (r->code != 0 || r->answer.rcode != RCODE_NOERROR || !r->answer.soa) {
        ask_problem(came, size, r);
        return true;
    }
    if (!(r->answer.header.flags & FLAG_AA)) {
        text_copy(came, size, "an SOA without AA: this zone is not served from its own data");
        return true;
    }
    unsigned workers = prober_workers(z->p);
    if (nsid_judge(r->answer.nsid, z->p->conf->node.name, z->p->board, workers, &worker, &err) == 0)
        z->seen |= UINT64_C(1) << worker;
    if (!zone_data_read(z->p->board, z->index, z->conf->name, &board))
        return false;
    z->serial = r->answer.serial;
    uint32_t committed = (uint32_t)board.serial, persist = z->task.interval_ms / 3;
    persist = persist < PROBE_PERSIST_MS ? persist : PROBE_PERSIST_MS;
    enum serial_verdict v = serial_look(&z->watch[worker], r->answer.serial, committed, clock_mono_ms(), persist);
    z->behind += v == SERIAL_BEHIND;
    snprintf(came, size, "worker %u serves serial %" PRIu32 ", committed is %" PRIu32, worker, r->answer.serial,
             committed);
    return v == SERIAL_WRONG;
}

static bool serial_wants_more(const struct zone_probe *z) {
    unsigned workers = prober_workers(z->p);
    uint64_t all = workers >= 64 ? UINT64_MAX : (UINT64_C(1) << workers) - 1;
    return z->asked < z->quota && z->seen != all;
}

static void serial_end(struct zone_probe *z) {
    z->phase = PHASE_LISTED;
    if (z->judged && z->behind == 0 && !z->bad)
        snprintf(z->evidence.came, sizeof(z->evidence.came), "serial %" PRIu32 " from %d of %u workers, as committed",
                 z->serial, __builtin_popcountll(z->seen), prober_workers(z->p));
    if (z->judged && z->behind == 0)
        judge(z, z->serial_check, z->bad ? VERDICT_FAIL : VERDICT_PASS);
    z->hurry |= z->behind > 0;
}

static void serial_answer(struct zone_probe *z, const struct ask_result *r) {
    z->asked++;
    if (r->code == E_AGAIN) {
        z->hurry = true;
        serial_end(z);
        return;
    }
    z->judged = true;
    ask_evidence(&z->evidence, &z->plan, r);
    if (kept_out(z, r) != NULL) {
        text_copy(z->evidence.came, sizeof(z->evidence.came), kept_out(z, r));
        judge(z, z->serial_check, VERDICT_WARN);
        z->phase = PHASE_LISTED;
        return;
    }
    z->bad = serial_is_bad(z, r);
    ask_tally(z->p, TALLY_SERIAL, &z->plan, r, !z->bad);
    if (z->bad)
        z->behind = 0;
    if (z->bad || !serial_wants_more(z))
        serial_end(z);
}

static void point_answer(struct zone_probe *z, const struct ask_result *r) {
    int point = z->phase == PHASE_LISTED ? POINT_LISTED : POINT_UNLISTED;
    enum verdict_state s = VERDICT_FAIL;
    z->phase++;
    z->hurry |= r->code == E_AGAIN;
    if (r->code == E_AGAIN)
        return;
    ask_evidence(&z->evidence, &z->plan, r);
    if (r->code != 0)
        ask_problem(z->evidence.came, sizeof(z->evidence.came), r);
    else
        s = point_judge(point, &r->answer, NULL, z->evidence.came, sizeof(z->evidence.came));
    if (kept_out(z, r) != NULL) {
        text_copy(z->evidence.came, sizeof(z->evidence.came), kept_out(z, r));
        s = VERDICT_WARN;
    }
    ask_tally(z->p, TALLY_POINT, &z->plan, r, s == VERDICT_PASS);
    judge(z, z->point_check[point], s);
}

static void zone_answer(void *ctx, const struct ask_result *r) {
    struct zone_probe *z = ctx;
    if (z->phase == PHASE_SERIAL)
        serial_answer(z, r);
    else
        point_answer(z, r);
    zone_ask(z);
}

static bool next_question(struct zone_probe *z) {
    z->plan.qtype = TYPE_SOA;
    z->plan.qname = z->apex;
    if (z->phase == PHASE_SERIAL)
        return true;
    z->plan.qtype = TYPE_A;
    for (; z->points && z->has_points && z->phase < PHASE_END; z->phase++) {
        int point = z->phase == PHASE_LISTED ? POINT_LISTED : POINT_UNLISTED;
        if (point_name(&z->plan.qname, z->conf->test, point, &z->apex) == 0)
            return true;
    }
    return false;
}

static void round_end(struct zone_probe *z) {
    if (z->points)
        z->points_due_ms = z->hurry ? 0 : clock_mono_ms() + (int64_t)z->task.interval_ms * 3 / 2;
    task_done(&z->task, z->hurry ? (int64_t)probe_hurry_ms(z->task.interval_ms) : -1);
}

static void zone_ask(struct zone_probe *z) {
    if (!z->there || !next_question(z) || ask_start(z->p, &z->plan, zone_answer, z) != 0)
        round_end(z);
}

/* No data: the board's check says so. A zone that this version never fills is warn throughout. */
static void zone_without_data(struct zone_probe *z) {
    if (zone_data_judge(z->conf, NULL, clock_wall_s(), &z->evidence) == VERDICT_WARN) {
        judge(z, z->serial_check, VERDICT_WARN);
        for (int i = 0; i < POINTS; i++)
            if (z->has_points)
                judge(z, z->point_check[i], VERDICT_WARN);
    }
    task_done(&z->task, -1);
}

static void zone_start(struct task *task) {
    struct zone_probe *z = CONTAINER_OF(task, struct zone_probe, task);
    struct board_zone board;
    if (!z->there) {
        task_done(task, -1);
        return;
    }
    z->phase = PHASE_SERIAL;
    z->plan.server = *target_best(z->p);
    z->asked = z->behind = 0;
    z->seen = 0;
    z->hurry = z->judged = z->bad = false;
    z->points = clock_mono_ms() >= z->points_due_ms;
    z->quota = (unsigned)(ASKS_PER_ROUND / (z->p->zone_count > 0 ? z->p->zone_count : 1));
    unsigned most = ASKS_PER_WORKER * prober_workers(z->p);
    z->quota = z->quota < ASKS_MIN ? ASKS_MIN : z->quota > most ? most : z->quota;
    if (!zone_data_read(z->p->board, z->index, z->conf->name, &board) || !zone_data_there(&board))
        zone_without_data(z);
    else
        zone_ask(z);
}

/* The board, all zones at once; a commit makes the zone's next round come soon. */
static void sampler_start(struct task *task) {
    struct zone_sampler *s = CONTAINER_OF(task, struct zone_sampler, task);
    struct prober *p = s->p;
    int64_t now = clock_mono_ms(), wall_s = clock_wall_s();
    bool hurry = false;
    for (size_t i = 0; i < p->conf->rbl.zone_count; i++) {
        struct zone_probe *z = &p->zones[i];
        struct board_zone board;
        struct evidence e;
        if (!z->there)
            continue;
        bool there = zone_data_read(p->board, z->index, z->conf->name, &board);
        enum verdict_state state = zone_data_judge(z->conf, there ? &board : NULL, wall_s, &e);
        e.wall_ms = clock_wall_ms(); /* whole seconds make evidence look older than it is */
        hurry |= prober_result(p, z->data_check, state, &e);
        if (there && board.commits != z->commits)
            z->points_due_ms = 0;
        if (there && board.commits != z->commits && z->task.due_ms > now + COMMIT_SETTLE_MS)
            z->task.due_ms = now + (z->commits == 0 ? 0 : COMMIT_SETTLE_MS);
        z->commits = there ? board.commits : z->commits;
    }
    task_done(task, hurry ? PROBE_SAMPLE_MS / 2 : -1);
}

static int add_check(struct zone_probe *z, const char *measurement, uint32_t interval_ms, bool readiness, size_t *at) {
    int check = verdict_add(&z->p->book, SCOPE_ZONES, "zone", measurement, z->conf->name, interval_ms, readiness);
    if (check < 0)
        return check;
    *at = z->checks[z->check_count++] = (size_t)check;
    return 0;
}

static int add_points(struct zone_probe *z, uint32_t interval) {
    z->has_points = z->conf->test > TEST_NONE;
    if (!z->has_points) {
        int check = verdict_add_off(&z->p->book, SCOPE_ZONES, "zone", "point", z->conf->name,
                                    "no test point configured: whether the zone lists what it should is not known",
                                    clock_wall_ms());
        if (check >= 0)
            z->checks[z->check_count++] = (size_t)check;
        return check < 0 ? check : 0;
    }
    int rc = add_check(z, "point_listed", interval, false, &z->point_check[POINT_LISTED]);
    return rc == 0 ? add_check(z, "point_unlisted", interval, false, &z->point_check[POINT_UNLISTED]) : rc;
}

/* One that comes while the node runs does not make it unready. */
static int plan_zone(struct prober *p, struct zone_probe *z, size_t i, bool readiness) {
    uint32_t interval = p->conf->health.interval.zones_ms, local = p->conf->health.interval.local_ms;
    bool had_task = z->has_task;
    struct task task = z->task;
    *z = (struct zone_probe){
        .task = task, .has_task = had_task, .p = p, .index = i, .conf = &p->conf->rbl.zones[i], .there = true};
    z->plan = (struct ask_plan){.server = p->targets[0].addr,
                                .nsid = true,
                                .far = true,
                                .qclass = CLASS_IN,
                                .tries = ZONE_TRIES,
                                .hedge_ms = probe_timeout_ms(local) / 4,
                                .timeout_ms = probe_timeout_ms(local)};
    p->zone_count++;
    int rc = name_from_text(&z->apex, z->conf->name, NULL);
    if (rc == 0)
        rc = add_check(z, "data", local, readiness, &z->data_check);
    if (rc == 0 && !conf_zone_is_served(z->conf))
        return 0; /* nobody can ask for it */
    if (rc == 0)
        rc = add_check(z, "serial", interval, readiness, &z->serial_check); /* seen served, not only committed */
    if (rc == 0)
        rc = add_points(z, interval);
    z->task.due_ms = clock_mono_ms();
    if (rc < 0 || z->has_task)
        return rc;
    z->has_task = true;
    return prober_add(p, &z->task, zone_start, interval / 2, true);
}

static void forget_zone(struct prober *p, struct zone_probe *z) {
    for (size_t i = 0; i < z->check_count; i++)
        verdict_drop(&p->book, z->checks[i]);
    z->check_count = 0;
    z->there = false;
    p->zone_count--;
}

void zone_changed(struct prober *p, size_t place) {
    struct zone_probe *z = &p->zones[place];
    const struct conf_zone *conf = &p->conf->rbl.zones[place];
    struct name apex;
    if (p->target_count == 0)
        return;
    bool same = z->there && name_from_text(&apex, conf->name, NULL) == 0 && name_equal(&apex, &z->apex);
    if (same && conf->name[0] != '\0' && z->has_points == (conf->test > TEST_NONE))
        return; /* other options of the same zone */
    if (z->there)
        forget_zone(p, z);
    if (conf->name[0] != '\0' && plan_zone(p, z, place, false) < 0)
        forget_zone(p, z);
}

static size_t places(const struct conf *c) {
    size_t count = c->rbl.zone_places > c->rbl.zone_count ? c->rbl.zone_places : c->rbl.zone_count;
    return count < LIMIT_ZONES ? count : LIMIT_ZONES;
}

int zone_open(struct prober *p) {
    const struct conf *c = p->conf;
    struct zone_sampler *s = p->sampler = calloc(1, sizeof(*s));
    size_t count = c->rbl.zone_count < LIMIT_ZONES ? c->rbl.zone_count : LIMIT_ZONES, cap = places(c);
    p->zones = calloc(cap > 0 ? cap : 1, sizeof(*p->zones));
    if (s == NULL || p->zones == NULL)
        return E_NOMEM;
    if (p->target_count == 0 || cap == 0)
        return 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (c->rbl.zones[i].name[0] != '\0')
            rc = plan_zone(p, &p->zones[i], i, true);
    for (size_t i = 0; i < p->target_count && count > 0; i++) {
        int v6 = addr_family(&p->targets[i].addr) == AF_INET6 ? FAMILY_V6 : FAMILY_V4;
        p->tally.probe[TALLY_SERIAL][0][v6].planned = p->tally.probe[TALLY_POINT][0][v6].planned = true;
    }
    uint32_t local = c->health.interval.local_ms;
    s->p = p;
    bool often = count <= SAMPLE_ZONES && local > PROBE_SAMPLE_MS;
    return rc < 0 ? rc : prober_add(p, &s->task, sampler_start, often ? PROBE_SAMPLE_MS : local, true);
}

void zone_close(struct prober *p) {
    free(p->zones);
    free(p->sampler);
}
