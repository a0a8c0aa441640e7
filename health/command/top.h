/* Between the files of candor top: what is known, and how it is drawn. */
#ifndef CANDOR_COMMAND_TOP_H
#define CANDOR_COMMAND_TOP_H

#include <jansson.h>

#include "health/command/screen.h"
#include "health/command/top_figures.h"
#include "resolver/base/conf.h"

enum top_order { TOP_BY_QUESTIONS, TOP_BY_NAME, TOP_BY_ENTRIES, TOP_BY_CHANGE, TOP_ORDERS };

struct top {
    const struct conf *conf;
    const struct board *board;
    struct top_figures *then, *now, *between; /* between->mono_ms 0: there is one look only */
    json_t *health, *history;                 /* NULL: the port was silent, `silence` says why */
    struct err silence;
    enum top_order order;
    size_t first_zone; /* scrolled so far */
};

void top_draw(struct screen *s, struct top *t, int64_t mono_ms, int64_t wall_ms);

#endif
