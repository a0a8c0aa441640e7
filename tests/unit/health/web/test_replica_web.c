/* Replication on the health port: numbers under their names from the start, a document that parses, a page that
 * escapes, and a bound on all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "health/web/document.h"

enum { T0 = 1000000 };
static const int64_t WALL = 1795365676123;

struct world {
    struct conf *conf;
    struct board *board;
    struct verdict_book book;
    struct tally_set tally;
    struct snapshot_source source;
};

static void open_world(struct world *w, const char *zones) {
    struct err err = {0};
    struct text t = {0};
    text_fmt(&t,
             "node: {name: node, state: state, run: run}\n"
             "rbl:\n  keys: [{name: k., algorithm: hmac-sha256, secret: \"c2VjcmV0c2VjcmV0c2VjcmV0\"}]\n  zones:\n%s",
             zones);
    if (conf_read_text(&w->conf, t.at, t.size, "/", "test", &err) != 0)
        fail_msg("%s", err.text);
    text_free(&t);
    w->board = calloc(1, sizeof(*w->board));
    board_set(&w->board->zone_count, w->conf->rbl.zone_count);
    for (size_t i = 0; i < w->conf->rbl.zone_count; i++) {
        text_copy(w->board->zone[i].name, BOARD_NAME_MAX, w->conf->rbl.zones[i].name);
        text_copy(w->board->zone[i].generation, 32, "g1");
        board_set(&w->board->zone[i].serial, 7);
        board_set(&w->board->zone[i].commits, 1);
    }
    assert_int_equal(verdict_open(&w->book, 8, 1, 1), 0);
    w->source = (struct snapshot_source){.conf = w->conf, .board = w->board, .book = &w->book, .tally = &w->tally};
}

static void close_world(struct world *w) {
    verdict_close(&w->book);
    conf_free(w->conf);
    free(w->board);
}

static struct board_link *put_link(struct world *w, size_t at, uint64_t zone, enum board_link_way way,
                                   const char *peer) {
    struct board_link *k = &w->board->link[at];
    board_set(&k->way, way);
    board_set(&k->zone, zone);
    text_copy(k->peer, sizeof(k->peer), peer);
    return k;
}

static const char two_zones[] = "    - {name: in.test., primaries: [{address: 192.0.2.1@5301, key: k.}]}\n"
                                "    - {name: out.test., transfer: [{key: k.}], notify: [{address: 192.0.2.2@53}]}\n"
                                "    - {name: alone.test.}\n";

static struct snapshot *snap(struct world *w) {
    struct snapshot *s = snapshot_make(&w->source, 1, T0, WALL);
    assert_non_null(s);
    return s;
}

static bool has_line(const struct text *t, const char *line) {
    size_t n = strlen(line);
    for (const char *at = t->at; (at = strstr(at, line)) != NULL; at += n)
        if ((at == t->at || at[-1] == '\n') && at[n] == '\n')
            return true;
    return false;
}

static void metric(const struct snapshot *s, const char *line) {
    if (!has_line(&s->metrics[0], line))
        fail_msg("no line: %s", line);
}

static void numbers(void **state) {
    struct world w = {0};
    (void)state;
    open_world(&w, two_zones);
    struct board_zone *z = &w.board->zone[0];
    board_set(&z->secondary, 1);
    board_set(&z->source_serial, 9);
    board_set(&z->source_known, 1);
    board_set(&z->checked_wall_ms, (uint64_t)WALL - 250);
    board_set(&z->stamp_wall_ms, (uint64_t)WALL - 2500);
    board_set(&z->entries, 150);
    board_set(&z->added, 60);
    board_set(&z->removed, 10);
    board_zone_propagated(z, 4);
    struct board_link *from = put_link(&w, 0, 0, LINK_FROM, "hub \"x\"");
    board_set(&from->native, 1);
    board_set(&from->clock_known, 1);
    board_set(&from->clock_offset_ms, (uint64_t)(int64_t)-1500);
    board_set(&from->rejected[REJECT_DIGEST], 3);
    board_set(&from->transfers[TRANSFER_NATIVE][TRANSFER_OK], 5);
    board_set(&from->transfer_sum_us, 2500000);
    board_set(&from->bytes_in, 1234);
    struct board_link *to = put_link(&w, 1, 1, LINK_TO, "192.0.2.2@53");
    board_set(&to->queue_commits, 100);
    board_set(&to->oldest_queued_wall_ms, (uint64_t)WALL - 60000);
    board_set(&to->tsig_failures[BOARD_BADKEY], 2);
    board_set(&to->serial, 7);
    board_set(&to->serial_known, 1);
    board_set(&to->digest_known, 1);
    struct snapshot *s = snap(&w);
    static const char *const lines[] = {
        "candor_zone_source_serial{zone=\"in.test.\"} 9",
        "candor_zone_serial_lag{zone=\"in.test.\"} 2",
        "candor_zone_serial_regressions_total{zone=\"in.test.\"} 0",
        "candor_zone_data_age_seconds{zone=\"in.test.\"} 1", /* the source's clock is behind by 1.5 s */
        "candor_zone_served_stale{zone=\"in.test.\"} 0",
        "candor_zone_size_change_ratio{zone=\"in.test.\"} 1.5",
        "candor_zone_propagation_seconds_bucket{zone=\"in.test.\",le=\"0.002\"} 0",
        "candor_zone_propagation_seconds_bucket{zone=\"in.test.\",le=\"0.005\"} 1",
        "candor_zone_propagation_seconds_count{zone=\"in.test.\"} 1",
        "candor_zone_peer_digest_match{zone=\"out.test.\",peer=\"192.0.2.2@53\"} 1",
        "candor_zone_transfers_total{zone=\"in.test.\",direction=\"in\",kind=\"native\",result=\"ok\"} 5",
        "candor_zone_transfers_total{zone=\"in.test.\",direction=\"in\",kind=\"axfr\",result=\"refused\"} 0",
        "candor_zone_transfers_total{zone=\"out.test.\",direction=\"out\",kind=\"axfr\",result=\"ok\"} 0",
        "candor_zone_transfer_duration_seconds_sum{zone=\"in.test.\",direction=\"in\"} 2.5",
        "candor_zone_transfer_duration_seconds_count{zone=\"in.test.\",direction=\"in\"} 5",
        "candor_zone_transfer_bytes_total{zone=\"in.test.\",direction=\"in\"} 1234",
        "candor_replication_queue_entries{peer=\"192.0.2.2@53\"} 100",
        "candor_replication_applied_total{peer=\"hub \\\"x\\\"\"} 0",
        "candor_replication_rejected_total{peer=\"hub \\\"x\\\"\",reason=\"digest\"} 3",
        "candor_replication_rejected_total{peer=\"hub \\\"x\\\"\",reason=\"guard\"} 0",
        "candor_replication_tsig_failures_total{peer=\"192.0.2.2@53\",error=\"BADKEY\"} 2",
        "candor_replication_tsig_failures_total{peer=\"192.0.2.2@53\",error=\"BADTIME\"} 0",
        "candor_peer_clock_offset_seconds{peer=\"hub \\\"x\\\"\"} -1.5",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        metric(s, lines[i]);
    assert_null(strstr(s->metrics[0].at, "zone_transfers_total{zone=\"alone.test.\""));
    assert_null(strstr(s->metrics[0].at, "zone_transfers_total{zone=\"in.test.\",direction=\"out\""));
    snapshot_unref(s);
    close_world(&w);
}

