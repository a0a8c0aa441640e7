/* Do other nodes serve what this one holds? Their DNS ports are asked for SOAs: those of health.peers for every zone
 * that comes from or goes elsewhere, and secondaries of another make, whose DNS port is where NOTIFY goes. So what
 * candor-sync says, here or there, is never the only word on it. One zone of each node at a time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/zone.h"
#include "health/verdict/replica.h"
#include "resolver/base/clock.h"

enum { FAR_NODES = 2 * LIMIT_PEERS, FAR_TRIES = 2, FAR_HURRY_MS = 250 };

/* Of one zone at one node. */
struct far_zone {
    bool asked, serves; /* it answered with a serial */
    struct far_serial serial;
};

struct far_node {
    struct task task;
    struct prober *p;
    struct addr addr;
    char name[BOARD_PEER_MAX];
    bool peer;     /* of health.peers; else it is told of changes */
    bool once;     /* it was asked, and answered */
    size_t check;  /* SIZE_MAX: none yet */
    size_t at;     /* the zone under question */
    size_t turn;   /* the last that was asked in turn */
    bool again;    /* the last was asked out of turn, because it differed */
    unsigned mute; /* questions in a row without an answer */
    struct ask_plan plan;
    struct far_zone *zone; /* LIMIT_ZONES; calloc: pages that are not used take no room */
};

struct far_probe {
    struct far_node node[FAR_NODES];
    size_t count;
};

static bool goes_there(const struct conf_zone *z, const struct far_node *n) {
    for (size_t i = 0; i < z->notify.count; i++)
        if (z->notify.at[i].has_address && addr_same(&z->notify.at[i].address, &n->addr))
            return true;
    return false;
}

static bool is_shared(const struct far_node *n, size_t i) {
    const struct conf_zone *z = &n->p->conf->rbl.zones[i];
    const struct board_zone *b = &n->p->board->zone[i];
    bool replicated = z->primaries.count + z->notify.count + z->pair.count > 0 || board_get(&b->secondary) != 0;
    if (z->name[0] == '\0' || !replicated || conf_zone_is_global_acl(z) || board_get(&b->commits) == 0)
        return false;
    /* A Candor secondary's address for NOTIFY is its sync port: what it has is known from its own words. */
    return n->peer || (goes_there(z, n) && !replica_is_native(n->p, i, n->name));
}

/* The next one in turn; SIZE_MAX: there is none. */
static size_t next_in_turn(const struct far_node *n) {
    size_t count = n->p->conf->rbl.zone_count;
    count = count < LIMIT_ZONES ? count : LIMIT_ZONES;
    for (size_t i = 1; i <= count; i++)
        if (is_shared(n, (n->turn + i) % count))
            return (n->turn + i) % count;
    return SIZE_MAX;
}

/* Of those that differ the one that was not looked at for longest; SIZE_MAX: none differs. */
static size_t next_that_differs(const struct far_node *n) {
    size_t count = n->p->conf->rbl.zone_count, oldest = SIZE_MAX;
    for (size_t i = 0; i < count && i < LIMIT_ZONES; i++)
        if (n->zone[i].serial.differs && is_shared(n, i) &&
            (oldest == SIZE_MAX || n->zone[i].serial.seen_ms < n->zone[oldest].serial.seen_ms))
            oldest = i;
    return oldest;
}

/* One look may meet a commit that is still on its way, and the next in turn may come much later: between two turns one
 * that differs is looked at again. */
static size_t next_zone(struct far_node *n) {
    size_t next = n->again ? SIZE_MAX : next_that_differs(n);
    n->again = next != SIZE_MAX;
    if (!n->again && (next = next_in_turn(n)) != SIZE_MAX)
        n->turn = next;
    return next;
}

static enum verdict_state judge_node(const struct far_node *n, struct evidence *e) {
    const struct conf *c = n->p->conf;
    int64_t longest = -1, allowance = c->health.interval.zones_ms;
    size_t worst = SIZE_MAX, right = 0;
    for (size_t i = 0; i < c->rbl.zone_count && i < LIMIT_ZONES; i++) {
        const struct far_zone *z = &n->zone[i];
        if (!z->asked || !z->serves || !is_shared(n, i))
            continue;
        int64_t for_ms = far_serial_apart_ms(&z->serial);
        right += for_ms <= allowance;
        if (for_ms > allowance && for_ms > longest) {
            longest = for_ms;
            worst = i;
        }
    }
    if (worst == SIZE_MAX) {
        snprintf(e->came, sizeof(e->came), "serves %zu zone%s as this node does", right, right == 1 ? "" : "s");
        return right > 0 ? VERDICT_PASS : VERDICT_WARN;
    }
    char age[32];
    const struct far_serial *serial = &n->zone[worst].serial;
    snprintf(e->came, sizeof(e->came), "%.100s: serves serial %" PRIu32 ", here is %" PRIu32 ", for %s: %s is behind",
             c->rbl.zones[worst].name, serial->theirs, serial->ours, replica_age_text(age, longest),
             board_serial_newer(serial->ours, serial->theirs) ? "it" : "this node");
    return VERDICT_FAIL;
}

