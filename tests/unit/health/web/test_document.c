/* The documents of the health port: what they say, and above all what they no longer say when the evidence is old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "health/web/document.h"

enum { LOCAL_MS = 5000, T0 = 1000000 };
#define WALL 1795365676123LL

static const char conf_text[] =
    "node: {name: node, state: state, run: run}\n"
    "resolver: {listen: [{address: 127.0.0.1@5300}], workers: 2, forward: [{zone: ., to: [192.0.2.53@53]}]}\n"
    "rbl: {zones: [{name: bl.test., test: rfc5782-ip4, data: [{type: ip4set, files: [bl]}]}]}\n";

struct world {
    struct conf *conf;
    struct board *board;
    struct verdict_book book;
    struct tally_set tally;
    struct snapshot_source source;
    size_t worker, zone, upstream;
};

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof(*w));
    struct err err = {0};
    if (conf_read_text(&w->conf, conf_text, strlen(conf_text), "/", "test", &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    w->board = calloc(1, sizeof(*w->board));
    board_set(&w->board->worker_count, 2);
    board_set(&w->board->zone_count, 1);
    snprintf(w->board->zone[0].name, sizeof(w->board->zone[0].name), "bl.test.");
    board_set(&w->board->zone[0].serial, 7);
    w->tally.probe[TALLY_WORKER][0][FAMILY_V4].planned = true;
    assert_int_equal(verdict_open(&w->book, 8, 1, 1), 0);
    w->worker = (size_t)verdict_add(&w->book, SCOPE_WORKER, "worker", "answers", "worker 0", LOCAL_MS, true);
    w->zone = (size_t)verdict_add(&w->book, SCOPE_ZONES, "zone", "point_listed", "bl.test.", 30000, false);
    w->upstream = (size_t)verdict_add(&w->book, SCOPE_UPSTREAM, "upstream", "answers", "192.0.2.53@53", 15000, false);
    w->source = (struct snapshot_source){.conf = w->conf, .board = w->board, .book = &w->book, .tally = &w->tally};
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    verdict_close(&w->book);
    conf_free(w->conf);
    free(w->board);
    free(w);
    return 0;
}

static void result(struct world *w, size_t check, enum verdict_state s, int64_t mono_ms, const char *came) {
    struct verdict_result r = {.state = s, .mono_ms = mono_ms, .evidence = {.wall_ms = WALL, .took_us = 1500}};
    snprintf(r.evidence.asked, sizeof(r.evidence.asked), "id.server. CH TXT");
    snprintf(r.evidence.came, sizeof(r.evidence.came), "%s", came);
    snprintf(r.evidence.server, sizeof(r.evidence.server), "127.0.0.1@5300");
    r.evidence.source_port = 40000;
    (void)verdict_result(&w->book, check, &r);
    verdict_judge(&w->book, mono_ms, WALL);
}

static void all_pass(struct world *w, int64_t mono_ms) {
    result(w, w->worker, VERDICT_PASS, mono_ms, "worker 0 answered");
    result(w, w->zone, VERDICT_PASS, mono_ms, "NOERROR 127.0.0.2");
    result(w, w->upstream, VERDICT_PASS, mono_ms, "NXDOMAIN");
}

static char *whole(struct document *d) {
    struct text t = {0};
    text_putn(&t, d->head.at != NULL ? d->head.at : "", d->head.size);
    for (size_t i = 0; i < d->bodies; i++)
        text_putn(&t, (const char *)d->body[i].at, d->body[i].size);
    text_putn(&t, d->tail.at != NULL ? d->tail.at : "", d->tail.size);
    assert_false(t.failed);
    return t.at;
}

static json_t *health(const struct snapshot *s, int scope, int64_t mono_ms, enum verdict_state *state) {
    struct document d;
    json_error_t e;
    document_health(&d, s, "no\"de", scope, mono_ms, WALL);
    char *text = whole(&d);
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (j == NULL)
        fail_msg("%s at %d: %s", e.text, e.position, text);
    *state = d.state;
    free(text);
    document_free(&d);
    return j;
}

static const char *text_of(json_t *j, const char *key) {
    const char *s = json_string_value(json_object_get(j, key));
    return s != NULL ? s : "(none)";
}

static json_t *scope_of(json_t *j, const char *scope) { return json_object_get(json_object_get(j, "scopes"), scope); }

static json_t *check_of(json_t *j, const char *key) {
    return json_array_get(json_object_get(json_object_get(j, "checks"), key), 0);
}

static void test_the_whole_document(void **state) {
    struct world *w = *state;
    enum verdict_state s;
    all_pass(w, T0);
    struct snapshot *snap = snapshot_make(&w->source, 3, T0, WALL);
    json_t *j = health(snap, SCOPE_COUNT, T0 + 100, &s);
    assert_int_equal(s, VERDICT_PASS);
    assert_string_equal(text_of(j, "status"), "pass");
    assert_string_equal(text_of(j, "serviceId"), "no\"de");
    assert_string_equal(text_of(j, "time"), "2026-11-22T16:41:16.123Z");
    assert_int_equal(json_integer_value(json_object_get(j, "ageMs")), 100);
    assert_int_equal(json_object_size(json_object_get(j, "scopes")), 3);
    json_t *c = check_of(j, "worker:answers");
    assert_string_equal(text_of(c, "componentId"), "worker 0");
    assert_string_equal(text_of(c, "output"), "worker 0 answered");
    json_t *e = json_object_get(c, "evidence");
    assert_string_equal(text_of(e, "server"), "127.0.0.1@5300");
    assert_string_equal(text_of(e, "proto"), "udp");
    assert_int_equal(json_integer_value(json_object_get(e, "sourcePort")), 40000);
    json_decref(j);
    snapshot_unref(snap);
}

static void test_questions_by_zone(void **state) {
    struct world *w = *state;
    enum verdict_state s;
    all_pass(w, T0);
    board_set(&w->board->asked[0].listed, 5);
    board_set(&w->board->asked[0].wrong[WRONG_NAME], 2);
    struct snapshot *snap = snapshot_make(&w->source, 3, T0, WALL);
    for (int scope = 0; scope <= SCOPE_COUNT; scope++) {
        json_t *j = health(snap, scope, T0, &s), *wrong;
        json_t *zone = json_object_get(json_object_get(j, "asked"), "bl.test.");
        assert_int_equal(zone != NULL, scope == SCOPE_COUNT || scope == SCOPE_ZONES);
        wrong = json_object_get(zone, "wrong");
        assert_int_equal(json_integer_value(json_object_get(zone, "listed")), zone != NULL ? 5 : 0);
        assert_int_equal(json_integer_value(json_object_get(wrong, "name")), zone != NULL ? 2 : 0);
        json_decref(j);
    }
    json_t *old = health(snap, SCOPE_COUNT, T0 + 1000000, &s);
    assert_null(json_object_get(old, "asked"));
    json_decref(old);
    snapshot_unref(snap);
}

static void test_zones_in_numbers(void **state) {
    struct world *w = *state;
    enum verdict_state s;
    struct board_zone *z = &w->board->zone[0];
    all_pass(w, T0);
    board_set(&z->state, 99);
    board_set(&z->local_entries, 3);
    board_set(&z->expire_next_wall_s, 1000);
    board_set(&z->changes_done, 12);
    board_set(&z->changes_refused, 4);
    memset(z->error, 'y', sizeof(z->error)); /* no end */
    snprintf(z->change_error, sizeof(z->change_error), "would list \"everything\"");
    struct snapshot *snap = snapshot_make(&w->source, 3, T0, WALL);
    for (int scope = 0; scope <= SCOPE_COUNT; scope++) {
        json_t *j = health(snap, scope, T0, &s);
        json_t *zone = json_object_get(json_object_get(j, "zones"), "bl.test."),
               *changes = json_object_get(zone, "changes");
        bool there = scope == SCOPE_COUNT || scope == SCOPE_ZONES;
        assert_int_equal(zone != NULL, there);
        assert_int_equal(json_integer_value(json_object_get(zone, "serial")), there ? 7 : 0);
        assert_int_equal(json_integer_value(json_object_get(zone, "local")), there ? 3 : 0);
        assert_int_equal(json_integer_value(json_object_get(changes, "done")), there ? 12 : 0);
        assert_int_equal(json_integer_value(json_object_get(changes, "refused")), there ? 4 : 0);
        if (there) {
            assert_string_equal(text_of(zone, "state"), "error");
            assert_string_equal(text_of(zone, "nextExpiry"), "1970-01-01T00:16:40.000Z");
            assert_string_equal(text_of(changes, "error"), "would list \"everything\"");
            assert_int_equal(strlen(text_of(zone, "error")), sizeof(z->error) - 1);
        }
        json_decref(j);
    }
    snapshot_unref(snap);
}