static json_t *parse(const struct snapshot *s, int scope) {
    struct document d;
    struct text t = {0};
    json_error_t e;
    document_health(&d, s, "node", scope, T0, WALL);
    text_putn(&t, d.head.at, d.head.size);
    for (size_t i = 0; i < d.bodies; i++)
        text_putn(&t, (const char *)d.body[i].at, d.body[i].size);
    text_putn(&t, d.tail.at, d.tail.size);
    json_t *j = json_loads(t.at, JSON_REJECT_DUPLICATES, &e);
    if (j == NULL)
        fail_msg("%s at %d: %s", e.text, e.position, t.at);
    text_free(&t);
    document_free(&d);
    return j;
}

static void document(void **state) {
    struct world w = {0};
    (void)state;
    open_world(&w, two_zones);
    struct board_link *k = put_link(&w, 0, 1, LINK_TO, "<b>\xff");
    text_copy(k->error, sizeof(k->error), "a \"word\"\n<script>");
    board_set(&k->state, LINK_DENIED);
    board_set(&k->failing_since_wall_ms, (uint64_t)WALL - 3000);
    board_set(&k->heard_wall_ms, (uint64_t)WALL + 5000); /* a clock that was set back gives no negative age */
    struct snapshot *s = snap(&w);
    json_t *j = parse(s, SCOPE_COUNT), *zones = json_object_get(j, "replication");
    assert_int_equal(json_object_size(zones), 2); /* not the one that stands alone */
    json_t *out = json_object_get(zones, "out.test.");
    json_t *link = json_array_get(json_object_get(out, "links"), 0);
    assert_string_equal(json_string_value(json_object_get(out, "role")), "primary");
    assert_string_equal(json_string_value(json_object_get(link, "error")), "a \"word\"\n<script>");
    assert_string_equal(json_string_value(json_object_get(link, "state")), "denied");
    assert_true(json_number_value(json_object_get(link, "failingFor")) == 3);
    assert_true(json_number_value(json_object_get(link, "heardAge")) == 0);
    json_decref(j);
    j = parse(s, SCOPE_REPLICATION);
    assert_non_null(json_object_get(j, "replication"));
    assert_null(json_object_get(j, "zones"));
    json_decref(j);
    assert_non_null(strstr(s->page.at, "Zones from node to node"));
    assert_non_null(strstr(s->page.at, "&lt;script&gt;"));
    assert_null(strstr(s->page.at, "<script>"));
    snapshot_unref(s);
    close_world(&w);
}

/* As many zones, links and nodes as the board holds. */
static void bounded(void **state) {
    struct world w = {0};
    struct text zones = {0};
    char peer[32];
    (void)state;
    for (int i = 0; i < 1000; i++)
        text_fmt(&zones, "    - {name: z%d.test., primaries: [{address: 192.0.2.1@5301, key: k.}]}\n", i);
    open_world(&w, zones.at);
    text_free(&zones);
    for (size_t i = 0; i < LIMIT_LINKS; i++) {
        snprintf(peer, sizeof(peer), "node-%zu", i);
        put_link(&w, i, i % 1000, i % 2 ? LINK_FROM : LINK_TO, peer);
    }
    struct snapshot *s = snap(&w);
    assert_true(s->metrics[0].size < (size_t)16 << 20);
    assert_true(s->page.size < (size_t)1 << 20);
    metric(s, "candor_replication_queue_entries{peer=\"others\"} 0"); /* those beyond are counted together */
    metric(s, "candor_replication_link_state{zone=\"z47.test.\",peer=\"node-2047\",direction=\"in\"} 0");
    json_t *j = parse(s, SCOPE_REPLICATION);
    assert_int_equal(json_object_size(json_object_get(j, "replication")), 1000);
    json_decref(j);
    snapshot_unref(s);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(document),
                                       cmocka_unit_test(bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
