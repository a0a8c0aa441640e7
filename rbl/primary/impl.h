/* Inside of rbl/primary: what the files of the door share. All on the loop's thread, but for out_fill.
 *
 *   primary.c  door: who asks for what, SOA, what this node says of a zone
 *   follow.c   secondaries: what each of them is known to have, and how many commits that is behind
 *   notify.c   NOTIFY, until it is answered
 *   out.c      one answer of many messages, from its cast to the client
 *   fill.c     the messages themselves
 *   run.c      native runs: held questions, beats
 *   cast.h, spool.h, pack.h, encode_*.c: below these */
#ifndef CANDOR_RBL_PRIMARY_IMPL_H
#define CANDOR_RBL_PRIMARY_IMPL_H

#include "rbl/keep/view.h"
#include "rbl/primary/cast.h"
#include "rbl/primary/primary.h"
#include "resolver/dns/writer.h"

enum {
    PRIMARY_OUTS = 4096,     /* answers of many messages, held ones included */
    PRIMARY_WAITING = 256,   /* of them such as wait for their turn */
    PRIMARY_WAIT_MS = 8000,  /* for so long: less than a connection may be idle (LIMIT_TCP_IDLE_MS) */
    PRIMARY_COMMITS = 256,   /* of a zone that are remembered, to say how far behind a secondary is */
    PRIMARY_FOLLOWERS = 256, /* of a zone; those beyond are served, not watched */
    PRIMARY_TICK_MS = 250,
    PRIMARY_HOLD_MAX_S = 600,
    OUT_WINDOW = 128 << 10, /* octets of messages made at a time */
    OUT_INLINE = 48 << 10,  /* octets of a cast that are made into messages on the loop */
    OUT_UDP = 8             /* differences by datagram that are made at the same time */
};

/* --- follow.c */
struct follower {
    struct follower *next;
    int zone;
    struct board_link *link;
    struct addr host; /* port 0 */
    uint32_t serial;  /* what it has, as far as it said, or was sent */
    bool serial_known;
};
struct primary_commit {
    uint64_t commit;
    uint32_t serial;
    int64_t wall_ms;
};
struct notify;
struct primary_zone {
    struct primary_commit commit[PRIMARY_COMMITS]; /* the newest at (commits - 1) % PRIMARY_COMMITS */
    uint64_t commits;                              /* remembered so far */
    struct follower *followers;
    unsigned follower_count;
    struct notify *notify;
};

struct out;
struct primary {
    struct replicate_config c;
    primary_fresh_fn fresh;
    void *fresh_ctx;
    char node[NATIVE_NODE];
    struct primary_zone *zone[LIMIT_ZONES]; /* made when first used */
    struct casts *casts;
    struct out *first, *last;
    unsigned outs;
    struct loop_timer *timer;
    unsigned walking; /* loops that go through the list, one inside the other */
    bool dead;        /* it holds some that have ended */
    bool closed;      /* nothing begins any more */
    unsigned at_work;
    unsigned notifies; /* under way */
    uint8_t scratch[OUT_WINDOW];
};

/* NULL: no memory. */
struct primary_zone *zone_of(struct primary *p, int zone);
/* Whom the zone goes to: the client's name, or what it calls itself (`node`, may be ""). NULL: too many. */
struct follower *follow(struct primary *p, int zone, const struct addr *peer, const char *node);
/* Whom the configuration names. */
struct follower *follow_notified(struct primary *p, int zone, const struct addr *to);
void follow_has(struct primary *p, struct follower *f, uint32_t serial);
/* After a commit: who is behind by how much. */
void follow_count(struct primary *p, int zone);
void follow_commit(struct primary *p, int zone, const struct keep_state *st);
/* When a serial was committed, by our clock; 0: not remembered. */
int64_t follow_committed_ms(const struct primary *p, int zone, uint32_t serial);
void follow_wrong_tsig(struct primary *p, int zone, const struct addr *peer, const struct tsig *t);
/* The zone has another name now, or none. */
void follow_forget(struct primary *p, int zone);
void follow_close(struct primary *p);

/* --- notify.c */
void notify_zone(struct primary *p, int zone);
void notify_forget(struct primary *p, int zone);
void notify_close(struct primary *p);

#endif
