/* What links and zones on the board come to: each lie of a peer's status, told apart and by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "health/verdict/replica.h"
#include "resolver/base/bytes.h"

enum { LINKS = 4 };
static const int64_t NOW = 1700000000000;

static struct {
    struct conf conf;
    struct conf_zone zone;
    struct conf_peer peer;
    struct conf_peer_rule rule;
    struct board_zone z;
    struct board_link link[LINKS];
    const struct board_link *at[LINKS];
    struct replica r;
} t;

static char came[EVIDENCE_CAME_MAX];

/* A secondary in step with one Candor primary that speaks once a second. */
static int set_up(void **state) {
    (void)state;
    memset(&t, 0, sizeof(t));
    t.zone = (struct conf_zone){.name = "bl.test.", .primaries = {.count = 1}};
    t.z = (struct board_zone){.name = "bl.test.",
                              .generation = "g1",
                              .state = ZONE_OK,
                              .serial = 7,
                              .commits = 3,
                              .secondary = 1,
                              .source_serial = 7,
                              .source_known = 1,
                              .refresh_s = 300,
                              .stamp_wall_ms = (uint64_t)NOW - 800,
                              .checked_wall_ms = (uint64_t)NOW - 500};
    t.link[0] = (struct board_link){.way = LINK_FROM,
                                    .peer = "hub",
                                    .state = LINK_OK,
                                    .serial = 7,
                                    .serial_known = 1,
                                    .digest_known = 1,
                                    .native = 1,
                                    .held = 1,
                                    .heard_wall_ms = (uint64_t)NOW - 500};
    for (int i = 0; i < LINKS; i++)
        t.at[i] = &t.link[i];
    t.r = (struct replica){
        .conf = &t.conf, .zone = &t.zone, .z = &t.z, .link = t.at, .links = 1, .now_ms = NOW, .allowance_ms = 30000};
    return 0;
}

static void says(const char *words) {
    if (strstr(came, words) == NULL)
        fail_msg("says \"%s\", not \"%s\"", came, words);
}

static void source(enum verdict_state is, int64_t behind_ms, const char *words) {
    enum verdict_state s = replica_source(&t.r, behind_ms, came, sizeof(came));
    if (s != is)
        fail_msg("%d, not %d: %s", s, is, came);
    says(words);
}

static void reach(enum verdict_state is, const char *words) {
    enum verdict_state s = replica_reach(&t.r, came, sizeof(came));
    if (s != is)
        fail_msg("%d, not %d: %s", s, is, came);
    says(words);
}

static void fail_link(struct board_link *k, enum board_link_state s, const char *why) {
    k->state = s;
    k->failing_since_wall_ms = (uint64_t)NOW - 20000;
    text_copy(k->error, sizeof(k->error), why);
}

static void in_step(void **state) {
    (void)state;
    source(VERDICT_PASS, 0, "serial 7, as its primaries have it; checked 500 ms ago, data 800 ms old");
}

static void behind(void **state) {
    (void)state;
    t.z.source_serial = 9;
    t.link[0].serial = 9;
    assert_int_equal(replica_lag(&t.r), 2);
    source(VERDICT_PASS, 1000, "serial 7"); /* on its way */
    source(VERDICT_FAIL, 30001, "behind for 30.0 s: serial 7, a primary has 9");
    fail_link(&t.link[0], LINK_BROKEN, "no space left on device");
    source(VERDICT_FAIL, 30001, "no space left");
    t.z.source_serial = t.link[0].serial = 0xffffffff; /* older (RFC 1982), though the number is larger */
    assert_int_equal(replica_lag(&t.r), 0);
}

static void silence(void **state) {
    (void)state;
    fail_link(&t.link[0], LINK_UNREACHABLE, "connection refused");
    source(VERDICT_WARN, 0, "hub unreachable: connection refused");
    t.z.checked_wall_ms = (uint64_t)NOW - 330001; /* refresh and the allowance */
    source(VERDICT_FAIL, 0, "no primary has answered for 330.0 s");
    /* The path is well, and somebody further up is cut off. */
    set_up(NULL);
    t.z.stamp_wall_ms = (uint64_t)NOW - 330001;
    source(VERDICT_FAIL, 0, "further up");
    t.link[0].native = 0; /* a record in the zone is written and fetched now and then */
    t.link[0].held = 0;
    source(VERDICT_PASS, 0, "serial 7");
}