static void tell(struct far_node *n, enum verdict_state s, const struct evidence *e) {
    if (n->check == SIZE_MAX) {
        int at = verdict_add(&n->p->book, SCOPE_REPLICATION, "peer", "serial", n->name,
                             2 * n->p->conf->health.interval.local_ms, false);
        n->check = at < 0 ? SIZE_MAX : (size_t)at;
    }
    if (n->check != SIZE_MAX)
        (void)prober_result(n->p, n->check, s, e);
}

static void far_answer(void *ctx, const struct ask_result *r) {
    struct far_node *n = ctx;
    struct far_zone *z = &n->zone[n->at];
    struct evidence e;
    ask_evidence(&e, &n->plan, r);
    if (r->code == E_AGAIN) {
        task_done(&n->task, FAR_HURRY_MS);
        return;
    }
    n->mute = r->code != 0 ? n->mute + 1 : 0;
    n->once |= r->code == 0;
    if (r->code == 0) {
        z->asked = true;
        z->serves = r->answer.rcode == RCODE_NOERROR && r->answer.soa && (r->answer.header.flags & FLAG_AA) != 0;
        if (z->serves)
            far_serial_look(&z->serial, r->answer.serial, (uint32_t)board_get(&n->p->board->zone[n->at].serial),
                            clock_mono_ms());
    }
    enum verdict_state s = VERDICT_FAIL;
    if (r->code != 0)
        ask_problem(e.came, sizeof(e.came), r);
    else
        s = judge_node(n, &e);
    if (r->code == 0 && !z->serves && s != VERDICT_FAIL && n->peer) {
        char rcode[16];
        snprintf(e.came, sizeof(e.came), "%s: it does not serve %.150s", dns_rcode_text(r->answer.rcode, rcode),
                 n->p->conf->rbl.zones[n->at].name);
        s = VERDICT_WARN;
    }
    /* Whom NOTIFY goes to may keep us from asking: then nothing is said, its answers to NOTIFY must do. */
    if (n->peer || n->once)
        if (s != VERDICT_WARN || n->peer)
            tell(n, s, &e);
    int64_t soon = next_that_differs(n) != SIZE_MAX ? (int64_t)n->task.interval_ms / 2 : -1;
    task_done(&n->task, n->mute == 1 ? FAR_HURRY_MS : soon);
}

static void far_start(struct task *task) {
    struct far_node *n = CONTAINER_OF(task, struct far_node, task);
    size_t next = next_zone(n);
    if (next != SIZE_MAX)
        n->at = next;
    if (next == SIZE_MAX && n->check != SIZE_MAX) {
        verdict_drop(&n->p->book, n->check);
        n->check = SIZE_MAX;
    }
    if (next == SIZE_MAX || name_from_text(&n->plan.qname, n->p->conf->rbl.zones[next].name, NULL) < 0 ||
        ask_start(n->p, &n->plan, far_answer, n) != 0)
        task_done(task, -1);
}

static int add_node(struct prober *p, const struct addr *addr, const char *name, bool peer) {
    struct far_probe *f = p->far;
    uint32_t local = p->conf->health.interval.local_ms;
    for (size_t i = 0; i < f->count; i++)
        if (addr_same(&f->node[i].addr, addr))
            return 0;
    if (f->count == FAR_NODES)
        return 0;
    struct far_node *n = &f->node[f->count];
    n->zone = calloc(LIMIT_ZONES, sizeof(*n->zone));
    if (n->zone == NULL)
        return E_NOMEM;
    f->count++;
    n->p = p;
    n->addr = *addr;
    n->peer = peer;
    n->check = SIZE_MAX;
    text_copy(n->name, sizeof(n->name), name);
    n->plan = (struct ask_plan){.server = *addr,
                                .far = true,
                                .nsid = true,
                                .qtype = TYPE_SOA,
                                .qclass = CLASS_IN,
                                .tries = FAR_TRIES,
                                .hedge_ms = probe_timeout_ms(local) / 2,
                                .timeout_ms = probe_timeout_ms(local)};
    return prober_add(p, &n->task, far_start, local, false);
}

int far_open(struct prober *p) {
    const struct conf *c = p->conf;
    char name[BOARD_PEER_MAX];
    p->far = calloc(1, sizeof(*p->far));
    if (p->far == NULL)
        return E_NOMEM;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->health.peer_count; i++)
        if (addr_family(&c->health.peers[i].resolver) != 0)
            rc = add_node(p, &c->health.peers[i].resolver, c->health.peers[i].name, true);
    for (size_t i = 0; rc == 0 && i < c->rbl.zone_count; i++)
        for (size_t k = 0; rc == 0 && k < c->rbl.zones[i].notify.count; k++) {
            const struct conf_peer_rule *to = &c->rbl.zones[i].notify.at[k];
            if (to->has_address)
                rc = add_node(p, &to->address, board_link_peer(c, &to->address, name), false);
        }
    return rc;
}

void far_close(struct prober *p) {
    for (size_t i = 0; p->far != NULL && i < p->far->count; i++)
        free(p->far->node[i].zone);
    free(p->far);
}
