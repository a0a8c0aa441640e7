/* What is known of peers and what it comes to: paths, quorum, matrix, clocks, words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "health/peers/judge.h"
#include "resolver/base/bytes.h"

enum { INTERVAL = 1000, NOW = 1000000, UDP = 0, TCP = 1, HTTP = 2, B = 0, C = 1 };

static struct peers_known *k;
static struct conf_peer conf[3] = {{.name = "b"}, {.name = "c"}, {.name = "d"}};
static struct seen words[3][8];
static char came[EVIDENCE_CAME_MAX];

static void path_open(struct peers_peer *p, enum seen_by by, const char *text) {
    struct peers_path *path = &p->path[p->paths++];
    path->by = by;
    text_copy(path->text, sizeof(path->text), text);
    assert_int_equal(addr_parse(&path->addr, text, 0, NULL), 0);
}

/* Three nodes, a is this one; all is well and fresh. */
static int open_all(void **state) {
    static const char *const dns[] = {"10.0.0.2@53", "10.0.0.3@53", "10.0.0.4@53"};
    (void)state;
    k = calloc(1, sizeof(*k));
    k->self = "a";
    k->interval_ms = INTERVAL;
    k->count = 2;
    for (size_t i = 0; i < 3; i++) {
        struct peers_peer *p = &k->peer[i];
        p->conf = &conf[i];
        p->has_health = true;
        path_open(p, SEEN_UDP, dns[i]);
        path_open(p, SEEN_TCP, dns[i]);
        path_open(p, SEEN_HTTP, dns[i]);
        phi_open(&p->phi, INTERVAL);
        for (size_t n = 0; n < p->paths; n++)
            (void)path_good(&p->path[n], NOW - 60000), (void)path_good(&p->path[n], NOW - 100);
        phi_heard(&p->phi, NOW - 100);
        p->heard_view = true;
        p->view_asked_ms = p->view_ms = p->heard_ms = NOW - 100;
        p->view.status = VERDICT_PASS;
        p->view.ready = true;
        text_copy(p->view.node, sizeof(p->view.node), conf[i].name);
        p->view.seen = words[i];
        p->view.count = 0;
        p->offset_known = true;
    }
    return 0;
}

static int close_all(void **state) {
    (void)state;
    free(k);
    return 0;
}

static void says(size_t peer, const char *node, const char *address, enum seen_by by, enum seen_state s, uint32_t lag,
                 unsigned score) {
    struct seen *w = &k->peer[peer].view.seen[k->peer[peer].view.count++];
    *w = (struct seen){.by = by, .state = s, .ago_ms = 10, .for_ms = 500, .lag_ms = lag, .score = score};
    text_copy(w->node, sizeof(w->node), node);
    text_copy(w->address, sizeof(w->address), address);
}

static void lose(size_t peer, unsigned times, int64_t since) {
    for (size_t n = 0; n < k->peer[peer].paths; n++)
        for (unsigned i = 0; i < times; i++)
            (void)path_failed(&k->peer[peer].path[n], score_needed(k->summary.score), "no answer", since + i);
}

static enum verdict_state path_state(size_t peer, size_t path) {
    return judge_path(k, &k->peer[peer], &k->peer[peer].path[path], NOW, came, sizeof(came));
}

static void an_accusation_wants_as_many_failures_as_the_score_says(void **state) {
    (void)state;
    for (unsigned score = 0; score <= PEERS_SCORE_MAX; score++) {
        struct peers_path p = {.state = SEEN_UNKNOWN};
        assert_true(path_good(&p, 5));
        assert_false(path_good(&p, 6));
        for (unsigned i = 1; i < score_needed(score); i++) {
            assert_false(path_failed(&p, score_needed(score), "x", 10 + i));
            assert_int_equal(p.state, SEEN_GOOD);
        }
        assert_true(path_failed(&p, score_needed(score), "x", 50));
        assert_true(p.state == SEEN_BAD && p.failed_ms == 50);
        assert_true(path_good(&p, 60) && p.fails == 0 && p.failed_ms == 0);
    }
}

static void all_well(void **state) {
    (void)state;
    says(B, "a", "10.0.0.1@53", SEEN_UDP, SEEN_GOOD, 0, 0);
    says(C, "a", "10.0.0.1@53", SEEN_UDP, SEEN_GOOD, 0, 0);
    peers_judge(k, NOW);
    assert_true(k->summary.heard == 2 && k->summary.ready == 2 && k->summary.see_us == 2 && k->summary.miss_us == 0);
    assert_false(k->summary.cut_off);
    assert_int_equal(path_state(B, UDP), VERDICT_PASS);
    assert_int_equal(judge_quorum_words(k, came, sizeof(came)), VERDICT_PASS);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_PASS);
    assert_int_equal(judge_clocks(k, came, sizeof(came)), VERDICT_PASS);
    assert_int_equal(judge_sees_us(k, &k->peer[B], NOW, came, sizeof(came)), VERDICT_PASS);
    assert_int_equal(judge_agree(k, &k->peer[B], true, "", NOW, came, sizeof(came)), VERDICT_PASS);
    assert_int_equal(judge_agree(k, &k->peer[B], false, "worker", NOW, came, sizeof(came)), VERDICT_WARN);
    assert_true(k->peer[B].disagrees);
}

