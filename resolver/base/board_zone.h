/* The board's slots of zones (board.h has the rules): what candor-sync says of each, and what the workers were asked.
 */
#ifndef CANDOR_BASE_BOARD_ZONE_H
#define CANDOR_BASE_BOARD_ZONE_H

#include <stdint.h>

typedef uint64_t board_word; /* only through board_get, board_set, board_add, board_add_shared */

enum { BOARD_NAME_MAX = 256, BOARD_TEXT_MAX = 256, BOARD_PROPAGATION = 16 };

/* ZONE_UNSTORED: what is there is served, the newest did not fit on the disk or into the map. ZONE_ERROR: what is there
 * is damaged, or cannot be opened. */
enum board_zone_state {
    ZONE_LOADING,
    ZONE_OK,
    ZONE_REFUSED,
    ZONE_BAD_SOURCE,
    ZONE_EXPIRED,
    ZONE_ERROR,
    ZONE_UNSTORED,
    ZONE_STATES
};

/* One zone, at its index in the configuration. Writer: candor-sync. */
struct board_zone {
    board_word seq; /* odd: being written; guards the texts and the digest */
    char name[BOARD_NAME_MAX];
    char generation[32];        /* name of the live generation's directory */
    char error[BOARD_TEXT_MAX]; /* why the last attempt was refused; "" when the last one went well */
    uint8_t digest[16];
    board_word state;   /* enum board_zone_state */
    board_word commits; /* changes with every commit: a worker looks here once a batch */
    board_word serial, entries;
    board_word last_check_wall_s, last_change_wall_s, last_success_wall_s;
    board_word refused;                 /* commits refused so far */
    board_word bad_lines;               /* lines skipped in the live generation */
    board_word commit_bytes, commit_us; /* of the last commit */
    board_word added, removed;          /* by the last commit */
    board_word map_bytes, used_bytes, readers, readers_max, oldest_reader_txns, stale_readers_cleared, write_errors;
    board_word expires_wall_s; /* 0: never */
    /* changes by hand and UPDATE: jobs, not entries */
    board_word changes_done, change_groups; /* acknowledged, and the commits that held them */
    board_word changes_refused;             /* by a guard */
    board_word changes_failed;              /* their own prerequisites or contents */
    board_word changes_lost;                /* the disk, the map, or too much at once */
    board_word change_done_wall_s, change_refused_wall_s;
    board_word local_entries;               /* that no file has */
    board_word expire_next_wall_s, expired; /* entries that go by themselves: the next, and gone so far */
    board_word compactions, compaction_us;  /* so far; the last one */
    char change_error[BOARD_TEXT_MAX];      /* what the guard said to the last change; "": it let it pass */
    char waiting[BOARD_TEXT_MAX];           /* a source that has changed and is not whole yet; "": none */
    /* replication */
    board_word secondary;                   /* it comes from primaries */
    board_word source_serial, source_known; /* the newest that any primary said to have */
    board_word serial_regressions;
    board_word stamp_wall_ms;     /* heartbeat: when the source last said that what we have is all there is */
    board_word committed_wall_ms; /* at the source, of what we serve */
    board_word checked_wall_ms;   /* last successful check with any primary */
    board_word refresh_due_wall_s;
    board_word refresh_s, expire_s;                                /* of the SOA that is served */
    board_word propagation[BOARD_PROPAGATION], propagation_sum_ms; /* committed at the source to committed here */
    board_word role, epoch;                                        /* enum board_zone_role */
    board_word diverged;                  /* a peer has the same serial with another digest, so many of them */
    board_word forwarded, forward_failed; /* UPDATEs sent on to the active primary */
    char pair_error[BOARD_TEXT_MAX];      /* what is wrong between the two of a pair; "": nothing. Under seq */
    board_word pair_trouble;              /* of that: 0 nothing, 1 the other one is silent, 2 a person is needed */
    board_word free_pages;                /* of the map, given back by commits */
    board_word stored_wall_s;             /* the last durable transaction: a commit, a change by hand, a compaction */
    board_word oldest_reader_pid, readers_ended; /* whose read transaction is the oldest; ended for that, so far */
    /* of a catalog: the version whose zones and options hold on this node, durably; when it came to be so; members of
     * it that this node does not take */
    board_word followed_serial, followed_wall_s, refused_members;
    board_word lapses_wall_s; /* from primaries: expired then, unless one of them is reached before; 0: never */
};
/* Of a zone among its primaries. */
enum board_zone_role { ROLE_SOLE, ROLE_ACTIVE, ROLE_STANDBY, ROLE_SECONDARY };

/* The sync port. Writer: candor-sync. */
enum board_tsig { BOARD_BADSIG, BOARD_BADKEY, BOARD_BADTIME, BOARD_BADTRUNC, BOARD_TSIG_COUNT };
struct board_sync {
    board_word tsig_failures[BOARD_TSIG_COUNT]; /* signed messages refused, by TSIG error (RFC 8945) */
    board_word certificate_until_wall_s;        /* notAfter of the port's certificate; 0: it has none */
    board_word spare[3];
};

/* What was asked of a zone, at its index in the configuration. Writers: all workers, with board_add_shared(), once a
 * batch or seldom. WRONG_: questions that this zone's lists cannot answer (rbl/answer_wrong.c says which). */
enum board_wrong { WRONG_FORWARD, WRONG_NAME, WRONG_ADDRESS, WRONG_COUNT };
struct board_asked {
    board_word listed, unlisted; /* names below the apex */
    board_word wrong[WRONG_COUNT];
    board_word spare[3]; /* a cache line each */
};

#endif
