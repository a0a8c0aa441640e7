/* Events in memory and as records: numbers, pages that are shared, and files as an enemy would write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "health/verdict/events.h"

static struct event numbered(uint64_t n) {
    struct event e = {.sequence = n, .boot = 7, .wall_ms = 1700000000000, .seen_wall_ms = 1, .scope = 2, .to = 2};
    snprintf(e.what, sizeof(e.what), "check %llu", (unsigned long long)n);
    snprintf(e.cause, sizeof(e.cause), "because");
    return e;
}

static void test_the_oldest_go(void **state) {
    (void)state;
    struct events e;
    enum { ALL = EVENTS_PAGES * EVENTS_PER_PAGE + 3 * EVENTS_PER_PAGE / 2 };
    assert_int_equal(events_open(&e), 0);
    assert_null(event_list_at(e.list, 0));
    for (uint64_t n = 1; n <= ALL; n++) {
        struct event x = numbered(n);
        assert_true(events_add(&e, &x));
        assert_int_equal(event_list_at(e.list, 0)->sequence, n);
    }
    size_t count = event_list_count(e.list);
    assert_true(count > EVENTS_PAGES * EVENTS_PER_PAGE - EVENTS_PER_PAGE);
    assert_true(count <= EVENTS_PAGES * EVENTS_PER_PAGE);
    for (size_t back = 0; back < count; back++)
        assert_int_equal(event_list_at(e.list, back)->sequence, ALL - back);
    events_close(&e);
}

/* Who holds a list sees what was in it, whatever is added. */
static void test_a_list_stays(void **state) {
    (void)state;
    struct events e;
    struct event_list *held[200];
    assert_int_equal(events_open(&e), 0);
    for (uint64_t n = 1; n <= 200; n++) {
        struct event x = numbered(n);
        assert_true(events_add(&e, &x));
        held[n - 1] = event_list_ref(e.list);
    }
    events_close(&e);
    for (uint64_t n = 1; n <= 200; n++) {
        assert_int_equal(event_list_count(held[n - 1]), n);
        assert_int_equal(event_list_at(held[n - 1], 0)->sequence, n);
        event_list_unref(held[n - 1]);
    }
    event_list_unref(NULL);
}

static size_t three(uint8_t *to) {
    size_t size = 0;
    for (uint64_t n = 1; n <= 3; n++) {
        struct event e = numbered(n);
        size += events_write(to + size, &e);
    }
    return size;
}

static unsigned count(const uint8_t *from, size_t size, size_t *damaged) {
    struct event e;
    size_t at = 0;
    unsigned n = 0;
    *damaged = 0;
    while (events_read(from, size, &at, &e, damaged))
        n++;
    return n;
}

static void test_records(void **state) {
    (void)state;
    uint8_t file[3 * EVENT_RECORD_MAX];
    size_t size = three(file), at = 0, damaged = 0;
    for (uint64_t n = 1; n <= 3; n++) {
        struct event e, x = numbered(n);
        assert_true(events_read(file, size, &at, &e, &damaged));
        assert_memory_equal(&e, &x, sizeof(e));
    }
    assert_int_equal(at, size);
    assert_int_equal(damaged, 0);
    assert_int_equal(events_check((const uint8_t *)"123456789", 9), 0xCBF43926);
}

/* Cut anywhere, or any bit turned: at most the record that was hit is lost, and nothing is made up. */
static void test_damage(void **state) {
    (void)state;
    uint8_t file[3 * EVENT_RECORD_MAX], *exact;
    size_t size = three(file), damaged;
    for (size_t cut = 0; cut <= size; cut++) {
        exact = malloc(cut > 0 ? cut : 1); /* so that a sanitizer sees a step too far */
        memcpy(exact, file, cut);
        unsigned n = count(exact, cut, &damaged);
        assert_int_equal(n, cut * 3 / size); /* all three are of one length */
        free(exact);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(count(file, size, &damaged), 2);
        assert_true(damaged > 0);
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_noise(void **state) {
    (void)state;
    uint8_t file[4096];
    size_t damaged;
    unsigned seed = 5;
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof(file); i++) {
            seed = seed * 1103515245 + 12345;
            file[i] = (uint8_t)(seed >> 16);
            if (seed >> 28 == 0 && i + 1 < sizeof(file)) {
                file[i++] = 0xCA;
                file[i] = 0xE1;
            }
        }
        assert_int_equal(count(file, sizeof(file), &damaged), 0);
        assert_int_equal(damaged, sizeof(file));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_oldest_go), cmocka_unit_test(test_a_list_stays), cmocka_unit_test(test_records),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
