/* What the parent does once, before it forks. */
#ifndef CANDOR_RESOLVER_START_H
#define CANDOR_RESOLVER_START_H

#include "resolver/base/conf.h"
#include "resolver/cache/cache.h"

/* node.state and node.run, made when missing. */
int start_folders(const struct conf *conf, struct err *err) MUST_USE;
/* One resolver a node: a second would share the ports by SO_REUSEPORT and answer half of the questions. E_EXISTS. */
int start_lock(const struct conf *conf, int *fd, struct err *err) MUST_USE;
/* As many descriptors as the system lets us have: every upstream query takes one. */
void start_descriptors(void);
int start_cache(const struct conf *conf, struct cache **cache, struct err *err) MUST_USE;

#endif
