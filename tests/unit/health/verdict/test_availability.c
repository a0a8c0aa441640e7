/* Shares of time: each story says which minutes were good, bad, unknown or not there, and what must come of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "health/verdict/availability.h"

enum { M0 = 29000000 }; /* a minute of 2025 */

static enum verdict_state letter(char c) {
    return c == 'p'   ? VERDICT_PASS
           : c == 'w' ? VERDICT_WARN
           : c == 'f' ? VERDICT_FAIL
           : c == 'u' ? VERDICT_UNKNOWN
                      : VERDICT_STATES;
}

/* One letter a minute, told each second; '_': nobody was there to tell. The node's series; scopes are absent. */
static uint32_t live(struct availability *a, uint32_t from, const char *minutes) {
    struct availability_minute closed;
    enum verdict_state state[AVAILABILITY_JUDGED];
    for (; *minutes != '\0'; minutes++, from++) {
        for (int i = 0; i < AVAILABILITY_JUDGED; i++)
            state[i] = VERDICT_STATES;
        state[AVAILABILITY_NODE] = letter(*minutes);
        for (int s = 0; s < 60 && *minutes != '_'; s++)
            (void)availability_note(a, ((int64_t)from * 60 + s) * 1000, 1000, state, &closed);
    }
    return from;
}

static void shares(const struct availability *a, const char *window, double ratio, double measured, double worst) {
    struct availability_share s;
    int w = 0;
    while (strcmp(availability_window_name(w), window) != 0)
        w++;
    assert_true(availability_share(a, AVAILABILITY_NODE, w, &s));
    if (s.ratio < ratio - 1e-9 || s.ratio > ratio + 1e-9 || s.measured < measured - 1e-9 ||
        s.measured > measured + 1e-9 || s.worst < worst - 1e-9 || s.worst > worst + 1e-9)
        fail_msg("%s: ratio %f (%f), measured %f (%f), worst %f (%f)", window, s.ratio, ratio, s.measured, measured,
                 s.worst, worst);
}

static const struct {
    const char *name, *minutes, *window;
    double ratio, measured, worst;
} stories[] = {
    {"all good", "pppppp", "5m", 1, 1, 1},
    {"warn is good", "wwwwww", "5m", 1, 1, 1},
    {"one bad minute of six", "pppfpp", "5m", 5.0 / 6, 1, 0.8},
    {"the worst minute stays", "pfpppppp", "1m", 1, 1, 0},
    {"the worst window stays when it has gone by", "ppffppppppppp", "5m", 1, 1, 0.6},
    {"unknown counts against us, and is told apart", "ppupp", "5m", 0.8, 0.8, -1},
    {"nobody was there: unknown", "pp__pp", "15m", 4.0 / 6, 4.0 / 6, -1},
    {"a window is not full before it has been lived", "pfp", "5m", 2.0 / 3, 1, -1},
    {"what was not there counts for nothing", "pp--f", "15m", 2.0 / 3, 1, -1},
};

static void test_stories(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
        struct availability a;
        assert_int_equal(availability_open(&a), 0);
        live(&a, M0, stories[i].minutes);
        print_message("%s\n", stories[i].name);
        shares(&a, stories[i].window, stories[i].ratio, stories[i].measured, stories[i].worst);
        availability_close(&a);
    }
}

/* Sums that run along are those that are counted anew, over more than 30 days with everything in it. */
static void test_running_sums(void **state) {
    (void)state;
    struct availability a, b;
    struct availability_minute m = {0}, closed;
    enum verdict_state s[AVAILABILITY_JUDGED];
    assert_int_equal(availability_open(&a), 0);
    assert_int_equal(availability_open(&b), 0);
    for (int i = 0; i < AVAILABILITY_JUDGED; i++)
        s[i] = VERDICT_STATES;
    unsigned seed = 1;
    uint32_t last = M0 + AVAILABILITY_MINUTES + 3000;
    for (uint32_t t = M0; t < last; t++) {
        seed = seed * 1103515245 + 12345;
        s[AVAILABILITY_NODE] = letter("ppppppfuw-"[seed >> 16 & 7]);
        if ((seed >> 20) % 50 == 0)
            continue;
        (void)availability_note(&a, (int64_t)t * 60000, 1000, s, &closed);
        if (t % 3 == 0)
            availability_user(&a, 10, seed >> 16 & 7);
    }
    (void)availability_note(&a, (int64_t)last * 60000, 0, s, &closed);
    for (uint32_t i = 0; i < AVAILABILITY_MINUTES; i++) {
        m = a.at[i];
        availability_put(&b, &m);
    }
    availability_begin(&b, (int64_t)last * 60000);
    assert_int_equal(a.first, b.first);
    assert_int_equal(a.last, b.last);
    assert_memory_equal(a.sum, b.sum, sizeof(a.sum));
    assert_int_equal(a.last - a.first + 1, AVAILABILITY_MINUTES);
    availability_close(&a);
    availability_close(&b);
}

