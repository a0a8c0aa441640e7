/* What a primary says of itself, and whether it is to be followed. */
#include <stdio.h>

#include "rbl/secondary/impl.h"
#include "resolver/base/log.h"

enum {
    OFFSET_JUMP_MS = 2000,
    CONFIRMED = 2,
    HEAL_AGAIN_MS = 10000, /* what a whole zone did not heal is tried again then, and twice as late each time */
    HEAL_DOUBLINGS = 6
};

void judge_reject(struct sec_primary *p, enum board_reject why, const char *text) {
    board_add(&p->link->rejected[why], 1);
    link_tried(p->link, E_REFUSED, text);
    primary_log(p, "not taken from a primary", text);
}

/* --- the way it came */

static bool through_us(const struct sec_primary *p, const struct native_state *st) {
    const char *own = p->zone->in->c.conf->node.name;
    for (unsigned i = 0; i < st->path_count && own[0] != '\0'; i++)
        if (strncmp(st->path[i], own, NATIVE_NODE - 1) == 0)
            return true;
    return false;
}

/* --- serials */

/* What this primary, or we, had and it has no more. */
static bool went_back(const struct sec_primary *p, uint32_t serial, uint32_t *from) {
    const struct schedule *s = &p->zone->s;
    if (p->most_known && serial_newer(p->most, serial)) {
        *from = p->most;
        return true;
    }
    if (!s->have || s->count != 1 || !serial_newer(s->serial, serial))
        return false;
    *from = s->serial;
    return true;
}

/* False: it went back, and says so. */
static bool judge_order(struct sec_primary *p, uint32_t serial) {
    const struct schedule *s = &p->zone->s;
    uint32_t from = 0;
    char text[128];
    bool back = went_back(p, serial, &from), ours_newer = s->have && serial_newer(s->serial, serial);
    if (!back) {
        p->went_back = false;
        p->most = serial;
        p->most_known = true;
        return true;
    }
    (void)snprintf(text, sizeof text, "serial went from %u back to %u%s", from, serial,
                   ours_newer ? "; ours is newer: refusing" : "");
    if (!p->went_back) {
        board_add(&p->link->serial_regressions, 1);
        if (p->zone->slot != NULL)
            board_add(&p->zone->slot->serial_regressions, 1);
        judge_reject(p, REJECT_SERIAL, text);
    } else {
        link_tried(p->link, E_REFUSED, text);
    }
    p->went_back = true;
    if (!ours_newer) { /* it is taken: from now on this is what it has */
        p->most = serial;
        p->went_back = false;
    }
    return false;
}

void judge_serial(struct sec_primary *p, uint32_t serial) {
    link_serial(p->link, serial);
    if (judge_order(p, serial))
        link_tried(p->link, 0, "");
}

/* --- digests */

static bool same_digest(const struct digest *a, const struct digest *b) { return a->lo == b->lo && a->hi == b->hi; }

/* An earlier primary that agrees with us: then it is this one that is wrong. */
static bool another_agrees(const struct sec_primary *p, const struct keep_state *have) {
    for (unsigned i = 0; i < p->index; i++) {
        const struct sec_primary *o = &p->zone->primary[i];
        if (o->state_known && p->zone->s.primary[i].failures == 0 && o->state.serial == have->serial &&
            same_digest(&o->state.digest, &have->digest))
            return true;
    }
    return false;
}

static void count_diverged(struct sec_zone *z) {
    uint64_t count = 0;
    for (unsigned i = 0; i < z->s.count; i++)
        count += z->primary[i].diverged;
    if (z->slot != NULL)
        board_set(&z->slot->diverged, count);
}

static void heal(struct sec_primary *p, int64_t now_ms) {
    if (now_ms < p->heal_after_ms)
        return;
    p->heal_after_ms = now_ms + ((int64_t)HEAL_AGAIN_MS << p->heals);
    p->heals += p->heals < HEAL_DOUBLINGS;
    p->zone->snapshot_wanted = true;
    p->native_failed = 0; /* a plain transfer may be why: it brings the same contents in other entries */
    schedule_whole(&p->zone->s, (int)p->index, now_ms);
}

