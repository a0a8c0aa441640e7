/* The board: one shared page on which every process of a node writes down how it is, and which readers never lock.
 *
 * It is a file in `run` (candor.board), mapped by all four programs. Each slot has exactly one writer, named below.
 * Numbers are 64-bit atomics written with board_set()/board_add() and read with board_get(), relaxed: a reader sees
 * each number whole, not a snapshot of several. Texts and groups that must agree stand between board_open_text() and
 * board_close_text() (a sequence lock: the writer never waits, a reader retries a bounded number of times).
 *
 * Slots outlive their process: a successor goes on counting where its predecessor was killed, so that counters never
 * run backwards within a boot of the node. Nothing on the board is believed blindly: it may be written by a process
 * that is about to crash, so readers bound every index and length. A heartbeat proves that a loop turned, not that the
 * node answers: only a probe proves that (health.md). */
#ifndef CANDOR_BASE_BOARD_H
#define CANDOR_BASE_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/board_link.h"
#include "resolver/base/board_worker.h"
#include "resolver/base/err.h"
#include "resolver/base/limits.h"

enum { BOARD_VERSION = 10 };

enum board_role { ROLE_SUPERVISOR, ROLE_RESOLVER, ROLE_SYNC, ROLE_HEALTH, ROLE_COUNT };

enum { BOARD_STARTS = 16, BOARD_OWN_LABELS = 16 };

/* One process. Writer: that process; `restart_*`, `starts` and `start_wall_s`: the supervisor; `heal_*`:
 * candor-health. */
struct board_process {
    board_word boot; /* random, new at each start; 0: never started */
    board_word pid;
    board_word started_wall_s;
    board_word heartbeat_ms; /* CLOCK_MONOTONIC, written each BOARD_TICK_MS by the loop itself */
    board_word loop_lag_us;  /* how late the last tick came */
    board_word loop_lag_max_us;
    board_word starts; /* how often the supervisor started it */
    board_word restarts_died, restarts_hung;
    board_word heal_boot, heal_at_ms;      /* "end the process with this boot id": judged hung from outside */
    board_word ready;                      /* the process's own word; health: /readyz passes */
    board_word start_wall_s[BOARD_STARTS]; /* ring: start n (from 0) stands at n % BOARD_STARTS; 0: none */
    /* The thread pool of the process (libuv's): a canary is given to it each second and must come back. 0: it has no
     * pool, or has not used it yet. */
    board_word pool_asked_ms; /* CLOCK_MONOTONIC: when the canary that is under way was given; 0: none is */
    board_word pool_beat_ms;  /* when the last one came back, or while it waits, other work of the pool */
    board_word pool_lag_us;   /* how long that one took */
    board_word fd_errors;     /* EMFILE and ENFILE, wherever they were met */
};

enum { BOARD_TICK_MS = 250 };

/* What the test points of a remote list say of it. */
enum board_guard_mark {
    GUARD_MARK_NONE, /* not known, or no test points configured */
    GUARD_MARK_GOOD,
    GUARD_MARK_REFUSES, /* it answers that we may not ask */
    GUARD_MARK_WORLD,   /* it lists what no list may: everything, as it seems */
    GUARD_MARK_EMPTY,   /* it does not have what every list has */
    GUARD_MARK_SILENT,  /* it does not answer */
    GUARD_MARKS
};

struct board {
    char magic[8];
    board_word version, size;
    board_word node_boot; /* new when the supervisor makes the board */
    board_word worker_count, zone_count;
    struct board_process process[ROLE_COUNT];
    struct board_worker worker[LIMIT_WORKERS];
    struct board_asked asked[LIMIT_ZONES];
    struct board_zone zone[LIMIT_ZONES];
    struct board_sync sync;
    /* Random labels that candor-health asks for, so that one that comes back from outside is known (a forwarding
     * loop): hash of the first label, 0: none. Writer of `hash` and `asked`: candor-health; `seen` all workers. */
    struct {
        board_word hash, asked, seen;
    } own_label[BOARD_OWN_LABELS];
    /* When `candor run` was started lately, from a file in `state`: a ring as in board_process. Writer: supervisor. */
    board_word node_starts, node_start_wall_s[BOARD_STARTS];
    /* Whether this node offers itself to clients (drain.h). Writer: candor-health. */
    board_word drain_state, drain_since_ms, drain_changes,
        drain_until_ms; /* what is said counts until then (CLOCK_MONOTONIC) */
    /* What candor-health came to when it last judged (CLOCK_MONOTONIC): enum verdict_state of the node, and the scope
     * that decides. Its heartbeat says that its loop turns, this that it judges. */
    board_word verdict_at_ms, verdict_state, verdict_scope;
    /* The answer cache, as the resolver's first worker measures it step by step (cache_measure). `identity`: of its
     * file, 0: memory alone; `size`: octets, 0: nobody has said so yet. Writer: that worker. */
    struct {
        board_word identity, size, answers, failures, rrsets, ended, octets;
    } cache;
    /* Remote lists (resolver.guard, by index). `mark`: enum board_guard_mark, believed until `until_ms`
     * (CLOCK_MONOTONIC); `changes`: how often it became another one. Writer: candor-health. */
    struct {
        board_word mark, until_ms, changes, since_wall_s;
    } guard[LIMIT_GUARDS];
    board_word members_epoch; /* candor-sync has written another list of catalog members (conf_members.h) */
    board_word remote_epoch;  /* and another configuration of node.remote.catalog (conf_remote.h) */
    struct board_link link[LIMIT_LINKS];
};

/* Maps `run`/candor.board for reading and writing, making it (0640) when it is missing or of another version or size.
 * A board of another size is replaced by rename: who has the old one mapped keeps a valid page. */
int board_attach(struct board **b, const char *run, struct err *err) MUST_USE;
/* Maps it read-only; E_NOTFOUND when there is none, E_CORRUPT when it is not one. */
int board_watch(const struct board **b, const char *run, struct err *err) MUST_USE;
void board_detach(const struct board *b);

static inline uint64_t board_get(const board_word *w) { return __atomic_load_n(w, __ATOMIC_RELAXED); }
static inline void board_set(board_word *w, uint64_t v) { __atomic_store_n(w, v, __ATOMIC_RELAXED); }
/* Only the slot's one writer may add: a load and a store, no locked instruction. */
static inline void board_add(board_word *w, uint64_t v) { board_set(w, board_get(w) + v); }

/* Where several processes add to one word. */
static inline void board_add_shared(board_word *w, uint64_t v) { __atomic_fetch_add(w, v, __ATOMIC_RELAXED); }

/* Claims a role for this process: boot id, pid, start time, first heartbeat. */
void board_claim(struct board_process *p);
/* One tick of a loop that meant to tick at `due_ms` (CLOCK_MONOTONIC): heartbeat and lag. */
void board_tick(struct board_process *p, int64_t due_ms);

void board_zone_open(struct board_zone *z);  /* writer: texts are about to change */
void board_zone_close(struct board_zone *z); /* writer: they have */
/* A consistent copy of the whole slot; false when the writer died half-way (the copy is then what could be read, texts
 * closed). */
bool board_zone_read(const struct board_zone *z, struct board_zone *copy);

/* The same for links (board_link.h). */
void board_link_open(struct board_link *k);
void board_link_close(struct board_link *k);
bool board_link_read(const struct board_link *k, struct board_link *copy);

/* "world"; never NULL. */
const char *board_guard_mark_name(uint64_t mark);

/* Index of the latency bucket for a duration. */
unsigned board_latency_bucket(uint64_t us);

#endif
