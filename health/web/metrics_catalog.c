/* Which version of the configuration that goes from node to node holds here: of each catalog. */
#include "health/web/metrics.h"

static void each(struct metrics *m, double (*value)(const struct board_zone *)) {
    const struct conf_rbl *rbl = &m->from->conf->rbl;
    for (size_t i = 0; i < rbl->catalog_count; i++) {
        struct board_zone z;
        size_t at = (size_t)(rbl->catalogs[i].zone - rbl->zones);
        if (at >= LIMIT_ZONES || !board_zone_read(&m->from->board->zone[at], &z) || z.followed_wall_s == 0)
            continue;
        metric_one(m, "source", rbl->catalogs[i].name, value(&z));
    }
}

static double serial_of(const struct board_zone *z) { return (double)z->followed_serial; }
static double since(const struct board_zone *z) { return (double)z->followed_wall_s; }
static double refused(const struct board_zone *z) { return (double)z->refused_members; }

void metrics_catalog(struct metrics *m) {
    if (m->from->conf->rbl.catalog_count == 0)
        return;
    metric_family(m, METRIC_GAUGE, "config_version",
                  "Serial of the catalog whose zones and options hold on this node.");
    each(m, serial_of);
    metric_family(m, METRIC_GAUGE, "config_last_applied_timestamp_seconds", "Since when they do.");
    each(m, since);
    metric_family(m, METRIC_GAUGE, "config_refused_members", "Zones of the catalog that this node does not take.");
    each(m, refused);
}