/* A commit that is under way, here or there, looks like a difference for a moment: twice, and nothing under way. */
static void judge_digest(struct sec_primary *p, const struct native_state *st) {
    struct sec_zone *z = p->zone;
    struct keep_state have;
    bool known = keeper_state(z->in->c.keeper, z->index, &have, NULL) == 0;
    bool differs =
        known && (st->flags & NATIVE_HAVE) != 0 && have.serial == st->serial && !same_digest(&have.digest, &st->digest);
    if (z->first != NULL && differs)
        return;
    uint64_t mark = have.digest.lo ^ st->digest.hi ^ have.serial;
    p->differs = differs ? (p->differs > 0 && p->differs_digest == mark ? p->differs + 1 : 1) : 0;
    p->differs_digest = mark;
    bool diverged = p->differs >= CONFIRMED;
    if (diverged && !p->diverged) {
        char text[128];
        (void)snprintf(text, sizeof text, "serial %u has another digest there than here%s", st->serial,
                       another_agrees(p, &have) ? "; an earlier primary agrees with ours" : ": taking the whole zone");
        judge_reject(p, REJECT_DIGEST, text);
    }
    p->diverged = diverged;
    if (known && !differs && have.serial == st->serial)
        p->heals = 0;
    count_diverged(z);
    int64_t now_ms = loop_now_ms(z->in->c.loop);
    if (p->differs > 0 && !diverged && z->s.primary[p->index].ask_ms > now_ms + SECONDARY_CONFIRM_MS)
        z->s.primary[p->index].ask_ms = now_ms + SECONDARY_CONFIRM_MS;
    if (diverged && !another_agrees(p, &have))
        heal(p, now_ms);
}

/* --- clocks */

void judge_clock(struct sec_primary *p, int64_t wall_ms, int64_t half_ms, bool exact) {
    int64_t seen = wall_ms + half_ms - clock_wall_ms(), off = seen - p->offset_ms;
    if (exact || !p->offset_known || off > OFFSET_JUMP_MS || off < -OFFSET_JUMP_MS)
        p->offset_ms = seen;
    p->offset_known = true;
    board_set(&p->link->clock_offset_ms, (uint64_t)p->offset_ms);
    board_set(&p->link->clock_known, 1);
}

/* --- all of it */

static void take_fresh(struct sec_primary *p, const struct native_state *st) {
    struct sec_zone *z = p->zone;
    struct keep_state have;
    if ((st->flags & NATIVE_HAVE) == 0 || keeper_state(z->in->c.keeper, z->index, &have, NULL) < 0 ||
        have.serial != st->serial || !same_digest(&have.digest, &st->digest) ||
        (z->fresh_known && z->fresh.serial == st->serial && st->stamp_ms < z->fresh.stamp_ms))
        return;
    z->fresh = *st;
    z->fresh_known = true;
    z->in->kept_changed = true;
}

int judge_state(struct sec_primary *p, const struct native_state *st) {
    struct sec_zone *z = p->zone;
    char text[160];
    link_heard(p->link, st);
    p->state = *st;
    p->state_known = true;
    p->make = MAKE_CANDOR;
    if (through_us(p, st)) {
        (void)snprintf(text, sizeof text, "a loop: the zone comes to %.40s from this node", p->name);
        judge_reject(p, REJECT_LOOP, text);
        return REJECT_LOOP + 1;
    }
    if (st->epoch < z->epoch) {
        (void)snprintf(text, sizeof text, "epoch %u, ours is %u: another primary was promoted since", st->epoch,
                       z->epoch);
        judge_reject(p, REJECT_EPOCH, text);
        return REJECT_EPOCH + 1;
    }
    if (st->epoch > z->epoch) {
        z->epoch = st->epoch;
        z->in->kept_changed = true;
    }
    bool forward = (st->flags & NATIVE_HAVE) == 0 || judge_order(p, st->serial);
    judge_digest(p, st);
    if (forward && !p->diverged)
        link_tried(p->link, 0, "");
    take_fresh(p, st);
    return 0;
}