static void one_gone_is_accused_once_another_was_heard_since(void **state) {
    (void)state;
    lose(B, 2, NOW - 50);
    peers_judge(k, NOW);
    assert_false(k->summary.cut_off);
    assert_int_equal(path_state(B, UDP), VERDICT_WARN); /* c was heard last before that: whose fault is it? */
    k->peer[C].heard_ms = NOW - 10;
    assert_int_equal(path_state(B, UDP), VERDICT_FAIL);
    assert_non_null(strstr(came, "b: no answer"));
    assert_int_equal(k->peer[B].state, PEERS_GONE);
    assert_int_equal(path_state(C, UDP), VERDICT_PASS);
}

static void all_gone_is_this_nodes_own_fault(void **state) {
    (void)state;
    peers_judge(k, NOW);
    lose(B, 2, NOW - 50);
    lose(C, 1, NOW - 50);
    peers_judge(k, NOW);
    assert_false(k->summary.cut_off); /* once is chance */
    lose(C, 1, NOW - 40);
    k->peer[B].heard_ms = NOW; /* whatever else says so */
    peers_judge(k, NOW);
    assert_true(k->summary.cut_off && k->visible == 0);
    assert_int_equal(judge_quorum_words(k, came, sizeof(came)), VERDICT_FAIL);
    assert_non_null(strstr(came, "this node is the one that is cut off"));
    assert_int_equal(path_state(B, UDP), VERDICT_WARN);
    assert_int_equal(path_state(C, UDP), VERDICT_WARN);
    assert_int_equal(k->peer[B].state, PEERS_UNKNOWN);
    assert_int_equal(judge_health(k, &k->peer[B], NOW + 60000, came, sizeof(came)), VERDICT_WARN);
    (void)path_good(&k->peer[C].path[UDP], NOW + 1);
    peers_judge(k, NOW + 1);
    assert_false(k->summary.cut_off);
}

static void nobody_is_cut_off_who_was_never_with_anybody(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 0; n < 3; n++)
            k->peer[i].path[n] = (struct peers_path){.by = k->peer[i].path[n].by, .state = SEEN_UNKNOWN};
    peers_judge(k, NOW);
    assert_int_equal(judge_quorum_words(k, came, sizeof(came)), VERDICT_UNKNOWN);
    assert_int_equal(path_state(B, UDP), VERDICT_UNKNOWN);
    k->count = 1;
    lose(B, 2, NOW);
    peers_judge(k, NOW);
    assert_false(k->summary.cut_off); /* of one there is no quorum */
    assert_int_equal(path_state(B, UDP), VERDICT_FAIL);
}

static void accusers_are_believed_while_they_are_in_time(void **state) {
    (void)state;
    says(B, "a", "10.0.0.1@53", SEEN_UDP, SEEN_BAD, 0, 0);
    says(B, "a", "10.0.0.1@53", SEEN_TCP, SEEN_GOOD, 0, 0);
    says(C, "a", "10.0.0.1@53", SEEN_UDP, SEEN_BAD, INTERVAL, 0);
    peers_judge(k, NOW);
    assert_true(k->summary.see_us == 2 && k->summary.miss_us == 1);
    assert_int_equal(judge_sees_us(k, &k->peer[B], NOW, came, sizeof(came)), VERDICT_FAIL);
    assert_non_null(strstr(came, "10.0.0.1@53 over udp"));
    assert_int_equal(judge_agree(k, &k->peer[B], true, "", NOW, came, sizeof(came)), VERDICT_FAIL);
    assert_int_equal(judge_sees_us(k, &k->peer[C], NOW, came, sizeof(came)), VERDICT_WARN);
    assert_non_null(strstr(came, "late itself"));
    words[C][0].lag_ms = 0;
    words[C][0].score = SCORE_DOUBTED;
    assert_int_equal(judge_sees_us(k, &k->peer[C], NOW, came, sizeof(came)), VERDICT_WARN);
    words[C][0].score = 0;
    words[C][0].ago_ms = UINT32_MAX;
    assert_int_equal(judge_sees_us(k, &k->peer[C], NOW, came, sizeof(came)), VERDICT_WARN);
    words[C][0].ago_ms = 0;
    assert_int_equal(judge_sees_us(k, &k->peer[C], NOW, came, sizeof(came)), VERDICT_FAIL);
    k->peer[C].view.cut_off = true;
    assert_int_equal(judge_sees_us(k, &k->peer[C], NOW, came, sizeof(came)), VERDICT_WARN);
}

