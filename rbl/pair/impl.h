/* Inside of rbl/pair:
 *
 *   pair.c     door, zones and their roles         watch.c    what the other one says, and what follows from it
 *   mate.c     another node: one session, questions and their answers
 *   forward.c  UPDATEs handed on                   say.c      the option that the two exchange
 *   role.c     the file                            turn.c     promotion, demotion, stepping down: jobs of the zone
 *   rescue.c   what would be lost                  command.c  the control lines */
#ifndef CANDOR_RBL_PAIR_IMPL_H
#define CANDOR_RBL_PAIR_IMPL_H

#include "rbl/pair/pair.h"
#include "rbl/replicate/reply.h"
#include "resolver/net/session.h"

enum {
    PAIR_TICK_MS = 100,
    MATE_CONNECT_MS = 3000,
    MATE_DEAD_MS = 4000,
    MATE_IDLE_MS = 5000, /* a server closes after 10 s */
    MATE_RETRY_MS = 500,
    MATE_QUESTIONS = PAIR_IN_FLIGHT + LIMIT_ZONES,
    PAIR_PATH = 4096
};

/* --- mate.c --- */
struct mate;
/* `msg.at` NULL: `why` says what happened. The message's TSIG was looked at. */
typedef void (*mate_done)(void *ctx, struct bytes msg, const struct err *why);
/* The one with this address, key and certificate; made when it is not there. NULL: err says why. */
struct mate *mate_get(struct pair *p, const struct conf_peer_rule *rule, struct err *err);
/* Whether it is worth a try now. */
bool mate_may(const struct mate *m);
const char *mate_text(const struct mate *m); /* ADDRESS@PORT */
const struct tsig_key *mate_key(const struct mate *m);
/* msg[0..size) in a buffer of LIMIT_MESSAGE octets gets an id of its own and is signed with the mate's key; `as_it_is`:
 * it bears this TSIG already. `done` is called once, never from inside. */
int mate_ask(struct mate *m, uint8_t *msg, size_t size, const struct tsig *as_it_is, mate_done done, void *ctx,
             struct err *err) MUST_USE;
void mates_tick(struct pair *p, int64_t now_ms);
/* Without calling anybody. */
void mates_close(struct pair *p);

/* --- role.c --- */
struct fork {
    uint32_t epoch, serial; /* the epoch began behind this serial */
};
struct role_file {
    bool active;
    uint32_t epoch;
    struct fork fork[PAIR_FORKS]; /* newest first */
    unsigned forks;
};
/* STATE/pairs/ZONE.what */
int role_path(char to[PAIR_PATH], const char *state, const char *zone, const char *what, struct err *err) MUST_USE;
/* E_NOTFOUND: there is none. E_CORRUPT. */
int role_read(struct role_file *r, const char *path, struct err *err) MUST_USE;
/* Durable when it returns 0. On a thread of the pool. */
int role_write(const struct role_file *r, const char *path, struct err *err) MUST_USE;

/* --- say.c --- */
struct said {
    bool active, have;
    uint32_t epoch, serial;
    struct fork fork[PAIR_FORKS];
    unsigned forks;
    char name[64];
};
/* Octets of option data. */
size_t said_write(const struct said *s, uint8_t *to, size_t cap);
int said_read(struct said *s, struct bytes option) MUST_USE;
enum { SAID_MAX = 1 + 1 + 4 + 1 + 4 + 1 + 8 * PAIR_FORKS + 64 };

/* --- zones --- */
enum turn { TURN_NONE, TURN_NOTE, TURN_PROMOTE, TURN_DEMOTE, TURN_STEP_DOWN };
struct pair_zone {
    struct pair *p;
    int zone;
    const struct conf_zone *conf;
    char path[PAIR_PATH];
    struct role_file role; /* as it counts now */
    struct mate *mate;     /* the other one; NULL: cannot be asked, `trouble` says why */
    int64_t started_ms, ask_ms;
    bool asking;
    /* what the other one said last */
    bool heard, failed;
    struct said other;
    int64_t heard_ms;
    bool both;                    /* are active in this epoch */
    bool conflict;                /* both are active in this epoch, and the other goes on */
    char trouble[BOARD_TEXT_MAX]; /* of the other one's last answer; "": it went well */
    char rescued[BOARD_TEXT_MAX]; /* what was lost and where it is written */
    int64_t logged_ms, looked_ms;
    /* a turn under way */
    enum turn turn;
    struct role_file next;
    uint32_t lost_from; /* STEP_DOWN: the serial behind which the other one began */
    bool lost_known;
    uint64_t lost; /* changes written to the file */
    char lost_path[PAIR_PATH];
    struct control_call *call; /* NULL: nobody waits */
};
struct forward;
struct pair {
    struct pair_config c;
    struct loop_timer *timer;
    struct pair_zone *zone[LIMIT_ZONES]; /* NULL: of no pair */
    struct mate *mates;
    unsigned mate_count;
    struct forward *forwards;
    unsigned forward_count;
    unsigned turns; /* under way */
    bool closed;
    uint8_t message[LIMIT_MESSAGE];
};

void pair_free(struct pair *p);
/* The zone's slot on the board; NULL: none. */
struct board_zone *pair_slot(const struct pair *p, int zone);
/* What counts is made known: roles, board, keeper, secondary. */
void zone_role_set(struct pair_zone *z);
void zone_role_show(struct pair_zone *z);
bool zone_heard(const struct pair_zone *z); /* lately */
void zone_said(const struct pair_zone *z, struct said *s);

/* --- watch.c --- */
void watch_tick(struct pair_zone *z, int64_t now_ms);
void watch_hear(struct pair_zone *z, const struct said *s);

/* --- turn.c --- E_AGAIN: another is under way */
int turn_start(struct pair_zone *z, enum turn turn, const struct role_file *next, struct control_call *call,
               struct err *err) MUST_USE;

/* --- rescue.c: on a thread of the pool. Lines to z->lost_path, their number to z->lost. */
int rescue_write(struct pair_zone *z, struct keep *k, struct err *err) MUST_USE;
/* On the loop: whether such a file lies there still, into z->rescued. */
void rescue_find(struct pair_zone *z);

/* --- forward.c --- */
/* A message that dns_query_read took, in a buffer of LIMIT_MESSAGE octets: without OPT and TSIG, with an OPT that
 * counts one hop more. New size, or E_REFUSED: too many; E_UNSUPPORTED, E_FULL, E_INVALID. */
int forward_mark(uint8_t *msg, size_t size, struct err *err) MUST_USE;
/* The size of a reply written at once, or 0. */
size_t forward_take(struct pair *p, struct mate *m, int zone, const struct client *c, const struct dns_query *q,
                    const struct tsig *t, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap);
void forwards_close(struct pair *p);

#endif
