#include "rbl/secondary/schedule.h"

#include <string.h>

#include "resolver/base/rand.h"

enum { MS = 1000, DOUBLINGS = 6, REFRESH_LEAST_S = 1, EXPIRE_LEAST_S = 2 };

/* A tenth less or more: a thousand zones that began together do not ask together for ever. */
static int64_t vary(const struct schedule *s, int64_t ms) {
    uint32_t fifth = (uint32_t)(ms / 5);
    return ms - ms / 10 + (fifth > 0 ? s->random(fifth + 1) : 0);
}

static int64_t backoff_ms(const struct schedule *s, unsigned failures) {
    int64_t most = (int64_t)s->retry_s * MS;
    if (most > SCHEDULE_BACKOFF_MS)
        most = SCHEDULE_BACKOFF_MS;
    if (most < SCHEDULE_FIRST_MS)
        most = SCHEDULE_FIRST_MS;
    int64_t ms = (int64_t)SCHEDULE_FIRST_MS << (failures > DOUBLINGS ? DOUBLINGS : failures > 0 ? failures - 1 : 0);
    return vary(s, ms < most ? ms : most);
}

void schedule_open(struct schedule *s, unsigned count, int64_t now_ms) {
    memset(s, 0, sizeof *s);
    s->count = count < SCHEDULE_PRIMARIES ? count : SCHEDULE_PRIMARIES;
    s->transfer = s->whole_from = -1;
    s->random = rand_below;
    schedule_times(s, 0, 0, 0);
    for (unsigned i = 0; i < s->count; i++)
        s->primary[i] = (struct schedule_primary){.ask_ms = now_ms, .asked_ms = now_ms - SCHEDULE_HINT_MS};
}

static uint32_t within(uint32_t v, uint32_t otherwise, uint32_t least) {
    if (v == 0)
        v = otherwise;
    return v < least ? least : v > SCHEDULE_SECONDS_MOST ? SCHEDULE_SECONDS_MOST : v;
}

void schedule_times(struct schedule *s, uint32_t refresh_s, uint32_t retry_s, uint32_t expire_s) {
    s->refresh_s = within(refresh_s, 3600, REFRESH_LEAST_S);
    s->retry_s = within(retry_s, 600, REFRESH_LEAST_S);
    s->expire_s = within(expire_s, 604800, EXPIRE_LEAST_S);
    for (unsigned i = 0; i < s->count; i++) {
        struct schedule_primary *p = &s->primary[i];
        int64_t due = p->asked_ms + (int64_t)s->refresh_s * MS;
        if (p->told && p->failures == 0 && p->ask_ms > due + (int64_t)s->refresh_s * MS / 10)
            p->ask_ms = due;
    }
}

void schedule_have(struct schedule *s, uint32_t serial) {
    s->have = true;
    s->serial = serial;
}

int schedule_ask(struct schedule *s, int64_t now_ms) {
    for (unsigned i = 0; i < s->count; i++) {
        struct schedule_primary *p = &s->primary[i];
        bool hinted = p->hinted && now_ms - p->asked_ms >= SCHEDULE_HINT_MS;
        if (p->asking || !(hinted || (!p->held && now_ms >= p->ask_ms)))
            continue;
        p->asking = true;
        p->hinted = false;
        p->asked_ms = now_ms;
        return (int)i;
    }
    return -1;
}

void schedule_hint(struct schedule *s, unsigned primary, const uint32_t *serial, int64_t now_ms) {
    struct schedule_primary *p = &s->primary[primary];
    if (serial != NULL && s->have && *serial == s->serial && p->told && p->serial == s->serial && p->failures == 0)
        return;
    p->hinted = true;
    p->transfer_ms = now_ms; /* it is there: what failed before may go well now */
}

void schedule_said(struct schedule *s, unsigned primary, uint32_t serial, int64_t within_ms, int64_t now_ms) {
    struct schedule_primary *p = &s->primary[primary];
    int64_t again = (int64_t)s->refresh_s * MS;
    if (within_ms > 0 && within_ms < again)
        again = within_ms;
    if (p->told && p->serial != serial)
        p->broken = 0; /* something new: what failed with the old one counts no more */
    p->asking = false;
    p->failures = 0;
    p->told = true;
    p->serial = serial;
    p->ask_ms = now_ms + vary(s, again);
    if (p->broken == 0)
        p->transfer_ms = 0;
}

void schedule_failed(struct schedule *s, unsigned primary, int64_t now_ms) {
    struct schedule_primary *p = &s->primary[primary];
    p->asking = p->told = p->held = false;
    p->failures++;
    p->ask_ms = now_ms + backoff_ms(s, p->failures);
}

static bool wanted(const struct schedule *s, const struct schedule_primary *p, int64_t now_ms) {
    if (!p->told || p->failures > 0 || now_ms < p->transfer_ms)
        return false;
    if (s->whole)
        return s->whole_from < 0 || p == &s->primary[s->whole_from];
    if (s->refused && p->serial == s->refused_serial)
        return false;
    return !s->have || serial_newer(p->serial, s->serial);
}

static bool better(const struct schedule_primary *a, const struct schedule_primary *b) {
    return a->serial != b->serial ? serial_newer(a->serial, b->serial) : a->broken < b->broken;
}

int schedule_transfer(struct schedule *s, int64_t now_ms) {
    int best = -1;
    for (unsigned i = 0; i < s->count && s->transfer < 0; i++)
        if (wanted(s, &s->primary[i], now_ms) && (best < 0 || better(&s->primary[i], &s->primary[best])))
            best = (int)i;
    if (best >= 0)
        s->transfer = best;
    return best;
}

void schedule_ended(struct schedule *s, unsigned primary, enum schedule_end end, uint32_t serial, int64_t now_ms) {
    struct schedule_primary *p = &s->primary[primary];
    if (s->transfer == (int)primary)
        s->transfer = -1;
    if (end == SCHEDULE_BROKEN) {
        p->broken++;
        p->transfer_ms = now_ms + backoff_ms(s, p->broken);
        return;
    }
    p->broken = 0;
    s->refused = end == SCHEDULE_REFUSED;
    s->refused_serial = serial;
    s->whole = false;
    if (end == SCHEDULE_DONE)
        schedule_have(s, serial);
}

void schedule_whole(struct schedule *s, int primary, int64_t now_ms) {
    s->whole = true;
    s->whole_from = primary;
    s->refused = false;
    for (unsigned i = 0; i < s->count; i++) {
        s->primary[i].hinted = true;
        s->primary[i].transfer_ms = now_ms;
    }
}
