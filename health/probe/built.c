/* When this program was built: the time of its last commit, or SOURCE_DATE_EPOCH (the Makefile gives it to this file
 * alone), so that the same source makes the same program. A tree without either knows at least when this was written.
 */
#include "health/probe/impl.h"

#ifndef CANDOR_BUILD_EPOCH
#define CANDOR_BUILD_EPOCH 1763856000
#endif

int64_t build_epoch_s(void) { return CANDOR_BUILD_EPOCH; }
