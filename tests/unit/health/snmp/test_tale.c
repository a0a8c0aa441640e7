/* Transitions on their way to a master agent: which are told, what was taken of a tale that broke off, one that nobody
 * takes, and two threads at it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "health/snmp/tale.h"

static struct event event[6];
static const struct event *list[6];
static struct tale_box box;

static struct notice notice(void) {
    for (size_t i = 0; i < 6; i++) {
        event[i] = (struct event){.sequence = 10 + i, .kind = i == 2 ? EVENT_CHECK : EVENT_SCOPE};
        list[i] = &event[i];
    }
    return (struct notice){.event = list, .events = 6};
}

static int box_open(void **state) {
    struct err err = {.text = ""};
    (void)state;
    return tale_box_open(&box, &err);
}

static int box_close(void **state) {
    (void)state;
    tale_box_close(&box);
    return 0;
}

static void what_is_told_comes_in_order(void **state) {
    static const uint64_t wanted[] = {11, 13, 14, 15};
    struct notice n = notice();
    struct tale *t, *taken;
    uint64_t last = 0;
    char why[80];
    (void)state;
    assert_int_equal(tale_make(&t, &n, 10), 0);
    tale_give(&box, t);
    taken = tale_take(&box);
    assert_ptr_equal(taken, t);
    assert_null(tale_take(&box));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(tale_next(taken)->sequence, wanted[i]);
        tale_told(&box, taken);
    }
    assert_null(tale_next(taken));
    assert_int_equal(tale_wait(&box, t, 0, &last, why, sizeof why), E_AGAIN);
    assert_int_equal(last, 15);
    tale_end(&box, taken, 0, "");
    assert_int_equal(tale_wait(&box, t, 0, &last, why, sizeof why), 0);
    assert_string_equal(why, "");
    tale_drop(&box, t);
}

static void what_nobody_is_told_is_no_tale(void **state) {
    struct notice n = notice();
    struct tale *t = NULL;
    (void)state;
    assert_int_equal(tale_make(&t, &n, 15), 0);
    assert_null(t);
    n.events = 0;
    assert_int_equal(tale_make(&t, &n, 0), 0);
    assert_null(t);
    tale_drop(&box, NULL);
}

static void one_that_breaks_off_says_how_far_it_came(void **state) {
    struct notice n = notice();
    struct tale *t;
    uint64_t last = 0;
    char why[80];
    (void)state;
    assert_int_equal(tale_make(&t, &n, 0), 0);
    tale_give(&box, t);
    struct tale *taken = tale_take(&box);
    tale_told(&box, taken);
    tale_end(&box, taken, E_CLOSED, "it went");
    assert_int_equal(tale_wait(&box, t, 1000, &last, why, sizeof why), E_CLOSED);
    assert_string_equal(why, "it went");
    assert_int_equal(last, 10);
    tale_drop(&box, t);
    assert_int_equal(tale_make(&t, &n, last), 0);
    assert_int_equal(tale_next(t)->sequence, 11);
    tale_drop(&box, t);
}

static void one_that_nobody_takes_is_waited_for_so_long_and_no_longer(void **state) {
    struct notice n = notice();
    struct tale *t, *newer;
    uint64_t last = 7;
    char why[80];
    (void)state;
    assert_int_equal(tale_make(&t, &n, 0), 0);
    tale_give(&box, t);
    assert_int_equal(tale_wait(&box, t, 20, &last, why, sizeof why), E_AGAIN);
    assert_int_equal(last, 7);
    assert_non_null(strstr(why, "not taken"));
    assert_int_equal(tale_make(&newer, &n, 14), 0);
    tale_give(&box, newer); /* the box lets go of the older one */
    tale_drop(&box, t);
    tale_drop(&box, newer); /* and, when it is closed, of this one */
}

static void *teller(void *arg) {
    struct tale *t = NULL;
    (void)arg;
    for (unsigned rounds = 0; rounds < 200;) {
        if (t == NULL && (t = tale_take(&box)) == NULL)
            continue;
        if (tale_next(t) != NULL) {
            tale_told(&box, t);
            continue;
        }
        tale_end(&box, t, 0, "");
        t = NULL;
        rounds++;
    }
    return NULL;
}

static void two_threads(void **state) {
    struct notice n = notice();
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, teller, NULL), 0);
    for (unsigned i = 0; i < 200; i++) {
        struct tale *t;
        uint64_t last = 0;
        char why[80];
        assert_int_equal(tale_make(&t, &n, 0), 0);
        tale_give(&box, t);
        while (tale_wait(&box, t, 100, &last, why, sizeof why) == E_AGAIN)
            ;
        assert_int_equal(last, 15);
        tale_drop(&box, t);
    }
    (void)pthread_join(thread, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_told_comes_in_order, box_open, box_close),
        cmocka_unit_test_setup_teardown(what_nobody_is_told_is_no_tale, box_open, box_close),
        cmocka_unit_test_setup_teardown(one_that_breaks_off_says_how_far_it_came, box_open, box_close),
        cmocka_unit_test_setup_teardown(one_that_nobody_takes_is_waited_for_so_long_and_no_longer, box_open, box_close),
        cmocka_unit_test_setup_teardown(two_threads, box_open, box_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
