/* What the probes have been through, counted: by kind of probe, protocol and address family. Written by the thread that
 * judges, read by the one that renders, which is the same. */
#ifndef CANDOR_VERDICT_TALLY_H
#define CANDOR_VERDICT_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/board.h"

enum tally_probe {
    TALLY_WORKER,       /* the node's own name, on each address that it listens on */
    TALLY_SERIAL,       /* SOA of a zone */
    TALLY_POINT,        /* RFC 5782 test points of a zone */
    TALLY_CACHED,       /* a name that is in the cache */
    TALLY_UNCACHED,     /* a random name, through the node */
    TALLY_NXDOMAIN,     /* a random name that does not exist */
    TALLY_UPSTREAM,     /* a random name, asked of a forwarder directly */
    TALLY_AUTHORITY,    /* a root server, or one of a stub zone, asked directly */
    TALLY_CANARY_WRITE, /* a file written and synced in `state` */
    TALLY_LARGE,        /* answers of 512, 1,232 and 4,096 octets */
    TALLY_SIGNED,       /* a name whose signatures are right */
    TALLY_BOGUS,        /* one whose are wrong */
    TALLY_PROBES
};
enum tally_result {
    TALLY_PASS,
    TALLY_FAIL,    /* an answer, but not the right one */
    TALLY_TIMEOUT, /* no answer */
    TALLY_VOID,    /* this process was late itself: counts for nobody */
    TALLY_RESULTS
};

struct tally {
    bool planned; /* the configuration has such probes: shown from the start */
    bool success; /* of the newest that was not void */
    uint64_t runs[TALLY_RESULTS];
    uint64_t duration[BOARD_LATENCY_BUCKETS], duration_sum_us; /* answered only */
    uint64_t consecutive_failures;
    int64_t last_success_wall_ms;
};

enum tally_proto { TALLY_UDP, TALLY_TCP, TALLY_TLS, TALLY_PROTOS };

/* The prober's account of itself. Index of `probe`: [probe][proto][family]. */
struct tally_set {
    struct tally probe[TALLY_PROBES][TALLY_PROTOS][FAMILY_COUNT];
    int64_t worker_answer_wall_ms[LIMIT_WORKERS]; /* when a probe last had an answer from it; 0: never */
    uint64_t mismatches;                          /* packets that were not the answer to what was asked */
    uint64_t late;                                /* times that this process's own loop was late */
    uint64_t heals;                               /* times that it asked for a process to be ended */
    uint64_t report_sequence;                     /* of the last report to the monitors; 0: none yet */
    uint64_t clock_jumps[2];                      /* of the wall clock: back, ahead */
    bool clock_offset_known;                      /* other nodes have told their time */
    int64_t clock_offset_ms;                      /* ours less the middle one of theirs */
    bool disk_known;
    uint64_t disk_free_bytes, disk_free_inodes; /* where `state` is */
    uint64_t run_free_bytes, run_free_inodes;   /* where `run` is */
};

void tally_add(struct tally *t, enum tally_result r, int64_t took_us, int64_t wall_ms);
const char *tally_probe_name(enum tally_probe p);
const char *tally_result_name(enum tally_result r);

#endif