static void test_one_scope(void **state) {
    struct world *w = *state;
    enum verdict_state s;
    all_pass(w, T0);
    result(w, w->upstream, VERDICT_FAIL, T0, "SERVFAIL");
    struct snapshot *snap = snapshot_make(&w->source, 1, T0, WALL);
    json_t *j = health(snap, SCOPE_UPSTREAM, T0, &s);
    assert_int_equal(s, VERDICT_FAIL);
    assert_non_null(strstr(text_of(j, "output"), "SERVFAIL"));
    assert_int_equal(json_object_size(json_object_get(j, "checks")), 1);
    assert_string_equal(text_of(scope_of(j, "upstream"), "status"), "fail");
    json_decref(j);
    j = health(snap, SCOPE_WORKER, T0, &s);
    assert_int_equal(s, VERDICT_PASS);
    assert_null(check_of(j, "upstream:answers"));
    json_decref(j);
    j = health(snap, SCOPE_COUNT, T0, &s);
    assert_int_equal(s, VERDICT_FAIL);
    json_decref(j);
    snapshot_unref(snap);
}

/* The heart of the promise: a prober that hangs leaves no green page behind. */
static void test_old_evidence_is_no_evidence(void **state) {
    struct world *w = *state;
    enum verdict_state s;
    struct document d;
    all_pass(w, T0);
    struct snapshot *snap = snapshot_make(&w->source, 1, T0, WALL);
    int64_t last = T0 + 3 * LOCAL_MS;
    json_decref(health(snap, SCOPE_COUNT, last, &s));
    assert_int_equal(s, VERDICT_PASS);
    json_t *j = health(snap, SCOPE_COUNT, last + 1, &s);
    assert_int_equal(s, VERDICT_UNKNOWN);
    assert_string_equal(text_of(j, "status"), "unknown");
    assert_string_equal(text_of(scope_of(j, "worker"), "status"), "unknown");
    assert_string_equal(text_of(scope_of(j, "zones"), "status"), "unknown");
    assert_int_equal(json_object_size(json_object_get(j, "checks")), 0);
    char *text = json_dumps(j, 0);
    assert_null(strstr(text, "\"status\": \"pass\""));
    free(text);
    json_decref(j);

    document_ready(&d, snap, "n", last, WALL);
    assert_int_equal(d.state, VERDICT_PASS);
    document_free(&d);
    document_ready(&d, snap, "n", last + 1, WALL);
    assert_int_equal(d.state, VERDICT_UNKNOWN);
    document_free(&d);

    document_metrics(&d, snap, false, last + 1);
    text = whole(&d);
    assert_non_null(strstr(text, "candor_health_stale 1\n"));
    assert_non_null(strstr(text, "candor_health_status{scope=\"worker\"} 3\n"));
    assert_null(strstr(text, "candor_probe_success"));
    free(text);
    document_free(&d);

    document_page(&d, snap, "n", last + 1, WALL);
    text = whole(&d);
    assert_non_null(strstr(text, " class=\"stale\">"));
    assert_non_null(strstr(text, "banner unknown"));
    assert_null(strstr(text, "banner pass"));
    free(text);
    document_free(&d);
    snapshot_unref(snap);
}

