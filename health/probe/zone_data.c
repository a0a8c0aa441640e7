/* What candor-sync says of a zone on the board, judged. */
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "health/probe/zone.h"
#include "resolver/base/clock.h"

enum {
    REFRESH_DEFAULT_S = 300,
    REFRESH_SLACK_S = 60,
    CHANGE_REFUSED_S = 900 /* a refused change is in sight so long, unless one goes through */
};

bool zone_data_read(const struct board *b, size_t index, const char *name, struct board_zone *copy) {
    if (name[0] == '\0' || index >= LIMIT_ZONES || index >= board_get(&b->zone_count))
        return false;
    bool whole = board_zone_read(&b->zone[index], copy);
    copy->name[sizeof(copy->name) - 1] = '\0';
    copy->generation[sizeof(copy->generation) - 1] = '\0';
    copy->error[sizeof(copy->error) - 1] = '\0';
    copy->change_error[sizeof(copy->change_error) - 1] = '\0';
    copy->waiting[sizeof(copy->waiting) - 1] = '\0';
    return whole && strcasecmp(copy->name, name) == 0;
}

bool zone_data_there(const struct board_zone *z) { return z->generation[0] != '\0' && z->serial != 0; }

static bool expired(const struct board_zone *z, int64_t wall_s) {
    return z->state == ZONE_EXPIRED || (z->expires_wall_s != 0 && (int64_t)z->expires_wall_s <= wall_s);
}

static bool comes_from_elsewhere(const struct conf_zone *conf, const struct board_zone *z) {
    return conf->primaries.count > 0 || (z != NULL && z->secondary != 0);
}

/* Apart from the last change: a source that is silent changes nothing and looks the same. Of a zone that comes from
 * primaries scope replication tells. */
static int64_t unchecked_s(const struct conf_zone *conf, const struct board_zone *z, int64_t wall_s) {
    if (comes_from_elsewhere(conf, z))
        return 0;
    int64_t age = wall_s - (int64_t)z->last_check_wall_s;
    uint32_t refresh = conf->soa.refresh_s > 0 ? conf->soa.refresh_s : REFRESH_DEFAULT_S;
    return z->last_check_wall_s != 0 && age > (int64_t)refresh + REFRESH_SLACK_S ? age : 0;
}

static bool change_refused(const struct board_zone *z, int64_t wall_s) {
    return z->change_error[0] != '\0' && wall_s - (int64_t)z->change_refused_wall_s < CHANGE_REFUSED_S;
}

static void say_well(const struct board_zone *z, char *came, size_t size) {
    char hand[48] = "";
    if (z->local_entries > 0)
        snprintf(hand, sizeof(hand), ", %" PRIu64 " of them by hand", z->local_entries);
    snprintf(came, size, "serial %" PRIu64 ", %" PRIu64 " entries%s%s%.150s", z->serial, z->entries, hand,
             z->waiting[0] != '\0' ? "; " : "", z->waiting);
}

static enum verdict_state judge_served(const struct conf_zone *conf, const struct board_zone *z, int64_t wall_s,
                                       char *came, size_t size) {
    int64_t silent_s = unchecked_s(conf, z, wall_s);
    if (expired(z, wall_s)) {
        snprintf(came, size, "expired, serial %" PRIu64 "%s", z->serial,
                 conf->on_expire == EXPIRE_SERVE_STALE ? ": served all the same, as configured"
                                                       : ": answered SERVFAIL");
        return conf->on_expire == EXPIRE_SERVE_STALE ? VERDICT_WARN : VERDICT_FAIL;
    }
    if (z->state == ZONE_REFUSED || z->state == ZONE_BAD_SOURCE) {
        snprintf(came, size, "the newest update was refused, serial %" PRIu64 " stays: %.180s", z->serial, z->error);
        return VERDICT_WARN;
    }
    if (z->state == ZONE_UNSTORED) {
        snprintf(came, size, "the newest update could not be stored, serial %" PRIu64 " stays: %.180s", z->serial,
                 z->error);
        return VERDICT_WARN;
    }
    if (z->state == ZONE_ERROR) {
        snprintf(came, size, "serial %" PRIu64 ", but: %.200s", z->serial, z->error);
        return VERDICT_FAIL;
    }
    if (conf->catalog != NULL && z->waiting[0] != '\0') {
        snprintf(came, size, "this catalog is not followed, all its zones stay: %.180s", z->waiting);
        return VERDICT_WARN;
    }
    if (silent_s > 0) {
        snprintf(came, size, "serial %" PRIu64 ", source not checked for %" PRId64 " s%s%.150s", z->serial, silent_s,
                 z->waiting[0] != '\0' ? ": " : "", z->waiting);
        return VERDICT_WARN;
    }
    if (change_refused(z, wall_s)) {
        snprintf(came, size, "a change was refused, serial %" PRIu64 " stays: %.180s", z->serial, z->change_error);
        return VERDICT_WARN;
    }
    say_well(z, came, size);
    return VERDICT_PASS;
}

enum verdict_state zone_data_judge(const struct conf_zone *conf, const struct board_zone *z, int64_t wall_s,
                                   struct evidence *e) {
    *e = (struct evidence){.wall_ms = wall_s * 1000};
    text_copy(e->asked, sizeof(e->asked), "the zone's slot on the board");
    if (z != NULL && zone_data_there(z)) {
        e->value = (double)z->entries;
        e->unit = "entries";
        return judge_served(conf, z, wall_s, e->came, sizeof(e->came));
    }
    bool failed = z != NULL && z->error[0] != '\0';
    if (!failed && comes_from_elsewhere(conf, z)) {
        text_copy(e->came, sizeof(e->came), "no data yet: the first transfer from its primaries has not come");
        return VERDICT_FAIL;
    }
    if (conf->data_count == 0 && !failed) {
        text_copy(e->came, sizeof(e->came), "no data yet: it comes by publish, change or update, and none has come");
        return VERDICT_WARN;
    }
    if (failed)
        snprintf(e->came, sizeof(e->came), "no data: %.220s", z->error);
    else
        text_copy(e->came, sizeof(e->came), "no data yet: not loaded");
    return VERDICT_FAIL;
}

enum serial_verdict serial_look(struct serial_watch *w, uint32_t served, uint32_t committed, int64_t now_ms,
                                uint32_t persist_ms) {
    if (served == committed) {
        w->is_wrong = false;
        return SERIAL_RIGHT;
    }
    if (!w->is_wrong || w->wrong != served) {
        *w = (struct serial_watch){.wrong = served, .since_ms = now_ms, .is_wrong = true};
        return SERIAL_BEHIND;
    }
    return now_ms - w->since_ms > (int64_t)persist_ms ? SERIAL_WRONG : SERIAL_BEHIND;
}

void far_serial_look(struct far_serial *s, uint32_t theirs, uint32_t ours, int64_t now_ms) {
    bool they_lag = board_serial_newer(ours, theirs);
    bool reached = they_lag ? !board_serial_newer(s->first_ours, theirs) : !board_serial_newer(s->first_theirs, ours);
    if (theirs != ours && (!s->differs || reached)) {
        s->first_theirs = theirs;
        s->first_ours = ours;
        s->since_ms = now_ms;
    }
    s->differs = theirs != ours;
    s->theirs = theirs;
    s->ours = ours;
    s->seen_ms = now_ms;
}

int64_t far_serial_apart_ms(const struct far_serial *s) { return s->differs ? s->seen_ms - s->since_ms : 0; }
