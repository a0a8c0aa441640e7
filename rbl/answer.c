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

static int make(struct answer *s, size_t zones) {
    s->slots = 4;
    while (s->slots < 2 * zones + 2)
        s->slots *= 2;
    s->zone = calloc(zones + 1, sizeof *s->zone);
    s->begun = calloc(zones + 1, sizeof *s->begun);
    s->slot = calloc(s->slots, sizeof *s->slot);
    return s->zone != NULL && s->begun != NULL && s->slot != NULL ? 0 : E_NOMEM;
}

int answer_open(struct source *source, const struct conf *conf, const struct board *board, struct err *err) {
    *source = (struct source){0};
    size_t zones = conf->rbl.zone_count;
    struct answer *s = calloc(1, sizeof *s);
    if (s == NULL || zones > LIMIT_ZONES || make(s, zones) < 0) {
        source->self = s;
        answer_close(source);
        return err_set(err, zones > LIMIT_ZONES ? E_FULL : E_NOMEM, "no room for %zu zones", zones);
    }
    *source = (struct source){.ops = &ops, .self = s};
    s->state = conf->node.state;
    s->refuse_any = conf->resolver.refuse_any;
    s->key = rand_u64();
    for (size_t i = 0; i < zones; i++) {
        const struct board_zone *slot = board != NULL ? &board->zone[i] : NULL;
        int rc = answer_zone_open(&s->zone[i], &conf->rbl.zones[i], slot, err);
        if (rc < 0) {
            answer_close(source);
            return rc;
        }
        s->zones++;
        if (conf_zone_is_global_acl(&conf->rbl.zones[i]))
            s->global = &s->zone[i];
        else
            slot_put(s, i);
        answer_zone_begin(s, &s->zone[i]); /* opened now rather than under the first question */
    }
    end(s);
    return 0;
}

void answer_count_on(struct source *source, struct board *board) {
    struct answer *s = source->self;
    for (size_t i = 0; i < s->zones; i++)
        s->zone[i].asked = &board->asked[i];
}

void answer_close(struct source *source) {
    struct answer *s = source->self;
    *source = (struct source){0};
    if (s == NULL)
        return;
    if (s->zone != NULL)
        end(s);
    for (size_t i = 0; i < s->zones; i++)
        answer_zone_close(&s->zone[i]);
    free(s->zone);
    free(s->begun);
    free(s->slot);
    free(s);
}
