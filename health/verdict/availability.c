#include "health/verdict/availability.h"

#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60000, PART_MS = MINUTE_MS / AVAILABILITY_PARTS };

static const uint32_t window_minutes[AVAILABILITY_WINDOWS] = {1, 5, 15, 60, 360, 1440, 7 * 1440, AVAILABILITY_MINUTES};
static const char *const window_names[AVAILABILITY_WINDOWS] = {"1m", "5m", "15m", "1h", "6h", "1d", "7d", "30d"};

const char *availability_window_name(int window) {
    return window >= 0 && window < AVAILABILITY_WINDOWS ? window_names[window] : "?";
}

const char *availability_series_name(int series) {
    return series == AVAILABILITY_NODE      ? "node"
           : series == AVAILABILITY_CLIENTS ? "clients"
                                            : verdict_scope_name((enum verdict_scope)series);
}

int availability_open(struct availability *a) {
    *a = (struct availability){0};
    a->at = calloc(AVAILABILITY_MINUTES, sizeof(*a->at));
    return a->at != NULL ? 0 : E_NOMEM;
}

void availability_close(struct availability *a) {
    free(a->at);
    *a = (struct availability){0};
}

static struct availability_minute *slot(const struct availability *a, uint32_t minute) {
    return &a->at[minute % AVAILABILITY_MINUTES];
}

/* NULL: nothing is known of that minute. */
static const struct availability_minute *find(const struct availability *a, uint32_t minute) {
    const struct availability_minute *m = slot(a, minute);
    return m->minute == minute ? m : NULL;
}

/* What one minute adds to a series. */
static struct availability_sum worth(const struct availability *a, uint32_t minute, int series) {
    const struct availability_minute *m = find(a, minute);
    if (series == AVAILABILITY_CLIENTS) {
        uint32_t all = m != NULL ? (uint32_t)m->users * AVAILABILITY_SHARE : 0, up = m != NULL ? m->users_up : 0;
        return (struct availability_sum){up, all - up, all};
    }
    if (m == NULL)
        return (struct availability_sum){0, 0, AVAILABILITY_PARTS};
    if (m->good[series] == AVAILABILITY_ABSENT)
        return (struct availability_sum){0};
    return (struct availability_sum){m->good[series], m->bad[series], AVAILABILITY_PARTS};
}

static double ratio_of(const struct availability_sum *s) { return (double)s->good / (double)s->total; }

static void follow_worst(struct availability *a, int w, int series) {
    const struct availability_sum *s = &a->sum[w][series];
    struct availability_worst *worst = &a->worst[w][series];
    if (s->total == 0 || a->last - a->first + 1 < window_minutes[w])
        return;
    if (worst->minute == 0 || ratio_of(s) <= ratio_of(&worst->sum))
        *worst = (struct availability_worst){a->last, *s};
}

/* a->last has just been closed, known or not. gone: what fell out of the ring for it. */
static void slide(struct availability *a, const struct availability_sum gone[AVAILABILITY_SERIES]) {
    for (int w = 0; w < AVAILABILITY_WINDOWS; w++) {
        uint32_t n = window_minutes[w];
        for (int i = 0; i < AVAILABILITY_SERIES; i++) {
            struct availability_sum *s = &a->sum[w][i], in = worth(a, a->last, i), out = {0};
            if (n == AVAILABILITY_MINUTES)
                out = gone[i];
            else if (a->last - a->first >= n)
                out = worth(a, a->last - n, i);
            s->good += in.good - out.good;
            s->bad += in.bad - out.bad;
            s->total += in.total - out.total;
            follow_worst(a, w, i);
        }
    }
}

/* All sums anew, from the oldest minute on. */
static void recount(struct availability *a, uint32_t last) {
    static const struct availability_sum none[AVAILABILITY_SERIES];
    memset(a->sum, 0, sizeof(a->sum));
    memset(a->worst, 0, sizeof(a->worst));
    for (a->last = a->first; a->last < last; a->last++)
        slide(a, none);
    slide(a, none);
}

