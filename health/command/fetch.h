/* One GET to an address over plain HTTP: no name is looked up, no proxy asked, no redirect followed. */
#ifndef CANDOR_COMMAND_FETCH_H
#define CANDOR_COMMAND_FETCH_H

#include "resolver/base/addr.h"

enum { FETCH_BODY_MAX = 16 << 20, FETCH_TIMEOUT_MS = 3000 };

/* Within FETCH_TIMEOUT_MS. */
int fetch(const struct addr *server, const char *path, long *status, char **body, struct err *err) MUST_USE;

/* *body is the caller's (free), NUL-terminated; *status the HTTP code, whatever it is. E_TIMEOUT: connected or not,
 * nothing came; E_CLOSED: nobody listens or the connection broke off; E_FULL: longer than FETCH_BODY_MAX. */
int fetch_within(const struct addr *server, const char *path, unsigned timeout_ms, long *status, char **body,
                 struct err *err) MUST_USE;

#endif
