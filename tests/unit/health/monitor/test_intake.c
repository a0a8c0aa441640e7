/* What comes over HTTPS: read with hard bounds, refused as a whole, made ASCII on the way; and what is judged of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/monitor/intake.h"
#include "health/report/body.h"

#define REPORT                                                                                                         \
    "\"report\":{\"node\":\"scan1\",\"version\":\"0.1.0\",\"boot\":\"0123456789abcdef\",\"sequence\":17,\"wallMs\":5," \
    "\"revision\":4,\"lagMs\":1,\"status\":\"warn\",\"ready\":true,\"cause\":\"x\",\"scopes\":{\"worker\":\"pass\","   \
    "\"later\":\"fail\"}}"

static struct intake *taken(const char *text) {
    struct intake *i;
    struct err err = {.text = ""};
    if (intake_read(&i, text, strlen(text), &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return i;
}

static void test_what_a_node_writes_is_read(void **state) {
    (void)state;
    struct report r = {.boot = 7, .sequence = 9, .wall_ms = 1000, .overall = VERDICT_FAIL, .ready = true, .lag_ms = 3};
    struct event e = {
        .sequence = 90, .boot = 7, .wall_ms = 5, .seen_wall_ms = 4, .kind = EVENT_CHECK, .scope = SCOPE_ZONES};
    struct event start = {.sequence = 91, .boot = 8, .wall_ms = 6, .kind = EVENT_START};
    const struct event *list[] = {&e, &start};
    e.from = VERDICT_PASS;
    e.to = VERDICT_WARN;
    strcpy(r.node, "scan1");
    strcpy(r.cause, "gr\xc3\xbc\xc3\x9f\n");
    memset(r.scope, REPORT_ABSENT, sizeof r.scope);
    r.scope[SCOPE_ZONES] = VERDICT_FAIL;
    strcpy(e.what, "zone:serial (bl.)");
    const char *json =
        "{\"node\":\"scan1\",\"wallMs\":1000,\"configVersion\":3,\"zones\":[{\"zone\":\"bl.\",\"serial\":7,"
        "\"digest\":\"aa\"},{},7],\"peers\":[{\"peer\":\"b\",\"state\":\"in "
        "part\",\"sees\":{\"tcp/ip4\":\"bad\",\"udp/ip4\":\"good\"}},{\"peer\":\"c\",\"state\":"
        "\"gone\"},{\"peer\":\"d\"}]}";
    struct detail *d = detail_make(json, strlen(json));
    struct notice n = {.report = &r, .event = list, .events = 2, .events_lost = 5, .detail = d};
    char *body = body_notice(&n, "scan1");
    struct intake *i = taken(body);
    assert_string_equal(i->name, "scan1");
    assert_true(i->has_report && i->report.boot == 7 && i->report.sequence == 9 && i->report.ready);
    assert_string_equal(i->report.cause, "gr?????");
    assert_int_equal(i->report.scope[SCOPE_ZONES], VERDICT_FAIL);
    assert_int_equal(i->report.scope[SCOPE_WORKER], REPORT_ABSENT);
    assert_int_equal(i->events, 2);
    assert_int_equal(i->events_lost, 5);
    assert_true(i->event[0].sequence == 90 && i->event[0].kind == EVENT_CHECK && i->event[0].to == VERDICT_WARN);
    assert_string_equal(i->event[0].what, "zone:serial (bl.)");
    assert_true(i->event[1].kind == EVENT_START && i->event[1].boot == 8);
    assert_int_equal(i->facts->zones, 1);
    assert_string_equal(i->facts->zone[0].zone, "bl.");
    assert_true(i->facts->zone[0].serial == 7 && i->facts->zone[0].digest != 0);
    assert_int_equal(i->facts->peers, 3);
    assert_int_equal(i->facts->peer[0].sight, FACTS_WELL);
    assert_int_equal(i->facts->peer[1].sight, FACTS_GONE);
    assert_int_equal(i->facts->peer[2].sight, FACTS_UNSURE);
    assert_true(i->facts->config_version == 3 && i->facts->wall_ms == 1000);
    intake_free(i);
    free(body);
    detail_unref(d);
}

static void test_parts_may_be_missing(void **state) {
    (void)state;
    struct intake *i = taken("{" REPORT "}");
    assert_true(i->has_report && i->events == 0 && i->detail == NULL && i->facts == NULL);
    assert_int_equal(i->report.scope[SCOPE_WORKER], VERDICT_PASS); /* "later": a node may be newer than its monitor */
    intake_free(i);
    i = taken("{\"events\":[]}");
    assert_true(!i->has_report && i->name[0] == '\0');
    intake_free(i);
    i = taken("{\"node\":\"c\",\"events\":[]}");
    assert_string_equal(i->name, "c");
    intake_free(i);
    i = taken("{\"detail\":{\"node\":\"b\"}}");
    assert_string_equal(i->name, "b");
    assert_int_equal(i->facts->config_version, -1);
    intake_free(i);
}

