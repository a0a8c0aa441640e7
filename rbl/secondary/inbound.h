/* What comes in (inbound.c): queued, taken in on the thread pool, committed by a job of the keeper. */
#ifndef CANDOR_SECONDARY_INBOUND_H
#define CANDOR_SECONDARY_INBOUND_H

#include "rbl/secondary/peer.h"
#include "rbl/secondary/plain.h"

struct sec_zone;
struct sec_primary;

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
    bool collects;      /* sec_primary's */
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
/* Its session goes on, or goes, without it. */
void inbound_part(struct inbound *i);
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

static inline bool inbound_goes_on(const struct inbound *i) {
    return __atomic_load_n(&i->cancel, __ATOMIC_SEQ_CST) == 0;
}

/* --- fetch.c --- */
/* IXFR or AXFR; false: it could not begin, which was told. */
bool fetch_start(struct sec_primary *p);
/* On the loop, after the pool has had a look. False: the inbound is gone. */
bool fetch_look(struct inbound *i);

#endif
