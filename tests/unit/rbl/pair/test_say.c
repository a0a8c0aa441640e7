/* What is written is read again; what is not written so is refused: the option, and the file of the role. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rbl/pair/impl.h"

static struct said sample(void) {
    struct said s = {.active = true, .have = true, .epoch = 7, .serial = 0xfffffff0, .name = "node-a", .forks = 2};
    s.fork[0] = (struct fork){7, 4000000000u};
    s.fork[1] = (struct fork){6, 12};
    return s;
}

static void test_option_there_and_back(void **state) {
    uint8_t wire[SAID_MAX];
    struct said s = sample(), t;
    (void)state;
    for (s.forks = 0; s.forks <= PAIR_FORKS; s.forks++) {
        size_t size = said_write(&s, wire, sizeof wire);
        assert_true(size > 0 && size <= SAID_MAX);
        assert_int_equal(said_read(&t, (struct bytes){wire, size}), 0);
        assert_true(t.active && t.have && t.epoch == 7 && t.serial == 0xfffffff0 && t.forks == s.forks);
        assert_memory_equal(t.fork, s.fork, s.forks * sizeof s.fork[0]);
        assert_string_equal(t.name, "node-a");
        assert_int_equal(said_write(&s, wire, size - 1), 0);
    }
    memset(s.name, 'x', sizeof s.name - 1);
    s.forks = PAIR_FORKS;
    assert_true(said_write(&s, wire, sizeof wire) > 0);
}

/* Cut anywhere, or changed anywhere: never more than the option is read, and what is read is within its bounds. */
static void test_hostile_options(void **state) {
    uint8_t wire[SAID_MAX];
    struct said s = sample(), t;
    size_t size = said_write(&s, wire, sizeof wire);
    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, wire, cut);
        int rc = said_read(&t, (struct bytes){exact, cut});
        assert_true(rc == E_INVALID || (cut >= size - strlen(s.name) && rc == 0));
        free(exact);
    }
    for (size_t at = 0; at < size; at++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t before = wire[at];
            wire[at] = (uint8_t)v;
            if (said_read(&t, (struct bytes){wire, size}) == 0) {
                assert_true(t.forks <= PAIR_FORKS && t.epoch > 0 && strlen(t.name) < sizeof t.name);
            }
            wire[at] = before;
        }
    uint8_t longest[SAID_MAX + 1] = {1, 0, 0, 0, 0, 1};
    memset(longest + 12, 'n', sizeof longest - 12);
    assert_int_equal(said_read(&t, (struct bytes){longest, 12 + 63}), 0);
    assert_int_equal(said_read(&t, (struct bytes){longest, 12 + 64}), E_INVALID);
}

static char folder[64];

static int set_up(void **state) {
    char path[128];
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/candor-pair-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/pairs", folder);
    return mkdir(path, 0700);
}

static int tear_down(void **state) {
    char path[128];
    (void)state;
    (void)snprintf(path, sizeof path, "rm -rf %s", folder);
    return system(path); /* NOLINT(cert-env33-c): a folder of our own */
}

static void put_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_role_file(void **state) {
    char path[PAIR_PATH];
    struct role_file r = {.active = true, .epoch = 3}, got;
    struct err err = {0};
    (void)state;
    assert_int_equal(role_path(path, folder, "bl.example.", ".role", &err), 0);
    assert_int_equal(role_read(&got, path, &err), E_NOTFOUND);
    for (r.forks = 0; r.forks <= PAIR_FORKS; r.forks++) {
        if (r.forks > 0)
            r.fork[r.forks - 1] = (struct fork){r.forks, UINT32_MAX - r.forks};
        assert_int_equal(role_write(&r, path, &err), 0);
        assert_int_equal(role_read(&got, path, &err), 0);
        assert_true(got.active && got.epoch == 3 && got.forks == r.forks);
        assert_memory_equal(got.fork, r.fork, r.forks * sizeof r.fork[0]);
    }
    r = (struct role_file){.epoch = UINT32_MAX};
    assert_int_equal(role_write(&r, path, &err), 0);
    assert_int_equal(role_read(&got, path, &err), 0);
    assert_true(!got.active && got.epoch == UINT32_MAX && got.forks == 0);
}

/* A role that cannot be read is no role: the node does not start as if it had none. */
static void test_damaged_role_files(void **state) {
    static const char *const bad[] = {"",           "active",        "active 0\n",         "passive 3\n",
                                      "active x\n", "active 3 4\n",  "active 3\nfrom 2\n", "active 3\nfrom 2 3 4\n",
                                      "\n",         "standby -1x\n", "active 3\nrubbish\n"};
    char path[PAIR_PATH];
    struct role_file got;
    (void)state;
    assert_int_equal(role_path(path, folder, "bl.example.", ".role", NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        put_file(path, bad[i]);
        assert_int_equal(role_read(&got, path, NULL), E_CORRUPT);
    }
}

static void test_names_of_files(void **state) {
    char path[PAIR_PATH], longest[300];
    (void)state;
    assert_int_equal(role_path(path, "/s", "0/25.2.0.192.in-addr.arpa.", ".role", NULL), 0);
    assert_string_equal(path, "/s/pairs/0%2F25.2.0.192.in-addr.arpa.role");
    assert_int_equal(role_path(path, "/s", "../x.", ".role", NULL), 0);
    assert_null(strstr(path, "/../"));
    assert_int_equal(role_path(path, "/s", ".", ".role", NULL), 0);
    assert_string_equal(path, "/s/pairs/%2E.role");
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(role_path(path, "/s", longest, ".role", NULL), E_RANGE);
}

static void test_folder_that_cannot_be_written(void **state) {
    char path[PAIR_PATH];
    struct role_file r = {.epoch = 1};
    struct err err = {0};
    (void)state;
    assert_int_equal(role_path(path, "/nowhere", "bl.example.", ".role", NULL), 0);
    assert_true(role_write(&r, path, &err) < 0);
    assert_non_null(strstr(err.text, "/nowhere"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_option_there_and_back),
        cmocka_unit_test(test_hostile_options),
        cmocka_unit_test_setup_teardown(test_role_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_role_files, set_up, tear_down),
        cmocka_unit_test(test_names_of_files),
        cmocka_unit_test(test_folder_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
