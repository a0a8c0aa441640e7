#include "health/monitor/facts.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char *text_of(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }

/* A copy behind the others; there is room for all of them. */
static const char *keep(char **room, const char *text) {
    size_t size = strlen(text) + 1;
    char *at = memcpy(*room, text, size);
    *room += size;
    return at;
}

static size_t sizes(const json_t *list, const char *key, size_t most, size_t *count) {
    size_t room = 0;
    *count = 0;
    for (size_t i = 0; i < json_array_size(list) && *count < most; i++) {
        const char *text = text_of(json_array_get(list, i), key);
        if (text == NULL)
            continue;
        room += strlen(text) + 1;
        ++*count;
    }
    return room;
}

static void take_zone(struct facts *f, const json_t *j, char **room) {
    const char *zone = text_of(j, "zone"), *digest = text_of(j, "digest");
    json_int_t serial = json_integer_value(json_object_get(j, "serial"));
    if (serial < 0 || serial > UINT32_MAX)
        serial = 0;
    f->zone[f->zones++] = (struct facts_zone){.zone = keep(room, zone),
                                              .digest = digest != NULL ? XXH3_64bits(digest, strlen(digest)) | 1 : 0,
                                              .serial = (uint32_t)serial};
}

/* Whether it gets answers from the peer's DNS port, by any way: a node whose resolver hangs has a health port that
 * answers, and is gone for who needs it. Without ways its word on the peer. */
static enum facts_sight sight_of(const json_t *peer) {
    const char *state = text_of(peer, "state"), *way;
    bool good = false, bad = false;
    json_t *saw;
    json_object_foreach(json_object_get(peer, "sees"), way, saw) {
        bool dns = strncmp(way, "udp/", 4) == 0 || strncmp(way, "tcp/", 4) == 0;
        const char *how = json_string_value(saw);
        good = good || (dns && how != NULL && strcmp(how, "good") == 0);
        bad = bad || (dns && how != NULL && strcmp(how, "bad") == 0);
    }
    if (good || (!bad && state != NULL && strcmp(state, "well") == 0))
        return FACTS_WELL;
    return bad || (state != NULL && strcmp(state, "gone") == 0) ? FACTS_GONE : FACTS_UNSURE;
}

static void take_peer(struct facts *f, const json_t *j, char **room) {
    f->peer[f->peers++] = (struct facts_peer){.peer = keep(room, text_of(j, "peer")), .sight = sight_of(j)};
}

struct facts *facts_make(const json_t *detail) {
    const json_t *zones = json_object_get(detail, "zones"), *peers = json_object_get(detail, "peers");
    const json_t *version = json_object_get(detail, "configVersion"), *wall = json_object_get(detail, "wallMs");
    size_t zone_count, peer_count;
    size_t room = sizes(zones, "zone", INTAKE_ZONES, &zone_count) + sizes(peers, "peer", INTAKE_PEERS, &peer_count);
    struct facts *f = calloc(1, sizeof *f + zone_count * sizeof *f->zone + peer_count * sizeof *f->peer + room);
    if (f == NULL)
        return NULL;
    f->zone = (struct facts_zone *)(f + 1);
    f->peer = (struct facts_peer *)(f->zone + zone_count);
    char *at = (char *)(f->peer + peer_count);
    f->wall_ms = json_integer_value(wall);
    f->config_version = json_is_integer(version) ? json_integer_value(version) : -1;
    for (size_t i = 0; i < json_array_size(zones) && f->zones < zone_count; i++)
        if (text_of(json_array_get(zones, i), "zone") != NULL)
            take_zone(f, json_array_get(zones, i), &at);
    for (size_t i = 0; i < json_array_size(peers) && f->peers < peer_count; i++)
        if (text_of(json_array_get(peers, i), "peer") != NULL)
            take_peer(f, json_array_get(peers, i), &at);
    return f;
}

void facts_free(struct facts *f) { free(f); }

struct facts *facts_of_sights(const char *const *peer, const enum facts_sight *sight, size_t count) {
    size_t room = 0;
    for (size_t i = 0; i < count; i++)
        room += strlen(peer[i]) + 1;
    struct facts *f = calloc(1, sizeof *f + count * sizeof *f->peer + room);
    if (f == NULL)
        return NULL;
    f->peer = (struct facts_peer *)(f + 1);
    f->config_version = -1;
    char *at = (char *)(f->peer + count);
    for (; f->peers < count; f->peers++)
        f->peer[f->peers] = (struct facts_peer){.peer = keep(&at, peer[f->peers]), .sight = sight[f->peers]};
    return f;
}
