/* Which version of the configuration holds here: of candor.yaml, of each catalog, and of the options that come from
 * one.
 */
#include <stdio.h>

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

/* Of the options: the name where they stand in the catalog. */
static void options(struct metrics *m, double value) {
    char source[LIMIT_NAME_WIRE + 32];
    if (m->from->config == NULL)
        return;
    (void)snprintf(source, sizeof source, "config.candor.ext.%s", m->from->config->catalog);
    metric_one(m, "source", source, value);
}

void metrics_catalog(struct metrics *m) {
    const struct conf *conf = m->from->conf;
    const struct remote_view *r = m->from->config;
    const struct board_process *own = &m->from->board->process[ROLE_HEALTH];
    metric_family(m, METRIC_GAUGE, "config_version",
                  "Version that holds on this node: of the file when it was changed, of a catalog its serial, of the "
                  "options in it their number.");
    metric_one(m, "source", "file", (double)conf->changed_wall_s);
    each(m, serial_of);
    options(m, r != NULL ? (double)r->version : 0);
    metric_family(m, METRIC_GAUGE, "config_last_applied_timestamp_seconds", "Since when it does.");
    metric_one(m, "source", "file", (double)board_get(&own->started_wall_s));
    each(m, since);
    if (r != NULL && r->version > 0)
        options(m, (double)r->since_wall_s);
    if (r != NULL) {
        metric_family(m, METRIC_GAUGE, "config_offered_version", "Version of the options that the catalog says.");
        options(m, (double)r->offered);
        metric_family(m, METRIC_GAUGE, "config_on_trial", "Whether the version that holds has yet to prove itself.");
        options(m, r->trying ? 1 : 0);
    }
    if (conf->rbl.catalog_count == 0)
        return;
    metric_family(m, METRIC_GAUGE, "config_refused_members", "Zones of the catalog that this node does not take.");
    each(m, refused);
}
