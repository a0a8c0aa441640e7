/* Zones as all nodes have them: which serials there are, who is behind, who has other content under the same serial. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "health/monitor/fleet.h"

enum { SLOTS = 2 * FLEET_ZONES };

/* Zones found so far, by name. */
struct table {
    struct fleet_zone *zone;
    size_t count, lost;
    uint16_t slot[SLOTS]; /* index and 1; 0: free */
};

static struct fleet_zone *find(struct table *t, const char *name, bool make) {
    size_t at = (size_t)XXH3_64bits(name, strlen(name)) % SLOTS;
    for (; t->slot[at] != 0; at = (at + 1) % SLOTS)
        if (strcmp(t->zone[t->slot[at] - 1].zone, name) == 0)
            return &t->zone[t->slot[at] - 1];
    if (!make)
        return NULL;
    char *copy = t->count < FLEET_ZONES ? strdup(name) : NULL;
    if (copy == NULL) {
        t->lost++;
        return NULL;
    }
    t->zone[t->count] = (struct fleet_zone){.zone = copy};
    t->slot[at] = (uint16_t)++t->count;
    return &t->zone[t->count - 1];
}

/* RFC 1982 section 3.2. */
static bool is_newer(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

static void note_serial(struct fleet_zone *z, const struct facts_zone *from) {
    if (z->nodes++ == 0 || is_newer(from->serial, z->newest))
        z->newest = from->serial;
    for (size_t i = 0; i < z->serials; i++)
        if (z->serial[i] == from->serial) {
            z->have[i]++;
            return;
        }
    if (z->serials < FLEET_SERIALS) {
        z->serial[z->serials] = from->serial;
        z->have[z->serials++] = 1;
    }
}

static bool counts(const struct fleet *f, size_t i, int64_t mono_ms) {
    int64_t push = f->conf->health.interval.push_ms;
    return f->node[i].facts != NULL && mono_ms - f->node[i].facts_ms <= FLEET_FRESH_INTERVALS * push;
}

/* Since when its newest serial is known: from the last comparison, unless it is new. */
static void inherit(const struct fleet *f, struct table *t, int64_t mono_ms) {
    for (size_t i = 0; i < t->count; i++)
        t->zone[i].newest_ms = mono_ms;
    for (size_t i = 0; i < f->zones; i++) {
        struct fleet_zone *z = find(t, f->zone[i].zone, false);
        if (z != NULL && z->newest == f->zone[i].newest)
            z->newest_ms = f->zone[i].newest_ms;
    }
}

/* The digest that most have under the newest serial: found by the vote of Boyer and Moore, `have[0]`... one pass. */
static void vote(struct fleet_zone *z, size_t *lead, uint64_t digest) {
    if (digest == 0)
        return;
    if (*lead == 0)
        z->digest = digest;
    *lead = z->digest == digest ? *lead + 1 : *lead - 1;
}

static void name_node(uint16_t *list, size_t *count, size_t node) {
    if (*count < FLEET_NAMED)
        list[*count] = (uint16_t)node;
    ++*count;
}

static void accuse(const struct fleet *f, struct table *t, int64_t mono_ms) {
    int64_t patience = FLEET_LAG_INTERVALS * (int64_t)f->conf->health.interval.push_ms;
    for (size_t i = 0; i < f->count; i++) {
        const struct facts *facts = counts(f, i, mono_ms) ? f->node[i].facts : NULL;
        for (size_t k = 0; facts != NULL && k < facts->zones; k++) {
            struct fleet_zone *z = find(t, facts->zone[k].zone, false);
            if (z == NULL || z->nodes < 2)
                continue;
            if (facts->zone[k].serial != z->newest && mono_ms - z->newest_ms > patience)
                name_node(z->lagging, &z->lag, i);
            else if (facts->zone[k].serial == z->newest && facts->zone[k].digest != 0 &&
                     facts->zone[k].digest != z->digest)
                name_node(z->differing, &z->differ, i);
        }
    }
    for (size_t i = 0; i < t->count; i++)
        t->zone[i].state = t->zone[i].differ > 0 ? VERDICT_FAIL : t->zone[i].lag > 0 ? VERDICT_WARN : VERDICT_PASS;
}

static void collect(const struct fleet *f, struct table *t, int64_t mono_ms) {
    size_t *lead = calloc(FLEET_ZONES, sizeof *lead);
    for (int pass = 0; pass < 2 && lead != NULL; pass++)
        for (size_t i = 0; i < f->count; i++) {
            const struct facts *facts = counts(f, i, mono_ms) ? f->node[i].facts : NULL;
            for (size_t k = 0; facts != NULL && k < facts->zones; k++) {
                struct fleet_zone *z = find(t, facts->zone[k].zone, pass == 0);
                if (z != NULL && pass == 0)
                    note_serial(z, &facts->zone[k]);
                else if (z != NULL && facts->zone[k].serial == z->newest)
                    vote(z, &lead[z - t->zone], facts->zone[k].digest);
            }
        }
    free(lead);
}

void fleet_compare(struct fleet *f, int64_t mono_ms) {
    struct table *t = calloc(1, sizeof *t);
    f->changed = false;
    if (t != NULL)
        t->zone = calloc(FLEET_ZONES, sizeof *t->zone);
    if (t == NULL || t->zone == NULL) {
        free(t);
        return; /* the next time will do */
    }
    collect(f, t, mono_ms);
    inherit(f, t, mono_ms);
    accuse(f, t, mono_ms);
    for (size_t i = 0; i < f->zones; i++)
        free(f->zone[i].zone);
    free(f->zone);
    f->zone = t->zone;
    f->zones = t->count;
    f->zones_lost = t->lost;
    free(t);
}

static const struct fleet_zone *worst(const struct fleet *f, size_t *lag, size_t *differ, size_t *shared) {
    const struct fleet_zone *at = NULL;
    *lag = *differ = *shared = 0;
    for (size_t i = 0; i < f->zones; i++) {
        const struct fleet_zone *z = &f->zone[i];
        *shared += z->nodes > 1;
        *lag += z->lag > 0;
        *differ += z->differ > 0;
        if (z->state != VERDICT_PASS && (at == NULL || verdict_worse(z->state, at->state) != at->state))
            at = z;
    }
    return at;
}

enum verdict_state fleet_zones_judge(const struct fleet *f, char *to, size_t size) {
    size_t lag, differ, shared;
    const struct fleet_zone *z = worst(f, &lag, &differ, &shared);
    to[0] = '\0';
    if (f->zones == 0)
        return VERDICT_UNKNOWN;
    if (z == NULL) {
        snprintf(to, size, "%zu zones that several nodes have agree", shared);
        return VERDICT_PASS;
    }
    bool differs = z->differ > 0;
    const char *who = f->watched[differs ? z->differing[0] : z->lagging[0]].name;
    size_t others = (differs ? z->differ : z->lag) - 1;
    char more[48] = "";
    if (others > 0)
        snprintf(more, sizeof more, " and %zu more", others);
    if (differs)
        snprintf(to, size, "%.120s: serial %u has other content on %.63s%s; %zu zones differ, %zu lag", z->zone,
                 (unsigned)z->newest, who, more, differ, lag);
    else
        snprintf(to, size, "%.120s: %.63s%s behind serial %u; %zu zones lag", z->zone, who, more, (unsigned)z->newest,
                 lag);
    return z->state;
}
