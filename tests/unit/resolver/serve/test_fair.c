/* Shares: a worker of simulated speed under clients of simulated rates, and places for questions under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/serve/fair.h"

enum { REFUSED_COST_NS = 400 };

static struct addr host(const char *text) {
    struct addr a;
    assert_int_equal(addr_parse(&a, text, 4000, NULL), 0);
    return a;
}

/* --- a worker: what comes waits in a queue of so many, a turn takes up to FAIR_FULL_TURN of them */

struct sender {
    const char *from;
    unsigned each_us; /* between two questions */
    unsigned cost_ns; /* that one takes */
    bool misses;
    struct addr peer;
    int64_t next_ns;
    unsigned sent, lost, refused, answered;
};

enum { QUEUE = 8192 };

struct worker {
    struct fair *fair;
    struct board_worker stats;
    int64_t now_ns;
    unsigned char queue[QUEUE];
    unsigned first, waiting;
    struct sender *senders;
    unsigned count;
};

static int64_t used_ns;
static int64_t used(void) { return used_ns; }

/* Into the queue comes what was sent until now. */
static void arrive(struct worker *w) {
    for (;;) {
        struct sender *next = NULL;
        for (unsigned i = 0; i < w->count; i++)
            if (w->senders[i].next_ns <= w->now_ns && (next == NULL || w->senders[i].next_ns < next->next_ns))
                next = &w->senders[i];
        if (next == NULL)
            return;
        next->sent++;
        next->next_ns += (int64_t)next->each_us * 1000;
        if (w->waiting == QUEUE)
            next->lost++;
        else
            w->queue[(w->first + w->waiting++) % QUEUE] = (unsigned char)(next - w->senders);
    }
}

static int64_t handle(struct worker *w, struct sender *s, int64_t arrived_ns) {
    if (w->fair != NULL && fair_asks(w->fair, &s->peer, arrived_ns)) {
        s->refused++;
        return REFUSED_COST_NS;
    }
    if (s->misses && w->fair != NULL)
        fair_misses(w->fair, &s->peer, arrived_ns);
    s->answered++;
    return s->cost_ns;
}

static void turn(struct worker *w) {
    unsigned taken = 0;
    int64_t begin_ns = w->now_ns;
    arrive(w);
    while (w->waiting > 0 && taken < FAIR_FULL_TURN) {
        struct sender *s = &w->senders[w->queue[w->first]];
        w->first = (w->first + 1) % QUEUE;
        w->waiting--;
        taken++;
        int64_t cost_ns = handle(w, s, begin_ns);
        w->now_ns += cost_ns;
        used_ns += cost_ns;
    }
    if (w->fair != NULL && taken > 0)
        fair_turn(w->fair, taken, taken == FAIR_FULL_TURN && w->waiting > FAIR_WAITING / 768, begin_ns, used);
    if (taken == 0)
        w->now_ns += 50000;
}

static void run(struct worker *w, struct sender *senders, unsigned count, unsigned ms) {
    int64_t until_ns = w->now_ns + ms * NS_PER_MS;
    w->waiting = 0; /* of those before */
    w->senders = senders;
    w->count = count;
    for (unsigned i = 0; i < count; i++) {
        senders[i].peer = host(senders[i].from);
        senders[i].next_ns = w->now_ns + i;
        senders[i].sent = senders[i].lost = senders[i].refused = senders[i].answered = 0;
    }
    while (w->now_ns < until_ns)
        turn(w);
}

static int begin(void **state) {
    struct worker *w = *state = calloc(1, sizeof *w);
    assert_non_null(w);
    w->now_ns = 1000 * NS_PER_S;
    return fair_open(&w->fair, &w->stats, NULL);
}

static int end(void **state) {
    struct worker *w = *state;
    fair_close(w->fair);
    free(w);
    return 0;
}

/* --- CPU */

/* 100,000 hits a second of 3 us leave the worker 70 % idle. */
static void test_without_overload_nobody_is_touched(void **state) {
    struct worker *w = *state;
    struct sender s[] = {{.from = "192.0.2.1", .each_us = 10, .cost_ns = 3000},
                         {.from = "192.0.3.1", .each_us = 1000, .cost_ns = 3000}};
    run(w, s, 2, 3000);
    assert_true(s[0].sent > 250000);
    assert_int_equal(s[0].refused + s[0].lost + s[1].refused + s[1].lost, 0);
    assert_true(fair_share(w->fair) >= FAIR_SHARE_MOST);
    assert_int_equal(board_get(&w->stats.fair_turns), 0);
}

static void test_the_flooder_pays_and_the_honest_one_does_not(void **state) {
    struct worker *w = *state;
    struct sender s[] = {{.from = "192.0.2.1", .each_us = 1, .cost_ns = 3000},
                         {.from = "192.0.3.1", .each_us = 1000, .cost_ns = 3000}};
    run(w, s, 2, 500); /* the share falls */
    run(w, s, 2, 5000);
    assert_true(s[1].sent > 4900);
    assert_int_equal(s[1].refused + s[1].lost, 0);
    assert_true(s[0].answered > s[0].sent / 20); /* and has the rest: the worker is not idle */
    assert_true(s[0].refused > s[0].sent / 2);
    struct sender calm[] = {{.from = "192.0.2.1", .each_us = 100, .cost_ns = 3000}};
    run(w, calm, 1, 5000);
    assert_true(fair_share(w->fair) >= FAIR_SHARE_MOST);
    run(w, calm, 1, 1000);
    assert_int_equal(calm[0].refused + calm[0].lost, 0);
}

