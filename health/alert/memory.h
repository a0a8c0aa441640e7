/* Alerts on disk (`state`/health/alerts.json): what held when a process ended holds for the next one, so that no end is
 * lost and nothing is told twice. Read and written by a courier's thread: a disk that hangs holds up nobody. */
#ifndef CANDOR_ALERT_MEMORY_H
#define CANDOR_ALERT_MEMORY_H

#include "health/alert/courier.h"

struct memory;
int memory_open(struct courier **out, struct memory **memory, const char *folder, struct err *err) MUST_USE;
/* Whether the file has been read by now; then, once, *past is what was in it (to be let go of), NULL: nothing. Only
 * before courier_close. */
bool memory_past(struct memory *k, struct alert_list **past);

#endif
