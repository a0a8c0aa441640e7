/* A command of the administrator's for each transition of a scope and each start of this node (health.report.exec),
 * from a sink's thread (sink.h): one at a time, in their order, never two at once.
 *
 * Standard input: {"node":"scan1","event":{...},"eventsLost":0}, the event as in docs/formats/report.md; `eventsLost`:
 * events before it that were too old when this could be run. Exit code 0: it was told. Anything else, or
 * EXEC_TIMEOUT_MS without an end (then its process group is killed, runner.h; it goes with this process, too), is a
 * failure: it is run again, so it must bear to be told twice; after EXEC_TRIES that event is given up, counted
 * (dropped) and logged, and the next has its turn. The first time that this is configured, it is told what happens from
 * then on. */
#ifndef CANDOR_REPORT_EXEC_H
#define CANDOR_REPORT_EXEC_H

#include "health/report/sink.h"
#include "resolver/base/conf.h"

enum { EXEC_TIMEOUT_MS = 10000, EXEC_TRIES = 5 };

/* `folder`: where the mark is kept (struct sink_plan). */
int exec_open(struct sink **out, const struct conf *conf, const char *folder, uint32_t retry_ms,
              struct err *err) MUST_USE;

#endif
