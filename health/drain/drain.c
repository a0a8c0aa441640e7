#include "health/drain/drain.h"

#include <stdio.h>

#include "resolver/base/bytes.h"

const char *drain_state_name(enum drain_state s) {
    static const char *const names[DRAIN_STATES] = {"starting", "serve", "drain"};
    return s < DRAIN_STATES ? names[s] : "?";
}

void drain_open(struct drain *d, const struct conf_health *conf, int64_t mono_ms) {
    *d = (struct drain){.hold_down_ms = conf->drain.hold_down_s * 1000,
                        .min_ready = conf->drain.min_ready,
                        .confirm = conf->drain.confirm,
                        .since_ms = mono_ms,
                        .well_since_ms = -1,
                        .reason = "not ready yet"};
}

static bool change(struct drain *d, enum drain_state to, int64_t mono_ms) {
    if (d->state == to)
        return false;
    d->state = to;
    d->since_ms = mono_ms;
    d->changes++;
    return true;
}

/* What keeps a node that is not well from leaving; false: nothing does. */
static bool must_stay(const struct drain *d, const struct peers_summary *p, char *why, size_t size) {
    if (p->configured == 0)
        return false;
    if (p->cut_off)
        snprintf(why, size, "stays: it is cut off from its peers, so nobody knows of another");
    else if (d->confirm && p->see_us == 0)
        snprintf(why, size, "stays: no peer says what it sees of this node");
    else if (d->confirm && p->miss_us == 0)
        snprintf(why, size, "stays: %u peer%s right answers from here", p->see_us, p->see_us == 1 ? " gets" : "s get");
    else if (p->ready < d->min_ready)
        snprintf(why, size, "stays: %u of the other nodes %s ready, %u must be", p->ready, p->ready == 1 ? "is" : "are",
                 d->min_ready);
    else
        return false;
    return true;
}

static bool look_ill(struct drain *d, const struct drain_look *now) {
    char stays[96];
    d->well_since_ms = -1;
    if (d->state != DRAIN_SERVE) {
        snprintf(d->reason, sizeof d->reason, "%.180s", now->cause);
        return false;
    }
    if (must_stay(d, &now->peers, stays, sizeof stays)) {
        snprintf(d->reason, sizeof d->reason, "%.90s: %s", now->cause, stays);
        return false;
    }
    snprintf(d->reason, sizeof d->reason, "%.120s%s", now->cause,
             now->peers.configured == 0 ? " (by its own word: it has no peers)" : "");
    return change(d, DRAIN_LEFT, now->mono_ms);
}

bool drain_look(struct drain *d, const struct drain_look *now) {
    if (!now->ready)
        return look_ill(d, now);
    if (d->well_since_ms < 0)
        d->well_since_ms = now->mono_ms;
    int64_t well_ms = now->mono_ms - d->well_since_ms;
    if (d->state == DRAIN_LEFT && well_ms < (int64_t)d->hold_down_ms) {
        snprintf(d->reason, sizeof d->reason, "well for %lld of %u s", (long long)well_ms / 1000,
                 d->hold_down_ms / 1000);
        return false;
    }
    text_copy(d->reason, sizeof d->reason, "ready");
    return change(d, DRAIN_SERVE, now->mono_ms);
}
