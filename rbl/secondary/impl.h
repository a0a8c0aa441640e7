/* Inside of rbl/secondary:
 *
 *   schedule.c   when to ask whom (no I/O)            plain.c    RRs of a plain transfer, by their order (no I/O)
 *   peer.c       sessions and the questions on them   ask.c      questions, written
 *   check.c      SOA questions and NOTIFY             run.c      native runs: HEAD, PART, END, BEAT, BYE
 *   inbound.c    what comes in: queued, taken in on the thread pool, committed by a job of the keeper
 *   inbound_native.c, inbound_plain.c                 the two kinds of it
 *   fetch.c      a plain transfer: asked for and received
 *   judge.c      what a primary says of itself        zone.c     one zone: what is to be done next
 *   kept.c       what outlives a restart              secondary.c  the door, the clock; command.c: the control socket
 *
 * Everything runs on the loop's thread but what inbound.c hands to the pool: while it is there nobody else touches it.
 */
#ifndef CANDOR_SECONDARY_IMPL_H
#define CANDOR_SECONDARY_IMPL_H

#include "rbl/secondary/plain.h"
#include "rbl/secondary/schedule.h"
#include "rbl/secondary/secondary.h"
#include "resolver/base/clock.h"
#include "resolver/net/session.h"

enum {
    SECONDARY_TICK_MS = 100,
    SECONDARY_CONNECT_MS = 5000,
    SECONDARY_ANSWER_MS = 5000,             /* for a SOA question */
    SECONDARY_SILENT_MS = 5000,             /* of a held question that has spoken: NATIVE_BEAT_MS several times over */
    SECONDARY_STALL_MS = 30000,             /* of a transfer */
    SECONDARY_LONGEST_MS = 6 * 3600 * 1000, /* of a transfer that goes on and on */
    SECONDARY_DEAD_MS = 10000,              /* of a connection */
    SECONDARY_IDLE_MS = 8000,               /* a session with nothing to do is closed */
    SECONDARY_BESIDE_MS = 5000,             /* between questions to native primaries that hold none of ours */
    SECONDARY_CONFIRM_MS = 1000,            /* until a digest that differs is looked at again */
    SECONDARY_QUESTIONS = 4096,             /* on one session */
    SECONDARY_NATIVE_TRIES = 2,             /* then plain, until it speaks of another serial */
    SECONDARY_QUEUE = 32,                   /* pushes of one zone that wait for their commit; then the session pauses */
    SECONDARY_HELD = 8 << 20,               /* octets that wait to be taken in; then likewise */
    SECONDARY_SMALL = 256 << 10,            /* less is taken in by the job that commits it */
    SECONDARY_IXFR_MOST = 256 << 20,        /* octets of an IXFR that are kept for its commit */
    SECONDARY_LOG_MS = 60000                /* what goes on going wrong is said so often */
};

struct sec_zone;
struct sec_primary;
struct question;

/* --- peer.c: a server as a zone's primary, one session for all zones with the same address, key and certificate --- */
struct peer {
    struct peer *next;
    struct secondary *in;
    unsigned users; /* primaries of zones; 0 and no questions: it goes */
    struct addr address;
    const struct tsig_key *key; /* NULL: unsigned */
    char *tls_name, *ca;
    struct session *session;
    struct question *questions;
    unsigned count;
    int64_t idle_since_ms;
    unsigned pauses;
    bool own; /* one transfer alone uses it */
};
enum question_end { QUESTION_MORE, QUESTION_OVER };
/* One message that answers, `msg.at` NULL: nothing more comes, `why` says what happened (the question is gone then).
 * `is_signed`: all so far is proved, always true without a key. QUESTION_OVER: that was all, the question goes. */
typedef enum question_end (*question_fn)(void *ctx, struct bytes msg, bool is_signed, const struct err *why);
struct question {
    struct question *next;
    struct peer *peer;
    uint16_t id;
    bool many;   /* several messages may answer */
    bool busy;   /* its callback runs */
    bool closed; /* question_close while it ran */
    uint32_t within_ms;
    int64_t deadline_ms;
    struct tsig tsig;
    struct tsig_run *run;
    question_fn answer;
    void *ctx;
    struct board_link *link;
};
struct question_plan {
    bool many;
    uint32_t within_ms;
    question_fn answer;
    void *ctx;
    struct board_link *link; /* TSIG errors are counted here */
};
/* `own`: a session that nobody shares. NULL: no memory, no such key, or a certificate that cannot be used. */
struct peer *peer_get(struct secondary *in, const struct conf_peer_rule *rule, bool own, struct err *err);
void peer_put(struct peer *p);
/* Sends msg[0..size), room for TSIG behind it up to `cap`; its id is chosen here. NULL: err says why. */
struct question *peer_ask(struct peer *p, uint8_t *msg, size_t size, size_t cap, const struct question_plan *plan,
                          struct err *err);
/* Nobody wants the rest of the answer. */
void question_close(struct question *q);
/* Ends the session: all questions on it end with `why`. */
void peer_fail(struct peer *p, const struct err *why);
void peer_pause(struct peer *p, bool pause); /* counted */
void peers_tick(struct secondary *in, int64_t now_ms);
void peers_close(struct secondary *in);