static void a_frozen_board_is_no_evidence(void **state) {
    (void)state;
    t.r.now_ms = NOW + REPLICA_HELD_MS;
    source(VERDICT_UNKNOWN, 0, "");
    t.r.now_ms = NOW + 400000;
    source(VERDICT_FAIL, 0, "no primary has answered");
    t.r.now_ms = NOW - 7200000; /* our clock was set back by two hours */
    assert_int_equal(replica_check_age_ms(&t.r), 0);
    assert_int_equal(replica_data_age_ms(&t.r), 0);
}

static void denied_at_the_first_try(void **state) {
    (void)state;
    fail_link(&t.link[0], LINK_DENIED, "BADKEY");
    source(VERDICT_FAIL, 0, "hub denied: BADKEY");
    t.link[1] = t.link[0];
    text_copy(t.link[1].peer, sizeof(t.link[1].peer), "other");
    t.link[1].state = LINK_OK;
    t.r.links = 2;
    source(VERDICT_WARN, 0, "1 of 2 primaries well; hub denied");
}

static void backwards(void **state) {
    (void)state;
    t.link[0].serial = 3;
    source(VERDICT_PASS, 0, "serial 7"); /* one primary of several may be late */
    t.link[0].serial_regressions = 1;
    source(VERDICT_FAIL, 0, "went backwards: hub has 3, we had 7");
    t.link[0].serial = 8; /* it came to its senses */
    source(VERDICT_PASS, 0, "serial 7");
}

static void nothing_yet_and_expired(void **state) {
    (void)state;
    t.z.expires_wall_s = (uint64_t)NOW / 1000;
    source(VERDICT_FAIL, 0, "has expired");
    t.z.expires_wall_s++;
    source(VERDICT_PASS, 0, "serial 7");
    t.z.state = ZONE_EXPIRED;
    source(VERDICT_FAIL, 0, "has expired");
    t.z.generation[0] = '\0';
    source(VERDICT_FAIL, 0, "the first transfer has not come");
    fail_link(&t.link[0], LINK_DENIED, "BADSIG");
    source(VERDICT_FAIL, 0, "BADSIG");
}

static void clocks_and_ages(void **state) {
    struct replica_links l = {.at = t.link, .sorted = t.at, .count = 1};
    (void)state;
    /* The source's clock is ten minutes behind: what it said a second ago is a second old. */
    t.link[0].clock_known = 1;
    t.link[0].clock_offset_ms = (uint64_t)(int64_t)-600000;
    t.z.stamp_wall_ms = (uint64_t)NOW - 601000;
    assert_int_equal(replica_data_age_ms(&t.r), 1000);
    assert_int_equal(replica_clocks(&l, NOW, came, sizeof(came)), VERDICT_WARN);
    says("the clock of hub is 10 min behind ours");
    t.link[0].clock_offset_ms = 59999;
    assert_int_equal(replica_clocks(&l, NOW, came, sizeof(came)), VERDICT_PASS);
    t.link[0].clock_known = 0;
    assert_int_equal(replica_clocks(&l, NOW, came, sizeof(came)), VERDICT_UNKNOWN);
    t.z.stamp_wall_ms = 0;
    assert_int_equal(replica_data_age_ms(&t.r), -1);
}

/* At the primary: whom its zone goes to. */
static struct board_link *a_secondary(void) {
    t.zone.primaries.count = 0;
    t.z.secondary = 0;
    t.link[0] = (struct board_link){.way = LINK_TO,
                                    .peer = "192.0.2.9",
                                    .state = LINK_OK,
                                    .serial = 7,
                                    .serial_known = 1,
                                    .native = 1,
                                    .held = 1,
                                    .heard_wall_ms = (uint64_t)NOW - 500};
    return &t.link[0];
}

static void a_secondary_is_named(void **state) {
    struct board_link *k = a_secondary();
    (void)state;
    reach(VERDICT_PASS, "1 secondary in step");
    k->queue_commits = 100;
    k->oldest_queued_wall_ms = (uint64_t)NOW - 20000;
    reach(VERDICT_PASS, "in step"); /* it may still be on its way */
    k->oldest_queued_wall_ms = (uint64_t)NOW - 40000;
    reach(VERDICT_WARN, "192.0.2.9 is 100 commits behind, the oldest waits for 40.0 s");
    t.rule.has_address = true;
    assert_int_equal(addr_parse(&t.rule.address, "192.0.2.9@5301", 0, NULL), 0);
    t.zone.notify = (struct conf_rules){.at = &t.rule, .count = 1};
    reach(VERDICT_FAIL, "192.0.2.9 is 100 commits behind");
    assert_int_equal(addr_parse(&t.rule.address, "192.0.2.90@5301", 0, NULL), 0);
    reach(VERDICT_WARN, "192.0.2.9 is 100"); /* another one's address begins alike */
}

