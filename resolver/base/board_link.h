/* The board's slots of replication (board.h has the rules): one zone and one other node, in one direction. Writer:
 * candor-sync. */
#ifndef CANDOR_BASE_BOARD_LINK_H
#define CANDOR_BASE_BOARD_LINK_H

#include <stdbool.h>

#include "resolver/base/board_zone.h"

enum { LIMIT_LINKS = 2048, BOARD_PEER_MAX = 80, BOARD_PATH_MAX = 256 };

/* LINK_FROM: a primary that the zone comes from; LINK_TO: a secondary that it goes to; LINK_BESIDE: a peer that holds
 * the same zone and is compared with (pairs, health.peers). */
enum board_link_way { LINK_FREE, LINK_FROM, LINK_TO, LINK_BESIDE };
enum board_link_state { LINK_UNKNOWN, LINK_OK, LINK_BEHIND, LINK_UNREACHABLE, LINK_DENIED, LINK_BROKEN };
enum board_transfer { TRANSFER_AXFR, TRANSFER_IXFR, TRANSFER_NATIVE, TRANSFER_SNAPSHOT, TRANSFER_KINDS };
enum board_transfer_result { TRANSFER_OK, TRANSFER_FAILED, TRANSFER_REFUSED /* by our guards */, TRANSFER_RESULTS };
/* Why what came was not taken. */
enum board_reject {
    REJECT_GUARD,
    REJECT_DIGEST,
    REJECT_FORMAT,
    REJECT_SERIAL,
    REJECT_LOOP,
    REJECT_EPOCH,
    REJECT_COUNT
};

struct board_link {
    board_word seq;      /* odd: being written; guards texts and digest */
    board_word way;      /* enum board_link_way; LINK_FREE: this and all behind it are not in use */
    board_word zone;     /* index; LIMIT_ZONES: the link is nobody's now, or stands for those that found no slot */
    board_word zone_tag; /* of the zone's name: a successor knows its own links by it */
    char peer[BOARD_PEER_MAX];
    char node[BOARD_PEER_MAX];  /* its name for itself; "": another make, or not heard yet */
    char path[BOARD_PATH_MAX];  /* from the source to it: "a > b" */
    char error[BOARD_TEXT_MAX]; /* of the last try; "": it went well */
    uint8_t digest[16];
    board_word digest_known, state;  /* enum board_link_state */
    board_word serial, serial_known; /* what it has */
    board_word commit, epoch;
    board_word heard_wall_ms; /* last message that was believed */
    board_word tried_wall_ms;
    board_word failing_since_wall_ms; /* 0: the last try went well */
    board_word stamp_wall_ms;         /* its heartbeat of the source */
    board_word clock_offset_ms;       /* two's complement: its clock less ours, path delay taken out as far as known */
    board_word clock_known;
    board_word native, held, tls;     /* speaks the native option; a question is held open now; over TLS */
    board_word queue_commits;         /* LINK_TO: commits it has not said to have */
    board_word oldest_queued_wall_ms; /* when the oldest of them was committed; 0: none */
    board_word notify_sent, notify_answered, notify_unanswered;
    board_word transfers[TRANSFER_KINDS][TRANSFER_RESULTS];
    board_word transfer_us, transfer_bytes; /* of the last one */
    board_word transfer_sum_us;             /* of all */
    board_word bytes_in, bytes_out;
    board_word applied; /* changesets or versions committed from here */
    board_word rejected[REJECT_COUNT];
    board_word tsig_failures[BOARD_TSIG_COUNT]; /* TSIG errors that it sent us or that we found in its messages */
    board_word serial_regressions;
    board_word checks, checks_failed; /* SOA questions */
    board_word last_check_wall_ms;    /* the last one that was answered rightly */
};

/* What a link comes to beside the zone that it is about, both as they were read. LINK_OK becomes LINK_BEHIND when one
 * of the two has a newer serial than the other; evidence older than `within_ms` makes LINK_UNKNOWN of it. */
enum board_link_state board_link_judge(const struct board_link *k, const struct board_zone *z, int64_t now_wall_ms,
                                       int64_t within_ms);
/* What a node at this address is called on links: its name under health.peers, or else ADDRESS@PORT (ADDRESS when the
 * port is 0). */
struct conf;
struct addr;
const char *board_link_peer(const struct conf *conf, const struct addr *a, char to[BOARD_PEER_MAX]);
/* RFC 1982: whether a is newer than b; never both ways. */
static inline bool board_serial_newer(uint64_t a, uint64_t b) { return (int32_t)((uint32_t)a - (uint32_t)b) > 0; }

/* Upper bounds in milliseconds of board_zone.propagation; the last bucket has none. */
extern const uint32_t board_propagation_ms[BOARD_PROPAGATION - 1];
/* A change that was committed at its source `ms` ago has been committed here. */
void board_zone_propagated(struct board_zone *z, int64_t ms);

#endif
