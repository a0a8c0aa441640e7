/* The detail (docs/formats/detail.md): how this node is, in one JSON document that goes to its sinks and stands at
 * GET /detail. Made by the loop that probes, at most each local interval and at each transition. */
#ifndef CANDOR_WEB_DETAIL_H
#define CANDOR_WEB_DETAIL_H

#include "health/web/snapshot.h"

enum { DETAIL_PROBES = 1024, DETAIL_ZONES = 1024 };

/* One reference; NULL without memory. `sequence`: of the next snapshot. */
struct detail *detail_render(const struct snapshot_source *s, uint64_t sequence, int64_t mono_ms, int64_t wall_ms);

/* What all workers had of upstream `u`: by result, over both transports; when one last had a right answer (wall, s; 0:
 * never). */
struct upstream_sum {
    uint64_t results[UPSTREAM_RESULT_COUNT], last_success_wall_s;
};
void upstream_sum(struct upstream_sum *to, const struct board *b, size_t u);

#endif
