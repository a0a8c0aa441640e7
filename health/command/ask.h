/* One request to candor-sync over its control socket (`run`/sync.sock), and its answer. */
#ifndef CANDOR_COMMAND_ASK_H
#define CANDOR_COMMAND_ASK_H

#include <jansson.h>

#include "resolver/base/conf.h"

enum { ASK_QUICK_MS = 10000, ASK_COMMIT_MS = 600000 };

/* Sends `request` (stolen) and waits for the answer: 0 with *answer, the caller's, an object whose "ok" is true. Else
 * the error: candor-sync's own words, or that it is not there, or hangs. */
int ask_sync(const struct conf *conf, json_t *request, unsigned timeout_ms, json_t **answer, struct err *err) MUST_USE;

/* Whether an error of ask_sync means that nobody was there to answer, or hangs: not that it said no. */
bool ask_unheard(int rc);

/* Members of an answer, whatever is missing or of another type being 0, "" or false. */
uint64_t ask_number(const json_t *o, const char *key);
const char *ask_text(const json_t *o, const char *key);
bool ask_true(const json_t *o, const char *key);

#endif