/* Also when the prober goes on publishing late: the first evidence to run out decides, not the age of the snapshot. */
static void test_the_first_evidence_to_run_out_decides(void **state) {
    struct world *w = *state;
    enum verdict_state s;
    all_pass(w, T0);
    result(w, w->upstream, VERDICT_PASS, T0 + 14000, "NXDOMAIN");
    result(w, w->zone, VERDICT_PASS, T0 + 14000, "NOERROR");
    struct snapshot *snap = snapshot_make(&w->source, 1, T0 + 14000, WALL);
    json_decref(health(snap, SCOPE_COUNT, T0 + 15000, &s));
    assert_int_equal(s, VERDICT_PASS);
    json_decref(health(snap, SCOPE_COUNT, T0 + 15001, &s));
    assert_int_equal(s, VERDICT_UNKNOWN);
    snapshot_unref(snap);
}

static void test_before_the_first_judgement(void **state) {
    struct document d;
    enum verdict_state s;
    (void)state;
    json_decref(health(NULL, SCOPE_COUNT, T0, &s));
    assert_int_equal(s, VERDICT_UNKNOWN);
    json_decref(health(NULL, SCOPE_WORKER, T0, &s));
    assert_int_equal(s, VERDICT_UNKNOWN);
    document_ready(&d, NULL, "n", T0, WALL);
    assert_int_equal(d.state, VERDICT_UNKNOWN);
    document_free(&d);
    document_metrics(&d, NULL, true, T0);
    char *text = whole(&d);
    assert_non_null(strstr(text, "candor_health_stale 1\n"));
    assert_non_null(strstr(text, "# EOF\n"));
    free(text);
    document_free(&d);
    document_history(&d, NULL, &(struct history_query){.scope = SCOPE_COUNT});
    text = whole(&d);
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    json_decref(j);
    free(text);
    document_free(&d);
    document_page(&d, NULL, "<n>", T0, WALL);
    text = whole(&d);
    assert_non_null(strstr(text, "&lt;n&gt;"));
    free(text);
    document_free(&d);
}

