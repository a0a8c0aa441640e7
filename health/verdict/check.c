/* The life of one check: results against its state are counted, and enough of them in a row turn it.
 *
 *              first result (unless it had failed before it went unknown)
 *   unknown ------------------------------------------------------------> pass, warn, fail
 *      ^                                                                    |        ^
 *      |  newest evidence older than three intervals                       |        | `rise` better results in a row
 *      +--------------------------------------------------------------------+        | or `fall` worse ones
 */
#include <stdio.h>
#include <string.h>

#include "health/verdict/impl.h"
#include "resolver/base/bytes.h"

static const uint8_t rank[VERDICT_STATES] = {
    [VERDICT_PASS] = 0, [VERDICT_WARN] = 1, [VERDICT_UNKNOWN] = 2, [VERDICT_FAIL] = 3};

enum verdict_state verdict_worse(enum verdict_state a, enum verdict_state b) { return rank[a] >= rank[b] ? a : b; }

static void forget_streaks(struct verdict_check *c) {
    c->worse = 0;
    c->better = 0;
}

/* Evidence that ages away is no change of what the check is about: damping is for what was seen to change. */
static void settle(struct verdict_check *c, enum verdict_state s) {
    if (c->before != VERDICT_UNKNOWN && c->before != s)
        flap_change(&c->flap, (uint8_t)c->before, (uint8_t)s, c->interval_ms, c->last_mono_ms);
    c->settled = s;
    c->before = s;
    c->seen_wall_ms = c->streak_wall_ms;
    forget_streaks(c);
}

/* Out of unknown. A check that never was anything waits for `fall` bad results, so that a start is no alarm; it is
 * unknown until then, and that is no green either. One that had failed must rise. */
static void result_first(struct verdict_check *c, enum verdict_state s, unsigned fall, unsigned rise) {
    if (s == VERDICT_FAIL) {
        c->better = 0;
        if (c->before != VERDICT_UNKNOWN || ++c->worse >= fall)
            settle(c, s);
    } else if (c->before != VERDICT_FAIL || ++c->better >= rise) {
        settle(c, s);
    }
}

static void result_next(struct verdict_check *c, enum verdict_state s, unsigned fall, unsigned rise) {
    if (s == c->settled) {
        c->doubts += c->worse > 0;
        forget_streaks(c);
    } else if (rank[s] > rank[c->settled]) {
        c->better = 0;
        c->doubt_wall_ms = c->streak_wall_ms;
        text_copy(c->doubt, sizeof(c->doubt), c->evidence.came);
        c->worse_least = c->worse == 0 || rank[s] < rank[c->worse_least] ? s : c->worse_least;
        if (++c->worse >= fall)
            settle(c, c->worse_least);
    } else {
        c->doubts += c->worse > 0;
        c->worse = 0;
        c->better_most = c->better == 0 || rank[s] > rank[c->better_most] ? s : c->better_most;
        if (++c->better >= rise)
            settle(c, c->better_most);
    }
}

bool verdict_result(struct verdict_book *b, size_t check, const struct verdict_result *r) {
    struct verdict_check *c = check < b->count ? &b->checks[check] : NULL;
    if (c == NULL || c->fixed || r->state >= VERDICT_UNKNOWN)
        return false;
    check_age(c, r->mono_ms);
    c->evidence = r->evidence;
    c->last_mono_ms = r->mono_ms;
    if (c->worse == 0 && c->better == 0)
        c->streak_wall_ms = r->evidence.wall_ms;
    if (c->before == VERDICT_UNKNOWN && r->state == VERDICT_FAIL && r->mono_ms < b->grace_until_ms)
        return true;
    if (c->settled == VERDICT_UNKNOWN)
        result_first(c, r->state, b->fall, b->rise);
    else
        result_next(c, r->state, b->fall, b->rise);
    return c->worse > 0 || c->better > 0;
}

void check_age(struct verdict_check *c, int64_t mono_ms) {
    if (c->fixed || c->settled == VERDICT_UNKNOWN || mono_ms <= check_deadline(c))
        return;
    c->before = c->settled;
    c->settled = VERDICT_UNKNOWN;
    c->seen_wall_ms = c->evidence.wall_ms;
    forget_streaks(c);
}

int64_t check_deadline(const struct verdict_check *c) {
    return c->last_mono_ms + (int64_t)VERDICT_AGE_INTERVALS * c->interval_ms;
}

const char *verdict_label(const struct verdict_check *c, char *to, size_t size) {
    if (c->id[0] != '\0')
        snprintf(to, size, "%s:%s (%s)", c->component, c->measurement, c->id);
    else
        snprintf(to, size, "%s:%s", c->component, c->measurement);
    return to;
}

enum verdict_state check_state(struct verdict_check *c, int64_t mono_ms) {
    if (c->fixed || c->settled == VERDICT_UNKNOWN || !flap_held(&c->flap, c->interval_ms, mono_ms))
        return c->settled;
    return verdict_worse(c->settled, (enum verdict_state)c->flap.worst);
}

const char *verdict_words(const struct verdict_check *c, char *to, size_t size) {
    char flap[64];
    if (c->shown == VERDICT_UNKNOWN && c->before != VERDICT_UNKNOWN)
        snprintf(to, size, "no fresh evidence for three intervals; last: %.200s", c->evidence.came);
    else if (c->flap.held)
        snprintf(to, size, "%s, held as %s until it is steady; now %s: %.200s",
                 flap_words(&c->flap, flap, sizeof(flap)), verdict_state_name(c->shown), verdict_state_name(c->settled),
                 c->evidence.came);
    else
        text_copy(to, size, c->evidence.came);
    return to;
}