/* --- inbound.c --- */
enum inbound_kind { INBOUND_NATIVE, INBOUND_PLAIN };
struct chunk {
    struct chunk *next;
    size_t size;
    uint8_t octets[];
};
struct chunks {
    struct chunk *first, *last;
    size_t octets;
};
struct inbound {
    struct inbound *next; /* of the zone, in the order of their commits */
    struct sec_zone *zone;
    unsigned primary, turn; /* turn: of zone->turn when it began */
    enum inbound_kind kind;
    enum board_transfer transfer; /* what it counts as */
    bool ended;                   /* whole, as far as the sender says */
    bool working;                 /* on the thread pool, or being committed */
    bool submitted;               /* to the keeper */
    bool dropped;                 /* nobody waits for it: freed when the pool lets go */
    int running;                  /* atomic: a thread of the pool is inside, and uses the keep */
    int cancel;                   /* atomic: it is to leave, and not to come in again */
    bool full;                    /* counts against rbl.transfers.in */
    bool paused;                  /* has paused its session */
    struct peer *peer;            /* whom it pauses */
    int64_t began_us;
    uint64_t octets;
    struct chunks unproved;   /* not yet covered by a signature */
    struct chunks fresh;      /* proved, waits for the pool */
    struct chunks working_on; /* the pool's */
    struct keep *keep;
    char source[64]; /* for the history */
    int code;
    struct err err;
    struct native_state state; /* END */
    /* native */
    struct native_head head;
    struct stream_in *stream;
    void *zstd;
    uint64_t taken; /* octets of the compressed stream handed to the pool so far: where to resume */
    /* plain */
    struct plain plain;
    struct records_in *records;
    struct data *data;  /* whole and checked */
    struct chunks kept; /* messages of an IXFR, for the commit */
    struct records_told told;
    bool complete; /* the pool has seen the last RR */
    bool over;     /* nothing more comes: */
    struct err over_err;
    struct question *question;
    size_t handed; /* octets that the pool has */
};
struct inbound *inbound_new(struct sec_zone *z, unsigned primary, enum inbound_kind kind, struct err *err);
int inbound_add(struct inbound *i, struct bytes octets, bool proved);
void inbound_proved(struct inbound *i);
/* Hands what waits to the pool when that is worth it; commits what is whole, in order. */
void inbound_go(struct inbound *i);
void zone_commit_ready(struct sec_zone *z);
/* Out of the zone's list; freed now or when the pool lets go. */
void inbound_drop(struct inbound *i);
/* Out of the zone's list, and to its end again: what is parked stands in nobody's way. */
void inbound_unlink(struct inbound *i);
void inbound_link(struct inbound *i);
void chunks_free(struct chunks *c);
/* On the pool; code and err say what came of it. */
void inbound_native_take(struct inbound *i);
void inbound_plain_take(struct inbound *i);
/* As a job. */
int inbound_native_commit(struct inbound *i, struct keep *k, struct keep_result *r, struct err *err);
int inbound_plain_commit(struct inbound *i, struct keep *k, struct keep_result *r, struct err *err);
void inbound_native_close(struct inbound *i);
void inbound_plain_close(struct inbound *i);

/* --- fetch.c --- */
/* IXFR or AXFR; false: it could not begin, which was told. */
bool fetch_start(struct sec_primary *p);
/* On the loop, after the pool has had a look. False: the inbound is gone. */
bool fetch_look(struct inbound *i);

/* --- run.c: a native question that may be held --- */
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
int run_start(struct sec_primary *p, bool hold, bool snapshot);
void run_close(struct run *r);

/* --- a zone and its primaries --- */
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

/* --- ask.c: size of the question, or an error --- */
int ask_soa(const struct sec_primary *p, uint8_t *to, size_t cap);
int ask_plain(const struct sec_primary *p, uint16_t type, uint8_t *to, size_t cap);
int ask_native(const struct sec_primary *p, bool hold, bool snapshot, uint8_t *to, size_t cap);
/* What we hold of the zone, as STATUS says it. */
void ask_state(const struct sec_zone *z, struct native_state *st);
/* A message's OPT: its native parts; size 0: there are none. */
struct bytes ask_options(struct bytes msg);

/* --- check.c --- */
void check_start(struct sec_primary *p);
/* It cannot be asked, or a session with it ended: told, counted, tried again later. */
void primary_failed(struct sec_primary *p, const struct err *why);
/* The same trouble is logged once a minute. */
void primary_log(struct sec_primary *p, const char *what, const char *why);

/* --- judge.c --- */
/* A believed state of the other side. 0, or the enum board_reject + 1 for which nothing of it is taken. */
int judge_state(struct sec_primary *p, const struct native_state *st);
/* What a server of another make says. */
void judge_serial(struct sec_primary *p, uint32_t serial);
void judge_reject(struct sec_primary *p, enum board_reject why, const char *text);
/* A message with the sender's clock; `half_ms`: what it took on its way. */
void judge_clock(struct sec_primary *p, int64_t wall_ms, int64_t half_ms, bool exact);

/* --- zone.c --- */
void zone_next_step(struct sec_zone *z, int64_t now_ms);
/* A primary said that what we have is what there is, or what there was a moment ago. */
void zone_checked(struct sec_zone *z);
void zone_show(struct sec_zone *z);
void zone_committed(struct sec_zone *z, struct inbound *i, const struct job *j);
void zone_failed(struct sec_zone *z, struct inbound *i, int code, const char *why);
/* A plain transfer that is whole and told nothing: true, and it is gone. */
bool zone_nothing_new(struct sec_zone *z, struct inbound *i);
int zone_set(struct sec_zone *z, const struct conf_rules *rules, struct err *err);
void zone_clear(struct sec_zone *z);
/* Nothing of it is to be touched any more: the keep is about to be closed. */
void zone_leave(struct sec_zone *z);
static inline bool inbound_goes_on(const struct inbound *i) {
    return __atomic_load_n(&i->cancel, __ATOMIC_SEQ_CST) == 0;
}

/* --- kept.c --- */
void kept_read(struct secondary *in);
void kept_take(struct sec_zone *z);
void kept_tick(struct secondary *in, int64_t now_ms, bool now);
void kept_free(struct secondary *in);

#endif