static void test_readiness_hangs_on_its_checks_alone(void **state) {
    struct world *w = *state;
    struct document d;
    all_pass(w, T0);
    result(w, w->upstream, VERDICT_FAIL, T0, "timeout");
    struct snapshot *snap = snapshot_make(&w->source, 1, T0, WALL);
    document_ready(&d, snap, "n", T0, WALL);
    assert_int_equal(d.state, VERDICT_PASS);
    document_free(&d);
    snapshot_unref(snap);
    result(w, w->worker, VERDICT_FAIL, T0, "silent \"worker\"");
    snap = snapshot_make(&w->source, 1, T0, WALL);
    document_ready(&d, snap, "n", T0, WALL);
    char *text = whole(&d);
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(strstr(text_of(j, "output"), "silent \"worker\""));
    assert_int_equal(d.state, VERDICT_FAIL);
    json_decref(j);
    free(text);
    document_free(&d);
    snapshot_unref(snap);
}

static void test_live_is_read_from_the_board(void **state) {
    struct world *w = *state;
    struct document d;
    struct board *b = w->board;
    for (int i = 0; i < ROLE_COUNT; i++) {
        board_set(&b->process[i].boot, 1);
        board_set(&b->process[i].heartbeat_ms, T0);
    }
    for (int i = 0; i < 2; i++) {
        board_set(&b->worker[i].boot, 1);
        board_set(&b->worker[i].heartbeat_ms, T0);
    }
    document_live(&d, b, "n", T0 + LIVE_MAX_MS, WALL);
    assert_int_equal(d.state, VERDICT_PASS);
    document_free(&d);
    board_set(&b->worker[1].heartbeat_ms, T0 - 1);
    document_live(&d, b, "n", T0 + LIVE_MAX_MS, WALL);
    char *text = whole(&d);
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    assert_int_equal(json_array_size(json_object_get(json_object_get(j, "checks"), "loop:heartbeat")), 6);
    assert_int_equal(d.state, VERDICT_FAIL);
    json_decref(j);
    free(text);
    document_free(&d);
    board_set(&b->worker[1].heartbeat_ms, T0);
    board_set(&b->process[ROLE_SYNC].boot, 0);
    document_live(&d, b, "n", T0, WALL);
    assert_int_equal(d.state, VERDICT_FAIL);
    document_free(&d);
    board_set(&b->process[ROLE_SYNC].boot, 1);
    board_set(&b->process[ROLE_SUPERVISOR].boot, 0); /* started one by one: nobody is missing */
    board_set(&b->worker_count, UINT64_MAX);         /* a board that cannot be: bounded */
    document_live(&d, b, "n", T0, WALL);
    assert_int_equal(d.state, VERDICT_FAIL);
    document_free(&d);
}

