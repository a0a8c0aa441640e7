#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/command/dropin.h"
#include "health/command/zone.h"

static struct dropin *d;
static struct err err;

static int setup(void **state) {
    (void)state;
    d = calloc(1, sizeof *d);
    return d == NULL;
}

static int teardown(void **state) {
    (void)state;
    dropin_free(d);
    free(d);
    return 0;
}

static int parse(char **words) {
    int argc = 0;
    while (words[argc] != NULL)
        argc++;
    dropin_free(d);
    memset(&err, 0, sizeof err);
    return dropin_parse(d, argc, words, &err);
}

#define PARSE(...) parse((char *[]){"rbldnsd", __VA_ARGS__, NULL})
#define BASE "-b", "127.0.0.1/5300", "-u", "daemon"

static const char *listen_text(size_t i) {
    static char text[ADDR_TEXT_MAX];
    return addr_text(&d->listen[i], text);
}

static void test_options_in_one_word_and_behind_the_zones(void **state) {
    (void)state;
    assert_int_equal(PARSE("-nqe", "-b127.0.0.1/5300", "a.bl:ip4set:/x", "-t", "5m:10:1h", "-b", "::1", "-u", "daemon"),
                     0);
    assert_true(d->foreground && d->quick && d->any_prefix && d->has_ttl && !d->lazy);
    assert_int_equal(d->ttl_s, 300);
    assert_int_equal(d->min_ttl_s, 10);
    assert_int_equal(d->max_ttl_s, 3600);
    assert_int_equal(d->listens, 2);
    assert_string_equal(listen_text(0), "127.0.0.1@5300");
    assert_string_equal(listen_text(1), "::1@53");
    assert_int_equal(d->specs, 1);
}

static void test_zones(void **state) {
    (void)state;
    assert_int_equal(PARSE(BASE, "-w", "/data", "BL.Example:ip4set:a,/b/c,d", "bl.example.:dnset:e", ":acl:f"), 0);
    assert_int_equal(d->specs, 3);
    assert_string_equal(d->spec[0].zone, "bl.example.");
    assert_string_equal(d->spec[1].zone, "bl.example.");
    assert_string_equal(d->spec[2].zone, ".");
    assert_int_equal(d->spec[0].files, 3);
    assert_string_equal(d->spec[0].file[0], "/data/a");
    assert_string_equal(d->spec[0].file[1], "/b/c");
    assert_string_equal(d->spec[0].file[2], "/data/d");
    assert_int_equal(d->spec[1].type, DATASET_DNSET);
}

static void test_paths_are_those_behind_a_chroot(void **state) {
    char here[DROPIN_PATH], want[2 * DROPIN_PATH];
    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(PARSE(BASE, "-r", "/jail", "-w", "/lists", "a.bl:ip4set:x,/y"), 0);
    assert_string_equal(d->spec[0].file[0], "/jail/lists/x");
    assert_string_equal(d->spec[0].file[1], "/jail/y");
    assert_int_equal(PARSE(BASE, "-w", "lists", "-p", "run/pid", "a.bl:ip4set:x,/y"), 0);
    (void)snprintf(want, sizeof want, "%s/lists/x", here);
    assert_string_equal(d->spec[0].file[0], want);
    assert_string_equal(d->spec[0].file[1], "/y");
    (void)snprintf(want, sizeof want, "%s/run/pid", here);
    assert_string_equal(d->pid_file, want);
}

