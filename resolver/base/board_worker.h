/* The board's slot of a worker of the resolver, and what is counted there (board.h). */
#ifndef CANDOR_BASE_BOARD_WORKER_H
#define CANDOR_BASE_BOARD_WORKER_H

#include "resolver/base/board_zone.h"
#include "resolver/base/limits.h"

enum { BOARD_LATENCY_BUCKETS = 16, BOARD_CLIENTS = 64 };

enum board_proto { PROTO_UDP, PROTO_TCP, PROTO_TLS, PROTO_COUNT };
enum board_family { FAMILY_V4, FAMILY_V6, FAMILY_COUNT };
enum board_source { SOURCE_ZONE, SOURCE_CACHE, SOURCE_STALE, SOURCE_UPSTREAM, SOURCE_LOCAL, SOURCE_COUNT };
enum board_drop { DROP_MALFORMED, DROP_RESPONSE, DROP_ACL, DROP_FULL, DROP_SEND, DROP_RATE, DROP_FAIR, DROP_COUNT };
enum board_upstream_result {
    UPSTREAM_OK,
    UPSTREAM_TIMEOUT,
    UPSTREAM_ERROR_RCODE,
    UPSTREAM_MISMATCH,
    UPSTREAM_NETWORK,
    UPSTREAM_RESULT_COUNT
};
enum { BOARD_RCODES = 24 };
/* Why the answer of a remote list did not go to a client as it came, or as a listing (iterate/guard.h). */
enum board_withheld {
    WITHHELD_REFUSED, /* the list says that this node may not ask */
    WITHHELD_OUTSIDE, /* it answers with an address outside 127.0.0.0/8 */
    WITHHELD_WORLD,   /* it is marked as listing the world */
    WITHHELD_SILENT,  /* it is marked as silent, and the cache has nothing */
    WITHHELD_LATE,    /* no answer in time for its client */
    WITHHELD_COUNT
};

/* Upper bounds of the latency buckets in microseconds; the last bucket has no bound. */
extern const uint32_t board_latency_us[BOARD_LATENCY_BUCKETS - 1];

/* What clients of some prefixes live through: prefixes (IPv4 /24, IPv6 /56) are hashed with a key of this boot into
 * BOARD_CLIENTS places, so that nobody's address stands anywhere and "a part of the clients gets no answers" is seen
 * all the same. */
struct board_client {
    board_word queries;  /* taken in */
    board_word answered; /* of those, with anything but SERVFAIL */
    board_word failed;   /* SERVFAIL */
    board_word latency[BOARD_LATENCY_BUCKETS];
};

/* One worker of the resolver. Writer: that worker; `restarts_*`: the resolver's parent; `heal_boot`:
 * candor-health. */
struct board_worker {
    board_word boot, pid, heartbeat_ms;
    board_word loop_lag_us, loop_lag_max_us;
    board_word loop_lag[BOARD_LATENCY_BUCKETS];
    board_word loop_idle_ns, loop_busy_ns;
    board_word restarts_died, restarts_hung;
    board_word heal_boot; /* "end the worker with this boot id": its loop turns and it answers nothing */
    board_word queries[PROTO_COUNT][FAMILY_COUNT];
    board_word responses[SOURCE_COUNT][BOARD_RCODES];
    board_word latency[SOURCE_COUNT][BOARD_LATENCY_BUCKETS];
    board_word latency_sum_us[SOURCE_COUNT];
    board_word drops[DROP_COUNT];
    board_word truncated;
    board_word slipped;        /* of those, in place of an answer beyond the rate limit */
    board_word fair_turns;     /* turns of the loop that left questions waiting: who asks too much is held back */
    board_word pending_spared; /* questions that were not asked upstream since their client had its share */
    board_word fair_hit_ns, fair_miss_ns; /* measured cost of a question, answered at once and asked upstream */
    board_word tap_frames, tap_drops;     /* dnstap: given to its thread, lost since the queue was full */
    board_word cache_hits, cache_misses, cache_stores;
    board_word cache_refreshes; /* questions asked anew before, or after, their answer ended */
    board_word private_dropped; /* RRs with private addresses, taken out of answers from outside */
    board_word in_flight, tcp_connections;
    board_word socket_drops, receive_queue_bytes; /* SO_RXQ_OVFL; bytes waiting when last looked */
    board_word last_zone_generation_ms;
    board_word fd_errors;                /* EMFILE and ENFILE */
    board_word certificate_until_wall_s; /* of the certificate that it shows who asks over TLS; 0: it has none */
    struct board_client client[BOARD_CLIENTS];
    board_word guard[LIMIT_GUARDS][WITHHELD_COUNT]; /* index: resolver.guard */
    struct {
        board_word queries[2][UPSTREAM_RESULT_COUNT];              /* [0] UDP, [1] TCP; indexed by result */
        board_word latency[BOARD_LATENCY_BUCKETS], latency_sum_us; /* answered only */
        board_word last_success_wall_s;
    } upstream[LIMIT_UPSTREAMS]; /* index: conf_upstream() order */
};

#endif
