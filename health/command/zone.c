#include "health/command/zone.h"

#include <string.h>
#include <time.h>

const struct conf_zone *zone_find(const struct conf *conf, const char *name) {
    struct name n;
    char text[NAME_TEXT_MAX];
    if (name_from_text(&n, name, NULL) < 0)
        return NULL;
    name_lower(&n);
    (void)name_text(&n, text);
    for (size_t i = 0; i < conf->rbl.zone_count; i++)
        if (strcmp(conf->rbl.zones[i].name, text) == 0)
            return &conf->rbl.zones[i];
    return NULL;
}

int zone_open(struct zone *z, const struct args *a, const char *command, const char *name) {
    struct err err = {0};
    memset(z, 0, sizeof *z);
    if (args_config(a, &z->conf) < 0)
        return EXIT_TROUBLE;
    z->zone = zone_find(z->conf, name);
    int rc = z->zone == NULL ? err_set(&err, E_NOTFOUND, "zone %s is not in this node's configuration", name)
                             : keep_open_reading(&z->keep, z->conf->node.state, z->zone, &err);
    if (rc == 0)
        return 0;
    if (rc == E_NOTFOUND && z->zone != NULL)
        (void)err_set(&err, rc, "zone %s: nothing was ever committed on this node", z->zone->name);
    fprintf(stderr, "candor %s: %s\n", command, err.text);
    return EXIT_TROUBLE;
}

void zone_close(struct zone *z) {
    if (z->keep != NULL)
        keep_close(z->keep);
    conf_free(z->conf);
}

const char *zone_time(int64_t wall_s, char to[ZONE_TIME_MAX]) {
    time_t t = (time_t)wall_s;
    struct tm tm;
    if (wall_s <= 0 || gmtime_r(&t, &tm) == NULL || strftime(to, ZONE_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        to[0] = '\0';
    return to;
}

const char *zone_digest(struct digest d, char to[33]) {
    (void)snprintf(to, 33, "%016llx%016llx", (unsigned long long)d.hi, (unsigned long long)d.lo);
    return to;
}
