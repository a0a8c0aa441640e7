/* What comes from a peer's health port: views, their proof, and HTTP; most of it hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "health/peers/http.h"
#include "health/peers/view.h"
#include "resolver/base/conf.h"

#define NONCE "00112233445566778899aabbccddeeff"
#define HEAD "{\"nonce\":\"" NONCE "\",\"node\":\"b\",\"boot\":\"1f\",\"now\":1790000000123,"
#define FRESH                                                                                                          \
    HEAD "\"stale\":false,\"age\":12,\"sequence\":7,\"status\":\"warn\",\"ready\":true,\"cutOff\":false,\"score\":1,"
#define TAIL "\"lag\":3,\"cause\":\"why\",\"peers\":"
#define SEEN(to, by, is)                                                                                               \
    "{\"to\":\"" to "\",\"by\":\"" by "\",\"state\":\"" is                                                             \
    "\",\"ago\":5,\"for\":9,\"lag\":2,\"score\":0,\"came\":\"x\"}"
#define GOOD                                                                                                           \
    FRESH TAIL "{\"a\":[" SEEN("10.0.0.1@53", "udp", "bad") "," SEEN("fd00::1@53", "tcp", "good") "],\"c\":[]}}"

static int reads(const char *text, size_t size) {
    struct view v;
    struct err err = {.text = ""};
    int rc = view_read(&v, text, size, "b", NONCE, &err);
    assert_true(rc == 0 || (err.text[0] != '\0' && v.seen == NULL));
    view_free(&v);
    return rc;
}

static int reads_text(const char *text) {
    /* Exactly as long as it is: a sanitizer sees each octet read beyond. */
    size_t size = strlen(text);
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, text, size);
    int rc = reads(copy, size);
    free(copy);
    return rc;
}

static void a_whole_view(void **state) {
    struct view v;
    (void)state;
    assert_int_equal(view_read(&v, GOOD, strlen(GOOD), "b", NONCE, NULL), 0);
    assert_string_equal(v.node, "b");
    assert_int_equal(v.wall_ms, 1790000000123);
    assert_int_equal(v.status, VERDICT_WARN);
    assert_true(v.ready && !v.cut_off && !v.stale && v.score == 1 && v.age_ms == 12 && v.lag_ms == 3);
    assert_int_equal(v.count, 2);
    assert_string_equal(v.seen[0].node, "a");
    assert_int_equal(v.seen[0].state, SEEN_BAD);
    assert_true(v.seen[0].by == SEEN_UDP && !v.seen[0].ip6 && v.seen[0].ago_ms == 5 && v.seen[0].for_ms == 9);
    assert_true(v.seen[1].by == SEEN_TCP && v.seen[1].ip6 && v.seen[1].state == SEEN_GOOD);
    view_free(&v);
}

static void a_stale_node_says_nothing_else(void **state) {
    struct view v;
    static const char text[] = HEAD "\"stale\":true,\"age\":90000}";
    (void)state;
    assert_int_equal(view_read(&v, text, strlen(text), "b", NONCE, NULL), 0);
    assert_true(v.stale && v.age_ms == 90000 && v.status == VERDICT_UNKNOWN && !v.ready && v.count == 0);
    view_free(&v);
}

static void other_nodes_and_old_answers_are_denied(void **state) {
    struct view v;
    (void)state;
    assert_int_equal(view_read(&v, GOOD, strlen(GOOD), "c", NONCE, NULL), E_DENIED);
    assert_int_equal(view_read(&v, GOOD, strlen(GOOD), "b", "ffeeddccbbaa99887766554433221100", NULL), E_DENIED);
    assert_int_equal(view_read(&v, GOOD, strlen(GOOD), "b", "", NULL), E_DENIED);
}

