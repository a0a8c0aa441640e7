/* What the workers counted of questions by zone, for the renderings of this room. */
#ifndef CANDOR_WEB_ASKED_H
#define CANDOR_WEB_ASKED_H

#include "health/web/snapshot.h"

/* "forward", "name", "address": the words of docs/health.md. */
const char *asked_wrong_name(enum board_wrong what);
/* The counters of the zone at `index` of the configuration; NULL when the board does not speak of it. */
const struct board_asked *asked_of(const struct snapshot_source *s, size_t index);
/* "zone":{"listed":1,...},... without braces. */
void render_asked(struct text *t, const struct snapshot_source *s);

#endif
