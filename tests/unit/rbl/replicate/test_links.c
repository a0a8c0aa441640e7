/* Links on the board: found again, told whole, kept over a restart, bounded, and what they come to. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rbl/replicate/links.h"
#include "resolver/base/clock.h"

static struct board *board;
static int64_t wall_ms;

static int64_t hands(enum clock_kind kind) {
    (void)kind;
    return wall_ms * NS_PER_MS;
}

static int set_up(void **state) {
    (void)state;
    /* Shared, as the real one is: a child that dies half-way leaves it so. */
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return -1;
    text_copy(board->zone[0].name, sizeof board->zone[0].name, "one.test.");
    text_copy(board->zone[1].name, sizeof board->zone[1].name, "two.test.");
    wall_ms = 1000000;
    clock_set_source(hands);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    clock_set_source(NULL);
    return munmap(board, sizeof *board);
}

static struct links *open_links(struct board *b) {
    struct links *l;
    struct err err = {0};
    if (links_open(&l, b, &err) != 0)
        fail_msg("%s", err.text);
    return l;
}

static struct native_state a_state(uint32_t serial) {
    struct native_state st = {.flags = NATIVE_HAVE,
                              .serial = serial,
                              .digest = {.hi = 0x0102030405060708, .lo = serial},
                              .commit = 7,
                              .epoch = 3,
                              .stamp_ms = wall_ms - 500,
                              .wall_ms = wall_ms - 20,
                              .path_count = 2};
    text_copy(st.path[0], NATIVE_NODE, "source");
    text_copy(st.path[1], NATIVE_NODE, "hub");
    return st;
}

static void found_by_zone_way_and_peer(void **state) {
    (void)state;
    struct links *l = open_links(board);
    struct board_link *k = links_get(l, 0, LINK_FROM, "a");
    assert_ptr_equal(k, &board->link[0]);
    assert_ptr_equal(links_get(l, 0, LINK_FROM, "a"), k);
    assert_ptr_not_equal(links_get(l, 1, LINK_FROM, "a"), k);
    assert_ptr_not_equal(links_get(l, 0, LINK_TO, "a"), k);
    assert_ptr_not_equal(links_get(l, 0, LINK_FROM, "b"), k);
    assert_string_equal(k->peer, "a");
    assert_int_equal(k->way, LINK_FROM);
    assert_int_equal(board->link[3].way, LINK_FROM);
    assert_int_equal(board->link[4].way, LINK_FREE);
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_ptr_equal(links_get(l, 0, LINK_TO, longer), links_get(l, 0, LINK_TO, longer));
    links_close(l);
}

static void without_a_board(void **state) {
    (void)state;
    struct links *l = open_links(NULL);
    struct board_link *k = links_get(l, 5, LINK_TO, "a");
    link_serial(k, 9);
    assert_int_equal(links_get(l, 5, LINK_TO, "a")->serial, 9);
    links_close(l);
    links_close(NULL);
}

static void too_many_share_one(void **state) {
    (void)state;
    struct links *l = open_links(board);
    char name[16];
    for (int i = 0; i < LIMIT_LINKS - 1; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        assert_string_equal(links_get(l, 0, LINK_TO, name)->peer, name);
    }
    struct board_link *others = links_get(l, 0, LINK_TO, "one more");
    assert_string_equal(others->peer, "others");
    assert_int_equal(others->zone, LIMIT_ZONES);
    assert_ptr_equal(links_get(l, 1, LINK_FROM, "and more"), others);
    links_forget(l, 0, "n17");
    assert_int_equal(board->link[17].zone, LIMIT_ZONES);
    assert_int_equal(board->link[17].way, LINK_TO); /* those behind it stay in sight */
    assert_ptr_equal(links_get(l, 1, LINK_FROM, "and more"), &board->link[17]);
    links_close(l);
}

