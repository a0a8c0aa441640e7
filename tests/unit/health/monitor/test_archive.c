/* What a monitor keeps: once each, in tables that agree with docs/formats/sql.md, and no file stops it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "health/monitor/archive.h"

static char folder[64], path[96];
static struct archive_plan plan = {.path = path, .push_ms = 15000, .keep_ms = 86400000};

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/archive-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/in/monitor.sqlite", folder);
    return 0;
}

static int drop_folder(void **state) {
    char command[96];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static struct archive *opened(void) {
    struct archive *a;
    struct err err = {.text = ""};
    if (archive_open(&a, &plan, &err) != 0)
        fail_msg("%s", err.text);
    return a;
}

/* The first row as text, columns parted by a bar. */
static const char *row(const char *sql) {
    static char text[512];
    sqlite3 *db;
    sqlite3_stmt *s;
    text[0] = '\0';
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(s) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            const unsigned char *c = sqlite3_column_text(s, i);
            size_t n = strlen(text);
            snprintf(text + n, sizeof text - n, "%s%s", i > 0 ? "|" : "", c != NULL ? (const char *)c : "NULL");
        }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return text;
}

static struct report report(uint64_t boot, uint64_t sequence, int64_t wall_ms) {
    struct report r = {.boot = boot, .sequence = sequence, .wall_ms = wall_ms, .overall = VERDICT_FAIL, .ready = true};
    strcpy(r.node, "scan1");
    strcpy(r.version, "0.1.0");
    strcpy(r.cause, "worker:answers: no answer");
    memset(r.scope, REPORT_ABSENT, sizeof r.scope);
    return r;
}

