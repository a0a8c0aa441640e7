/* The control socket of a daemon: a Unix stream socket in `run` (mode 0600), one JSON object a line in, one out.
 * Only the owner of the node and root can open it; peer credentials are checked besides. */
#ifndef CANDOR_NET_CONTROL_H
#define CANDOR_NET_CONTROL_H

#include <stddef.h>

#include "resolver/base/err.h"
#include "resolver/net/loop.h"

struct control;
struct control_call; /* one request that waits for its answer */

/* A line without its newline, NUL-terminated. Answer now or later with control_answer(), exactly once; the call is
 * freed by it. */
typedef void (*control_handler)(void *ctx, struct control_call *call, const char *line, size_t size);

int control_open(struct control **c, struct loop *l, const char *path, control_handler handler, void *ctx,
                 struct err *err) MUST_USE;
void control_answer(struct control_call *call,
                    const char *line); /* one line, newline added; works also when the caller has gone */
void control_close(struct control *c); /* closes and unlinks */

/* The other side, for the command line: connects, sends one line, waits up to timeout_ms for one line. Blocking, no
 * loop. *answer is malloc'ed. E_NOTFOUND: nobody listens there; E_TIMEOUT: it hangs (said so). */
int control_ask(const char *path, const char *line, unsigned timeout_ms, char **answer, struct err *err) MUST_USE;

#endif
