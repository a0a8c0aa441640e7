/* What candor-sync writes of each zone, and what the probes of its test points say. One bad zone is one bad sample:
 * each family reads each slot anew and leaves out a zone that the board does not speak of. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "health/web/metrics.h"

static bool slot_of(const struct metrics *m, size_t i, const struct board_zone **slot) {
    const struct board *b = m->from->board;
    if (i >= LIMIT_ZONES || i >= board_get(&b->zone_count))
        return false;
    *slot = &b->zone[i];
    return (*slot)->name[0] != '\0' &&
           strncasecmp((*slot)->name, m->from->conf->rbl.zones[i].name, sizeof((*slot)->name)) == 0;
}

struct zone_family {
    enum metric_type type;
    const char *name, *help;
    size_t offset; /* of the word in struct board_zone */
    double scale;
};

#define WORD(field) offsetof(struct board_zone, field)

static const struct zone_family families[] = {
    {METRIC_GAUGE, "zone_serial", "Committed serial.", WORD(serial), 1},
    {METRIC_GAUGE, "zone_entries", "Entries of the live generation.", WORD(entries), 1},
    {METRIC_GAUGE, "zone_state", "0 loading, 1 ok, 2 newest refused, 3 source bad, 4 expired, 5 error.", WORD(state),
     1},
    {METRIC_GAUGE, "zone_last_change_timestamp_seconds", "When the data last changed.", WORD(last_change_wall_s), 1},
    {METRIC_GAUGE, "zone_last_success_timestamp_seconds", "When an update last went well.", WORD(last_success_wall_s),
     1},
    {METRIC_GAUGE, "zone_expires_timestamp_seconds", "When the data expires; 0: never.", WORD(expires_wall_s), 1},
    {METRIC_COUNTER, "zone_commits", "Commits so far.", WORD(commits), 1},
    {METRIC_COUNTER, "zone_refused", "Updates that a guard refused.", WORD(refused), 1},
    {METRIC_COUNTER, "zone_change_commits", "Commits of changes by hand and UPDATE.", WORD(change_groups), 1},
    {METRIC_GAUGE, "zone_local_entries", "Entries made by hand or UPDATE, local exclusions included.",
     WORD(local_entries), 1},
    {METRIC_GAUGE, "zone_next_expiry_timestamp_seconds", "When the next entry goes by itself; 0: none.",
     WORD(expire_next_wall_s), 1},
    {METRIC_COUNTER, "zone_expired_entries", "Entries that went by themselves.", WORD(expired), 1},
    {METRIC_COUNTER, "zone_compactions", "Compactions of the zone's store.", WORD(compactions), 1},
    {METRIC_GAUGE, "zone_last_compaction_seconds", "Time that the last compaction took.", WORD(compaction_us), 1e-6},
    {METRIC_GAUGE, "zone_bad_lines", "Lines skipped in the live generation.", WORD(bad_lines), 1},
    {METRIC_GAUGE, "zone_last_commit_bytes", "Bytes written by the last commit.", WORD(commit_bytes), 1},
    {METRIC_GAUGE, "zone_last_commit_seconds", "Time that the last commit took.", WORD(commit_us), 1e-6},
    {METRIC_GAUGE, "zone_last_commit_added", "Entries that the last commit added.", WORD(added), 1},
    {METRIC_GAUGE, "zone_last_commit_removed", "Entries that the last commit removed.", WORD(removed), 1},
    {METRIC_GAUGE, "lmdb_map_bytes", "Size of the zone's map.", WORD(map_bytes), 1},
    {METRIC_GAUGE, "lmdb_used_bytes", "Used part of the zone's map.", WORD(used_bytes), 1},
    {METRIC_GAUGE, "lmdb_free_pages", "Pages of the zone's map that commits have given back.", WORD(free_pages), 1},
    {METRIC_GAUGE, "lmdb_last_commit_timestamp_seconds", "When the zone's store last wrote; 0: not since the start.",
     WORD(stored_wall_s), 1},
    {METRIC_GAUGE, "lmdb_readers", "Reader slots in use.", WORD(readers), 1},
    {METRIC_GAUGE, "lmdb_readers_max", "Reader slots that there are.", WORD(readers_max), 1},
    {METRIC_GAUGE, "lmdb_oldest_reader_txns", "Commits since the one that the oldest reader sees.",
     WORD(oldest_reader_txns), 1},
    {METRIC_COUNTER, "lmdb_stale_readers_cleared", "Reader slots of dead processes that were freed.",
     WORD(stale_readers_cleared), 1},
    {METRIC_COUNTER, "lmdb_readers_ended", "Readers that were ended for keeping old pages.", WORD(readers_ended), 1},
    {METRIC_COUNTER, "lmdb_write_errors", "Commits that failed for the disk or the map.", WORD(write_errors), 1},
};

static void put_family(struct metrics *m, const struct zone_family *f) {
    const struct conf_rbl *rbl = &m->from->conf->rbl;
    const struct board_zone *slot;
    metric_family(m, f->type, f->name, f->help);
    for (size_t i = 0; i < rbl->zone_count; i++)
        if (slot_of(m, i, &slot))
            metric_one(m, "zone", rbl->zones[i].name,
                       f->scale * (double)board_get((const board_word *)((const char *)slot + f->offset)));
}

