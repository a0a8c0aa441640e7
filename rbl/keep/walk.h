/* Reading a kept zone as entries: all of them, or what changed between two serials. For export, diff and transfers. */
#ifndef CANDOR_KEEP_WALK_H
#define CANDOR_KEEP_WALK_H

#include "rbl/keep/edit.h"
#include "rbl/keep/view.h"

/* Opens the live generation for reading alone, beside the process that keeps it and without asking it: keep_state,
 * keep_walk, keep_diff, keep_history, keep_why*, keep_verify and keep_stat work on it, everything else is E_DENIED.
 * E_NOTFOUND: no generation yet. Closed with keep_close. */
int keep_open_reading(struct keep **k, const char *state, const struct conf_zone *zone, struct err *err) MUST_USE;

/* What stands at the top of the zone, and the datasets of its files, by number; DATASET_LOCAL is there besides. They
 * belong to `k`, as they were when it was opened or last walked. NULL: nothing was ever committed. */
const struct view_apex *keep_apex(const struct keep *k, const struct dataset **dataset, unsigned *count);

/* Calls `each` with every entry in key order, values and until included, until it returns other than 0, which is then
 * the result. Reads one generation at one time; bounded memory. */
int keep_walk(struct keep *k, int (*each)(void *ctx, const struct keep_entry *e), void *ctx, struct err *err) MUST_USE;
/* What changed from one serial to another, from the journal, netted: an entry that came and went is not told.
 * E_NOTFOUND when a serial or a changeset between them is no longer there: the text says how far back it reaches. */
int keep_diff(struct keep *k, uint32_t from_serial, uint32_t to_serial,
              int (*each)(void *ctx, bool removed, const struct keep_entry *e), void *ctx, struct err *err) MUST_USE;
/* Whether SOA (but the serial), NS, TTLs or datasets changed between them: entries do not tell that. */
int keep_diff_apex(struct keep *k, uint32_t from_serial, uint32_t to_serial, bool *changed, struct err *err) MUST_USE;

#endif