/* The same without shares: what the test above would see if nothing were done. */
static void test_first_come_first_served_hurts_the_honest(void **state) {
    struct worker *w = *state;
    struct sender s[] = {{.from = "192.0.2.1", .each_us = 1, .cost_ns = 3000},
                         {.from = "192.0.3.1", .each_us = 1000, .cost_ns = 3000}};
    fair_close(w->fair);
    w->fair = NULL;
    run(w, s, 2, 3000);
    assert_true(s[1].lost > s[1].sent / 2);
}

/* Few questions that cost much: it is CPU that is shared, not questions. */
static void test_misses_count_for_what_they_cost(void **state) {
    struct worker *w = *state;
    struct sender s[] = {
        {.from = "192.0.2.1", .each_us = 30, .cost_ns = 60000, .misses = true},
        {.from = "192.0.3.1", .each_us = 25, .cost_ns = 3000}}; /* more questions, a tenth of the CPU */
    run(w, s, 2, 1000);
    run(w, s, 2, 5000);
    assert_int_equal(s[1].refused + s[1].lost, 0);
    assert_true(s[0].refused > s[0].sent / 3);
    assert_true(s[0].answered > s[0].sent / 5);
}

static void test_who_is_alone_is_not_refused(void **state) {
    struct worker *w = *state;
    struct sender s[] = {{.from = "192.0.2.1", .each_us = 1, .cost_ns = 3000}};
    run(w, s, 1, 2000);
    run(w, s, 1, 3000);
    assert_int_equal(s[0].refused, 0);
    assert_true(s[0].lost > 0); /* the kernel does that */
    struct sender two[] = {{.from = "192.0.2.1", .each_us = 1, .cost_ns = 3000},
                           {.from = "192.0.3.1", .each_us = 1000, .cost_ns = 3000}};
    run(w, two, 2, 500);
    run(w, two, 2, 1000);
    assert_true(two[0].refused > 0);
    assert_int_equal(two[1].refused + two[1].lost, 0);
}

static void test_equals_get_equal_shares(void **state) {
    struct worker *w = *state;
    struct sender s[] = {{.from = "192.0.2.1", .each_us = 4, .cost_ns = 3000},
                         {.from = "192.0.3.1", .each_us = 2, .cost_ns = 3000},
                         {.from = "2001:db8::1", .each_us = 8, .cost_ns = 3000}};
    run(w, s, 3, 1000);
    run(w, s, 3, 5000);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(s[i].answered > s[0].answered - s[0].answered / 5);
        assert_true(s[i].answered < s[0].answered + s[0].answered / 5);
    }
}

static void test_costs_are_measured(void **state) {
    struct worker *w = *state;
    struct sender hits[] = {{.from = "192.0.2.1", .each_us = 7, .cost_ns = 5000}};
    run(w, hits, 1, 20000);
    assert_true(board_get(&w->stats.fair_hit_ns) > 4500 && board_get(&w->stats.fair_hit_ns) < 5500);
    struct sender both[] = {{.from = "192.0.2.1", .each_us = 20, .cost_ns = 5000},
                            {.from = "192.0.2.2", .each_us = 200, .cost_ns = 80000, .misses = true}};
    run(w, both, 2, 20000);
    assert_true(board_get(&w->stats.fair_miss_ns) > 70000 && board_get(&w->stats.fair_miss_ns) < 90000);
}

/* --- places */

static void test_one_client_takes_half_of_the_places(void **state) {
    struct worker *w = *state;
    struct addr greedy = host("192.0.2.1"), same = host("192.0.2.200"), other = host("192.0.3.1");
    struct fair_place place[1000];
    unsigned taken = 0;
    while (taken < 1000 && fair_take(w->fair, taken % 2 ? &same : &greedy, 1000 - taken, &place[taken]))
        taken++;
    assert_int_equal(taken, 500);
    assert_true(fair_take(w->fair, &other, 1000 - taken, &place[taken]));
    fair_give(w->fair, &place[taken]);
    for (unsigned i = 0; i < taken; i++)
        fair_give(w->fair, &place[i]);
    assert_true(fair_take(w->fair, &greedy, 1, &place[0])); /* all came back */
    assert_false(fair_take(w->fair, &greedy, 1, &place[1]));
    assert_false(fair_take(w->fair, &other, 0, &place[1]));
    fair_give(w->fair, &place[0]);
}

static void test_many_greedy_clients_share(void **state) {
    struct worker *w = *state;
    enum { CLIENTS = 9, PLACES = 10000 };
    unsigned held[CLIENTS] = {0}, taken = 0, before;
    struct fair_place place;
    do {
        before = taken;
        for (unsigned c = 0; c < CLIENTS; c++) {
            struct addr a = host("198.51.100.1");
            a.in.sin_addr.s_addr = htonl(10U << 24 | c << 8);
            bool got = fair_take(w->fair, &a, PLACES - taken, &place);
            held[c] += got;
            taken += got;
        }
    } while (taken > before);
    for (unsigned c = 0; c < CLIENTS; c++)
        assert_true(held[c] >= PLACES / (CLIENTS + 1) - 1 && held[c] <= PLACES / (CLIENTS + 1) + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_overload_nobody_is_touched, begin, end),
        cmocka_unit_test_setup_teardown(test_the_flooder_pays_and_the_honest_one_does_not, begin, end),
        cmocka_unit_test_setup_teardown(test_first_come_first_served_hurts_the_honest, begin, end),
        cmocka_unit_test_setup_teardown(test_misses_count_for_what_they_cost, begin, end),
        cmocka_unit_test_setup_teardown(test_who_is_alone_is_not_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_equals_get_equal_shares, begin, end),
        cmocka_unit_test_setup_teardown(test_costs_are_measured, begin, end),
        cmocka_unit_test_setup_teardown(test_one_client_takes_half_of_the_places, begin, end),
        cmocka_unit_test_setup_teardown(test_many_greedy_clients_share, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