static void gone_with_its_zone(void **state) {
    (void)state;
    struct links *l = open_links(board);
    (void)links_get(l, 0, LINK_TO, "a");
    (void)links_get(l, 0, LINK_TO, "b");
    struct board_link *two = links_get(l, 1, LINK_TO, "a");
    links_forget(l, 0, NULL);
    assert_int_equal(board->link[0].zone, LIMIT_ZONES);
    assert_int_equal(board->link[1].zone, LIMIT_ZONES);
    assert_string_equal(board->link[0].peer, "");
    assert_int_equal(two->zone, 1);
    links_close(l);
}

static void counters_outlive_the_process(void **state) {
    (void)state;
    struct links *l = open_links(board);
    (void)links_get(l, 1, LINK_FROM, "former");
    struct board_link *k = links_get(l, 0, LINK_FROM, "a");
    board_add(&k->applied, 41);
    board_set(&k->held, 1);
    link_transfer(k, TRANSFER_NATIVE, TRANSFER_OK, 100, 2000);
    links_close(l);

    l = open_links(board);
    assert_int_equal(board->link[0].way, LINK_FREE); /* until asked for, there is none */
    assert_int_equal(board->link[1].way, LINK_FREE);
    k = links_get(l, 0, LINK_FROM, "a");
    assert_ptr_equal(k, &board->link[0]);
    assert_int_equal(k->applied, 41);
    assert_int_equal(k->transfers[TRANSFER_NATIVE][TRANSFER_OK], 1);
    assert_int_equal(k->transfer_sum_us, 2000);
    assert_int_equal(k->held, 0);
    assert_int_equal(board->link[1].way, LINK_FREE);
    links_close(l);

    /* The zone's place in the configuration is another one's now. */
    text_copy(board->zone[0].name, sizeof board->zone[0].name, "two.test.");
    text_copy(board->zone[1].name, sizeof board->zone[1].name, "one.test.");
    l = open_links(board);
    assert_int_equal(links_get(l, 0, LINK_FROM, "a")->applied, 0);
    assert_int_equal(links_get(l, 1, LINK_FROM, "a")->applied, 41);
    links_close(l);
}

static void a_writer_killed_half_way(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct links *l;
        if (links_open(&l, board, NULL) != 0)
            _exit(1);
        struct board_link *k = links_get(l, 0, LINK_FROM, "a");
        board_add(&k->applied, 5);
        board_link_open(k);
        memset(k->error, 'e', sizeof k->error); /* no NUL: it was not done yet */
        (void)raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    struct board_link copy;
    assert_false(board_link_read(&board->link[0], &copy));
    assert_int_equal(strlen(copy.error), BOARD_TEXT_MAX - 1);
    assert_string_equal(copy.peer, "a");
    struct links *l = open_links(board);
    struct board_link *k = links_get(l, 0, LINK_FROM, "a");
    assert_true(board_link_read(k, &copy));
    assert_string_equal(copy.error, "");
    link_error(k, "new words");
    assert_true(board_link_read(k, &copy));
    assert_string_equal(copy.error, "new words");
    links_close(l);
}

static void hostile_slots_are_bounded(void **state) {
    struct board_link copy;
    (void)state;
    memset(board->link, 0xee, sizeof board->link); /* all in use, no NUL anywhere; even: whole */
    assert_true(board_link_read(&board->link[0], &copy));
    assert_int_equal(strlen(copy.peer), BOARD_PEER_MAX - 1);
    assert_int_equal(strlen(copy.node), BOARD_PEER_MAX - 1);
    assert_int_equal(strlen(copy.path), BOARD_PATH_MAX - 1);
    assert_int_equal(copy.zone, LIMIT_ZONES);
    assert_int_equal(copy.state, LINK_BROKEN);
    assert_int_equal(copy.way, LINK_BESIDE);
    struct links *l = open_links(board);
    assert_int_equal(board->link[LIMIT_LINKS - 1].way, LINK_FREE);
    assert_string_equal(links_get(l, 0, LINK_TO, "a")->error, "");
    links_close(l);
}

