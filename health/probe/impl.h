/* Between the files of this room: the prober, its tasks, and how a task asks.
 *
 * A task is a probe that comes back: started when due, one at a time, ended by task_done(), which sets when next. All
 * of it lives on one loop. Results go into the book by prober_judge_*(); nothing here renders or serves anything. */
#ifndef CANDOR_PROBE_IMPL_H
#define CANDOR_PROBE_IMPL_H

#include "health/probe/ask.h"
#include "health/probe/heal.h"
#include "health/probe/prober.h"
#include "health/system/sample.h"
#include "resolver/base/conf_members.h"
#include "resolver/net/exchange.h"
#include "resolver/net/loop.h"

enum {
    PROBE_TICK_MS = 50,
    PROBE_TIMEOUT_MS = 2000, /* of a try; at most three tenths of the interval: two bad results fit into two */
    PROBE_TIMEOUT_MIN_MS = 100,
    PROBE_LATE_MS = 1000,      /* own lag beyond which this process doubts itself; at most a local try */
    PROBE_START_MS = 60000,    /* until /readyz passed first, at most this long, local probes come each ... */
    PROBE_START_TICK_MS = 250, /* ... */
    PROBE_GRACE_MS = 10000,    /* a node that starts is unknown rather than failed, at most this long */
    PROBE_SAMPLE_MS = 1000,    /* board and /proc are looked at this often */
    PROBE_HEARTBEAT_MS = 3000, /* older: bad; never more than three fifths of the local interval, nor less than ... */
    PROBE_HEARTBEAT_MIN_MS = 1000,
    PROBE_PERSIST_MS = 5000, /* a serial that is not the committed one is bad when it stays so long */
    PROBE_TRIES_MAX = 4,     /* per question */
    PROBE_FAR_IN_FLIGHT = LIMIT_PROBES_IN_FLIGHT / 2, /* of zones and upstreams: the rest is for local probes */
    PROBE_TARGETS_MAX = 2 * LIMIT_LISTEN,
};

struct task {
    struct prober *p;
    void (*start)(struct task *t);
    uint32_t interval_ms;
    bool starting, running; /* starting: hurried until the node is ready first */
    int64_t due_ms;
    uint64_t run, ended; /* prober.runs when it was started last, and when what ended last was started */
};

/* A DNS address of this node. */
struct target {
    struct addr addr; /* the any-address replaced by loopback */
    char text[ADDR_TEXT_MAX];
    size_t udp_check, tcp_check;
};

/* Of an address among resolver.listen: it is there, or loopback of an any-address; an any-address covers it; neither.
 */
enum target_kind { TARGET_LISTENED, TARGET_COVERED, TARGET_ELSEWHERE };

/* A process as the board and the kernel have it. */
struct vital {
    uint64_t boot, pid, heartbeat_ms;
    int64_t age_ms;
    char state; /* of the process, '\0': gone */
};

struct prober {
    struct loop *loop;
    const struct conf *conf;
    struct board *board;
    prober_judged judged;
    void *ctx;
    struct verdict_book book;
    struct tally_set tally;
    struct loop_timer *timer;
    int64_t started_ms, judged_ms, tick_due_ms, late_at_ms; /* late_at: when this loop was last seen to be late */
    int64_t lateness_ms;                                    /* sum over all ticks */
    uint32_t late_ms;                                       /* own lag beyond which this process doubts itself */
    bool was_ready;
    uint64_t runs; /* how often all was to be asked at once */
    struct task **tasks;
    size_t task_count, task_cap;
    struct target targets[PROBE_TARGETS_MAX];
    size_t target_count;
    struct sys_sample *sample;                /* of /proc, each local interval (machine.c) */
    int64_t worker_slowest_us[LIMIT_WORKERS]; /* answers to probes since load.c last looked */
    uint64_t worker_silent;                   /* bit: said nothing in the last round, where others answered */
    struct heal_ration heal_ration;
    /* asks */
    struct ask *asks;                        /* all, also the waiting */
    struct ask *wait_head[2], *wait_tail[2]; /* [far] */
    unsigned in_flight, far_in_flight;
    unsigned more_in_flight; /* that a monitor of many nodes may have besides, all of them far */
    /* owned by the files named so */
    struct process_probe *process;
    struct machine_probe *machine;
    struct load_probe *load;
    struct starts_probe *starts;
    struct pool_probe *pool;
    struct stray_probe *stray;
    struct round *round;
    struct tcp_probe *tcp;
    struct dot_probe *dot;
    struct secure_trusts *trusts;
    struct zone_probe *zones;
    struct zone_sampler *sampler;
    size_t zone_count;
    struct conf_members *members; /* NULL: none may come */
    uint64_t members_epoch;
    struct canary *canaries;
    struct large_probe *large;
    struct loop_probe *loop_probe;
    unsigned own_label_next;
    struct clock_probe *clock;
    struct stuck_probe *stuck;
    struct signed_probe *signed_probe;
    struct lived_probe *lived;
    size_t canary_count;
    struct authorities *authorities;
    struct guard_probe *guards;
    struct storage *storage;
    struct replica_probe *replica;
    struct far_probe *far;
    struct catalog_probe *catalogs;
    struct config_probe *config; /* NULL: no options come from a catalog */
    struct report_probe *report;
    struct event_list *events; /* and the detail: what prober_attach gave last; NULL: nothing yet */
    struct detail *detail;
    struct monitor_probe *monitor;
    struct alert_probe *alert;
    struct peer_probe *peers; /* NULL: none are configured */
};

/* prober.c */
/* Deadlines and pauses shrink with the interval, so that the ratio of time to tick stays. */
uint32_t probe_timeout_ms(uint32_t interval_ms); /* of one try */
uint32_t probe_hedge_ms(uint32_t interval_ms);   /* local: a second try starts while the first still waits */
uint32_t probe_hurry_ms(uint32_t interval_ms);   /* a check on its way to another state is asked again this soon */
int prober_add(struct prober *p, struct task *t, void (*start)(struct task *), uint32_t interval_ms, bool starting);
/* Ends a run: the next one after the interval less some jitter, or after hurry_ms when that is not negative. */
void task_done(struct task *t, int64_t hurry_ms);
/* How late this process's ticks came, summed up since it started. */
int64_t prober_lateness(const struct prober *p);
/* Whether so much of the time since a question was asked was lost to this process itself (and, as it was the machine's
 * doing most likely, to others) that less than half a try is left: silence is held against nobody then. */
bool prober_starved(const struct prober *p, int64_t since_ms, int64_t lateness_then_ms, uint32_t timeout_ms);
/* Whether it was late since `since_ms`: what is looked at on the board now may be as late. */
bool prober_late(const struct prober *p, int64_t since_ms);
/* The answer of somebody else into the book: true when the check is on its way to another state. */
bool prober_result(struct prober *p, size_t check, enum verdict_state s, const struct evidence *e);
/* The same for what is proof alone, and no suspicion that wants a second look: settles at once. */
void prober_proof(struct prober *p, size_t check, enum verdict_state s, const struct evidence *e);
unsigned prober_workers(const struct prober *p);

#include "health/probe/parts.h"

#endif
