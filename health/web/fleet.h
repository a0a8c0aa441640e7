/* GET /fleet and GET /fleet/NODE (docs/formats/fleet.md): rendered ahead, with references to what nodes sent. */
#ifndef CANDOR_WEB_FLEET_H
#define CANDOR_WEB_FLEET_H

#include "health/monitor/fleet.h"
#include "health/web/text.h"

struct snapshot;
struct snapshot_source;
struct document;

struct fleet_shot {
    bool present; /* this node is a monitor */
    struct text head, sums, nodes, events, zones;
    size_t count;
    struct {
        const char *name; /* of the configuration, which outlives all snapshots */
        size_t at, size;  /* its entry in `nodes` */
        struct fleet_page *page;
    } * of;
};

void render_fleet(struct fleet_shot *to, const struct snapshot_source *s, int64_t mono_ms, int64_t wall_ms);
void fleet_shot_free(struct fleet_shot *f);
/* The whole, or one node: false: there is no such node, or this is no monitor. `s` is not NULL. */
bool document_fleet(struct document *d, const struct snapshot *s, const char *node);

#endif