static void a_silent_secondary(void **state) {
    struct board_link *k = a_secondary();
    (void)state;
    k->heard_wall_ms = (uint64_t)NOW - 200000;
    reach(VERDICT_WARN, "silent for 200.0 s");
    k->heard_wall_ms = (uint64_t)NOW - REPLICA_FORGOTTEN_MS - 1000;
    reach(VERDICT_WARN, "no secondary has been heard of"); /* taken away, as nobody expects it */
    t.peer.name = "far";
    t.conf.health.peers = &t.peer;
    t.conf.health.peer_count = 1;
    text_copy(k->peer, sizeof(k->peer), "far");
    reach(VERDICT_FAIL, "far has been silent for 60 min");
    k->native = 0; /* asks when it likes */
    reach(VERDICT_PASS, "in step");
    fail_link(k, LINK_DENIED, "BADTIME: its clock is 600 s behind ours");
    reach(VERDICT_FAIL, "far denied for 20.0 s: BADTIME");
}

static void who_fetched_once_by_hand(void **state) {
    struct board_link *k = a_secondary();
    (void)state;
    k->native = 0;
    k->queue_commits = 5;
    k->oldest_queued_wall_ms = (uint64_t)NOW - 90000;
    reach(VERDICT_WARN, "no secondary");
}

static void digests(void **state) {
    (void)state;
    assert_int_equal(replica_same(&t.r, came, sizeof(came)), VERDICT_PASS);
    t.link[0].digest[15] = 1;
    assert_int_equal(replica_same(&t.r, came, sizeof(came)), VERDICT_FAIL);
    says("serial 7 has other contents at hub");
    t.link[0].serial = 8;
    assert_int_equal(replica_same(&t.r, came, sizeof(came)), VERDICT_UNKNOWN);
}

static void pairs(void **state) {
    (void)state;
    t.zone.pair = (struct conf_rules){.at = &t.rule, .count = 1};
    t.rule.has_address = true;
    assert_int_equal(addr_parse(&t.rule.address, "192.0.2.9@5301", 0, NULL), 0);
    text_copy(t.link[0].peer, sizeof(t.link[0].peer), "192.0.2.9@5301");
    t.z.role = ROLE_SOLE;
    assert_int_equal(replica_pair(&t.r, came, sizeof(came)), VERDICT_FAIL);
    t.z.role = ROLE_ACTIVE;
    t.z.epoch = 4;
    assert_int_equal(replica_pair(&t.r, came, sizeof(came)), VERDICT_PASS);
    t.link[0].epoch = 5;
    assert_int_equal(replica_pair(&t.r, came, sizeof(came)), VERDICT_FAIL);
    says("was promoted since");
}

static void links_by_zone(void **state) {
    struct board *b = calloc(1, sizeof(*b));
    struct replica_links l = {0};
    const struct board_link *const *first;
    static const struct {
        uint64_t zone;
        const char *peer;
    } rows[] = {{5, "b"}, {2, "x"}, {LIMIT_ZONES, ""}, {5, "a"}, {7, "dying"}, {LIMIT_ZONES, "others"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        board_set(&b->link[i].way, LINK_TO);
        board_set(&b->link[i].zone, rows[i].zone);
        text_copy(b->link[i].peer, BOARD_PEER_MAX, rows[i].peer);
    }
    board_link_open(&b->link[4]);
    assert_int_equal(replica_links_read(&l, b), 0);
    assert_int_equal(l.count, 3);
    assert_true(l.others);
    assert_int_equal(replica_links_of(&l, 5, &first), 2);
    assert_string_equal(first[0]->peer, "a");
    assert_string_equal(first[1]->peer, "b");
    assert_int_equal(replica_links_of(&l, 7, &first), 0);
    assert_int_equal(replica_links_of(&l, 9999, &first), 0);
    memset(b->link, 0xee, sizeof(b->link));
    assert_int_equal(replica_links_read(&l, b), 0);
    assert_int_equal(l.count, 0); /* no zone has that number */
    replica_links_free(&l);
    free(b);
}

#define TEST(fn) cmocka_unit_test_setup(fn, set_up)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(in_step),
                                       TEST(behind),
                                       TEST(silence),
                                       TEST(a_frozen_board_is_no_evidence),
                                       TEST(denied_at_the_first_try),
                                       TEST(backwards),
                                       TEST(nothing_yet_and_expired),
                                       TEST(clocks_and_ages),
                                       TEST(a_secondary_is_named),
                                       TEST(a_silent_secondary),
                                       TEST(who_fetched_once_by_hand),
                                       TEST(digests),
                                       TEST(pairs),
                                       TEST(links_by_zone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