static void tries_and_their_words(void **state) {
    (void)state;
    struct links *l = open_links(board);
    struct board_link *k = links_get(l, 0, LINK_FROM, "a");
    static const struct {
        int code;
        enum board_link_state state;
    } cases[] = {{E_TIMEOUT, LINK_UNREACHABLE}, {E_SYSTEM, LINK_UNREACHABLE}, {E_CLOSED, LINK_UNREACHABLE},
                 {E_DENIED, LINK_DENIED},       {E_REFUSED, LINK_BROKEN},     {E_CORRUPT, LINK_BROKEN}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        wall_ms += 1000;
        link_tried(k, cases[i].code, "why");
        assert_int_equal(k->state, cases[i].state);
        assert_string_equal(k->error, "why");
        assert_int_equal(k->tried_wall_ms, wall_ms);
        assert_int_equal(k->failing_since_wall_ms, 1001000); /* the first of them */
    }
    link_error(k, "");
    assert_int_equal(k->state, LINK_OK);
    assert_int_equal(k->failing_since_wall_ms, 0);
    assert_string_equal(k->error, "");
    /* A refused transfer is not undone by the next beat, a dead path is. */
    link_tried(k, E_REFUSED, "too many entries gone");
    link_serial(k, 5);
    assert_int_equal(k->state, LINK_BROKEN);
    link_tried(k, E_TIMEOUT, "silent");
    link_serial(k, 5);
    assert_int_equal(k->state, LINK_OK);
    assert_string_equal(k->error, "");
    links_close(l);
}

static void heard(void **state) {
    (void)state;
    struct links *l = open_links(board);
    struct board_link *k = links_get(l, 0, LINK_FROM, "a"), copy;
    struct native_state st = a_state(50);
    link_heard(k, &st);
    assert_true(board_link_read(k, &copy));
    assert_int_equal(copy.serial, 50);
    assert_int_equal(copy.serial_known, 1);
    assert_int_equal(copy.digest_known, 1);
    assert_int_equal(copy.digest[0], 1);
    assert_int_equal(copy.digest[15], 50);
    assert_string_equal(copy.path, "source > hub");
    assert_string_equal(copy.node, "hub");
    assert_int_equal(copy.heard_wall_ms, wall_ms);
    assert_int_equal(copy.stamp_wall_ms, wall_ms - 500);
    assert_int_equal(copy.native, 1);
    assert_int_equal(copy.commit, 7);
    assert_int_equal(copy.state, LINK_OK);
    link_serial(k, 51);
    assert_int_equal(k->digest_known, 0); /* it was that of 50 */
    st.flags = 0;
    st.path_count = 1000; /* nobody should, all the same */
    memset(st.path, 'p', sizeof st.path);
    link_heard(k, &st);
    assert_int_equal(k->serial_known, 0);
    assert_int_equal(strnlen(k->path, sizeof k->path) < sizeof k->path, 1);
    links_close(l);
}

static void offsets_of_clocks(void **state) {
    (void)state;
    struct links *l = open_links(board);
    struct board_link *k = links_get(l, 0, LINK_FROM, "a");
    struct native_state st = a_state(50);
    st.wall_ms = wall_ms + 100 - 300; /* 100 ahead, 300 on the way */
    link_heard(k, &st);
    assert_int_equal((int64_t)k->clock_offset_ms, -200);
    st.wall_ms = wall_ms + 100 - 10;
    link_heard(k, &st);
    assert_int_equal((int64_t)k->clock_offset_ms, 90);
    st.wall_ms = wall_ms + 100 - 330; /* one that was slow tells little */
    link_heard(k, &st);
    assert_in_range((int64_t)k->clock_offset_ms, 60, 90);
    st.wall_ms = wall_ms - 600000; /* set back by ten minutes: at once */
    link_heard(k, &st);
    assert_int_equal((int64_t)k->clock_offset_ms, -600000);
    links_close(l);
}

