#include "health/monitor/watched.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void take(struct watched *w, const struct report *r, int64_t mono_ms, int64_t wall_ms) {
    w->last = *r;
    w->heard_once = true;
    w->heard_ms = mono_ms;
    w->heard_wall_ms = wall_ms;
    w->reports++;
}

/* Sequences begin at 1 with each boot; of a boot that was met half-way, what came before is no gap of ours. */
enum watched_take watched_report(struct watched *w, const struct report *r, int64_t mono_ms, int64_t wall_ms) {
    if (w->heard_once && r->boot == w->last.boot && r->sequence <= w->last.sequence) {
        w->repeated++;
        return r->sequence == w->last.sequence ? WATCHED_AGAIN : WATCHED_OLD;
    }
    bool same = w->heard_once && r->boot == w->last.boot;
    if (w->heard_once && !same && r->wall_ms < w->last.wall_ms) {
        w->repeated++;
        return WATCHED_OLD;
    }
    uint64_t missed = same ? r->sequence - w->last.sequence - 1 : w->heard_once ? r->sequence - (r->sequence > 0) : 0;
    if (missed > 0) {
        w->missed += missed;
        w->missed_ms = mono_ms;
    }
    w->boots += !same;
    take(w, r, mono_ms, wall_ms);
    return WATCHED_NEW;
}

void watched_answer(struct watched *w, bool answers, int64_t mono_ms) {
    w->asked = true;
    w->answers = answers;
    if (answers)
        w->answered_ms = mono_ms;
}

static int64_t unheard_ms(const struct watched *w, int64_t mono_ms) {
    return mono_ms - (w->heard_once ? w->heard_ms : w->since_ms);
}

bool watched_is_silent(const struct watched *w, int64_t mono_ms) {
    return !w->unreported && unheard_ms(w, mono_ms) > (int64_t)w->push_ms * 5 / 2;
}

bool watched_is_lost(const struct watched *w, int64_t mono_ms) {
    bool mute = w->asked && !w->answers;
    if (w->unreported)
        return mute;
    return watched_is_silent(w, mono_ms) || (mute && unheard_ms(w, mono_ms) > (int64_t)w->push_ms * 6 / 5);
}

static const char *names(uint8_t state) { return verdict_state_name((enum verdict_state)state); }

static bool is_good(uint8_t scope) { return scope == REPORT_ABSENT || scope == VERDICT_PASS; }

enum verdict_state watched_own(const struct report *r) {
    enum verdict_state worst = VERDICT_PASS;
    if (is_good(r->scope[SCOPE_MONITOR]) && is_good(r->scope[SCOPE_PEERS]))
        return (enum verdict_state)r->overall;
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        if (i != SCOPE_MONITOR && i != SCOPE_PEERS && r->scope[i] != REPORT_ABSENT)
            worst = verdict_worse(worst, (enum verdict_state)r->scope[i]);
    return worst;
}

enum verdict_state watched_judge(const struct watched *w, int64_t mono_ms, char *to, size_t size) {
    if (watched_is_silent(w, mono_ms)) {
        int64_t for_s = unheard_ms(w, mono_ms) / 1000;
        if (w->heard_once)
            snprintf(to, size, "silent for %" PRId64 " s; its last word, number %" PRIu64 ", was %s%s", for_s,
                     w->last.sequence, names(w->last.overall), w->last.ready ? ", ready" : ", not ready");
        else
            snprintf(to, size, "no report in the %" PRId64 " s that it is watched", for_s);
        return VERDICT_FAIL;
    }
    if (!w->heard_once) {
        snprintf(to, size, "no report yet");
        return VERDICT_UNKNOWN;
    }
    snprintf(to, size, "says %s%s%s%.160s", names(w->last.overall), w->last.ready ? ", ready" : ", not ready",
             w->last.cause[0] != '\0' ? ": " : "", w->last.cause);
    enum verdict_state own = watched_own(&w->last);
    return own == VERDICT_UNKNOWN ? VERDICT_FAIL : own;
}

void watched_pulled(struct watched *w, bool answered, enum verdict_state shown, bool ready, int64_t mono_ms) {
    w->pulled = true;
    w->shows = answered;
    if (!answered)
        return;
    w->shown = shown;
    w->shows_ready = ready;
    w->shown_ms = mono_ms;
}

bool watched_is_missed(const struct watched *w) { return w->peers_miss > 1 && 2 * w->peers_miss > w->peers_of; }

/* What else is seen of it, behind words that are there. */
static void put_others(const struct watched *w, char *to, size_t size) {
    size_t n = strlen(to);
    if (w->pulled)
        n += (size_t)snprintf(to + n, size - n, "; its health port shows %s%s", w->shows ? names(w->shown) : "nothing",
                              !w->shows        ? ""
                              : w->shows_ready ? ", ready"
                                               : ", not ready");
    if (w->peers_of > 0 && n < size)
        (void)snprintf(to + n, size - n, "; of %zu peers %zu see it, %zu say it is gone", w->peers_of, w->peers_see,
                       w->peers_miss);
}

enum verdict_state watched_agree(const struct watched *w, int64_t mono_ms, char *to, size_t size) {
    enum verdict_state s = VERDICT_PASS;
    to[0] = '\0';
    if (!w->asked || !w->heard_once || watched_is_silent(w, mono_ms))
        return VERDICT_UNKNOWN;
    if (w->last.ready && w->answers && watched_is_missed(w)) {
        snprintf(to, size, "it is ready by its own word, and answers here; most of its peers say that it is gone");
        s = VERDICT_FAIL;
    } else if (w->last.ready == w->answers) {
        snprintf(to, size, "%s", w->answers ? "it is ready by its own word, and answers" : "both: not ready");
    } else if (w->answers) {
        snprintf(to, size, "it answers here, and says that it is not ready: %.160s", w->last.cause);
        s = VERDICT_WARN;
    } else {
        snprintf(to, size, "it says that it is ready, and does not answer here");
        s = VERDICT_FAIL;
    }
    put_others(w, to, size);
    return s;
}

enum verdict_state watched_gaps(const struct watched *w, int64_t mono_ms, int64_t window_ms, char *to, size_t size) {
    if (w->missed_ms == 0 || mono_ms - w->missed_ms > window_ms) {
        snprintf(to, size, "none lost lately, %" PRIu64 " in all", w->missed);
        return VERDICT_PASS;
    }
    snprintf(to, size, "%" PRIu64 " reports never came, the last of them %" PRId64 " s ago", w->missed,
             (mono_ms - w->missed_ms) / 1000);
    return VERDICT_WARN;
}

bool watched_cut_off(const struct watched *w, size_t count, int64_t mono_ms, size_t *lost) {
    *lost = 0;
    for (size_t i = 0; i < count; i++)
        *lost += watched_is_lost(&w[i], mono_ms);
    return count >= 2 && *lost * 2 > count;
}
