/* A zone that comes from primaries, what is known of each of them, and all of them together. */
#ifndef CANDOR_SECONDARY_ZONE_H
#define CANDOR_SECONDARY_ZONE_H

#include "rbl/secondary/inbound.h"
#include "rbl/secondary/schedule.h"

/* A native question that may be held */
struct run {
    struct sec_primary *primary;
    struct question *question;
    struct inbound *receiving;
    bool held;       /* it is the one that pushes */
    bool heard;      /* something believed came */
    bool snapshot;   /* asked for one */
    unsigned behind; /* beats that knew more than came */
    int64_t asked_ms;
};
enum make { MAKE_UNKNOWN, MAKE_CANDOR, MAKE_OTHER };
struct sec_primary {
    struct sec_zone *zone;
    unsigned index;
    struct conf_peer_rule rule; /* its texts are ours */
    char name[BOARD_PEER_MAX];
    struct peer *peer;
    struct board_link *link;
    enum make make;
    bool no_edns;
    bool no_ixfr;            /* it does not know IXFR, or its differences do not fit what we have */
    uint32_t no_ixfr_serial; /* while it has this one */
    bool collects;           /* its zone has a ZONEMD: all RRs of a whole one are kept until it is checked */
    unsigned native_failed, out_of_step, not_kept, run_failures;
    uint32_t native_serial; /* it spoke of when that happened */
    bool ack_again;         /* something was committed while it was being asked */
    struct question *check;
    int64_t check_sent_wall_ms, check_sent_ms;
    struct run *run;
    int64_t run_after_ms;
    struct native_state state; /* the last one believed */
    bool state_known;
    bool went_back;
    uint32_t most; /* the newest serial it ever said; told: */
    bool most_known;
    unsigned differs; /* same serial, other digest: times seen */
    uint64_t differs_digest;
    bool diverged;
    unsigned heals; /* whole zones taken because of that */
    int64_t heal_after_ms;
    int64_t offset_ms;
    bool offset_known;
    char said[ERR_TEXT_MAX];
    int64_t said_ms;
};
struct sec_zone {
    struct secondary *in;
    int index;
    const struct conf_zone *conf;
    struct name apex;
    struct board_zone *slot; /* NULL: no board */
    bool ready;              /* the keeper has opened it */
    unsigned turn;
    struct schedule s;
    struct sec_primary primary[SCHEDULE_PRIMARIES];
    struct inbound *first, *last;
    unsigned inbounds;
    struct inbound *parked; /* a snapshot that was cut off: goes on at its end */
    int64_t parked_until_ms;
    bool snapshot_wanted;
    struct native_state fresh;
    bool fresh_known;
    uint32_t epoch;
    int64_t checked_wall_ms; /* 0: never */
};
struct secondary {
    struct replicate_config c;
    struct loop_timer *timer;
    struct sec_zone *zone[LIMIT_ZONES];
    struct peer *peers;
    struct {
        char *ca;
        struct tls_context *context;
    } tls[LIMIT_PEERS];
    unsigned tls_count;
    unsigned full;    /* transfers of whole zones under way */
    unsigned working; /* on the pool or with the keeper */
    bool closing;
    bool kept_changed, kept_writing, kept_failed;
    int64_t kept_written_ms, last_wall_ms; /* wall clock less the loop's, when last looked */
    struct kept_zone *kept;                /* as the last run left it */
    size_t kept_count;
    uint8_t message[LIMIT_MESSAGE];
};

#endif
