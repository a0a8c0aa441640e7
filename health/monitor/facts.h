/* Between the files of this room: what a detail says that is judged across nodes (intake.h). */
#ifndef CANDOR_MONITOR_FACTS_H
#define CANDOR_MONITOR_FACTS_H

#include <jansson.h>

#include "health/monitor/intake.h"

/* Of an object; what is not as it should be in it is passed over. NULL without memory. */
struct facts *facts_make(const json_t *detail);

#endif
