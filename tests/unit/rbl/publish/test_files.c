/* Which set of files is new, and when it is whole: time is passed in, so nothing here waits for a clock. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "rbl/publish/files.h"
#include "resolver/base/bytes.h"

static struct {
    char folder[64], one[96], two[96];
    const char *paths[2];
    struct conf_dataset data[1];
    struct files_watch watch;
} t;

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state) {
    (void)state;
    memset(&t, 0, sizeof t);
    text_copy(t.folder, sizeof t.folder, "/tmp/candor-files-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    (void)snprintf(t.one, sizeof t.one, "%s/one", t.folder);
    (void)snprintf(t.two, sizeof t.two, "%s/two", t.folder);
    write_file(t.one, "1");
    write_file(t.two, "2");
    t.paths[0] = t.one;
    t.paths[1] = t.two;
    t.data[0].files.at = t.paths;
    t.data[0].files.count = 2;
    t.watch = (struct files_watch){.data = t.data, .count = 1};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unlink(t.one);
    (void)unlink(t.two);
    return rmdir(t.folder);
}

/* The first set, however long ago its files were written. */
static void take_first(void) {
    (void)files_look(&t.watch, 1000);
    if (!t.watch.any)
        assert_true(files_look(&t.watch, 1000 + FILES_QUIET_MS));
}

static void test_first_look_takes_what_stands_still(void **state) {
    (void)state;
    take_first();
    assert_false(files_look(&t.watch, 1500));
    assert_false(files_look(&t.watch, 1000000));
}

static void test_first_look_takes_an_old_file_at_once(void **state) {
    (void)state;
    (void)usleep((FILES_QUIET_MS + 50) * 1000); /* the age of the files is what is tested */
    assert_true(files_look(&t.watch, 1000));
}

static void test_a_change_in_place_is_taken_when_it_has_stood_still(void **state) {
    (void)state;
    take_first();
    write_file(t.two, "2 and more");
    assert_false(files_look(&t.watch, 2000));
    assert_false(files_look(&t.watch, 2000 + FILES_INPLACE_MS - 1));
    assert_true(files_look(&t.watch, 2000 + FILES_INPLACE_MS));
    assert_false(files_look(&t.watch, 9000));
}

static void test_a_file_that_is_still_written_is_left_alone(void **state) {
    (void)state;
    take_first();
    char text[64] = "";
    for (int64_t now = 2000; now < 2000 + 20 * FILES_INPLACE_MS; now += FILES_INPLACE_MS / 2) {
        assert_true(strlen(text) + 2 < sizeof text);
        text[strlen(text)] = 'x';
        write_file(t.one, text);
        assert_false(files_look(&t.watch, now));
    }
    assert_false(files_look(&t.watch, 2000 + 20 * FILES_INPLACE_MS));
    assert_true(files_look(&t.watch, 2000 + 22 * FILES_INPLACE_MS));
}

