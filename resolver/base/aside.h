/* A thread beside a loop, for work that may hang: a disk, a database, somebody else's server.
 *
 * The loop never waits for it, and when it closes, it waits so long and no longer: a thread that hangs is left behind,
 * because the process is about to end. What both use (`ctx`) lives until both have let go of it: then `end` frees it.
 */
#ifndef CANDOR_BASE_ASIDE_H
#define CANDOR_BASE_ASIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/err.h"

struct aside;
/* The thread's work; returns soon after aside_is_closing() says so. */
typedef void (*aside_work)(struct aside *a, void *ctx);

/* *out is set before the thread begins. When it fails, `end` was called. */
int aside_open(struct aside **out, aside_work work, void (*end)(void *ctx), void *ctx, struct err *err) MUST_USE;
/* Ends the nap that the thread is in, or the next one. From any thread. */
void aside_wake(struct aside *a);
/* On the thread: until it is woken, or `ms` are over. */
void aside_nap(struct aside *a, uint32_t ms);
bool aside_is_closing(const struct aside *a);
/* NULL is allowed. */
void aside_close(struct aside *a, uint32_t wait_ms);

#endif
