/* Options of nodes as they stand in a catalog: put together again, and everything that can be wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rbl/catalog/list.h"
#include "resolver/base/rand.h"
#include "resolver/dns/const.h"

static const char cat[] = "cat.test.";

static int add(struct catalog_list *l, const char *owner, uint16_t type, const uint8_t *rdata, size_t size) {
    char text[512];
    struct err err;
    struct records_rr rr = {.type = type, .ttl = 60, .rdata = {rdata, size}};
    (void)snprintf(text, sizeof text, "%s.%s", owner, cat);
    assert_int_equal(name_from_text(&rr.owner, text, NULL), 0);
    return catalog_list_add(l, &rr, &err);
}

/* Strings with | between them. */
static void add_txt(struct catalog_list *l, const char *owner, const char *value) {
    uint8_t rdata[2048];
    size_t size = 0;
    for (const char *at = value; at != NULL;) {
        const char *bar = strchr(at, '|');
        size_t n = bar != NULL ? (size_t)(bar - at) : strlen(at);
        assert_true(n < 256 && size + n + 1 <= sizeof rdata);
        rdata[size] = (uint8_t)n;
        memcpy(rdata + size + 1, at, n); /* NOLINT(bugprone-not-null-terminated-result): its length is in front */
        size += n + 1;
        at = bar != NULL ? bar + 1 : NULL;
    }
    assert_int_equal(add(l, owner, TYPE_TXT, rdata, size), 0);
}

static void open_list(struct catalog_list *l) {
    assert_int_equal(catalog_list_open(l, cat, NULL), 0);
    add_txt(l, "version", "2");
}

/* The catalog itself is well whatever its configuration is. */
static void take(struct catalog_list *l, struct remote_version *v) {
    assert_int_equal(catalog_list_end(l, NULL), 0);
    assert_int_equal(catalog_remote_take(&l->remote, v, NULL), 0);
    catalog_list_close(l);
}

static void add_head(struct catalog_list *l, const char *text, const char *fmt) {
    char digest[REMOTE_DIGEST], value[256];
    assert_int_equal(remote_digest(digest, text, strlen(text)), 0);
    (void)snprintf(value, sizeof value, fmt, digest); /* NOLINT: formats of our own */
    add_txt(l, "config.candor.ext", value);
}

static const char text[] = "{\"health\": {}}";
#define HEAD "version=7|sha256=%s|size=14|parts=2|at=99"

static void whole(void **state) {
    struct catalog_list l;
    struct remote_version v;
    (void)state;
    open_list(&l);
    add_txt(&l, "1.config.candor.ext", "lth\": |{}}");
    add_head(&l, text, HEAD "|later=word");
    add_txt(&l, "0.config.candor.ext", "{\"hea");
    add_txt(&l, "2.config.candor.ext", "more than it says");
    add_txt(&l, "candor.ext", "ttl=60s");
    assert_int_equal(l.options.count, 1);
    take(&l, &v);
    assert_string_equal(v.words, "");
    assert_string_equal(v.text, text);
    assert_true(v.number == 7 && v.wall_s == 99 && v.size == 14);
    remote_version_free(&v);
}

static void none(void **state) {
    struct catalog_list l;
    struct remote_version v;
    (void)state;
    open_list(&l);
    add_txt(&l, "0.config.candor.ext", "a part alone says nothing");
    add_txt(&l, "config.other.ext", "version=7");
    add_txt(&l, "config.candor.other", "version=7");
    take(&l, &v);
    assert_int_equal(v.number, 0);
    assert_string_equal(v.words, "");
    assert_null(v.text);
}