static void test_a_file_held_open_for_writing_is_waited_for(void **state) {
    (void)state;
    take_first();
    int fd = open(t.one, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    if (files_writer(t.one) == E_UNSUPPORTED) {
        close(fd);
        skip(); /* no leases on this file system */
    }
    assert_int_equal(write(fd, "half", 4), 4);
    assert_false(files_look(&t.watch, 2000));
    assert_false(files_look(&t.watch, 2000 + 10 * FILES_INPLACE_MS));
    assert_string_equal(t.watch.held, t.one);
    assert_true(files_pending(&t.watch));
    assert_int_equal(write(fd, "whole", 5), 5);
    assert_int_equal(close(fd), 0);
    assert_false(files_look(&t.watch, 40000));
    assert_null(t.watch.held);
    assert_true(files_look(&t.watch, 40000 + FILES_INPLACE_MS));
    assert_false(files_pending(&t.watch));
}

static void test_a_writer_that_never_ends_does_not_hold_forever(void **state) {
    (void)state;
    int fd = open(t.one, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    if (files_writer(t.one) == 1) {
        t.watch.fresh = true;
        assert_false(files_look(&t.watch, 1000));
        assert_false(files_look(&t.watch, 1000 + FILES_QUIET_MS));
        assert_true(files_look(&t.watch, 1000 + FILES_HELD_FRESH_MS));
        t.watch.fresh = false;
        assert_int_equal(write(fd, "more", 4), 4);
        assert_false(files_look(&t.watch, 100000));
        assert_false(files_look(&t.watch, 100000 + FILES_HELD_MS - 1));
        assert_true(files_look(&t.watch, 100000 + FILES_HELD_MS));
    }
    close(fd);
}

static void test_a_reader_holds_nothing_up(void **state) {
    (void)state;
    int fd = open(t.one, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_not_equal(files_writer(t.one), 1);
    assert_int_equal(files_writer("/no/such/file"), 0);
    close(fd);
}

static void test_a_change_that_is_undone_is_none(void **state) {
    (void)state;
    take_first();
    char away[128];
    (void)snprintf(away, sizeof away, "%s.away", t.one);
    struct stat before, after;
    assert_int_equal(stat(t.one, &before), 0);
    assert_int_equal(rename(t.one, away), 0);
    assert_false(files_look(&t.watch, 2000));
    assert_int_equal(rename(away, t.one), 0);
    /* rename(2) changes the ctime on most file systems: then it counts as a change, and is taken like one. */
    assert_int_equal(stat(t.one, &after), 0);
    bool touched = before.st_ctim.tv_sec != after.st_ctim.tv_sec || before.st_ctim.tv_nsec != after.st_ctim.tv_nsec;
    assert_false(files_look(&t.watch, 2100));
    assert_int_equal(files_look(&t.watch, 2100 + FILES_INPLACE_MS), touched);
}

static void test_a_file_that_goes_is_a_change(void **state) {
    (void)state;
    take_first();
    assert_int_equal(unlink(t.two), 0);
    assert_false(files_look(&t.watch, 2000));
    assert_true(t.watch.moved);
    assert_true(files_look(&t.watch, 2000 + FILES_QUIET_MS));
    assert_false(t.watch.moved);
}

static void test_a_file_that_comes_back_slowly_is_waited_for(void **state) {
    (void)state;
    take_first();
    assert_int_equal(unlink(t.two), 0);
    assert_false(files_look(&t.watch, 2000));
    assert_true(files_look(&t.watch, 3000));
    files_forget(&t.watch); /* it could not be read: try again */
    write_file(t.two, "2");
    assert_false(files_look(&t.watch, 4000));
    assert_false(files_look(&t.watch, 4000 + FILES_QUIET_MS - 1));
    assert_true(files_look(&t.watch, 4000 + FILES_INPLACE_MS));
}

static void test_same_size_and_content_replaced_by_rename_is_a_change(void **state) {
    (void)state;
    take_first();
    char fresh[128];
    (void)snprintf(fresh, sizeof fresh, "%s.new", t.one);
    write_file(fresh, "1");
    assert_int_equal(rename(fresh, t.one), 0);
    assert_false(files_look(&t.watch, 2000));
    if (files_writer(t.one) == 0)
        assert_true(files_look(&t.watch, 2000 + FILES_QUIET_MS));
}

static void test_a_symbolic_link_that_is_turned_is_a_change(void **state) {
    (void)state;
    char aim[128];
    (void)snprintf(aim, sizeof aim, "%s.link", t.one);
    assert_int_equal(symlink(t.one, aim), 0);
    t.paths[0] = aim;
    take_first();
    char other[128];
    (void)snprintf(other, sizeof other, "%s.other", t.one);
    assert_int_equal(symlink(t.two, other), 0);
    assert_int_equal(rename(other, aim), 0);
    assert_false(files_look(&t.watch, 2000));
    assert_true(t.watch.moved);
    assert_true(files_look(&t.watch, 2000 + FILES_INPLACE_MS));
    assert_int_equal(unlink(aim), 0);
}

static void test_forgetting_takes_it_again(void **state) {
    (void)state;
    take_first();
    files_forget(&t.watch);
    assert_true(files_look(&t.watch, 2000));
    assert_false(files_look(&t.watch, 2001));
    write_file(t.one, "being written");
    files_forget(&t.watch);
    assert_false(files_look(&t.watch, 2002)); /* even when told to look again: not while it moves */
}

static void test_a_last_line_without_an_end_is_seen(void **state) {
    (void)state;
    write_file(t.one, "192.0.2.1\n");
    write_file(t.two, "");
    assert_null(files_midline(t.data, 1));
    write_file(t.two, "192.0.2.1\n192.0");
    assert_string_equal(files_midline(t.data, 1), t.two);
    write_file(t.two, "\x1f\x8b and what else gzip writes");
    assert_null(files_midline(t.data, 1));
    assert_int_equal(unlink(t.two), 0);
    assert_null(files_midline(t.data, 1));
}

static void test_order_of_the_files_matters(void **state) {
    (void)state;
    uint64_t before = files_signature(t.data, 1);
    t.paths[0] = t.two;
    t.paths[1] = t.one;
    assert_int_not_equal(files_signature(t.data, 1), before);
}

static void poked(void *ctx) { ++*(unsigned *)ctx; }

static void test_folders_poke_when_something_happens(void **state) {
    (void)state;
    struct loop *l;
    struct files_folders *f;
    unsigned pokes = 0;
    assert_int_equal(loop_open(&l, NULL), 0);
    assert_int_equal(files_folders_open(&f, l, poked, &pokes, NULL), 0);
    files_folders_add(f, t.one);
    files_folders_add(f, "/no such folder/file");
    write_file(t.two, "changed");
    for (int i = 0; i < 200 && pokes == 0; i++)
        loop_turn(l, 50);
    assert_int_equal(pokes, 1);
    files_folders_close(f);
    loop_close(l);
}

static void test_folders_know_who_is_being_written(void **state) {
    (void)state;
    struct loop *l;
    struct files_folders *f;
    unsigned pokes = 0;
    assert_int_equal(loop_open(&l, NULL), 0);
    assert_int_equal(files_folders_open(&f, l, poked, &pokes, NULL), 0);
    files_folders_add(f, t.one);
    assert_int_equal(files_folders_writing(f, t.one), 0);
    assert_int_equal(files_folders_writing(f, t.two), E_NOTFOUND);
    int fd = open(t.one, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    for (int i = 0; i < 200 && files_folders_writing(f, t.one) != 1; i++)
        loop_turn(l, 50);
    assert_int_equal(files_folders_writing(f, t.one), 1);
    assert_int_equal(close(fd), 0);
    for (int i = 0; i < 200 && files_folders_writing(f, t.one) != 0; i++)
        loop_turn(l, 50);
    assert_int_equal(files_folders_writing(f, t.one), 0);
    files_folders_close(f);
    loop_close(l);
}

static void test_a_folder_that_is_replaced_is_watched_again(void **state) {
    (void)state;
    struct loop *l;
    struct files_folders *f;
    unsigned pokes = 0;
    char away[96];
    (void)snprintf(away, sizeof away, "%s.away", t.folder);
    assert_int_equal(loop_open(&l, NULL), 0);
    assert_int_equal(files_folders_open(&f, l, poked, &pokes, NULL), 0);
    files_folders_add(f, t.one);
    assert_int_equal(rename(t.folder, away), 0);
    assert_int_equal(mkdir(t.folder, 0700), 0);
    files_folders_add(f, t.one);
    while (pokes == 0)
        loop_turn(l, 50);
    pokes = 0;
    write_file(t.one, "in the new folder");
    for (int i = 0; i < 200 && pokes == 0; i++)
        loop_turn(l, 50);
    assert_int_equal(pokes, 1);
    files_folders_close(f);
    loop_close(l);
    assert_int_equal(unlink(t.one), 0);
    assert_int_equal(rmdir(t.folder), 0);
    assert_int_equal(rename(away, t.folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_look_takes_what_stands_still, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_look_takes_an_old_file_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_change_in_place_is_taken_when_it_has_stood_still, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_still_written_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_held_open_for_writing_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_writer_that_never_ends_does_not_hold_forever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reader_holds_nothing_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_change_that_is_undone_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_goes_is_a_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_comes_back_slowly_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_size_and_content_replaced_by_rename_is_a_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_symbolic_link_that_is_turned_is_a_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgetting_takes_it_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_last_line_without_an_end_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_of_the_files_matters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folders_poke_when_something_happens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folders_know_who_is_being_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_that_is_replaced_is_watched_again, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
