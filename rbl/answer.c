#include "rbl/answer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>

#include "rbl/answer_impl.h"
#include "resolver/base/rand.h"

static void begin(void *self) {
    struct answer *s = self;
    s->begun_count = 0;
    s->now_wall_s = 0;
    if (s->members != NULL && board_get(&s->board->members_epoch) != s->members_epoch)
        answer_members(s);
}

static void end(void *self) {
    struct answer *s = self;
    for (size_t i = 0; i < s->begun_count; i++)
        answer_zone_end(&s->zone[s->begun[i]]);
    s->begun_count = 0;
}

static uint64_t hash(const struct answer *s, const uint8_t *wire, size_t size) {
    return XXH3_64bits_withSeed(wire, size, s->key);
}

static int slot_find(const struct answer *s, const uint8_t *wire, size_t size) {
    uint64_t at = hash(s, wire, size);
    for (uint32_t i = 0; i < s->slots; i++, at++) {
        uint16_t slot = s->slot[at & (s->slots - 1)];
        if (slot == 0)
            return -1;
        const struct name *apex = &s->zone[slot - 1].apex;
        if (apex->size == size && memcmp(apex->wire, wire, size) == 0)
            return slot - 1;
    }
    return -1;
}

static int zone(void *self, const struct name *qname) {
    struct answer *s = self;
    struct name low;
    const uint8_t *at = qname->wire;
    size_t size = qname->size;
    for (unsigned labels = qname->labels;; labels--) {
        if (s->depths[labels / 64] >> labels % 64 & 1) {
            low.size = (uint8_t)size;
            memcpy(low.wire, at, size);
            name_lower(&low);
            int found = slot_find(s, low.wire, size);
            if (found >= 0)
                return found;
        }
        if (labels == 0)
            return -1;
        size -= (size_t)at[0] + 1;
        at += (size_t)at[0] + 1;
    }
}

static const struct source_ops ops = {.begin = begin, .end = end, .zone = zone, .answer = answer_ask};

static void slot_put(struct answer *s, size_t index) {
    const struct name *apex = &s->zone[index].apex;
    uint64_t at = hash(s, apex->wire, apex->size);
    while (s->slot[at & (s->slots - 1)] != 0)
        at++;
    s->slot[at & (s->slots - 1)] = (uint16_t)(index + 1);
    s->depths[apex->labels / 64] |= 1ULL << apex->labels % 64;
}

int answer_index(struct answer *s, struct err *err) {
    uint32_t slots = 4;
    size_t zones = 0;
    for (size_t i = 0; i < s->zones; i++)
        zones += s->zone[i].apex.size > 0;
    while (slots < 2 * zones + 2)
        slots *= 2;
    uint16_t *slot = calloc(slots, sizeof *slot);
    if (slot == NULL)
        return err_set(err, E_NOMEM, "no memory for %zu zones", zones);
    free(s->slot);
    s->slot = slot;
    s->slots = slots;
    s->depths[0] = s->depths[1] = 0;
    for (size_t i = 0; i < s->zones; i++)
        if (s->zone[i].apex.size > 0 && &s->zone[i] != s->global)
            slot_put(s, i);
    return 0;
}

int answer_take(struct answer *s, size_t place, struct err *err) {
    const struct conf_zone *conf = &s->conf->rbl.zones[place];
    struct answer_zone *z = &s->zone[place];
    bool global = conf_zone_is_global_acl(conf);
    if (!global && !conf_zone_is_served(conf))
        return 0;
    int rc = answer_zone_open(z, conf, s->board != NULL ? &s->board->zone[place] : NULL, err);
    if (rc < 0)
        return rc;
    if (s->count_on != NULL)
        z->asked = &s->count_on->asked[place];
    if (global)
        s->global = z;
    return 0;
}

/* A bad name is one of candor.yaml: members were checked. */
static int take_all(struct answer *s, struct err *err) {
    s->zones = s->conf->rbl.zone_places > s->conf->rbl.zone_count ? s->conf->rbl.zone_places : s->conf->rbl.zone_count;
    s->zone = calloc(s->zones + 1, sizeof *s->zone);
    s->begun = calloc(s->zones + 1, sizeof *s->begun);
    if (s->zone == NULL || s->begun == NULL)
        return err_set(err, E_NOMEM, "no memory for %zu zones", s->zones);
    int rc = 0;
    for (size_t i = 0; i < s->conf->rbl.zone_count && rc == 0; i++)
        rc = answer_take(s, i, err);
    return rc == 0 ? answer_index(s, err) : rc;
}

int answer_open(struct source *source, const struct conf *conf, const struct board *board, struct err *err) {
    *source = (struct source){0};
    struct answer *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, E_NOMEM, "no memory for zones");
    *source = (struct source){.ops = &ops, .self = s};
    s->state = conf->node.state;
    s->refuse_any = conf->resolver.refuse_any;
    s->minimal = conf->resolver.minimal_responses;
    s->key = rand_u64();
    s->conf = conf;
    s->board = board;
    int rc =
        conf->rbl.zone_count > LIMIT_ZONES ? err_set(err, E_FULL, "no room for %zu zones", conf->rbl.zone_count) : 0;
    if (rc == 0 && board != NULL && conf->rbl.zone_places > 0)
        rc = conf_members_open(&s->members, conf, err);
    if (rc == 0)
        rc = take_all(s, err);
    if (rc < 0) {
        answer_close(source);
        return rc;
    }
    if (s->members != NULL)
        answer_members(s);
    for (size_t i = 0; i < s->zones; i++)
        if (s->zone[i].apex.size > 0)
            answer_zone_begin(s, &s->zone[i]); /* opened now rather than under the first question */
    end(s);
    return 0;
}

void answer_count_on(struct source *source, struct board *board) {
    struct answer *s = source->self;
    s->count_on = board;
    for (size_t i = 0; i < s->zones; i++)
        if (s->zone[i].apex.size > 0)
            s->zone[i].asked = &board->asked[i];
}

void answer_close(struct source *source) {
    struct answer *s = source->self;
    *source = (struct source){0};
    if (s == NULL)
        return;
    if (s->zone != NULL)
        end(s);
    for (size_t i = 0; i < s->zones && s->zone != NULL; i++)
        answer_zone_close(&s->zone[i]);
    conf_members_close(s->members);
    free(s->zone);
    free(s->begun);
    free(s->slot);
    free(s);
}
