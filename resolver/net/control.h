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

/* A socket that a dead daemon left is replaced; E_EXISTS when somebody listens there, or it is no socket. At most
 * LIMIT_CONTROL_CLIENTS callers (beyond: the one quiet for longest is closed), lines of at most LIMIT_CONTROL_LINE,
 * one request of a caller at a time. */
int control_open(struct control **out, struct loop *l, const char *path, control_handler handler, void *ctx,
                 struct err *err) MUST_USE;
/* One line, newline added; works also when the caller or the control socket has gone. From inside the handler or
 * later, on the loop's thread; the handler is never called from here. */
void control_answer(struct control_call *call, const char *line);
void control_close(struct control *c); /* closes and unlinks; not from inside the handler */

/* The other side, for the command line: connects, sends one line, waits up to timeout_ms for one line. Blocking, no
 * loop. *answer is malloc'ed. E_NOTFOUND: nobody listens there; E_TIMEOUT: it hangs (said so); E_CLOSED: it went away
 * without an answer; E_FULL: a line of more than LIMIT_CONTROL_LINE. */
int control_ask(const char *path, const char *line, unsigned timeout_ms, char **answer, struct err *err) MUST_USE;

#endif
