/* Replication for programs and for people: each zone beside its primaries, secondaries and peers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "health/verdict/replica.h"
#include "health/web/page_part.h"

enum { PAGE_LINKS = 300 };

static const char *const ways[] = {[LINK_FREE] = "?", [LINK_FROM] = "from", [LINK_TO] = "to", [LINK_BESIDE] = "beside"};
static const char *const roles[] = {"sole", "active", "standby", "secondary"};

static const char *role_of(const struct replica *r) {
    bool up = replica_is_secondary(r), down = replica_is_primary(r);
    if (r->zone->pair.count > 0 && r->z->role <= ROLE_SECONDARY)
        return roles[r->z->role];
    return up && down ? "hub" : up ? "secondary" : down ? "primary" : "alone";
}

static void number(struct text *t, const char *key, uint64_t n) {
    text_fmt(t, ",\"%s\":", key);
    text_digits(t, n, 1);
}

static void seconds(struct text *t, const char *key, int64_t ms) {
    if (ms >= 0)
        text_fmt(t, ",\"%s\":%.3f", key, (double)ms / 1000);
}

static void words(struct text *t, const char *key, const char *what) {
    if (what[0] == '\0')
        return;
    text_fmt(t, ",\"%s\":", key);
    text_json(t, what);
}

static void digest_text(const uint8_t digest[16], char to[33]) {
    for (int i = 0; i < 16; i++)
        snprintf(to + 2 * i, 3, "%02x", digest[i]);
}

static bool same_digest(const struct replica *r, const struct board_link *k, bool *known) {
    *known = k->digest_known != 0 && (uint32_t)k->serial == (uint32_t)r->z->serial;
    return *known && memcmp(k->digest, r->z->digest, sizeof(k->digest)) == 0;
}

static int64_t age_ms(const struct replica *r, uint64_t then_ms) {
    int64_t age = r->now_ms - (int64_t)then_ms;
    return then_ms == 0 ? -1 : age > 0 ? age : 0;
}

static void link_json(struct text *t, const struct replica *r, const struct board_link *k) {
    bool known, same = same_digest(r, k, &known);
    text_put(t, "{\"peer\":");
    text_json(t, k->peer);
    text_fmt(t, ",\"way\":\"%s\",\"state\":\"%s\",\"transport\":\"%s\",\"tls\":%s,\"held\":%s", ways[k->way],
             replica_link_word(replica_link_state(r, k)), k->native != 0 ? "native" : "dns",
             k->tls != 0 ? "true" : "false", k->held != 0 ? "true" : "false");
    if (k->serial_known != 0)
        number(t, "serial", (uint32_t)k->serial);
    if (known)
        text_fmt(t, ",\"sameDigest\":%s", same ? "true" : "false");
    words(t, "node", k->node);
    words(t, "path", k->path);
    seconds(t, "heardAge", age_ms(r, k->heard_wall_ms));
    if (k->clock_known != 0)
        text_fmt(t, ",\"clockOffset\":%.3f", (double)(int64_t)k->clock_offset_ms / 1000);
    if (k->way == LINK_TO) {
        number(t, "queued", k->queue_commits);
        seconds(t, "oldestQueuedAge", age_ms(r, k->oldest_queued_wall_ms));
    }
    number(t, "applied", k->applied);
    number(t, "regressions", k->serial_regressions);
    seconds(t, "failingFor", age_ms(r, k->failing_since_wall_ms));
    words(t, "error", k->error);
    text_put(t, "}");
}

static void zone_json(struct text *t, const struct replica *r) {
    char digest[33];
    digest_text(r->z->digest, digest);
    text_fmt(t, ":{\"role\":\"%s\"", role_of(r));
    number(t, "serial", (uint32_t)r->z->serial);
    words(t, "digest", digest);
    uint32_t newest;
    if (replica_newest(r, &newest))
        number(t, "sourceSerial", newest);
    number(t, "lag", replica_lag(r));
    seconds(t, "dataAge", replica_data_age_ms(r));
    seconds(t, "checkAge", replica_check_age_ms(r));
    number(t, "regressions", r->z->serial_regressions);
    number(t, "diverged", r->z->diverged);
    if (r->zone->pair.count > 0) {
        number(t, "epoch", r->z->epoch);
        number(t, "forwarded", r->z->forwarded);
        number(t, "forwardFailed", r->z->forward_failed);
    }
    text_put(t, ",\"links\":[");
    for (size_t i = 0; i < r->links; i++) {
        text_put(t, i > 0 ? "," : "");
        link_json(t, r, r->link[i]);
    }
    text_put(t, "]}");
}

static bool replicated(const struct snapshot_source *s, size_t i, int64_t wall_ms, struct board_zone *z,
                       struct replica *r) {
    return snapshot_replica(s, i, wall_ms, z, r) &&
           (replica_is_secondary(r) || replica_is_primary(r) || r->zone->pair.count > 0);
}

void render_replica(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    const char *between = "";
    for (size_t i = 0; i < s->conf->rbl.zone_count && i < LIMIT_ZONES; i++) {
        struct board_zone z;
        struct replica r;
        if (!replicated(s, i, wall_ms, &z, &r))
            continue;
        text_put(t, between);
        text_json(t, r.zone->name);
        zone_json(t, &r);
        between = ",";
    }
}

/* --- the page */

