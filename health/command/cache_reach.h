/* The cache of this configuration's node, for commands: its file mapped as the workers have it mapped. */
#ifndef CANDOR_COMMAND_CACHE_REACH_H
#define CANDOR_COMMAND_CACHE_REACH_H

#include "health/command/command.h"
#include "resolver/cache/inside.h"
#include "resolver/dns/const.h"

/* Reads the configuration and maps the cache's file; when the node runs, the one that it uses, or none: E_UNSUPPORTED
 * when that is in memory alone. What is wrong is on stderr. */
int cache_reach(const struct args *a, struct cache **cache) MUST_USE;

/* The argument as a name in lower case; what is wrong is on stderr. */
int cache_name(const char *text, struct name *name) MUST_USE;

/* One RR as a line: ldns's text where it can be read back as it was, else that of RFC 3597. */
void cache_rr_print(FILE *to, const char *indent, const struct name *owner, uint32_t ttl, uint16_t klass, uint16_t type,
                    struct bytes rdata);
/* The RRs of an item, TTLs as of now. `section` is called before each section's first RR (may be NULL). */
void cache_item_print(FILE *to, const char *indent, const struct cache_item *item,
                      void (*section)(FILE *to, enum dns_section s));

/* "data"; index: enum rrset_trust. */
extern const char *const cache_trust_names[TRUST_DATA + 1];

#endif