static void put_changes(struct metrics *m) {
    static const struct {
        const char *result;
        size_t offset;
    } results[] = {{"done", WORD(changes_done)},
                   {"refused", WORD(changes_refused)},
                   {"failed", WORD(changes_failed)},
                   {"lost", WORD(changes_lost)}};
    const struct conf_rbl *rbl = &m->from->conf->rbl;
    const struct board_zone *slot;
    metric_family(m, METRIC_COUNTER, "zone_changes",
                  "Changes by hand and UPDATE: acknowledged, refused by a guard, failed by their own prerequisites or "
                  "contents, lost to the disk.");
    for (size_t i = 0; i < rbl->zone_count; i++)
        for (size_t r = 0; r < sizeof(results) / sizeof(results[0]) && slot_of(m, i, &slot); r++) {
            metric_begin(m);
            metric_label(m, "zone", rbl->zones[i].name);
            metric_label(m, "result", results[r].result);
            metric_value(m, (double)board_get((const board_word *)((const char *)slot + results[r].offset)));
        }
}

/* Of a zone that comes from elsewhere the age of what its source said; else of the look at its files. */
static void put_age(struct metrics *m) {
    metric_family(m, METRIC_GAUGE, "zone_data_age_seconds",
                  "Since the source last said that this is all there is; absent when it is not known.");
    for (size_t i = 0; i < m->from->conf->rbl.zone_count && i < LIMIT_ZONES; i++) {
        struct board_zone z;
        struct replica r;
        int64_t age = snapshot_replica(m->from, i, m->wall_ms, &z, &r) ? replica_data_age_ms(&r) : -1;
        if (age >= 0)
            metric_one(m, "zone", r.zone->name, (double)age / 1000);
    }
}

/* Of secondaries, when a primary answered last. */
static void put_checked(struct metrics *m) {
    const struct conf_rbl *rbl = &m->from->conf->rbl;
    const struct board_zone *slot;
    metric_family(m, METRIC_GAUGE, "zone_last_check_timestamp_seconds",
                  "When the source was last looked at, or a primary last answered.");
    for (size_t i = 0; i < rbl->zone_count; i++) {
        if (!slot_of(m, i, &slot))
            continue;
        double looked = (double)board_get(&slot->last_check_wall_s);
        double answered = (double)board_get(&slot->checked_wall_ms) / 1000;
        metric_one(m, "zone", rbl->zones[i].name, answered > looked ? answered : looked);
    }
}

static void put_stale(struct metrics *m) {
    const struct conf_rbl *rbl = &m->from->conf->rbl;
    const struct board_zone *slot;
    metric_family(m, METRIC_GAUGE, "zone_served_stale", "Whether an expired zone is served all the same.");
    for (size_t i = 0; i < rbl->zone_count; i++) {
        if (!slot_of(m, i, &slot))
            continue;
        int64_t expires = (int64_t)board_get(&slot->expires_wall_s);
        bool expired = board_get(&slot->state) == ZONE_EXPIRED || (expires != 0 && expires <= m->wall_ms / 1000);
        metric_one(m, "zone", rbl->zones[i].name, expired && rbl->zones[i].on_expire == EXPIRE_SERVE_STALE);
    }
}

static void put_change(struct metrics *m) {
    const struct conf_rbl *rbl = &m->from->conf->rbl;
    const struct board_zone *slot;
    metric_family(m, METRIC_GAUGE, "zone_size_change_ratio", "Entries behind the last commit by those before it.");
    for (size_t i = 0; i < rbl->zone_count; i++) {
        if (!slot_of(m, i, &slot))
            continue;
        double now = (double)board_get(&slot->entries);
        double before = now - (double)board_get(&slot->added) + (double)board_get(&slot->removed);
        if (before > 0)
            metric_one(m, "zone", rbl->zones[i].name, now / before);
    }
}

static void put_digest(struct metrics *m) {
    const struct conf_rbl *rbl = &m->from->conf->rbl;
    const struct board_zone *slot;
    metric_family(m, METRIC_GAUGE, "zone_digest_info", "Content digest of the committed serial; always 1.");
    for (size_t i = 0; i < rbl->zone_count; i++) {
        struct board_zone z;
        char serial[24], digest[33];
        if (!slot_of(m, i, &slot) || !board_zone_read(slot, &z) || z.serial == 0)
            continue;
        snprintf(serial, sizeof(serial), "%" PRIu64, z.serial);
        for (size_t k = 0; k < sizeof(z.digest); k++)
            snprintf(digest + 2 * k, 3, "%02x", z.digest[k]);
        metric_begin(m);
        metric_label(m, "zone", rbl->zones[i].name);
        metric_label(m, "serial", serial);
        metric_label(m, "digest", digest);
        metric_value(m, 1);
    }
}

static void put_points(struct metrics *m) {
    const struct verdict_book *b = m->from->book;
    metric_family(m, METRIC_GAUGE, "zone_test_point_success", "Whether an RFC 5782 test point answers as it must.");
    for (size_t i = 0; i < b->count; i++) {
        const struct verdict_check *c = &b->checks[i];
        if (c->scope != SCOPE_ZONES || strncmp(c->measurement, "point_", 6) != 0)
            continue;
        metric_begin(m);
        metric_label(m, "zone", c->id);
        metric_label(m, "point", c->measurement + 6);
        metric_value(m, c->shown == VERDICT_PASS);
    }
}

/* A clock that is off, told apart from a secret that is wrong. */
static void put_tsig(struct metrics *m) {
    static const char *const errors[BOARD_TSIG_COUNT] = {"BADSIG", "BADKEY", "BADTIME", "BADTRUNC"};
    metric_family(m, METRIC_COUNTER, "sync_tsig_failures", "Signed messages that the sync port refused.");
    for (unsigned i = 0; i < BOARD_TSIG_COUNT; i++)
        metric_one(m, "error", errors[i], (double)board_get(&m->from->board->sync.tsig_failures[i]));
}

void metrics_zones(struct metrics *m) {
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        put_family(m, &families[i]);
    put_changes(m);
    put_tsig(m);
    put_age(m);
    put_checked(m);
    put_stale(m);
    put_change(m);
    put_digest(m);
    put_points(m);
}
