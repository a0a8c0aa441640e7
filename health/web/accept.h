/* Which of the two forms of the metrics a client wants, by its Accept header (RFC 9110, 12.5.1): ranges with q values,
 * the most specific range decides for each form. */
#ifndef CANDOR_WEB_ACCEPT_H
#define CANDOR_WEB_ACCEPT_H

#include <stdbool.h>

enum { ACCEPT_RANGES = 32 }; /* those beyond are not read */

/* True: OpenMetrics 1.0; false: Prometheus text 0.0.4, which is also for who asks for neither, or for a version that is
 * not made here. With equal q OpenMetrics is given to who names it. `accept` NULL: no header. */
bool accept_openmetrics(const char *accept);

#endif
