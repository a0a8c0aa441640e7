#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "health/command/restarts.h"

struct place {
    struct board *board;
    char folder[64], file[80];
};

static int setup(void **state) {
    struct place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->board = calloc(1, sizeof *p->board);
    assert_non_null(p->board);
    snprintf(p->folder, sizeof p->folder, "/tmp/candor-starts-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->file, sizeof p->file, "%s/starts", p->folder);
    *state = p;
    return 0;
}

static int teardown(void **state) {
    struct place *p = *state;
    (void)unlink(p->file);
    (void)rmdir(p->file);
    assert_int_equal(rmdir(p->folder), 0); /* nothing else was left there */
    free(p->board);
    free(p);
    return 0;
}

static void put(const struct place *p, const char *text, size_t size) {
    FILE *f = fopen(p->file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static uint64_t starts(struct place *p) { return board_get(&p->board->node_starts); }

static void test_starts_are_kept_over_ends_and_bounded(void **state) {
    struct place *p = *state;
    for (int64_t at = 1000; at < 1000 + BOARD_STARTS + 3; at++) {
        memset(p->board, 0, sizeof *p->board);
        assert_int_equal(restarts_note(p->board, p->folder, at, NULL), 0);
    }
    assert_int_equal(starts(p), BOARD_STARTS);
    assert_int_equal(p->board->node_start_wall_s[0], 1003);
    assert_int_equal(p->board->node_start_wall_s[BOARD_STARTS - 1], 1000 + BOARD_STARTS + 2);
    struct stat st;
    assert_int_equal(stat(p->file, &st), 0);
    assert_int_equal(st.st_size, BOARD_STARTS * 5);
}

static void test_what_is_damaged_is_started_anew(void **state) {
    struct place *p = *state;
    static const struct {
        const char *text;
        size_t size;
    } bad[] = {{"", 0},
               {"100", 3},
               {"100\n20", 6},
               {"x\n", 2},
               {"-5\n", 3},
               {"100\0\n", 5},
               {" 100\n", 5},
               {"100 200\n", 8},
               {"999999\n", 7},
               {"\n", 1},
               {"18446744073709551616\n", 21},
               {"100\n\n200\n", 9}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(p->board, 0, sizeof *p->board);
        put(p, bad[i].text, bad[i].size);
        assert_int_equal(restarts_note(p->board, p->folder, 5000, NULL), 0);
        assert_int_equal(starts(p), 1);
        assert_int_equal(p->board->node_start_wall_s[0], 5000);
    }
    char many[4096];
    memset(many, '1', sizeof many);
    for (size_t i = 1; i < sizeof many; i += 2)
        many[i] = '\n';
    put(p, many, sizeof many);
    memset(p->board, 0, sizeof *p->board);
    assert_int_equal(restarts_note(p->board, p->folder, 5000, NULL), 0);
    assert_int_equal(starts(p), 1);
    assert_int_equal(restarts_note(p->board, p->folder, 5001, NULL), 0);
    assert_int_equal(starts(p), 2);
}

static void test_what_cannot_be_written_is_said_and_stands_on_the_board(void **state) {
    struct place *p = *state;
    struct err err = {.text = ""};
    assert_int_equal(mkdir(p->file, 0700), 0);
    assert_true(restarts_note(p->board, p->folder, 5000, &err) < 0);
    assert_non_null(strstr(err.text, "starts"));
    assert_int_equal(starts(p), 1);
    assert_true(restarts_note(p->board, "/nonexistent", 5000, &err) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_starts_are_kept_over_ends_and_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_damaged_is_started_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_written_is_said_and_stands_on_the_board, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