static void nothing_wrong_is_believed(void **state) {
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        "null",
        "7",
        "\"",
        "{",
        "{\"nonce\":",
        GOOD "x",
        "{\"nonce\":\"" NONCE "\"}",
        HEAD "\"stale\":1,\"age\":12}",
        HEAD "\"stale\":true,\"age\":-1}",
        HEAD "\"stale\":true,\"age\":1.5}",
        HEAD "\"stale\":true,\"age\":\"1\"}",
        HEAD "\"stale\":true}",
        FRESH "\"lag\":3,\"cause\":\"why\"}",
        FRESH TAIL "[]}",
        FRESH TAIL "{\"a\":{}}}",
        FRESH TAIL "{\"a\":[1]}}",
        FRESH TAIL "{\"a\":[{}]}}",
        FRESH TAIL "{\"a\":[" SEEN("host.example@53", "udp", "bad") "]}}", /* no name is ever an address */
        FRESH TAIL "{\"a\":[" SEEN("10.0.0.1@53", "smtp", "bad") "]}}",
        FRESH TAIL "{\"a\":[" SEEN("10.0.0.1@53", "udp", "dead") "]}}",
        FRESH TAIL "{\"a\":[],\"a\":[]}}", /* twice */
        FRESH TAIL "{\"a\":[" SEEN("10.0.0.1@53", "udp\\u0000x", "bad") "]}}",
        "{\"nonce\":\"" NONCE "\",\"node\":\"b\",\"boot\":\"1f\",\"now\":9223372036854775807,\"stale\":true,\"age\":1}",
        "{\"nonce\":\"" NONCE "\",\"node\":[\"b\"],\"boot\":\"1f\",\"now\":1,\"stale\":true,\"age\":1}",
        "{\"nonce\":\"" NONCE
        "\",\"node\":\"b\",\"boot\":\"11111111111111111111111111111\",\"now\":1,\"stale\":true,\"age\":1}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_true(reads_text(wrong[i]) < 0);
    assert_int_equal(reads_text(GOOD), 0);
}

/* Cut off anywhere, and with any octet changed. */
static void no_cut_and_no_octet_breaks_it(void **state) {
    char text[sizeof(GOOD)];
    (void)state;
    for (size_t n = 0; n < strlen(GOOD); n++) {
        memcpy(text, GOOD, n);
        text[n] = '\0';
        assert_true(reads_text(text) < 0);
    }
    for (size_t n = 0; n < strlen(GOOD); n++)
        for (int c = 1; c < 256; c += 7) {
            memcpy(text, GOOD, sizeof(GOOD));
            text[n] = (char)c;
            (void)reads_text(text);
        }
}

static void huge_and_deep_ones_are_not_read(void **state) {
    (void)state;
    char *huge = malloc(VIEW_BYTES + 1);
    memset(huge, ' ', VIEW_BYTES + 1);
    assert_int_equal(reads(huge, VIEW_BYTES + 1), E_FULL);
    memset(huge, '[', VIEW_BYTES);
    assert_int_equal(reads(huge, VIEW_BYTES), E_FULL);
    for (size_t i = 0; i + 5 <= VIEW_BYTES; i += 5)
        memcpy(huge + i, "{\"a\":", 5);
    assert_int_equal(reads(huge, VIEW_BYTES / 5 * 5), E_FULL);
    free(huge);
    /* brackets in texts are no levels, and escaped quotes end none */
    assert_int_equal(reads_text(FRESH "\"lag\":3,\"cause\":\"[[[[[[[[\\\"{{{{{{{{{\\\\\",\"peers\":{}}"), 0);
}

