/* What candor-sync wrote of each zone, as numbers for programs. */
#ifndef CANDOR_WEB_KEPT_H
#define CANDOR_WEB_KEPT_H

#include "health/web/snapshot.h"

/* "zone":{"serial":1,...},... without braces; a zone that the board does not speak of is left out. */
void render_kept(struct text *t, const struct snapshot_source *s);

#endif