static void cell_number(struct text *t, bool known, uint64_t n) {
    if (known)
        page_number(t, n);
    else
        page_cell(t, "");
}

static void link_row(struct text *t, const struct replica *r, const struct board_link *k) {
    bool known, same = same_digest(r, k, &known);
    char what[BOARD_PEER_MAX + 16];
    snprintf(what, sizeof(what), "%s %s", ways[k->way], k->peer);
    page_row(t, r->zone->name);
    page_cell(t, what);
    page_cell(t, replica_link_word(replica_link_state(r, k)));
    cell_number(t, k->serial_known != 0, (uint32_t)k->serial);
    cell_number(t, k->way == LINK_TO && k->queue_commits > 0, k->queue_commits);
    page_age(t, age_ms(r, k->heard_wall_ms));
    page_cell(t, !known ? "" : same ? "same" : "differs");
    snprintf(what, sizeof(what), "%s%s", k->native != 0 ? "native" : "dns", k->tls != 0 ? ", tls" : "");
    page_cell(t, what);
    page_cell(t, k->path);
    page_cell(t, k->error);
    text_put(t, "</tr>");
}

static void zone_row(struct text *t, const struct replica *r) {
    page_row(t, r->zone->name);
    page_cell(t, role_of(r));
    cell_number(t, r->z->serial != 0, (uint32_t)r->z->serial);
    uint32_t newest;
    bool known = replica_newest(r, &newest);
    cell_number(t, known, newest);
    cell_number(t, replica_is_secondary(r), replica_lag(r));
    page_age(t, replica_data_age_ms(r));
    page_age(t, replica_check_age_ms(r));
    page_cell(t, r->z->error);
    text_put(t, "</tr>");
}

static const char zones_columns[] = "Zone|Role|#Serial|#Source's serial|#Lag|#Age of data|#Age of check|Last error";
static const char links_columns[] =
    "Zone|Node|State|#Its serial|#Commits it lacks|#Heard ago|Digest|Transport|Path|Last error";

void page_replica(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    struct board_zone z;
    struct replica r;
    size_t rows = 0, links = 0;
    for (size_t i = 0; i < s->conf->rbl.zone_count && i < LIMIT_ZONES; i++) {
        if (!replicated(s, i, wall_ms, &z, &r) || ++rows > PAGE_LINKS)
            continue;
        if (rows == 1)
            page_table(t, "Zones from node to node", zones_columns);
        zone_row(t, &r);
    }
    if (rows > 0)
        page_table_end(t);
    for (size_t i = 0; i < s->conf->rbl.zone_count && i < LIMIT_ZONES && rows > 0; i++) {
        if (!replicated(s, i, wall_ms, &z, &r))
            continue;
        for (size_t k = 0; k < r.links; k++, links++) {
            if (links == 0)
                page_table(t, "Other nodes", links_columns);
            if (links < PAGE_LINKS)
                link_row(t, &r, r.link[k]);
        }
    }
    if (links > 0)
        page_table_end(t);
    if (links > PAGE_LINKS || rows > PAGE_LINKS)
        text_put(t, "<p>and more: <a href=\"/health/replication\">all of them</a>.</p>");
}