static void put_report(struct archive *a, struct report r, int64_t came) {
    struct err err = {.text = ""};
    assert_int_equal(archive_begin(a, &err), 0);
    if (archive_report(a, &r, came, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(archive_commit(a, &err), 0);
}

static void test_reports_once_and_gaps(void **state) {
    (void)state;
    struct archive *a = opened();
    put_report(a, report(7, 1, 1000), 1001);
    put_report(a, report(7, 4, 4000), 4001);
    put_report(a, report(7, 4, 4000), 9001); /* sent again */
    put_report(a, report(7, 3, 3000), 9002); /* late: a row, and no step back */
    assert_string_equal(row("SELECT count(*), min(came), max(came) FROM report"), "3|1001|9002");
    assert_string_equal(row("SELECT node, boot, sequence, made, came, status, ready, version, push, keep FROM node"),
                        "scan1|0000000000000007|4|4000|4001|fail|1|0.1.0|15000|86400000");
    assert_string_equal(row("SELECT * FROM gaps"), "scan1|0000000000000007|2|2");
    assert_string_equal(row("SELECT node, last_status FROM silent"), "scan1|fail");
    assert_string_equal(row("SELECT json_extract(document, '$.cause') FROM report"), "worker:answers: no answer");
    archive_close(a);
}

static void test_events_once_in_order(void **state) {
    (void)state;
    struct archive *a = opened();
    struct err err = {.text = ""};
    struct event e[3] = {
        {.sequence = 90, .boot = 7, .wall_ms = 5, .kind = EVENT_SCOPE, .scope = SCOPE_WORKER, .to = VERDICT_FAIL},
        {.sequence = 91, .boot = 7, .wall_ms = 6, .kind = EVENT_CHECK, .scope = SCOPE_WORKER, .from = VERDICT_FAIL},
        {.sequence = 94, .boot = 8, .wall_ms = 9, .kind = EVENT_START}};
    strcpy(e[1].what, "worker:answers (worker 0)");
    strcpy(e[1].cause, "it answers");
    assert_int_equal(archive_events(a, "scan1", e, 2, 3, 100, &err), 0);
    assert_int_equal(archive_events(a, "scan1", e, 2, 3, 200, &err), 0); /* the same again: nothing */
    assert_int_equal(archive_events(a, "scan1", e, 3, 0, 300, &err), 0); /* one of them is new */
    assert_string_equal(row("SELECT count(*), max(came) FROM event"), "3|300");
    assert_string_equal(row("SELECT events_lost FROM node"), "3");
    assert_string_equal(row("SELECT * FROM event_gaps"), "scan1|92|93");
    assert_string_equal(row("SELECT kind, scope, what, was, is_now, cause FROM event WHERE sequence = 91"),
                        "check|worker|worker:answers (worker 0)|fail|pass|it answers");
    char node[8][REPORT_NODE];
    struct event got[8];
    assert_int_equal(archive_newest(a, node, got, 8, &err), 3);
    assert_int_equal(got[0].kind, EVENT_START);
    assert_int_equal(got[1].sequence, 91);
    assert_string_equal(got[1].cause, "it answers");
    assert_int_equal(got[2].to, VERDICT_FAIL);
    assert_string_equal(node[2], "scan1");
    archive_close(a);
}

static void put_detail(struct archive *a, const char *json, bool fully) {
    struct err err = {.text = ""};
    struct detail *d = detail_make(json, strlen(json));
    if (archive_detail(a, "scan1", d, fully, &err) != 0)
        fail_msg("%s", err.text);
    detail_unref(d);
}

#define DETAIL(seq, at, serial, state, transitions)                                                                    \
    "{\"v\":1,\"node\":\"scan1\",\"boot\":\"b1\",\"sequence\":" seq ",\"wallMs\":" at ",\"configVersion\":9,"          \
    "\"zones\":[{\"zone\":\"bl.example.\",\"state\":\"serving\",\"serial\":" serial                                    \
    ",\"entries\":10,\"digest\":\"aa\","                                                                               \
    "\"checkedMs\":" at "}],\"peers\":[{\"peer\":\"scan2\",\"state\":\"" state "\",\"sees\":{\"udp/ip4\":\"good\"},"   \
    "\"heardMs\":" at "}],\"probes\":[{\"scope\":\"worker\",\"check\":\"worker:answers\",\"id\":\"worker 0\","         \
    "\"state\":\"pass\",\"tookUs\":100,\"transitions\":" transitions                                                   \
    "},{\"scope\":\"monitor\",\"check\":\"node:answers\","                                                             \
    "\"id\":\"scan3\",\"state\":\"fail\",\"transitions\":0}]}"

static void test_details_by_change(void **state) {
    (void)state;
    struct archive *a = opened();
    put_detail(a, DETAIL("1", "86400000", "7", "well", "2"), true);
    put_detail(a, DETAIL("2", "86415000", "7", "well", "2"), true);
    assert_string_equal(row("SELECT count(*), since, until, checked FROM zone_state"), "1|86400000|NULL|86415000");
    put_detail(a, DETAIL("3", "86430000", "8", "gone", "5"), true);
    assert_string_equal(row("SELECT count(*), count(until) FROM zone_state"), "2|1");
    assert_string_equal(row("SELECT serial, since, until FROM zone_state ORDER BY since"), "7|86400000|86430000");
    assert_string_equal(row("SELECT serial, sequence FROM zone_now"), "8|3");
    assert_string_equal(row("SELECT peer, state, sees, heard FROM peer_now WHERE \"by\" = 'peer'"),
                        "scan2|gone|{\"udp/ip4\":\"good\"}|86430000");
    assert_string_equal(row("SELECT peer, state, sees FROM peer_now WHERE \"by\" = 'monitor'"),
                        "scan3|fail|{\"node:answers\":\"fail\"}");
    assert_string_equal(row("SELECT count(*) FROM peer_view WHERE \"by\" = 'monitor'"), "1");
    assert_string_equal(
        row("SELECT day, looks, passes, transitions, took_us_sum FROM probe_result WHERE id = 'worker 0'"),
        "1970-01-02|3|3|3|300");
    assert_string_equal(row("SELECT config_version, detail_made FROM node"), "9|86430000");
    put_detail(a, "{\"boot\":\"b1\",\"sequence\":4,\"wallMs\":86445000,\"zones\":[],\"peers\":[],\"probes\":[]}",
               false);
    assert_string_equal(row("SELECT count(*) FROM zone_now"), "0");
    assert_string_equal(row("SELECT count(*) FROM peer_now"), "0");
    archive_close(a);
}

static void test_views_of_disagreement_and_availability(void **state) {
    (void)state;
    struct archive *a = opened();
    struct err err = {.text = ""};
    int64_t now = strtoll(row("SELECT strftime('%s', 'now') * 1000"), NULL, 10);
    struct report well = report(7, 1, now - 60000);
    well.overall = VERDICT_PASS;
    put_report(a, well, now - 60000);
    strcpy(well.node, "scan2");
    well.wall_ms = now - 1000;
    put_report(a, well, now - 1000);
    put_detail(a, DETAIL("1", "86400000", "7", "well", "0"),
               true); /* scan1 is silent by now: its view counts no more */
    assert_string_equal(row("SELECT peers, disagree FROM disagreement WHERE node = 'scan2'"), "0|0");
    struct detail *d =
        detail_make(DETAIL("2", "86400000", "7", "gone", "0"), strlen(DETAIL("2", "86400000", "7", "gone", "0")));
    well.wall_ms = now;
    well.sequence = 2;
    strcpy(well.node, "scan1");
    put_report(a, well, now);
    assert_int_equal(archive_detail(a, "scan1", d, true, &err), 0);
    detail_unref(d);
    assert_string_equal(row("SELECT peers, peers_gone, disagree FROM disagreement WHERE node = 'scan2'"), "1|1|1");
    double ratio = strtod(row("SELECT ready_ratio FROM availability WHERE node = 'scan1' AND span = 3600000"), NULL);
    assert_true(ratio > 0.012 && ratio < 0.02); /* 45 s of an hour, and a little */
    archive_close(a);
}

static void test_hostile_details_change_nothing_else(void **state) {
    static const char *const texts[] = {"{}", "{\"zones\":7,\"peers\":\"x\",\"probes\":{}}",
                                        "{\"zones\":[1,null,[],{}]}",
                                        "{\"zones\":[{\"zone\":{\"a\":1}}],\"peers\":[{}],\"probes\":[{\"scope\":1}]}",
                                        "{\"wallMs\":\"x\",\"zones\":[{\"zone\":\"'; DROP TABLE node; --\"}]}"};
    (void)state;
    struct archive *a = opened();
    struct err err = {.text = ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct detail *d = detail_make(texts[i], strlen(texts[i]));
        assert_int_equal(archive_begin(a, &err), 0);
        int rc = archive_detail(a, "scan1", d, true, &err);
        (void)rc; /* taken or refused: never worse */
        archive_rollback(a);
        detail_unref(d);
    }
    put_detail(a, DETAIL("1", "86400000", "7", "well", "2"), true);
    assert_string_equal(row("SELECT count(*) FROM zone_now"), "1");
    archive_close(a);
}

static void test_old_rows_go(void **state) {
    (void)state;
    struct archive *a = opened();
    struct err err = {.text = ""};
    struct event e = {.sequence = 1, .boot = 7, .wall_ms = 5};
    put_report(a, report(7, 1, 1000), 1000);
    put_report(a, report(7, 2, 90000000), 90000000);
    assert_int_equal(archive_events(a, "scan1", &e, 1, 0, 1000, &err), 0);
    put_detail(a, DETAIL("1", "1000", "7", "well", "2"), true);
    put_detail(a, DETAIL("2", "2000", "8", "well", "2"), true);
    for (int i = 0; i < 5; i++)
        assert_true(archive_clean(a, 3 * 86400000LL, &err) >= 0);
    assert_string_equal(row("SELECT (SELECT count(*) FROM report), (SELECT count(*) FROM event),"
                            " (SELECT count(*) FROM zone_state), (SELECT count(*) FROM probe_result),"
                            " (SELECT count(*) FROM node)"),
                        "0|0|1|0|1");
    archive_close(a);
}

static void test_opened_again(void **state) {
    (void)state;
    struct archive *a = opened();
    put_report(a, report(7, 1, 1000), 1000);
    archive_close(a);
    a = opened();
    assert_string_equal(row("SELECT count(*), max(number) FROM migration"), "1|1");
    assert_string_equal(row("SELECT count(*) FROM report"), "1");
    archive_close(a);
}

static void write_file(const char *text, size_t size, long at) {
    FILE *f = fopen(path, at > 0 ? "r+" : "w");
    assert_non_null(f);
    fseek(f, at, SEEK_SET);
    assert_int_equal(fwrite(text, 1, size, f), size);
    fclose(f);
}

static void test_damaged_file_is_known_and_set_aside(void **state) {
    (void)state;
    struct archive *a = opened();
    struct err err = {.text = ""};
    char damage[4096], aside[160];
    for (uint64_t i = 1; i < 300; i++)
        put_report(a, report(7, i, 1000), 1000);
    archive_close(a);
    memset(damage, 0x5a, sizeof damage);
    write_file(damage, sizeof damage, 8192);
    assert_int_equal(archive_open(&a, &plan, &err), E_CORRUPT);
    assert_null(a);
    assert_int_equal(archive_aside(path, 17, &err), 0);
    snprintf(aside, sizeof aside, "%s.damaged-17", path);
    assert_int_equal(access(aside, R_OK), 0);
    archive_close(opened());
    write_file("this is no database at all, and quite long enough to be seen as one", 64, 0);
    assert_int_equal(archive_open(&a, &plan, &err), E_CORRUPT);
}

static void test_newer_tables_are_left_alone(void **state) {
    (void)state;
    struct archive *a = opened();
    struct err err = {.text = ""};
    archive_close(a);
    (void)row("INSERT INTO migration VALUES (99, 0)");
    assert_int_equal(archive_open(&a, &plan, &err), E_UNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reports_once_and_gaps, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_events_once_in_order, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_details_by_change, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_views_of_disagreement_and_availability, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_hostile_details_change_nothing_else, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_old_rows_go, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_opened_again, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_damaged_file_is_known_and_set_aside, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_newer_tables_are_left_alone, make_folder, drop_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