/* Each family is described once, its samples stand together, no sample twice, values are numbers. */
static void check_metrics(const char *text, bool open) {
    char family[128] = "", seen[8192] = "", *copy = strdup(text), *save = NULL;
    size_t samples = 0;
    for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char name[128];
        if (strcmp(line, "# EOF") == 0) {
            assert_true(open);
            continue;
        }
        if (sscanf(line, "# TYPE %127s", name) == 1) {
            char padded[132];
            snprintf(padded, sizeof(padded), " %s ", name);
            if (strstr(seen, padded) != NULL)
                fail_msg("family twice: %s", name);
            strncat(seen, padded, sizeof(seen) - strlen(seen) - 1);
            snprintf(family, sizeof(family), "%s", name);
            continue;
        }
        if (line[0] == '#')
            continue;
        samples++;
        if (strncmp(line, family, strlen(family)) != 0)
            fail_msg("%s stands under %s", line, family);
        char *end, *value = strrchr(line, ' ');
        assert_non_null(value);
        (void)strtod(value + 1, &end);
        if (*end != '\0')
            fail_msg("no number: %s", line);
    }
    assert_true(samples > 100);
    free(copy);
}

static void test_metrics(void **state) {
    struct world *w = *state;
    all_pass(w, T0);
    tally_add(&w->tally.probe[TALLY_WORKER][0][FAMILY_V4], TALLY_PASS, 700, WALL);
    struct snapshot *snap = snapshot_make(&w->source, 1, T0, WALL);
    for (int open = 0; open <= 1; open++) {
        struct document d;
        document_metrics(&d, snap, open, T0);
        char *text = whole(&d);
        check_metrics(text, open);
        assert_non_null(strstr(text, "candor_health_status{scope=\"worker\"} 0\n"));
        assert_non_null(strstr(text, "candor_zone_serial{zone=\"bl.test.\"} 7\n"));
        assert_non_null(strstr(text, "candor_zone_test_point_success{zone=\"bl.test.\",point=\"listed\"} 1\n"));
        assert_non_null(strstr(text, "candor_upstream_up{upstream=\"192.0.2.53@53\"} 1\n"));
        assert_non_null(
            strstr(text, "candor_probe_runs_total{probe=\"worker\",proto=\"udp\",family=\"ip4\",result=\"pass\"} 1\n"));
        /* known label values stand there from the start, at 0 */
        assert_non_null(strstr(text, "result=\"timeout\"} 0\n"));
        assert_non_null(strstr(text, "candor_worker_restarts_total{worker=\"1\",reason=\"hung\"} 0\n"));
        assert_non_null(strstr(text, "candor_responses_total{source=\"upstream\",rcode=\"SERVFAIL\"} 0\n"));
        assert_non_null(
            strstr(text, open ? "# TYPE candor_queries counter\n" : "# TYPE candor_queries_total counter\n"));
        assert_int_equal(strstr(text, "# EOF\n") != NULL, open);
        free(text);
        document_free(&d);
    }
    snapshot_unref(snap);
}

