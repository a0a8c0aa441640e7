/* What leaves the house: JSON for Alertmanager and webhooks, mails; and the file that is read back, whatever is in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "health/alert/json.h"
#include "health/alert/message.h"
#include "resolver/base/bytes.h"

#define WALL INT64_C(1795448096123)

static struct alert_list *two(void) {
    struct alert_list *l = alert_list_new(2);
    assert_non_null(l);
    l->change = 9;
    text_copy(l->monitor, sizeof l->monitor, "m");
    l->at[0] = (struct alert){.id = 7, .change = 7, .kind = ALERT_NODE, .news = ALERT_BEGAN, .began_wall_ms = WALL};
    text_copy(l->at[0].node, sizeof l->at[0].node, "n1");
    text_copy(l->at[0].summary, sizeof l->at[0].summary, "n1: it does not answer");
    text_copy(l->at[0].description, sizeof l->at[0].description, "n1 by its own word: pass\nWhat m got: \"nothing\"");
    l->at[0].members = strdup("n1\n");
    l->at[1] = (struct alert){.id = 5,
                              .change = 9,
                              .kind = ALERT_NODES,
                              .news = ALERT_OVER,
                              .began_wall_ms = WALL - 60000,
                              .ended_wall_ms = WALL - 1000,
                              .total = 12};
    text_copy(l->at[1].summary, sizeof l->at[1].summary, "0 of 20 nodes");
    return l;
}

static struct errand all_of(const struct alert_list *l) {
    struct errand e = {.list = l, .count = l->count};
    for (size_t i = 0; i < l->count; i++)
        e.news[i] = &l->at[i];
    return e;
}

static const char *text_at(const json_t *j, size_t i, const char *key, const char *deeper) {
    const json_t *at = json_object_get(json_array_get(j, i), key);
    return json_string_value(deeper != NULL ? json_object_get(at, deeper) : at);
}

static void test_alertmanager(void **state) {
    struct alert_list *l = two();
    (void)state;
    char *text = json_manager(l, "http://192.0.2.1:5380/", WALL);
    json_t *j = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(j), 2);
    assert_string_equal(text_at(j, 0, "labels", "alertname"), "CandorNode");
    assert_string_equal(text_at(j, 0, "labels", "node"), "n1");
    assert_string_equal(text_at(j, 0, "labels", "severity"), "critical");
    assert_string_equal(text_at(j, 0, "labels", "monitor"), "m");
    assert_string_equal(text_at(j, 0, "startsAt", NULL), "2026-11-23T15:34:56.123Z");
    assert_string_equal(text_at(j, 0, "endsAt", NULL), "2026-11-23T15:39:56.123Z"); /* ahead: a dead monitor's end */
    assert_string_equal(text_at(j, 0, "generatorURL", NULL), "http://192.0.2.1:5380/");
    assert_string_equal(text_at(j, 1, "labels", "group"), "5");
    assert_null(text_at(j, 1, "labels", "node"));
    assert_string_equal(text_at(j, 1, "endsAt", NULL), "2026-11-23T15:34:55.123Z");
    json_decref(j);
    free(text);
    text = json_manager(l, "x", WALL + JSON_OVER_MS); /* what ended long ago is told no more */
    j = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(j), 1);
    json_decref(j);
    free(text);
    alert_list_unref(l);
}

/* n1 fails again a minute after it was well: to Alertmanager that is the same alert, and it must hear that it holds. */
static void test_again(void **state) {
    static const struct {
        enum alert_kind kind;
        const char *node;
        size_t told;
    } rows[] = {{ALERT_NODE, "n1", 1}, {ALERT_NODE, "n2", 2}, {ALERT_MONITOR, "n1", 2}, {ALERT_NODES, "", 2}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct alert_list *l = two();
        l->at[1].kind = rows[i].kind;
        text_copy(l->at[1].node, sizeof l->at[1].node, rows[i].node);
        char *text = json_manager(l, "x", WALL);
        json_t *j = json_loads(text, 0, NULL);
        assert_int_equal(json_array_size(j), rows[i].told);
        assert_string_equal(text_at(j, 0, "endsAt", NULL), "2026-11-23T15:39:56.123Z");
        json_decref(j);
        free(text);
        alert_list_unref(l);
    }
}

static void test_webhook(void **state) {
    struct alert_list *l = two();
    struct errand e = all_of(l);
    (void)state;
    char *text = json_webhook(&e, "http://192.0.2.1:5380/");
    json_t *j = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(j, "status")), "firing");
    assert_string_equal(json_string_value(json_object_get(j, "version")), "4");
    const json_t *alerts = json_object_get(j, "alerts");
    assert_int_equal(json_array_size(alerts), 2);
    assert_string_equal(text_at(alerts, 0, "endsAt", NULL), "0001-01-01T00:00:00Z");
    assert_string_equal(text_at(alerts, 1, "status", NULL), "resolved");
    assert_string_equal(text_at(alerts, 1, "news", NULL), "over");
    json_decref(j);
    free(text);
    e.news[0] = e.news[1];
    e.count = 1;
    assert_false(json_is_firing(&e));
    alert_list_unref(l);
}

