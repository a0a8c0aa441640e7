/* One question with its tries, for the tasks of the prober. */
#ifndef CANDOR_PROBE_ASK_H
#define CANDOR_PROBE_ASK_H

#include "health/probe/answer.h"
#include "health/probe/prober.h"

struct ask;
struct ask_plan {
    struct addr server;
    bool tcp, rd, nsid, far;       /* nsid: whom it is asked of must say who it is, and the node knows a probe by it */
    bool ad;                       /* say whether it validated (RFC 6840 section 5.7) */
    const char *tls_name, *tls_ca; /* over TLS, as of secure.h; NULL: not */
    uint16_t edns_size;            /* offered; 0: 1,232 */
    board_word *counted;           /* one is added for each try; NULL: nowhere */
    struct name qname;
    uint16_t qtype, qclass;
    unsigned tries;      /* each on a fresh port */
    uint32_t hedge_ms;   /* the next try starts after this much silence, or at once after an error */
    uint32_t timeout_ms; /* of each try */
};

struct ask_result {
    int code; /* 0: `answer` is valid; E_TIMEOUT, E_SYSTEM, E_INVALID; E_AGAIN: void, this process was late itself */
    struct answer answer;
    char error[160];
    struct addr local; /* of the try that answered, or the last one */
    int64_t took_us;
};
typedef void (*ask_done)(void *ctx, const struct ask_result *r);

/* Starts it or queues it; `done` is called exactly once, never from inside ask_start. E_NOMEM. */
int ask_start(struct prober *p, const struct ask_plan *plan, ask_done done, void *ctx) MUST_USE;
void ask_close_all(struct prober *p);
/* What was asked, of whom and what came back, without `came`. */
void ask_evidence(struct evidence *e, const struct ask_plan *plan, const struct ask_result *r);
/* "no answer in 2 tries of 2000 ms", "SERVFAIL", ... */
void ask_problem(char *to, size_t size, const struct ask_result *r);
void ask_tally(struct prober *p, enum tally_probe kind, const struct ask_plan *plan, const struct ask_result *r,
               bool good);

#endif
