/* The secrets that server cookies are made with (resolver/dns/cookie.h), shared by the workers of a node: one page that
 * the resolver's parent makes before it forks, so that a cookie outlives the worker that gave it.
 *
 * From the configuration they never change. Made here, the parent changes them each COOKIES_ROLL_MS; what the one
 * before made is believed until the next change. One writer, the parent; workers copy what is new at the start of a
 * batch. */
#ifndef CANDOR_SERVE_COOKIES_H
#define CANDOR_SERVE_COOKIES_H

#include "resolver/base/conf.h"
#include "resolver/dns/cookie.h"

enum { COOKIES_ROLL_MS = 24 * 3600 * 1000 };

struct cookies;

int cookies_open(struct cookies **out, const struct conf_cookies *conf, struct err *err) MUST_USE;
void cookies_close(struct cookies *c); /* NULL is none */
/* In the parent, now and then. */
void cookies_tick(struct cookies *c, int64_t now_mono_ms);
/* In a worker: `copy` becomes what counts now when *seen, which begins as 0, is older. Never waits: while the parent
 * writes, the copy stays as it is. */
void cookies_read(const struct cookies *c, uint64_t *seen, struct cookie_secrets *copy);

#endif
