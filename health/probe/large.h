/* Do large answers get through? `512.size.server.` and its like (CLASS_CH, TXT) make a Candor node send a message of
 * exactly that many octets to whom it trusts: over UDP at 512, 1,232 and 4,096 octets, the last asked once more where
 * only 512 may come, which must be cut (TC), and then over TCP. A path that loses fragments answers small questions,
 * and nothing at 4,096; without TCP as well, no large answer ever arrives. */
#ifndef CANDOR_PROBE_LARGE_H
#define CANDOR_PROBE_LARGE_H

#include "health/probe/ask.h"

enum large_step { LARGE_512, LARGE_1232, LARGE_4096, LARGE_CUT, LARGE_TCP, LARGE_STEPS };
enum large_came {
    LARGE_VOID,   /* not asked, or this process was late itself */
    LARGE_RIGHT,  /* as it must be */
    LARGE_SILENT, /* no answer, or the kernel's refusal */
    LARGE_WRONG,  /* of another size, or not cut where it must be */
    LARGE_STRANGE /* another RCODE: who is asked does not know such names */
};

/* What the steps come to: FAIL with the sizes that are lost, WARN when nobody could tell, UNKNOWN when a step was void.
 * What came, in words, into `came`. */
enum verdict_state large_judge(const enum large_came step[LARGE_STEPS], char *came, size_t size);

/* One round of questions; the caller's, and must stay until `done`, or until the prober is closed. */
struct large_run;
typedef void (*large_done)(void *ctx, enum verdict_state s, const struct evidence *e); /* UNKNOWN: void, once more */
struct large_run {
    struct prober *p;
    struct ask_plan plan;
    enum large_step at;
    enum large_came step[LARGE_STEPS];
    struct evidence evidence; /* of the first step that is not right, else of the last */
    bool spoiled;
    large_done done;
    void *ctx;
};

/* Asks `server`, each try for `timeout_ms`, two tries a step; `done` exactly once, never from inside. E_NOMEM. */
int large_start(struct large_run *run, struct prober *p, const struct addr *server, uint32_t timeout_ms,
                large_done done, void *ctx) MUST_USE;

#endif