static void an_old_word_counts_for_nothing(void **state) {
    (void)state;
    says(B, "a", "10.0.0.1@53", SEEN_UDP, SEEN_BAD, 0, 0);
    assert_true(peer_is_fresh(k, &k->peer[B], NOW));
    assert_false(peer_is_fresh(k, &k->peer[B], NOW + 4 * INTERVAL));
    peers_judge(k, NOW + 4 * INTERVAL);
    assert_int_equal(k->summary.see_us, 0);
    assert_int_equal(judge_sees_us(k, &k->peer[B], NOW + 4 * INTERVAL, came, sizeof(came)), VERDICT_WARN);
    k->peer[B].view.stale = true;
    assert_false(peer_is_fresh(k, &k->peer[B], NOW));
    k->peer[B].view.stale = false;
    k->peer[B].view.age_ms = UINT32_MAX;
    assert_false(peer_is_fresh(k, &k->peer[B], NOW));
}

static void its_own_fault_never_fails_us(void **state) {
    (void)state;
    k->peer[B].view.status = VERDICT_FAIL;
    k->peer[B].view.ready = false;
    text_copy(k->peer[B].view.cause, VIEW_CAUSE, "zone:data: expired");
    peers_judge(k, NOW);
    assert_int_equal(judge_health(k, &k->peer[B], NOW, came, sizeof(came)), VERDICT_WARN);
    assert_non_null(strstr(came, "says fail, not ready: zone:data: expired"));
    assert_int_equal(k->summary.ready, 1);
    /* Its port is silent, its DNS answers. */
    for (unsigned i = 0; i < 5; i++)
        (void)path_failed(&k->peer[B].path[HTTP], 2, "no connection in time", NOW);
    peers_judge(k, NOW);
    assert_int_equal(judge_health(k, &k->peer[B], NOW + 60000, came, sizeof(came)), VERDICT_WARN);
    assert_non_null(strstr(came, "its DNS port answers"));
    /* Nothing of it is heard: that waits for phi besides. */
    lose(B, 3, NOW);
    peers_judge(k, NOW);
    assert_int_equal(judge_health(k, &k->peer[B], NOW + 200, came, sizeof(came)), VERDICT_UNKNOWN);
    assert_int_equal(judge_health(k, &k->peer[B], NOW + 60000, came, sizeof(came)), VERDICT_FAIL);
}

static void a_firewall_is_told_from_a_dead_node(void **state) {
    (void)state;
    lose(B, 2, NOW - 1000);
    says(C, "b", "10.0.0.2@53", SEEN_UDP, SEEN_BAD, 0, 0);
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_PASS); /* c does not reach it either */
    words[C][0].state = SEEN_GOOD;
    words[C][0].for_ms = 60000;
    words[C][0].ago_ms = 2000;
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_PASS); /* it did before, that is no proof */
    words[C][0].for_ms = 0;
    words[C][0].ago_ms = 0;
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_PASS); /* it only just does: all may be over */
    words[C][0].for_ms = 60000;
    words[C][0].ago_ms = 10;
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_FAIL);
    assert_string_equal(came, "a does not reach b over udp on ip4, c does: the way between the two is closed");
    says(B, "a", "10.0.0.1@53", SEEN_UDP, SEEN_GOOD, 0, 0);
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_FAIL);
    assert_non_null(strstr(came, "and b gets back"));
    assert_int_equal(peers_unconfirmed(k, NOW), 1); /* once, for what it contradicts: udp */
    assert_int_equal(peers_unconfirmed(k, NOW), 0);
}

static void a_dead_node_is_no_firewall_to_whoever_missed_it_first(void **state) {
    (void)state;
    /* One stray loss of ours, then c has an answer, then b dies. */
    lose(B, 1, NOW - 3000);
    lose(B, 1, NOW - 500);
    says(C, "b", "10.0.0.2@53", SEEN_UDP, SEEN_GOOD, 0, 0);
    words[C][0].for_ms = 60000;
    words[C][0].ago_ms = 1000;
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_PASS);
    /* c asked after us what was long on its way to us: the answer may be as old as our question for it. */
    words[C][0].ago_ms = 0;
    k->peer[C].view_asked_ms = NOW - 600;
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_PASS);
    k->peer[C].view_asked_ms = NOW - 150;
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_FAIL);
}

