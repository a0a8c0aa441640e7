#include "health/web/kept.h"

#include <strings.h>

static void number(struct text *t, const char *key, board_word n) {
    text_fmt(t, ",\"%s\":%llu", key, (unsigned long long)n);
}

/* Left out when there is nothing to say. */
static void time_of(struct text *t, const char *key, board_word wall_s) {
    if (wall_s == 0)
        return;
    text_fmt(t, ",\"%s\":\"", key);
    text_time(t, (int64_t)wall_s * 1000);
    text_put(t, "\"");
}

static void words(struct text *t, const char *key, const char *what) {
    if (what[0] == '\0')
        return;
    text_fmt(t, ",\"%s\":", key);
    text_json(t, what);
}

static void put_changes(struct text *t, const struct board_zone *z) {
    text_fmt(t, ",\"changes\":{\"done\":%llu", (unsigned long long)z->changes_done);
    number(t, "refused", z->changes_refused);
    number(t, "failed", z->changes_failed);
    number(t, "lost", z->changes_lost);
    number(t, "commits", z->change_groups);
    time_of(t, "lastDone", z->change_done_wall_s);
    time_of(t, "lastRefused", z->change_refused_wall_s);
    words(t, "error", z->change_error);
    text_put(t, "}");
}

static void put_zone(struct text *t, const struct board_zone *z) {
    static const char *const states[] = {"loading", "ok", "refused", "bad source", "expired", "error", "not stored"};
    text_fmt(t, ":{\"state\":\"%s\"", states[z->state < ZONE_STATES ? z->state : ZONE_ERROR]);
    number(t, "serial", z->serial);
    number(t, "entries", z->entries);
    number(t, "local", z->local_entries);
    number(t, "badLines", z->bad_lines);
    number(t, "refused", z->refused);
    number(t, "writeErrors", z->write_errors);
    time_of(t, "lastCheck", z->last_check_wall_s);
    time_of(t, "lastChange", z->last_change_wall_s);
    time_of(t, "expires", z->expires_wall_s);
    time_of(t, "nextExpiry", z->expire_next_wall_s);
    number(t, "expired", z->expired);
    number(t, "compactions", z->compactions);
    words(t, "error", z->error);
    words(t, "waiting", z->waiting);
    put_changes(t, z);
    text_put(t, "}");
}

/* Texts that nobody closed, and another zone's slot, are not believed. */
static bool zone_of(const struct snapshot_source *s, size_t i, struct board_zone *z) {
    if (i >= LIMIT_ZONES || i >= board_get(&s->board->zone_count) || !board_zone_read(&s->board->zone[i], z))
        return false;
    z->name[sizeof(z->name) - 1] = z->error[sizeof(z->error) - 1] = '\0';
    z->change_error[sizeof(z->change_error) - 1] = z->waiting[sizeof(z->waiting) - 1] = '\0';
    return z->name[0] != '\0' && strcasecmp(z->name, s->conf->rbl.zones[i].name) == 0;
}

void render_kept(struct text *t, const struct snapshot_source *s) {
    const char *between = "";
    for (size_t i = 0; i < s->conf->rbl.zone_count; i++) {
        struct board_zone z;
        if (!zone_of(s, i, &z))
            continue;
        text_put(t, between);
        text_json(t, s->conf->rbl.zones[i].name);
        put_zone(t, &z);
        between = ",";
    }
}