/* Lines of at most 76 octets (998 at the worst), CR LF, ASCII, and no header but those that belong there. */
static void check_mail(const char *mail) {
    static const char *const headers[] = {
        "From:",          "To:",           "Date:",         "Message-ID:",
        "Subject:",       "MIME-Version:", "Content-Type:", "Content-Transfer-Encoding:",
        "Auto-Submitted:"};
    bool body = false;
    unsigned known = 0;
    for (const char *line = mail; *line != '\0';) {
        const char *end = strstr(line, "\r\n");
        assert_non_null(end);
        size_t n = (size_t)(end - line);
        assert_true(n <= 78);
        for (size_t i = 0; i < n; i++)
            assert_true(line[i] >= 0x20 && line[i] < 0x7f);
        body = body || n == 0;
        if (!body && line[0] != ' ') {
            bool fits = false;
            for (size_t h = 0; h < ARRAY_SIZE(headers); h++)
                fits = fits || strncmp(line, headers[h], strlen(headers[h])) == 0;
            assert_true(fits);
            known++;
        }
        line = end + 2;
    }
    assert_true(body);
    assert_int_equal(known, ARRAY_SIZE(headers));
}

static void test_mail(void **state) {
    const char *to[] = {"root@example.org", "watch@example.org"};
    const struct conf_smtp smtp = {.from = "candor@example.org", .to = {.at = to, .count = 2}};
    struct alert_list *l = two();
    struct errand e = all_of(l);
    (void)state;
    char *mail = message_write(&e, &smtp, "m.example", "http://192.0.2.1:5380/", WALL);
    check_mail(mail);
    assert_non_null(strstr(mail, "From: <candor@example.org>\r\nTo: <root@example.org>,\r\n <watch@example.org>\r\n"));
    assert_non_null(strstr(mail, "Date: Mon, 23 Nov 2026 15:34:56 +0000\r\n"));
    assert_non_null(strstr(mail, "Message-ID: <9.1795448096123@m.example>\r\n"));
    assert_non_null(strstr(mail, "FIRING: n1: it does not answer\r\n"));
    assert_non_null(strstr(mail, "RESOLVED: 0 of 20 nodes\r\n"));
    free(mail);
    e.count = 1;
    mail = message_write(&e, &smtp, "m.example", "x", WALL);
    check_mail(mail);
    assert_non_null(strstr(mail, "Subject: [FIRING] n1: it does not answer\r\n"));
    free(mail);
    /* Words that mean harm: line breaks, other headers, encoded words, long ones, another alphabet. */
    static const char *const words[] = {"x\r\nBcc: everybody@example.org\r\n\r\nhello",
                                        "=?UTF-8?Q?x?=", "\xC3\xA4\xE2\x82\xAC", "\xff\xfe", "."};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        text_copy(l->at[0].summary, sizeof l->at[0].summary, words[i]);
        text_copy(l->at[0].description, sizeof l->at[0].description, words[i]);
        mail = message_write(&e, &smtp, "m.example", "x", WALL);
        check_mail(mail); /* also: no header that does not belong there */
        free(mail);
    }
    memset(l->at[0].summary, 'a', sizeof l->at[0].summary - 1);
    memset(l->at[0].description, 0xC3, sizeof l->at[0].description - 1);
    mail = message_write(&e, &smtp, "m.example", "x", WALL);
    check_mail(mail);
    free(mail);
    alert_list_unref(l);
}

static void test_domain(void **state) {
    char to[ALERT_NAME];
    (void)state;
    message_domain("mon1.example.", to);
    assert_string_equal(to, "mon1.example");
    message_domain("-a\r\nb <x>@y_z-", to);
    assert_string_equal(to, "abxyz");
    message_domain("\xff", to);
    assert_string_equal(to, "candor");
}

static void test_state(void **state) {
    struct alert_list *l = two();
    (void)state;
    char *text = json_state(l);
    struct alert_list *back = json_state_read(text, strlen(text));
    assert_non_null(back);
    assert_int_equal(back->count, 2);
    assert_int_equal(back->change, 9);
    assert_string_equal(back->at[0].members, "n1\n");
    assert_string_equal(back->at[0].description, l->at[0].description);
    assert_int_equal(back->at[1].ended_wall_ms, WALL - 1000);
    alert_list_unref(back);
    for (size_t cut = 0; cut < strlen(text); cut += 3) /* a file that was cut off */
        assert_null(json_state_read(text, cut));
    free(text);
    alert_list_unref(l);
    static const char *const wrong[] = {
        "", "null", "[]", "{}", "{\"format\":2,\"alerts\":[]}", "{\"format\":1,\"alerts\":{}}"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_null(json_state_read(wrong[i], strlen(wrong[i])));
    static const char odd[] =
        "{\"format\":1,\"change\":-5,\"alerts\":[7,{\"kind\":\"CandorNode\",\"news\":\"began\",\"id\":3,"
        "\"members\":[1,\"a\\nb\",\"\"],\"description\":\"x\\u0007\\r\\ny\"},{\"kind\":\"?\"}]}";
    back = json_state_read(odd, sizeof odd - 1);
    assert_non_null(back);
    assert_int_equal(back->change, 0);
    assert_int_equal(back->at[0].id, 0);
    assert_int_equal(back->at[1].id, 3);
    assert_string_equal(back->at[1].members, "a b\n");
    assert_string_equal(back->at[1].description, "x  \ny");
    alert_list_unref(back);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alertmanager), cmocka_unit_test(test_again),  cmocka_unit_test(test_webhook),
        cmocka_unit_test(test_mail),         cmocka_unit_test(test_domain), cmocka_unit_test(test_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
