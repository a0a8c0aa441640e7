/* Does this node follow its catalogs? That a new version came is one thing (it is a zone as any other); that its zones
 * and options hold here is another, and that is what the nodes of a fleet are compared by. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/zone.h"
#include "resolver/base/clock.h"

struct catalog_watch {
    const struct conf_catalog *conf;
    size_t zone, check;
    int64_t behind_ms; /* since when (mono) another version than the committed one is followed; 0: it is not */
};

struct catalog_probe {
    struct task task;
    struct prober *p;
    size_t count;
    struct catalog_watch at[];
};

static enum verdict_state judge(struct catalog_watch *w, const struct board_zone *z, int64_t now, uint32_t allow_ms,
                                struct evidence *e) {
    bool behind = z->followed_wall_s == 0 || z->followed_serial != z->serial;
    if (!behind)
        w->behind_ms = 0;
    else if (w->behind_ms == 0)
        w->behind_ms = now;
    e->value = (double)z->followed_serial;
    e->unit = "serial";
    if (behind)
        snprintf(e->came, sizeof(e->came), "serial %" PRIu64 " is here, %s%" PRIu64 " is followed%s%.150s", z->serial,
                 z->followed_wall_s == 0 ? "none, " : "", z->followed_serial, z->waiting[0] != '\0' ? ": " : "",
                 z->waiting);
    else if (z->refused_members > 0)
        snprintf(e->came, sizeof(e->came),
                 "serial %" PRIu64 " is followed but for %" PRIu64 " of its zones: candor catalog says why", z->serial,
                 z->refused_members);
    else
        snprintf(e->came, sizeof(e->came), "serial %" PRIu64 " is followed", z->serial);
    if (behind)
        return now - w->behind_ms > (int64_t)allow_ms ? VERDICT_FAIL : VERDICT_UNKNOWN;
    return z->refused_members > 0 ? VERDICT_WARN : VERDICT_PASS;
}

static void catalog_start(struct task *task) {
    struct catalog_probe *c = CONTAINER_OF(task, struct catalog_probe, task);
    for (size_t i = 0; i < c->count; i++) {
        struct catalog_watch *w = &c->at[i];
        struct board_zone z;
        struct evidence e = {.wall_ms = clock_wall_ms(), .unit = NULL};
        /* Without a version of it there is nothing to follow: that it does not come is judged of it as a zone. */
        if (!zone_data_read(c->p->board, w->zone, w->conf->name, &z) || !zone_data_there(&z))
            continue;
        text_copy(e.asked, sizeof(e.asked), "the catalog's slot on the board");
        enum verdict_state s = judge(w, &z, clock_mono_ms(), c->p->conf->health.interval.zones_ms, &e);
        if (s != VERDICT_UNKNOWN)
            (void)prober_result(c->p, w->check, s, &e);
    }
    task_done(task, -1);
}

int catalog_open(struct prober *p) {
    const struct conf_rbl *rbl = &p->conf->rbl;
    if (rbl->catalog_count == 0)
        return 0;
    struct catalog_probe *c = p->catalogs = calloc(1, sizeof(*c) + rbl->catalog_count * sizeof(c->at[0]));
    if (c == NULL)
        return E_NOMEM;
    c->p = p;
    for (size_t i = 0; i < rbl->catalog_count; i++) {
        const struct conf_catalog *conf = &rbl->catalogs[i];
        if (conf->primaries.count == 0)
            continue; /* it is made here */
        int check = verdict_add(&p->book, SCOPE_REPLICATION, "catalog", "followed", conf->name,
                                2 * p->conf->health.interval.zones_ms, false);
        if (check < 0)
            return check;
        c->at[c->count++] =
            (struct catalog_watch){.conf = conf, .zone = (size_t)(conf->zone - rbl->zones), .check = (size_t)check};
    }
    return c->count == 0 ? 0 : prober_add(p, &c->task, catalog_start, p->conf->health.interval.local_ms, false);
}

void catalog_close(struct prober *p) { free(p->catalogs); }
