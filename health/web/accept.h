/* What a client wants: which of the two forms of the metrics, by its Accept header (RFC 9110, 12.5.1), and whether a
 * body may be packed, by its Accept-Encoding (12.5.3): ranges with q values, the most specific range decides. */
#ifndef CANDOR_WEB_ACCEPT_H
#define CANDOR_WEB_ACCEPT_H

#include <stdbool.h>

enum { ACCEPT_RANGES = 32 }; /* those beyond are not read */

/* True: OpenMetrics 1.0; false: Prometheus text 0.0.4, which is also for who asks for neither, or for a version that is
 * not made here. With equal q OpenMetrics is given to who names it. `accept` NULL: no header. */
bool accept_openmetrics(const char *accept);
/* True: gzip is wanted, no less than the body as it is. NULL: no header, which is no. */
bool accept_gzip(const char *accept);

#endif