static bool worst_is_old(const struct availability *a) {
    for (int w = 0; w < AVAILABILITY_WINDOWS; w++)
        for (int i = 0; i < AVAILABILITY_SERIES; i++)
            if (a->worst[w][i].minute != 0 && a->last - a->worst[w][i].minute >= AVAILABILITY_MINUTES)
                return true;
    return false;
}

/* The ring holds 30 days, and the window of 30 days subtracts what lies just before them: so a minute is taken out of
 * the sums before its place is given to the new one. */
static void close_minute(struct availability *a, uint32_t minute, const struct availability_minute *known) {
    if (a->first == 0 || a->last == 0)
        a->first = minute;
    if (a->first == minute)
        a->last = minute;
    else
        a->last++;
    uint32_t oldest = a->last - a->first >= AVAILABILITY_MINUTES ? a->last - AVAILABILITY_MINUTES : 0;
    struct availability_sum gone[AVAILABILITY_SERIES] = {0};
    for (int i = 0; oldest != 0 && i < AVAILABILITY_SERIES; i++)
        gone[i] = worth(a, oldest, i);
    struct availability_minute *at = slot(a, a->last);
    if (known != NULL && known->minute == a->last)
        *at = *known;
    if (oldest != 0)
        a->first = oldest + 1;
    slide(a, gone);
    if (worst_is_old(a))
        recount(a, a->last);
}

void availability_put(struct availability *a, const struct availability_minute *m) {
    bool sound = m->minute != 0 && m->users_up <= m->users * AVAILABILITY_SHARE;
    for (int i = 0; i < AVAILABILITY_JUDGED && sound; i++)
        sound = m->good[i] == AVAILABILITY_ABSENT || m->good[i] + m->bad[i] <= AVAILABILITY_PARTS;
    if (sound && m->minute > slot(a, m->minute)->minute)
        *slot(a, m->minute) = *m;
}

static void running_from(struct availability *a, uint32_t minute) {
    const struct availability_minute *m = find(a, minute);
    a->minute = minute;
    a->passed_ms = 0;
    a->users = m != NULL ? m->users : 0;
    a->users_up = m != NULL ? m->users_up : 0;
    for (int i = 0; i < AVAILABILITY_JUDGED; i++) {
        a->there[i] = m != NULL && m->good[i] != AVAILABILITY_ABSENT;
        a->good_ms[i] = a->there[i] ? m->good[i] * (uint32_t)PART_MS : 0;
        a->bad_ms[i] = a->there[i] ? m->bad[i] * (uint32_t)PART_MS : 0;
    }
}

void availability_begin(struct availability *a, int64_t wall_ms) {
    uint32_t now = (uint32_t)(wall_ms / MINUTE_MS), first = 0;
    for (uint32_t i = 0; i < AVAILABILITY_MINUTES; i++) {
        uint32_t m = a->at[i].minute;
        if (m > now || (m != 0 && now - m > AVAILABILITY_MINUTES))
            a->at[i] = (struct availability_minute){0}; /* of a clock that was wrong, or too old */
        else if (m != 0 && m < now && (first == 0 || m < first))
            first = m;
    }
    running_from(a, now);
    a->first = first;
    if (first != 0)
        recount(a, now - 1);
}

void availability_running(const struct availability *a, struct availability_minute *m) {
    *m = (struct availability_minute){.minute = a->minute, .users = a->users, .users_up = a->users_up};
    for (int i = 0; i < AVAILABILITY_JUDGED; i++) {
        uint32_t good = a->good_ms[i] / PART_MS, bad = a->bad_ms[i] / PART_MS;
        good = good < AVAILABILITY_PARTS ? good : AVAILABILITY_PARTS;
        bad = good + bad < AVAILABILITY_PARTS ? bad : AVAILABILITY_PARTS - good;
        m->good[i] = a->there[i] ? (uint8_t)good : AVAILABILITY_ABSENT;
        m->bad[i] = a->there[i] ? (uint8_t)bad : 0;
    }
}

/* The wall clock went on to another minute: all between are closed. One that was set back begins anew: its minutes are
 * there already, and what is known of them stays. */