static void what_is_good_is_so_until_its_last_answer(void **state) {
    struct peers_path *p = &k->peer[B].path[UDP];
    struct span was = path_span(p);
    (void)state;
    assert_int_equal(was.last_ms, NOW - 100);
    (void)path_failed(p, 2, "no answer", NOW);
    struct span now = path_span(p);
    assert_true(p->state == SEEN_GOOD && now.since_ms == was.since_ms && now.last_ms == was.last_ms);
    (void)path_failed(p, 2, "no answer", NOW + 10);
    now = path_span(p);
    assert_true(now.since_ms == NOW + 10 && now.last_ms == NOW + 10);
}

static void between_two_others_it_is_no_fault_of_ours(void **state) {
    (void)state;
    says(B, "c", "10.0.0.3@53", SEEN_TCP, SEEN_BAD, 0, 0);
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_WARN);
    assert_non_null(strstr(came, "b does not reach c over tcp on ip4, a does"));
    says(B, "nobody", "10.0.0.9@53", SEEN_TCP, SEEN_BAD, 0, 0); /* whom nobody here knows */
    says(B, "b", "10.0.0.2@53", SEEN_TCP, SEEN_BAD, 0, 0);      /* itself */
    peers_judge(k, NOW);
    assert_int_equal(k->matrix.count, 3);
    words[B][0].lag_ms = 100000; /* who is late is not believed here either */
    peers_judge(k, NOW);
    assert_int_equal(judge_matrix(k, came, sizeof(came)), VERDICT_PASS);
}

static void the_median_of_clocks(void **state) {
    static const struct {
        int64_t b, c, d, median;
        enum verdict_state want;
    } table[] = {{0, 0, 0, 0, VERDICT_PASS},
                 {300000, 0, 0, 0, VERDICT_PASS},
                 {300000, 299000, 0, 299000, VERDICT_WARN},
                 {-61000, -62000, -61500, -61500, VERDICT_WARN},
                 {-3000, 2500, 5000, 2500, VERDICT_PASS}};
    (void)state;
    k->count = 3;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        k->peer[0].offset_ms = table[i].b;
        k->peer[1].offset_ms = table[i].c;
        k->peer[2].offset_ms = table[i].d;
        peers_judge(k, NOW);
        assert_int_equal(k->clock_ms, table[i].median);
        assert_int_equal(judge_clocks(k, came, sizeof(came)), table[i].want);
    }
    assert_non_null(strstr(came, "worth a look"));
    k->count = 2; /* of two the nearer one: a wrong clock of somebody else is not held against ours */
    k->peer[0].offset_ms = 300000;
    k->peer[1].offset_ms = -40;
    peers_judge(k, NOW);
    assert_int_equal(k->clock_ms, -40);
}

static void a_full_matrix_takes_no_more(void **state) {
    static char names[MATRIX_NODES + 1][8];
    (void)state;
    matrix_reset(&k->matrix);
    for (int i = 0; i <= MATRIX_NODES; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i);
        assert_int_equal(matrix_node(&k->matrix, names[i]), i < MATRIX_NODES ? i : -1);
    }
    matrix_put(&k->matrix, MATRIX_NODES, 0, SEEN_UDP, false, SEEN_BAD, (struct span){0});
    matrix_put(&k->matrix, 0, 0, SEEN_UDP, false, SEEN_BAD, (struct span){0});
    matrix_put(&k->matrix, 0, 1, SEEN_WAYS, false, SEEN_BAD, (struct span){0});
    matrix_put(&k->matrix, 0, 1, SEEN_UDP, false, SEEN_STATES, (struct span){0});
    assert_int_equal(matrix_sees(&k->matrix, 0, 1), SEEN_UNKNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_accusation_wants_as_many_failures_as_the_score_says),
        cmocka_unit_test_setup_teardown(all_well, open_all, close_all),
        cmocka_unit_test_setup_teardown(one_gone_is_accused_once_another_was_heard_since, open_all, close_all),
        cmocka_unit_test_setup_teardown(all_gone_is_this_nodes_own_fault, open_all, close_all),
        cmocka_unit_test_setup_teardown(nobody_is_cut_off_who_was_never_with_anybody, open_all, close_all),
        cmocka_unit_test_setup_teardown(accusers_are_believed_while_they_are_in_time, open_all, close_all),
        cmocka_unit_test_setup_teardown(an_old_word_counts_for_nothing, open_all, close_all),
        cmocka_unit_test_setup_teardown(its_own_fault_never_fails_us, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_firewall_is_told_from_a_dead_node, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_dead_node_is_no_firewall_to_whoever_missed_it_first, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_is_good_is_so_until_its_last_answer, open_all, close_all),
        cmocka_unit_test_setup_teardown(between_two_others_it_is_no_fault_of_ours, open_all, close_all),
        cmocka_unit_test_setup_teardown(the_median_of_clocks, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_full_matrix_takes_no_more, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
