/* The thread that keeps: what is put is kept and comes back, whoever waits is told, and no file or ending loses a word.
 */
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

#include "health/monitor/taker.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

enum { PATIENCE_MS = 20000 };

static char folder[64], path[96];
static const struct archive_plan plan = {.path = path, .push_ms = 15000, .keep_ms = 86400000};

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/taker-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/monitor.sqlite", folder);
    return 0;
}

static int drop_folder(void **state) {
    char command[96];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static struct taker *opened(void) {
    struct taker *t;
    struct err err = {.text = ""};
    assert_int_equal(taker_open(&t, &plan, &err), 0);
    return t;
}

/* Waits until the file is open, or why it is not. */
static const struct taker_state *settled(struct taker *t) {
    const struct taker_state *s = taker_state(t);
    for (int64_t end = clock_mono_ms() + PATIENCE_MS; strcmp(s->trouble, "it is being opened") == 0;
         s = taker_state(t)) {
        assert_true(clock_mono_ms() < end);
        usleep(1000);
    }
    return s;
}

struct told {
    unsigned kept, failed; /* atomic */
};

static void done(void *ctx, int code) {
    struct told *told = ctx;
    __atomic_fetch_add(code == 0 ? &told->kept : &told->failed, 1, __ATOMIC_RELEASE);
}

static struct intake *event(uint64_t sequence, struct told *told) {
    struct intake *i = calloc(1, sizeof *i);
    assert_non_null(i);
    i->event = calloc(1, sizeof *i->event);
    assert_non_null(i->event);
    i->event[0] = (struct event){.sequence = sequence, .boot = 7, .wall_ms = (int64_t)sequence, .kind = EVENT_START};
    i->events = 1;
    strcpy(i->name, "scan1");
    i->done = done;
    i->ctx = told;
    return i;
}

static void until(const unsigned *counter, unsigned want) {
    for (int64_t end = clock_mono_ms() + PATIENCE_MS; __atomic_load_n(counter, __ATOMIC_ACQUIRE) < want; usleep(1000))
        assert_true(clock_mono_ms() < end);
}

static void test_kept_told_and_given_back_in_order(void **state) {
    (void)state;
    struct taker *t = opened();
    struct told told = {0};
    assert_string_equal(settled(t)->trouble, "");
    for (uint64_t k = 1; k <= 600; k++)
        assert_true(taker_put(t, event(k, &told)));
    until(&told.kept, 600);
    uint64_t next = 1;
    for (int64_t end = clock_mono_ms() + PATIENCE_MS; next <= 600;) {
        assert_true(clock_mono_ms() < end);
        for (struct intake *i = taker_fetch(t), *rest; i != NULL; i = rest) {
            rest = i->next;
            assert_true(i->kept && i->event[0].sequence == next++);
            intake_free(i);
        }
    }
    assert_true(taker_close(t));
    t = opened(); /* the newest are remembered */
    settled(t);
    struct intake *i = NULL;
    for (int64_t end = clock_mono_ms() + PATIENCE_MS; i == NULL; i = taker_fetch(t))
        assert_true(clock_mono_ms() < end);
    assert_true(i->past && i->event[0].sequence == 600 - TAKER_PAST + 1);
    for (struct intake *rest; i != NULL; i = rest) {
        rest = i->next;
        intake_free(i);
    }
    assert_true(taker_close(t));
}

static void test_whoever_waits_is_told_at_the_end(void **state) {
    (void)state;
    struct taker *t = opened();
    struct told told = {0};
    unsigned put = 0;
    for (uint64_t k = 1; k <= 100; k++)
        put += taker_put(t, event(k, &told));
    assert_true(taker_close(t));
    assert_int_equal(told.kept + told.failed, put);
    assert_int_equal(put, 100);
}

static void test_a_file_that_cannot_be_opened_keeps_nothing_and_says_so(void **state) {
    (void)state;
    struct told told = {0};
    assert_int_equal(mkdir(path, 0700), 0); /* there is a folder where the file belongs */
    struct taker *t = opened();
    assert_true(settled(t)->trouble[0] != '\0' && !taker_state(t)->open);
    assert_true(taker_put(t, event(1, &told)));
    until(&told.failed, 1);
    struct intake *i = NULL;
    for (int64_t end = clock_mono_ms() + PATIENCE_MS; i == NULL; i = taker_fetch(t))
        assert_true(clock_mono_ms() < end);
    assert_true(!i->kept && i->events == 0); /* it comes again: not shown twice */
    intake_free(i);
    assert_true(taker_close(t));
}

static void test_a_damaged_file_is_set_aside(void **state) {
    (void)state;
    struct told told = {0};
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("no database at all ", f);
    fclose(f);
    struct taker *t = opened();
    assert_string_equal(settled(t)->trouble, "");
    assert_int_equal(taker_state(t)->asides, 1);
    assert_true(taker_put(t, event(1, &told)));
    until(&told.kept, 1);
    assert_true(taker_close(t));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept_told_and_given_back_in_order, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_whoever_waits_is_told_at_the_end, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_opened_keeps_nothing_and_says_so, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(test_a_damaged_file_is_set_aside, make_folder, drop_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
