/* Options of this node that come from a catalog (resolver/base/conf_remote.h): taken in, tried, kept or given up.
 *
 *   offered --fits this node--> trying --well within node.remote.trial--> applied
 *      |                          |
 *      +---- it does not ---------+---- not, or the process ends so often ----> refused, the one before holds
 *
 * Each arrow but "well" is a start of this process anew, which the supervisor is asked for (process.h: PROCESS_AGAIN).
 * Well: what the node had before it has again: its workers and addresses answer, and a monitor acknowledges its
 * reports. A version that was given up is not tried again; the next one is. Files are read and written on the pool. */
#ifndef CANDOR_PROBE_CONFIG_H
#define CANDOR_PROBE_CONFIG_H

#include "resolver/base/conf_remote.h"

enum { CONFIG_LATE_MS = 45000 }; /* another version than the catalog's, neither tried nor refused, is late then */

struct prober;
/* NULL: node.remote is not configured. Valid until the next call. */
const struct remote_view *prober_config(const struct prober *p);
/* This process is to start anew, for another version. */
bool prober_again(const struct prober *p);

#endif
