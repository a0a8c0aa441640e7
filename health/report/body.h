/* Reports and events as JSON (docs/formats/report.md): what is posted, put into tables, given to commands. All texts
 * are to be freed; NULL without memory. */
#ifndef CANDOR_REPORT_BODY_H
#define CANDOR_REPORT_BODY_H

#include "health/report/notice.h"

char *body_report(const struct report *r);
char *body_event(const struct event *e);
/* {"node":"scan1","report":{...},"events":[...],"eventsLost":0,"detail":{...}}: what there is of them; `node` may be
 * NULL. */
char *body_notice(const struct notice *n, const char *node);

#endif