static bool turn(struct availability *a, uint32_t minute, struct availability_minute *closed) {
    bool back = minute < a->minute;
    availability_running(a, closed);
    /* Nobody waited for a node in the part of its first minute before it was there at all. */
    if (!back && a->first == 0 && a->passed_ms + AVAILABILITY_GAP_MS < MINUTE_MS)
        memset(closed->good, AVAILABILITY_ABSENT, sizeof closed->good);
    if (back)
        *slot(a, closed->minute) = *closed;
    for (unsigned n = 0; !back && a->minute < minute && n <= AVAILABILITY_MINUTES; n++) {
        close_minute(a, a->minute, n == 0 ? closed : NULL);
        a->minute++;
    }
    if (back || a->minute < minute)
        availability_begin(a, (int64_t)minute * MINUTE_MS);
    else
        running_from(a, minute);
    return true;
}

bool availability_note(struct availability *a, int64_t wall_ms, int64_t ms,
                       const enum verdict_state state[AVAILABILITY_JUDGED], struct availability_minute *closed) {
    uint32_t minute = wall_ms > 0 ? (uint32_t)(wall_ms / MINUTE_MS) : 0;
    bool turned = false;
    if (minute == 0)
        return false;
    if (a->minute == 0)
        running_from(a, minute);
    else if (minute != a->minute)
        turned = turn(a, minute, closed);
    if (ms < 0 || ms > AVAILABILITY_GAP_MS)
        ms = 0;
    a->passed_ms += (uint32_t)ms;
    for (int i = 0; i < AVAILABILITY_JUDGED; i++) {
        bool good = state[i] == VERDICT_PASS || state[i] == VERDICT_WARN;
        a->there[i] |= state[i] != VERDICT_STATES;
        a->good_ms[i] += good ? (uint32_t)ms : 0;
        a->bad_ms[i] += state[i] == VERDICT_FAIL ? (uint32_t)ms : 0;
    }
    return turned;
}

void availability_user(struct availability *a, uint64_t queries, uint64_t answered) {
    if (queries == 0 || a->users >= AVAILABILITY_USERS_MAX)
        return;
    double share = answered < queries ? (double)answered / (double)queries : 1;
    a->users++;
    a->users_up += (uint16_t)(share * (AVAILABILITY_SHARE - 1) + (share >= 1));
}

bool availability_share(const struct availability *a, int series, int window, struct availability_share *s) {
    struct availability_sum sum = a->sum[window][series];
    const struct availability_worst *worst = &a->worst[window][series];
    if (series == AVAILABILITY_CLIENTS) {
        sum.good += a->users_up;
        sum.total += (uint32_t)a->users * AVAILABILITY_SHARE;
        sum.bad = sum.total - sum.good;
    } else if (a->there[series]) {
        uint32_t good = a->good_ms[series] / PART_MS, bad = a->bad_ms[series] / PART_MS, all = a->passed_ms / PART_MS;
        sum.good += good;
        sum.bad += bad;
        sum.total += all > good + bad ? all : good + bad;
    }
    if (sum.total == 0)
        return false;
    s->ratio = ratio_of(&sum);
    s->measured = (double)(sum.good + sum.bad) / (double)sum.total;
    s->worst = worst->minute != 0 ? ratio_of(&worst->sum) : -1;
    s->worst_end_wall_ms = ((int64_t)worst->minute + 1) * MINUTE_MS;
    return true;
}

void availability_states(const struct verdict_book *b, enum verdict_state state[AVAILABILITY_JUDGED]) {
    size_t cause;
    for (int i = 0; i < SCOPE_COUNT; i++)
        state[i] = b->scope[i].present ? b->scope[i].state : VERDICT_STATES;
    state[AVAILABILITY_NODE] = verdict_ready(b, &cause) ? VERDICT_PASS : VERDICT_UNKNOWN;
    if (state[AVAILABILITY_NODE] != VERDICT_PASS && cause < b->count)
        state[AVAILABILITY_NODE] = b->checks[cause].shown;
}
