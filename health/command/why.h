/* What `candor why` shows, in the shape in which candor-sync answers: one object a zone,
 * {"zone","ok","listed","serial","matches":[...]} or {"zone","ok":false,"error"}. */
#ifndef CANDOR_COMMAND_WHY_H
#define CANDOR_COMMAND_WHY_H

#include <jansson.h>

#include "resolver/base/conf.h"

enum { WHY_MATCHES = 64 };

/* Reads the kept zones itself when candor-sync does not answer: without files and lines, which only it finds. `zone`
 * NULL: all zones; those without a match are left out. An array, the caller's; NULL: E_INVALID for `what`, or no
 * memory. */
json_t *why_read(const struct conf *conf, const char *zone, const char *what, struct err *err);

#endif