static void too_many_peers_or_entries(void **state) {
    size_t size = VIEW_BYTES, n;
    char *text = malloc(size);
    (void)state;
    n = (size_t)snprintf(text, size, "%s", FRESH TAIL "{\"a\":[");
    for (int i = 0; i <= VIEW_SEEN && n + 16 < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s{}", i > 0 ? "," : "");
    n += (size_t)snprintf(text + n, size - n, "]}}");
    assert_true(reads(text, n) < 0);
    n = (size_t)snprintf(text, size, "%s", FRESH TAIL "{");
    for (int i = 0; i <= LIMIT_PEERS; i++)
        n += (size_t)snprintf(text + n, size - n, "%s\"n%d\":[]", i > 0 ? "," : "", i);
    n += (size_t)snprintf(text + n, size - n, "}}");
    assert_true(reads(text, n) < 0);
    free(text);
}

static void texts_are_cut_and_made_printable(void **state) {
    struct view v;
    char text[2048];
    (void)state;
    snprintf(text, sizeof(text), FRESH "\"lag\":99999999999,\"cause\":\"a\\u001b[31m\\u00e4%0500d\",\"peers\":{}}", 1);
    assert_int_equal(view_read(&v, text, strlen(text), "b", NONCE, NULL), 0);
    assert_int_equal(strlen(v.cause), VIEW_CAUSE - 1);
    assert_memory_equal(v.cause, "a?[31m??0", 9);
    assert_int_equal(v.lag_ms, UINT32_MAX); /* what does not fit is endless, never small */
    view_free(&v);
}

/* --- proof */

static struct conf_key keys[] = {
    {.name = "k.", .algorithm = "hmac-sha512", .secret = "YWFhYWFhYWFhYWFhYWFhYQ==", .secret_file = ""},
    {.name = "bad.", .algorithm = "hmac-sha256", .secret = "?", .secret_file = ""}};
static struct conf_peer peers[] = {
    {.name = "b", .key = "k."}, {.name = "c", .key = ""}, {.name = "d", .key = "bad."}, {.name = "e", .key = "gone."}};

static void a_view_is_proved_by_its_key(void **state) {
    struct conf conf = {.health = {.peers = peers, .peer_count = 4}, .rbl = {.keys = keys, .key_count = 2}};
    struct peers_keys *k;
    struct bytes whole = {(const uint8_t *)"what do ya want for nothing?", 28};
    struct bytes parts[] = {{whole.at, 5}, {whole.at + 5, 0}, {whole.at + 5, 23}};
    char one[PEERS_MAC_TEXT], two[PEERS_MAC_TEXT];
    (void)state;
    assert_int_equal(peers_keys_open(&k, &conf, peers, 4, NULL), 0);
    assert_int_equal(peers_keys_state(k, 0), 0);
    assert_int_equal(peers_keys_state(k, 1), E_NOTFOUND);
    assert_int_equal(peers_keys_state(k, 2), E_INVALID);
    assert_int_equal(peers_keys_state(k, 3), E_INVALID);
    assert_int_equal(peers_keys_state(k, 400), E_NOTFOUND);
    assert_int_equal(peers_find(&conf, "c"), 1);
    assert_int_equal(peers_find(&conf, "x"), -1);
    assert_int_equal(peers_mac(k, 0, &whole, 1, one), 0);
    assert_int_equal(peers_mac(k, 0, parts, 3, two), 0);
    assert_string_equal(one, two);
    /* printf 'what do ya want for nothing?' | openssl dgst -sha256 -hmac aaaaaaaaaaaaaaaa */
    assert_string_equal(one, "6dd48fd61da6082c35a634dde3f566a1518ad7ec9210cd2114e4d52e079ae304");
    assert_true(peers_mac_same(two, one));
    two[63] ^= 1;
    assert_false(peers_mac_same(two, one));
    assert_false(peers_mac_same("", one));
    two[63] = '\0';
    assert_false(peers_mac_same(two, one));
    assert_int_equal(peers_mac(k, 2, &whole, 1, one), E_INVALID);
    assert_string_equal(one, "");
    peers_keys_close(k);
}

static void reports_are_proved_by_keys_too(void **state) {
    struct conf_sink datagram[] = {{.key = "k."}, {.key = "bad."}}, https[] = {{.key = ""}, {.key = "K."}};
    struct conf conf = {.health = {.datagram = datagram, .datagram_count = 2, .https = https, .https_count = 2},
                        .rbl = {.keys = keys, .key_count = 2}};
    struct peers_keys *k;
    struct err err = {.text = ""};
    struct bytes body = {(const uint8_t *)"what do ya want for nothing?", 28};
    (void)state;
    assert_int_equal(peers_keys_of_reports(&k, &conf, &err), 0);
    assert_int_equal(peers_keys_find(k, "k."), 0);
    assert_int_equal(peers_keys_find(k, "BAD."), 1);
    assert_int_equal(peers_keys_find(k, ""), -1);
    assert_int_equal(peers_keys_find(k, "other."), -1);
    assert_int_equal(
        peers_proved(k, 0, "6dd48fd61da6082c35a634dde3f566a1518ad7ec9210cd2114e4d52e079ae304", &body, &err), 0);
    body.size--;
    assert_int_equal(
        peers_proved(k, 0, "6dd48fd61da6082c35a634dde3f566a1518ad7ec9210cd2114e4d52e079ae304", &body, &err), E_DENIED);
    assert_int_equal(peers_proved(k, 0, "", &body, &err), E_DENIED);
    assert_non_null(strstr(err.text, "no HMAC"));
    assert_int_equal(peers_proved(k, 1, "", &body, &err), E_DENIED); /* its secret cannot be read */
    assert_int_equal(peers_proved(k, 2, "", &body, &err), 0);        /* none is configured */
    peers_keys_close(k);
    peers_keys_close(NULL);
}

/* --- HTTP */

static int http(const char *text, struct http_result *r) {
    *r = (struct http_result){0};
    return http_read(r, (const uint8_t *)text, strlen(text));
}

static void answers_of_the_health_port(void **state) {
    struct http_result r;
    (void)state;
    assert_int_equal(http("HTTP/1.1 200 OK\r\nContent-Length: 3\r\ncandor-mac:  abc\r\n\r\nxyz", &r), 0);
    assert_int_equal(r.body.size, 3);
    assert_memory_equal(r.body.at, "xyz", 3);
    assert_string_equal(r.mac, "abc");
    assert_int_equal(http("HTTP/1.0 200 OK\r\nA: b\r\n\r\n", &r), 0);
    assert_true(r.body.size == 0 && r.mac[0] == '\0');
    assert_int_equal(http("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nxyz", &r), E_INVALID);
    assert_int_equal(http("HTTP/1.1 403 Forbidden\r\nA: b\r\n\r\nno", &r), E_DENIED);
    assert_string_equal(r.error, "HTTP status 403");
    assert_int_equal(http("HTTP/1.1 2000\r\nA: b\r\n\r\n", &r), 0);
    static const char *const none[] = {"",
                                       "\r\n\r\n",
                                       "HTTP/1.1\r\n\r\n",
                                       "SSH-2.0-x\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nA: b\r\n",
                                       "HTTP/2 200\r\n\r\n\r\n\r\n"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(http(none[i], &r), E_INVALID);
}

static void a_long_mac_and_every_cut(void **state) {
    static const char text[] = "HTTP/1.1 200 OK\r\nCandor-MAC: "
                               "0123456789012345678901234567890123456789012345678901234567890123456789012345\r\n"
                               "Content-Length: 99999999999999999999999\r\n\r\n";
    struct http_result r;
    (void)state;
    assert_true(http(text, &r) < 0);
    assert_string_equal(r.mac, "");
    for (size_t n = 0; n < strlen(text); n++) {
        uint8_t *copy = malloc(n > 0 ? n : 1);
        memcpy(copy, text, n);
        r = (struct http_result){0};
        assert_true(http_read(&r, copy, n) < 0);
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_view),
        cmocka_unit_test(a_stale_node_says_nothing_else),
        cmocka_unit_test(other_nodes_and_old_answers_are_denied),
        cmocka_unit_test(nothing_wrong_is_believed),
        cmocka_unit_test(no_cut_and_no_octet_breaks_it),
        cmocka_unit_test(huge_and_deep_ones_are_not_read),
        cmocka_unit_test(too_many_peers_or_entries),
        cmocka_unit_test(texts_are_cut_and_made_printable),
        cmocka_unit_test(a_view_is_proved_by_its_key),
        cmocka_unit_test(reports_are_proved_by_keys_too),
        cmocka_unit_test(answers_of_the_health_port),
        cmocka_unit_test(a_long_mac_and_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