static void test_what_is_meaningless_is_noted_once(void **state) {
    (void)state;
    assert_int_equal(PARSE(BASE, "-c", "60", "-c", "2m", "-C", "-f", "-vv", "-l", "+log", "-s", "stats", "-F", "mail",
                           "-x", "e", "a.bl:ip4set:x"),
                     0);
    assert_int_equal(d->notes, 8);
    for (size_t i = 0; i < d->notes; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(d->note[i], d->note[k]);
}

static void test_times(void **state) {
    static const struct {
        const char *text;
        uint32_t seconds;
    } good[] = {{"0", 0},     {"30", 30},    {"30s", 30},    {"5m", 300},
                {"2H", 7200}, {"1d", 86400}, {"1w", 604800}, {"2147483647", 2147483647}};
    static const char *const bad[] = {"",      "x", "-1", "5x", "5mm", "5 m", "2147483648", "99999999999999999999",
                                      "3551w", "+5"};
    uint32_t s;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(dropin_time(good[i].text, &s));
        assert_int_equal(s, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(dropin_time(bad[i], &s));
}

static void refused(int rc, const char *words) {
    assert_int_equal(rc, E_INVALID);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, words);
}

static void test_what_is_wrong_is_named(void **state) {
    char label[80], name[400] = "";
    (void)state;
    refused(PARSE("-Z"), "'Z'");
    refused(PARSE(BASE), "no zone");
    refused(PARSE("a.bl:ip4set:x"), "no address");
    refused(PARSE("-b", "ns.example", "a.bl:ip4set:x"), "host names");
    refused(PARSE("-b", "127.0.0.1@53", "a.bl:ip4set:x"), "host names");
    refused(PARSE("-b", "127.0.0.1/65536", "a.bl:ip4set:x"), "port number");
    refused(PARSE("-b", "127.0.0.1/53x", "a.bl:ip4set:x"), "port number");
    refused(PARSE("-b", "127.0.0.1/53", "-b", "127.0.0.1", "a.bl:ip4set:x"), "twice");
    refused(PARSE(BASE, "-4", "-b", "::1", "a.bl:ip4set:x"), "-4");
    refused(PARSE(BASE, "a.bl:ip4:x"), "unknown dataset type");
    refused(PARSE(BASE, "a.bl"), "invalid zone data");
    refused(PARSE(BASE, "a.bl:ip4set:x,,y"), "empty file name");
    refused(PARSE(BASE, "a.bl:acl:x"), "besides acl");
    refused(PARSE(BASE, ".:acl:x", "a.bl:ip4set:x"), "missing domain name");
    refused(PARSE(BASE, "-t", "10:20", "a.bl:ip4set:x"), "inconsistent");
    refused(PARSE(BASE, "-t", ":::", "a.bl:ip4set:x"), "invalid ttl");
    refused(PARSE(BASE, "-t", "111111111111111111111111111111", "a.bl:ip4set:x"), "invalid ttl");
    refused(PARSE(BASE, "-d", "a.bl:ip4set:x"), "export");
    memset(label, 'a', 64);
    (void)snprintf(label + 64, sizeof label - 64, ":ip4set:x");
    refused(PARSE(BASE, label), "invalid domain name");
    for (int i = 0; i < 130; i++)
        strncat(name, "a.", sizeof name - strlen(name) - 1);
    strncat(name, "bl:ip4set:x", sizeof name - strlen(name) - 1);
    refused(PARSE(BASE, name), "invalid domain name");
}

static void test_more_than_the_limits(void **state) {
    static char *words[DROPIN_SPECS + 8], files[3 * LIMIT_FILES + 32] = "a.bl:ip4set:x";
    (void)state;
    words[0] = "rbldnsd";
    words[1] = "-b127.0.0.1";
    words[2] = "-udaemon";
    for (int i = 0; i <= DROPIN_SPECS; i++)
        words[3 + i] = "a.bl:ip4set:x";
    assert_int_equal(parse(words), E_FULL);
    for (int i = 0; i < LIMIT_FILES; i++)
        strcat(files, ",x");
    assert_int_equal(PARSE(BASE, files), E_FULL);
    words[0] = "rbldnsd";
    static char listen[LIMIT_LISTEN + 1][32];
    for (int i = 0; i <= LIMIT_LISTEN; i++) {
        (void)snprintf(listen[i], sizeof listen[i], "-b127.0.0.1/%d", 1000 + i);
        words[1 + i] = listen[i];
    }
    words[LIMIT_LISTEN + 2] = "a.bl:ip4set:x";
    words[LIMIT_LISTEN + 3] = NULL;
    refused(parse(words), "too many");
}

/* What was parsed, as the daemons will read it. */
static struct conf *conf_of(void) {
    char *text = NULL;
    size_t size = 0;
    struct conf *conf = NULL;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_int_equal(dropin_yaml(d, f, &err), 0);
    fclose(f);
    if (conf_read_text(&conf, text, size, "/", "text", &err) < 0)
        fail_msg("%s\n%s", err.text, text);
    free(text);
    return conf;
}

static void test_the_configuration_says_the_same(void **state) {
    (void)state;
    assert_int_equal(PARSE("-b", "127.0.0.1/5300", "-b", "::1/5300", "-t", "600:60:7200", "-e", "-a", "-n", "--health",
                           "127.0.0.1@5999", "--state", "/s t\"r: a-nge#", "--run", "/run/x", "a.bl:ip4set:/a b,/c: d",
                           "b.bl:dnset:/e", "a.bl:generic:/f", ":acl:/g"),
                     0);
    assert_int_equal(dropin_place(d, &err), 0);
    struct conf *c = conf_of();
    assert_string_equal(c->node.state, "/s t\"r: a-nge#/state");
    assert_string_equal(c->node.run, "/run/x");
    assert_int_equal(c->resolver.listen_count, 2);
    assert_true(c->resolver.minimal_responses);
    assert_int_equal(c->resolver.allow.count, 0);
    assert_int_equal(c->resolver.forward_count, 0);
    assert_int_equal(c->rbl.listen.count, 0);
    assert_int_equal(c->rbl.zone_count, 3);
    const struct conf_zone *z = &c->rbl.zones[0];
    assert_string_equal(z->name, "a.bl.");
    assert_int_equal(z->data_count, 2);
    assert_string_equal(z->data[0].files.at[0], "/a b");
    assert_string_equal(z->data[0].files.at[1], "/c: d");
    assert_int_equal(z->data[1].type, DATASET_GENERIC);
    assert_int_equal(z->ttl_s, 600);
    assert_int_equal(z->min_ttl_s, 60);
    assert_int_equal(z->max_ttl_s, 7200);
    assert_true(z->host_bits);
    assert_string_equal(c->rbl.zones[2].name, ".");
    assert_int_equal(addr_port(&c->health.listen.at[0]), 5999);
    assert_int_equal(c->later.count, 0);
    conf_free(c);
}

static void test_a_path_that_yaml_can_not_hold(void **state) {
    (void)state;
    assert_int_equal(PARSE(BASE, "--state", "/x", "--run", "/y", "--health", "127.0.0.1@5999", "a.bl:ip4set:/\xff"), 0);
    assert_int_equal(dropin_place(d, &err), 0);
    FILE *f = fopen("/dev/null", "w");
    refused(dropin_yaml(d, f, &err), "UTF-8");
    fclose(f);
}

static struct keep_entry entry(enum keep_kind kind, unsigned bits, const char *name) {
    struct keep_entry e = {.kind = kind, .bits = (uint8_t)bits};
    if (kind == KEEP_NAME)
        assert_int_equal(name_from_text(&e.name, name, NULL), 0);
    return e;
}

static void test_entries_as_text(void **state) {
    char text[ZONE_ENTRY_MAX];
    struct keep_entry e = entry(KEEP_4, 32, NULL);
    (void)state;
    memcpy(e.addr, (uint8_t[]){192, 0, 2, 255}, 4);
    assert_int_equal(zone_entry_text(&e, text), 11);
    assert_string_equal(text, "192.0.2.255");
    e = entry(KEEP_4, 0, NULL);
    (void)zone_entry_text(&e, text);
    assert_string_equal(text, "0.0.0.0/0");
    e = entry(KEEP_6, 128, NULL);
    e.addr[15] = 1;
    (void)zone_entry_text(&e, text);
    assert_string_equal(text, "::1");
    e = entry(KEEP_6, 112, NULL);
    (void)zone_entry_text(&e, text);
    assert_string_equal(text, "::/112");
    e = entry(KEEP_NAME, 0, ".");
    (void)zone_entry_text(&e, text);
    assert_string_equal(text, "@");
    e = entry(KEEP_NAME, 1, ".");
    assert_int_equal(zone_entry_text(&e, text), 1);
    assert_string_equal(text, "*");
    e = entry(KEEP_NAME, 1, "a\\.b.example.");
    assert_int_equal(zone_entry_text(&e, text), strlen("*.a\\.b.example"));
    assert_string_equal(text, "*.a\\.b.example");
}

static void test_json_texts(void **state) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    (void)state;
    zone_json_text(f, "a\"b\\c\n\x7f\xc3\xa9\xff!", 11);
    fclose(f);
    assert_string_equal(text, "\"a\\\"b\\\\c\\u000a\\u007f\xc3\xa9\\ufffd!\"");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_in_one_word_and_behind_the_zones),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_paths_are_those_behind_a_chroot),
        cmocka_unit_test(test_what_is_meaningless_is_noted_once),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_more_than_the_limits),
        cmocka_unit_test(test_the_configuration_says_the_same),
        cmocka_unit_test(test_a_path_that_yaml_can_not_hold),
        cmocka_unit_test(test_entries_as_text),
        cmocka_unit_test(test_json_texts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
