/* Which of health.monitor.nodes has a name: up to LIMIT_NODES of them, found in a few steps. Immutable once made: any
 * thread may look. */
#ifndef CANDOR_MONITOR_INDEX_H
#define CANDOR_MONITOR_INDEX_H

#include "resolver/base/conf.h"

struct node_index;
struct node_index *node_index_make(const struct conf *conf); /* conf outlives it; NULL without memory */
void node_index_free(struct node_index *x);
size_t node_index_find(const struct node_index *x, const char *name); /* SIZE_MAX: none */

#endif
