/* The guard before remote blocklists (`resolver.guard`): what a list says must be a listing or none, or nobody hears
 * it.
 *
 *   A in `refuse` or 127.255.255.0/24: "you may not ask" ......... SERVFAIL + EDE, never a listing
 *   A outside 127.0.0.0/8: a parked domain, no list at all ........ the same (RFC 5782 section 2.1)
 *   marked as listing the world, by candor-health's test points ... the same for every name but those points
 *   marked as silent ............................................... what the cache has, else SERVFAIL at once
 *   no answer within GUARD_ANSWER_MS ............................... SERVFAIL; the question goes on for the cache
 *
 * Test points (RFC 5782 section 5) are asked anew each time, marks and cache notwithstanding: they tell when a list is
 * back. The apex of a list is a name like others. */
#ifndef CANDOR_ITERATE_GUARD_H
#define CANDOR_ITERATE_GUARD_H

#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/dns/message.h"

enum { GUARD_ANSWER_MS = 900 }; /* scanners wait a second (docs/guard.md) */

enum guard_found { GUARD_FINE, GUARD_REFUSED, GUARD_OUTSIDE };

struct guards;

/* *out is NULL when no list is guarded. */
int guards_open(struct guards **out, const struct conf *conf, struct err *err) MUST_USE;
void guards_close(struct guards *g);

/* The list that a name is below, the longest: its index in the configuration and on the board; -1: none. NULL is no
 * list. */
int guards_find(const struct guards *g, const struct name *n);
bool guards_is_point(const struct guards *g, int list, const struct name *n);
/* What a whole answer about a name of the list says. */
enum guard_found guards_judge(const struct guards *g, int list, const uint8_t *msg, size_t size);
/* Static words for an extended error. */
const char *guards_text(enum guard_found found);

/* The mark that counts now; GUARD_MARK_NONE when candor-health has not renewed it in time. */
enum board_guard_mark guards_mark(const struct board *b, int list, int64_t now_ms);

#endif