static void refuses(const char *head, const char *first, const char *second, const char *words) {
    struct catalog_list l;
    struct remote_version v;
    open_list(&l);
    add_head(&l, text, head);
    if (first != NULL)
        add_txt(&l, "0.config.candor.ext", first);
    if (second != NULL)
        add_txt(&l, "1.config.candor.ext", second);
    take(&l, &v);
    assert_null(v.text);
    if (strstr(v.words, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", v.words, words);
}

static void what_is_wrong_is_said(void **state) {
    (void)state;
    refuses(HEAD, "{\"hea", NULL, "part 1 of 2 is missing");
    refuses(HEAD, NULL, "lth\": {}}", "part 0 of 2 is missing");
    refuses(HEAD, "{\"hea", "lth\": {}", "13 octets, and not 14");
    refuses(HEAD, "{\"hea", "lth\": {}]", "its SHA-256");
    refuses("version=7|sha256=%.10s|size=14|parts=2", "{\"hea", "lth\": {}}", "a head without");
    refuses("version=0|sha256=%s|size=14|parts=2", "{\"hea", "lth\": {}}", "a head without");
    refuses("version=-1|sha256=%s|size=14|parts=2", "{\"hea", "lth\": {}}", "a head without");
    refuses("version=07|sha256=%s|size=14|parts=2", "{\"hea", "lth\": {}}", "a head without");
    refuses("version=9999999999999999|sha256=%s|size=14|parts=2", "{\"hea", "lth\": {}}", "a head without");
    refuses("version=7|sha256=%s|size=14|parts=99999", "{\"hea", "lth\": {}}", "more than");
    refuses("version=7|sha256=%s|size=131073|parts=2", "{\"hea", "lth\": {}}", "more than");
    refuses("version=7|sha256=%s|size=14", "{\"hea", "lth\": {}}", "0 octets, and not 14");
    refuses("%s", NULL, NULL, "a head without");
}

static void twice(void **state) {
    struct catalog_list l;
    struct remote_version v;
    (void)state;
    open_list(&l);
    add_head(&l, text, HEAD);
    add_head(&l, text, HEAD);
    take(&l, &v);
    assert_non_null(strstr(v.words, "more than one head"));
    open_list(&l);
    add_head(&l, text, HEAD);
    add_txt(&l, "0.config.candor.ext", "{\"hea");
    add_txt(&l, "1.config.candor.ext", "lth\": {}}");
    add_txt(&l, "1.config.candor.ext", "lth\": {}}");
    take(&l, &v);
    assert_non_null(strstr(v.words, "twice"));
    assert_null(v.text);
}

/* Labels and RDATA that nobody would write. */
static void strange(void **state) {
    struct catalog_list l;
    struct remote_version v;
    uint8_t rdata[512];
    (void)state;
    for (int round = 0; round < 2000; round++) {
        open_list(&l);
        size_t size = rand_below(sizeof rdata);
        for (size_t i = 0; i < size; i++)
            rdata[i] = (uint8_t)rand_below(256);
        (void)add(&l, "config.candor.ext", TYPE_TXT, rdata, size);
        (void)add(&l, "0.config.candor.ext", TYPE_TXT, rdata, size);
        (void)add(&l, "99999999999999999999.config.candor.ext", TYPE_TXT, rdata, size);
        (void)add(&l, "4294967296.config.candor.ext", TYPE_TXT, rdata, size);
        (void)add(&l, "x.config.candor.ext", TYPE_TXT, rdata, size);
        (void)add(&l, "\\000.config.candor.ext", TYPE_TXT, rdata, size);
        take(&l, &v);
        assert_null(v.text);
        assert_true(v.words[0] != '\0');
    }
}

/* As many parts as there may be. */
static void greatest(void **state) {
    struct catalog_list l;
    struct remote_version v;
    char *big = malloc(REMOTE_BYTES + 1), owner[64], head[256], digest[REMOTE_DIGEST];
    uint8_t rdata[REMOTE_PART + 2];
    (void)state;
    assert_non_null(big);
    memset(big, 'a', REMOTE_BYTES);
    big[REMOTE_BYTES] = '\0';
    assert_int_equal(remote_digest(digest, big, REMOTE_BYTES), 0);
    open_list(&l);
    size_t parts = 0;
    for (size_t at = 0; at < REMOTE_BYTES; at += REMOTE_PART, parts++) {
        size_t n = REMOTE_BYTES - at < REMOTE_PART ? REMOTE_BYTES - at : REMOTE_PART;
        size_t first = n < REMOTE_STRING ? n : REMOTE_STRING, size = 0;
        rdata[size++] = (uint8_t)first;
        memcpy(rdata + size, big + at, first);
        size += first;
        if (n > first) {
            rdata[size++] = (uint8_t)(n - first);
            memcpy(rdata + size, big + at + first, n - first);
            size += n - first;
        }
        (void)snprintf(owner, sizeof owner, "%zu.config.candor.ext", parts);
        assert_int_equal(add(&l, owner, TYPE_TXT, rdata, size), 0);
    }
    (void)snprintf(head, sizeof head, "version=1|sha256=%s|size=%d|parts=%zu", digest, REMOTE_BYTES, parts);
    add_txt(&l, "config.candor.ext", head);
    take(&l, &v);
    assert_string_equal(v.words, "");
    assert_int_equal(v.size, REMOTE_BYTES);
    assert_int_equal(memcmp(v.text, big, REMOTE_BYTES), 0);
    remote_version_free(&v);
    free(big);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole), cmocka_unit_test(none),    cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(twice), cmocka_unit_test(strange), cmocka_unit_test(greatest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
