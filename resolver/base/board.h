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
#include "resolver/base/err.h"
#include "resolver/base/limits.h"

enum { BOARD_VERSION = 4, BOARD_LATENCY_BUCKETS = 16 };

enum board_role { ROLE_SUPERVISOR, ROLE_RESOLVER, ROLE_SYNC, ROLE_HEALTH, ROLE_COUNT };

/* One process. Writer: that process; `restart_*` and `starts`: the supervisor; `heal_*`: candor-health. */
struct board_process {
    board_word boot; /* random, new at each start; 0: never started */
    board_word pid;
    board_word started_wall_s;
    board_word heartbeat_ms; /* CLOCK_MONOTONIC, written each BOARD_TICK_MS by the loop itself */
    board_word loop_lag_us;  /* how late the last tick came */
    board_word loop_lag_max_us;
    board_word starts; /* how often the supervisor started it */
    board_word restarts_died, restarts_hung;
    board_word heal_boot, heal_at_ms; /* "end the process with this boot id": judged hung from outside */
    board_word ready;                 /* the process's own word; health: /readyz passes */
};

enum { BOARD_TICK_MS = 250 };

enum board_proto { PROTO_UDP, PROTO_TCP, PROTO_TLS, PROTO_COUNT };
enum board_family { FAMILY_V4, FAMILY_V6, FAMILY_COUNT };
enum board_source { SOURCE_ZONE, SOURCE_CACHE, SOURCE_STALE, SOURCE_UPSTREAM, SOURCE_LOCAL, SOURCE_COUNT };
enum board_drop { DROP_MALFORMED, DROP_RESPONSE, DROP_ACL, DROP_FULL, DROP_SEND, DROP_COUNT };
enum board_upstream_result {
    UPSTREAM_OK,
    UPSTREAM_TIMEOUT,
    UPSTREAM_ERROR_RCODE,
    UPSTREAM_MISMATCH,
    UPSTREAM_NETWORK,
    UPSTREAM_RESULT_COUNT
};
enum { BOARD_RCODES = 24 };

/* Upper bounds of the latency buckets in microseconds; the last bucket has no bound. */
extern const uint32_t board_latency_us[BOARD_LATENCY_BUCKETS - 1];

/* One worker of the resolver. Writer: that worker; `restarts_*`: the resolver's parent. */
struct board_worker {
    board_word boot, pid, heartbeat_ms;
    board_word loop_lag_us, loop_lag_max_us;
    board_word loop_lag[BOARD_LATENCY_BUCKETS];
    board_word loop_idle_ns, loop_busy_ns;
    board_word restarts_died, restarts_hung;
    board_word queries[PROTO_COUNT][FAMILY_COUNT];
    board_word responses[SOURCE_COUNT][BOARD_RCODES];
    board_word latency[SOURCE_COUNT][BOARD_LATENCY_BUCKETS];
    board_word latency_sum_us[SOURCE_COUNT];
    board_word drops[DROP_COUNT];
    board_word truncated;
    board_word cache_hits, cache_misses, cache_stores;
    board_word in_flight, tcp_connections;
    board_word socket_drops, receive_queue_bytes; /* SO_RXQ_OVFL; bytes waiting when last looked */
    board_word last_zone_generation_ms;
    struct {
        board_word queries[2][UPSTREAM_RESULT_COUNT];              /* [0] UDP, [1] TCP; indexed by result */
        board_word latency[BOARD_LATENCY_BUCKETS], latency_sum_us; /* answered only */
        board_word last_success_wall_s;
    } upstream[LIMIT_UPSTREAMS]; /* index: conf_upstream() order */
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
    board_word members_epoch; /* candor-sync has written another list of catalog members (conf_members.h) */
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

/* Index of the latency bucket for a duration. */
unsigned board_latency_bucket(uint64_t us);

#endif
