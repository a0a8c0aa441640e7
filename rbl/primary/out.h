/* Inside of rbl/primary: answers of many messages, and the native runs among them. All on the loop's thread, but for
 * out_fill and the fill_ functions. */
#ifndef CANDOR_RBL_PRIMARY_OUT_H
#define CANDOR_RBL_PRIMARY_OUT_H

#include "rbl/primary/impl.h"

/* --- out.c */
enum out_state { OUT_WAITING, OUT_SENDING, OUT_HELD, OUT_DEAD };
struct out {
    struct out *prev, *next;
    struct primary *p;
    struct client client;
    struct follower *peer; /* may be NULL */
    int zone;
    enum out_state state;
    bool native, udp;
    bool busy, blocked, gone;
    int64_t since_ms; /* in this state */
    /* the question */
    uint16_t id, flags, qtype;
    bool edns;
    struct name qname;
    struct tsig tsig;
    struct tsig_run *run; /* NULL: not signed */
    size_t limit;         /* UDP */
    bool answered;        /* a message was sent */
    /* the cast under way; NULL: none */
    struct cast_want want;
    struct cast *cast;
    uint64_t at, resumed_at; /* the next octet; where the client went on */
    uint64_t resume_at;      /* what it asked for */
    uint8_t resume_id[16];
    bool counts; /* against rbl.transfers.out */
    bool head_sent;
    struct native_state end; /* what the END will say */
    int64_t began_ns;
    uint64_t octets;
    /* what was made, with lengths before the messages */
    uint8_t *window;
    size_t size;
    bool whole; /* the last message is among them */
    int code;
    /* native */
    bool have;
    uint32_t serial;
    struct digest digest;
    int64_t hold_until_ms, beat_ms;
};
/* An answer to this question; not linked yet. NULL: no memory. */
struct out *out_new(struct primary *p, int zone, const struct client *c, const struct dns_query *q,
                    const struct tsig *t);
/* Takes it over: now, or when its turn comes. */
void out_begin(struct out *o);
/* Something moved: the cast, the client, the thread. May free `o`. */
void out_continue(struct out *o);
/* The last message, without RRs. Frees `o`. */
void out_refuse(struct out *o, unsigned rcode, int ede, const char *text);
void out_free(struct out *o);
/* Gets its cast, whatever the bounds. */
void out_start(struct out *o);
void out_drop_cast(struct out *o);
/* The client has gone: freed as soon as nobody stands inside. */
void out_gone(struct out *o);
/* Those that wait have a turn. */
void out_next(struct primary *p);
void outs_moved(void *ctx, struct cast *c);
void outs_event(struct primary *p, uint64_t token, enum server_event e);
void outs_tick(struct primary *p, int64_t now_ms);
void outs_committed(struct primary *p, int zone);
/* Ends them all; zone -1: of every zone. */
void outs_close(struct primary *p, int zone);

/* --- fill.c; on any one thread: makes messages out of the cast, at most `cap` octets of them (65 KiB and more). */
void out_fill(struct out *o, uint8_t *to, size_t cap);
/* One message of a run with this option, as a frame; signed. Size or an error. */
int fill_native(struct out *o, const struct native *n, unsigned count, bool now, uint8_t *to, size_t cap) MUST_USE;
/* One message without RRs as a frame. */
int fill_bare(struct out *o, unsigned rcode, int ede, const char *text, uint8_t *to, size_t cap) MUST_USE;

/* --- run.c */
/* Takes `o` over. */
void run_take(struct out *o, const struct native_ask *ask);
/* A stream has left wholly, or there was nothing to send. May free `o`. */
void run_sent(struct out *o);
/* A held one: is there something to send? */
void run_look(struct out *o);
void run_tick(struct out *o, int64_t now_ms);
void run_ended(const struct out *o);
/* How many runs of the zone go to this host. */
unsigned runs_at(const struct primary *p, int zone, const struct addr *host);

/* --- primary.c */
/* What END says of a cast: what this node says of the zone, as far as the cast is that. */
void primary_state_of(struct primary *p, const struct cast *c, struct native_state *st);
/* Its time is up and the configuration lets it end there. */
bool primary_expired(const struct primary *p, int zone);
/* The SOA as it is now, alone: the answer to IXFR of a client that is up to date, or whose datagram is too small. */
void primary_soa_late(struct out *o);

#endif