static void test_what_is_wrong_anywhere_is_refused(void **state) {
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "7",
        "null",
        "\"x\"",
        "{} {}",
        "\xff",
        "{\"report\":7}",
        "{\"report\":{}}",
        "{\"events\":{}}",
        "{\"events\":[7]}",
        "{\"eventsLost\":-1}",
        "{\"eventsLost\":\"1\"}",
        "{\"detail\":[]}",
        "{\"detail\":{}}",
        "{\"detail\":{\"node\":\"\"}}",
        "{\"detail\":{\"node\":\"a b\"}}",
        "{\"detail\":{\"node\":\"../x\"}}",
        "{\"detail\":{\"node\":7}}",
        "{" REPORT ",\"detail\":{\"node\":\"scan2\"}}",
        "{\"node\":7}",
        "{\"node\":\"\"}",
        "{\"node\":\"scan2\"," REPORT "}",
        "{\"node\":\"b\",\"detail\":{\"node\":\"c\"}}",
        "{\"a\":1,\"a\":2}",
        "{\"a\\n\":1}",
        "{\"x\":[[[[[[[[[[]]]]]]]]]]}",
        "{\"events\":[{\"sequence\":2,\"boot\":\"0123456789abcdef\",\"kind\":\"start\"},"
        "{\"sequence\":1,\"boot\":\"0123456789abcdef\",\"kind\":\"start\"}]}",
        "{\"events\":[{\"sequence\":2,\"boot\":\"0123456789abcdef\",\"kind\":\"scope\",\"from\":\"x\",\"to\":\"pass\"}]"
        "}",
        "{\"events\":[{\"sequence\":2,\"boot\":\"0123456789abcdeX\",\"kind\":\"start\"}]}",
        "{\"events\":[{\"sequence\":2,\"boot\":\"0123456789abcdef\",\"kind\":\"party\"}]}",
        "{\"events\":[{\"sequence\":0,\"boot\":\"0123456789abcdef\",\"kind\":\"start\"}]}"};
    (void)state;
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        struct intake *i = NULL;
        struct err err = {.text = ""};
        if (intake_read(&i, texts[k], strlen(texts[k]), &err) != E_INVALID)
            fail_msg("taken: %s", texts[k]);
        assert_null(i);
        assert_true(err.text[0] != '\0');
    }
}

/* Each octet of a right one damaged, and each beginning of it: read or refused, never worse (with sanitizers). */
static void test_damage(void **state) {
    static const char right[] =
        "{" REPORT ",\"events\":[{\"sequence\":2,\"boot\":\"0123456789abcdef\",\"kind\":\"start\"}],"
        "\"eventsLost\":0,\"detail\":{\"node\":\"scan1\",\"zones\":[{\"zone\":\"z\"}]}}";
    (void)state;
    for (size_t at = 0; at < sizeof right - 1; at++)
        for (unsigned value = 0; value < 256; value += at % 7 + 5) {
            char text[sizeof right];
            struct intake *i = NULL;
            struct err err = {.text = ""};
            memcpy(text, right, sizeof right);
            text[at] = (char)value;
            if (intake_read(&i, text, value % 2 != 0 ? sizeof right - 1 : at, &err) == 0)
                intake_free(i);
        }
}

static void test_too_many_events(void **state) {
    (void)state;
    char *text = malloc(1 << 20);
    size_t n = (size_t)sprintf(text, "{\"events\":[");
    struct intake *i;
    struct err err = {.text = ""};
    for (int k = 1; k <= NOTICE_EVENTS + 1; k++)
        n += (size_t)sprintf(text + n, "%s{\"sequence\":%d,\"boot\":\"0123456789abcdef\",\"kind\":\"start\"}",
                             k > 1 ? "," : "", k);
    (void)sprintf(text + n, "]}");
    assert_int_equal(intake_read(&i, text, strlen(text), &err), E_INVALID);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_a_node_writes_is_read),
                                       cmocka_unit_test(test_parts_may_be_missing),
                                       cmocka_unit_test(test_what_is_wrong_anywhere_is_refused),
                                       cmocka_unit_test(test_damage), cmocka_unit_test(test_too_many_events)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