/* Down from minute 3 to 7 between two lives; the minute in which it ended is gone on with. */
static void test_another_life(void **state) {
    (void)state;
    struct availability a, b;
    struct availability_minute m;
    assert_int_equal(availability_open(&a), 0);
    assert_int_equal(availability_open(&b), 0);
    live(&a, M0, "ppp");
    availability_running(&a, &m);
    assert_int_equal(m.minute, M0 + 2);
    assert_int_equal(m.good[AVAILABILITY_NODE], AVAILABILITY_PARTS);
    assert_int_equal(m.good[0], AVAILABILITY_ABSENT);
    availability_put(&b, &m);
    for (uint32_t t = M0; t < M0 + 2; t++)
        availability_put(&b, &a.at[t % AVAILABILITY_MINUTES]);
    availability_begin(&b, (int64_t)(M0 + 7) * 60000);
    live(&b, M0 + 7, "ppp");
    shares(&b, "15m", 0.6, 0.6, -1);
    shares(&b, "5m", 0.5, 0.5, 0.2); /* minutes 4 to 8, and the one that runs */
    availability_close(&a);
    availability_close(&b);
}

static void test_hostile_minutes(void **state) {
    (void)state;
    struct availability a;
    struct availability_minute m = {.minute = M0, .good = {200}, .bad = {100}};
    struct availability_share s;
    assert_int_equal(availability_open(&a), 0);
    availability_put(&a, &m); /* more than a minute has */
    m = (struct availability_minute){.minute = M0, .users = 1, .users_up = 257};
    availability_put(&a, &m);
    m = (struct availability_minute){.minute = UINT32_MAX};
    availability_put(&a, &m);
    availability_begin(&a, (int64_t)M0 * 60000);
    assert_int_equal(a.first, 0);
    assert_false(availability_share(&a, 0, 0, &s));
    for (uint32_t i = 0; i < AVAILABILITY_MINUTES; i++)
        assert_int_equal(a.at[i].minute, 0);
    availability_close(&a);
}

/* A clock that is set back and on again: nothing overflows, nothing is lost that was known. */
static void test_the_clock_is_set(void **state) {
    (void)state;
    struct availability a;
    struct availability_share s;
    assert_int_equal(availability_open(&a), 0);
    uint32_t at = live(&a, M0, "pppp");
    live(&a, at - 3, "p");
    live(&a, at + 4000000, "p"); /* eight years on */
    live(&a, 1, "f");
    live(&a, at, "pp");
    assert_true(availability_share(&a, AVAILABILITY_NODE, 0, &s));
    assert_true(s.ratio >= 0 && s.ratio <= 1 && s.measured <= 1);
    availability_close(&a);
}

static void test_clients(void **state) {
    (void)state;
    struct availability a;
    struct availability_share s;
    assert_int_equal(availability_open(&a), 0);
    live(&a, M0, "p");
    assert_false(availability_share(&a, AVAILABILITY_CLIENTS, 0, &s)); /* nobody asked */
    availability_user(&a, 100, 100);
    availability_user(&a, 100, 0);
    availability_user(&a, 0, 0);
    assert_true(availability_share(&a, AVAILABILITY_CLIENTS, 0, &s));
    assert_true(s.ratio == 0.5); /* two users, however much each of them asked */
    for (int i = 0; i < 1000; i++)
        availability_user(&a, 1, 1);
    assert_int_equal(a.users, AVAILABILITY_USERS_MAX);
    availability_close(&a);
}

/* A node that was first seen in the middle of a minute was not missing before; one that comes back was. */
static void test_first_minute(void **state) {
    (void)state;
    struct availability a;
    struct availability_minute closed;
    enum verdict_state s[AVAILABILITY_JUDGED];
    for (int i = 0; i < AVAILABILITY_JUDGED; i++)
        s[i] = VERDICT_STATES;
    s[AVAILABILITY_NODE] = VERDICT_PASS;
    assert_int_equal(availability_open(&a), 0);
    for (int i = 50; i < 60; i++)
        (void)availability_note(&a, ((int64_t)M0 * 60 + i) * 1000, 1000, s, &closed);
    live(&a, M0 + 1, "ppp");
    shares(&a, "5m", 1, 1, -1);
    for (int i = 0; i < 30; i++) /* then half of a minute of which nobody tells */
        (void)availability_note(&a, ((int64_t)(M0 + 4) * 60 + i) * 1000, 1000, s, &closed);
    live(&a, M0 + 5, "p");
    shares(&a, "5m", 4.5 / 5, 4.5 / 5, 3.5 / 4);
    availability_close(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),          cmocka_unit_test(test_running_sums),
        cmocka_unit_test(test_another_life),     cmocka_unit_test(test_hostile_minutes),
        cmocka_unit_test(test_the_clock_is_set), cmocka_unit_test(test_clients),
        cmocka_unit_test(test_first_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