/* One without a past: its folder cannot be made. */
static struct ledger *a_ledger(struct world *w) {
    struct ledger *l;
    struct ledger_state s = {.loaded = false};
    struct timespec ms = {.tv_nsec = 1000000};
    assert_int_equal(ledger_open(&l, "/dev/null/health", 1, WALL), 0);
    for (int i = 0; i < 10000 && !s.loaded; i++) {
        ledger_note(l, &w->book, w->board, WALL, 0);
        ledger_state(l, &s);
        nanosleep(&ms, NULL);
    }
    assert_true(s.loaded);
    w->source.ledger = l;
    return l;
}

static void test_history(void **state) {
    struct world *w = *state;
    struct document d;
    all_pass(w, T0);
    result(w, w->worker, VERDICT_FAIL, T0 + 1, "said \"no\"\n");
    struct ledger *l = a_ledger(w);
    struct snapshot *snap = snapshot_make(&w->source, 1, T0, WALL);
    document_history(&d, snap, &(struct history_query){.scope = SCOPE_COUNT});
    char *text = whole(&d);
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    json_t *newest = json_array_get(json_object_get(j, "scopes"), 0);
    assert_string_equal(text_of(newest, "scope"), "worker");
    assert_string_equal(text_of(newest, "from"), "pass");
    assert_string_equal(text_of(newest, "to"), "fail");
    assert_non_null(strstr(text_of(newest, "cause"), "said \"no\"\n"));
    assert_int_equal(json_array_size(json_object_get(j, "scopes")), 4);
    assert_int_equal(json_array_size(json_object_get(j, "events")), 9); /* and those of checks, and the start */
    json_decref(j);
    free(text);
    document_free(&d);
    document_history(&d, snap, &(struct history_query){.scope = SCOPE_WORKER, .limit = 1, .given = true});
    text = whole(&d);
    j = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(j, "events")), 1);
    json_t *before = json_object_get(j, "before");
    assert_true(json_integer_value(before) > 1);
    assert_null(json_object_get(j, "scopes"));
    json_decref(j);
    free(text);
    document_free(&d);
    w->source.ledger = NULL;
    ledger_close(l);
    snapshot_unref(snap);
}

static void test_the_page_escapes(void **state) {
    struct world *w = *state;
    struct document d;
    all_pass(w, T0);
    result(w, w->worker, VERDICT_FAIL, T0, "<script>alert(1)</script>");
    struct snapshot *snap = snapshot_make(&w->source, 1, T0, WALL);
    document_page(&d, snap, "no\"de", T0, WALL);
    char *text = whole(&d);
    assert_null(strstr(text, "<script>alert"));
    assert_non_null(strstr(text, "&lt;script&gt;"));
    assert_non_null(strstr(text, "banner fail"));
    free(text);
    document_free(&d);
    snapshot_unref(snap);
}

static void test_references(void **state) {
    struct world *w = *state;
    struct snapshot *snap = snapshot_make(&w->source, 1, T0, WALL);
    snapshot_ref(snap);
    snapshot_unref(snap);
    assert_int_equal(snap->sequence, 1);
    snapshot_unref(snap);
    snapshot_unref(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_whole_document, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_questions_by_zone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_zones_in_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_scope, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_evidence_is_no_evidence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_evidence_to_run_out_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_before_the_first_judgement, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readiness_hangs_on_its_checks_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_live_is_read_from_the_board, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_metrics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_history, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_page_escapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_references, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