static void transfers_are_counted(void **state) {
    (void)state;
    struct links *l = open_links(board);
    struct board_link *k = links_get(l, 0, LINK_TO, "a");
    link_transfer(k, TRANSFER_AXFR, TRANSFER_OK, 1000, 7);
    link_transfer(k, TRANSFER_AXFR, TRANSFER_FAILED, 10, 3);
    link_transfer(k, TRANSFER_KINDS, TRANSFER_OK, 1, 1);
    link_transfer(k, TRANSFER_AXFR, TRANSFER_RESULTS, 1, 1);
    assert_int_equal(k->transfers[TRANSFER_AXFR][TRANSFER_OK], 1);
    assert_int_equal(k->transfers[TRANSFER_AXFR][TRANSFER_FAILED], 1);
    assert_int_equal(k->transfer_us, 3);
    assert_int_equal(k->transfer_bytes, 10);
    assert_int_equal(k->transfer_sum_us, 10);
    links_close(l);
}

static void what_a_link_comes_to(void **state) {
    struct board_link k = {.state = LINK_OK, .heard_wall_ms = 10000, .serial = 5, .serial_known = 1};
    struct board_zone z = {.serial = 5, .commits = 1};
    (void)state;
    assert_int_equal(board_link_judge(&k, &z, 11000, 3000), LINK_OK);
    assert_int_equal(board_link_judge(&k, &z, 13001, 3000), LINK_UNKNOWN);
    z.serial = 6;
    assert_int_equal(board_link_judge(&k, &z, 11000, 3000), LINK_BEHIND);
    k.serial_known = 0;
    assert_int_equal(board_link_judge(&k, &z, 11000, 3000), LINK_OK);
    k.heard_wall_ms = 0;
    assert_int_equal(board_link_judge(&k, &z, 11000, 3000), LINK_UNKNOWN);
    k.state = LINK_DENIED;
    assert_int_equal(board_link_judge(&k, &z, 11000, 3000), LINK_DENIED);
    k.state = 77;
    assert_int_equal(board_link_judge(&k, &z, 11000, 3000), LINK_BROKEN);
    assert_true(board_serial_newer(1, 0xffffffff));
    assert_false(board_serial_newer(0xffffffff, 1));
    assert_false(board_serial_newer(7, 7));
}

static void propagation(void **state) {
    struct board_zone z = {0};
    (void)state;
    board_zone_propagated(&z, -5);
    board_zone_propagated(&z, 1);
    board_zone_propagated(&z, 2);
    board_zone_propagated(&z, INT64_MAX / 2);
    assert_int_equal(z.propagation[0], 2);
    assert_int_equal(z.propagation[1], 1);
    assert_int_equal(z.propagation[BOARD_PROPAGATION - 1], 1);
}

static void names(void **state) {
    static const char text[] = "node: { name: test, state: s, run: . }\n"
                               "health:\n  peers:\n"
                               "    - { name: hub, resolver: 192.0.2.7@53, health: 192.0.2.8@8053 }\n";
    struct conf *conf;
    struct err err = {0};
    struct addr a;
    char name[BOARD_PEER_MAX];
    (void)state;
    if (conf_read_text(&conf, text, sizeof text - 1, "/tmp", "test", &err) != 0)
        fail_msg("%s", err.text);
    static const char *const cases[][2] = {
        {"192.0.2.7@5353", "hub"}, {"192.0.2.8@5353", "hub"}, {"192.0.2.9@5353", "192.0.2.9@5353"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(addr_parse(&a, cases[i][0], 0, NULL), 0);
        assert_string_equal(links_name(conf, &a, name), cases[i][1]);
    }
    addr_set_port(&a, 0);
    assert_string_equal(links_name(conf, &a, name), "192.0.2.9");
    conf_free(conf);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(found_by_zone_way_and_peer),
                                       TEST(without_a_board),
                                       TEST(too_many_share_one),
                                       TEST(gone_with_its_zone),
                                       TEST(counters_outlive_the_process),
                                       TEST(a_writer_killed_half_way),
                                       TEST(hostile_slots_are_bounded),
                                       TEST(tries_and_their_words),
                                       TEST(heard),
                                       TEST(offsets_of_clocks),
                                       TEST(transfers_are_counted),
                                       TEST(what_a_link_comes_to),
                                       TEST(propagation),
                                       TEST(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
