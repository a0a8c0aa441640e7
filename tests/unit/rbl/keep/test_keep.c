/* Keeping: difference and bulk, digest, journal, history, why, guards, serials. */
#include "tests/unit/rbl/keep/rows.h"

#include <sys/wait.h>

#include "resolver/base/clock.h"

static void first_commit_and_difference(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "files", .serial_hint = 7};
    struct keep_result r;
    struct err err = {0};
    assert_true(state_of(k).empty);
    verified(k);
    assert_int_equal(replace_row(k, 0, 1000, 3, &c, &r, &err), 0);
    assert_true(r.changed && r.bulk && r.bytes > 0);
    assert_int_equal(r.added, 1000);
    assert_int_equal(r.removed, 0);
    assert_string_equal(r.first[0], "+10.0.0.0 :127.0.0.2:listed $");
    struct keep_state st = state_of(k);
    assert_false(st.empty);
    assert_int_equal(st.serial, 7);
    assert_int_equal(st.commits, 1);
    assert_string_equal(st.generation, "g1");
    assert_int_equal(replace_row(k, 1, 1000, 3, &c, &r, &err), 0);
    assert_true(r.changed && !r.bulk && r.bytes > 0);
    assert_int_equal(r.added, 1);
    assert_int_equal(r.removed, 1);
    assert_int_equal(r.first_count, 2);
    assert_string_equal(r.first[0], "-10.0.0.0 :127.0.0.2:listed $");
    assert_string_equal(r.first[1], "+10.0.11.184 :127.0.0.2:listed $");
    assert_int_equal(state_of(k).serial, 8);
    verified(k);
    keep_close(k);
    k = keep_of(&z);
    struct keep_state again = state_of(k);
    assert_int_equal(again.serial, 8);
    assert_int_equal(again.commits, 2);
    assert_int_equal(again.entries, 1000);
    verified(k);
    keep_close(k);
}

static uint64_t last_txn(struct keep *k) {
    struct store_stat st;
    assert_int_equal(keep_stat(k, &st, NULL), 0);
    return st.last_txn;
}

static void nothing_changed_writes_nothing(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "files", .serial_hint = 100};
    struct keep_result r;
    assert_int_equal(replace_row(k, 0, 500, 1, &c, &r, NULL), 0);
    uint64_t txn = last_txn(k);
    for (int i = 0; i < 3; i++) {
        c.serial_hint++; /* a newer serial alone is no change */
        assert_int_equal(replace_row(k, 0, 500, 1, &c, &r, NULL), 0);
        assert_false(r.changed);
        assert_int_equal(r.bytes, 0);
    }
    assert_int_equal(last_txn(k), txn);
    assert_int_equal(state_of(k).serial, 100);
    struct data d; /* but the time of the files is written, without a new serial */
    row(&d, 0, 500, 1);
    d.timestamp = 1234;
    r = commit(k, &d);
    assert_false(r.changed);
    assert_int_equal(state_of(k).serial, 100);
    assert_int_equal(last_txn(k), txn + 1);
    d.expires_wall_s = 12345; /* and when they end is something that other nodes must know */
    r = commit(k, &d);
    assert_true(r.changed && !r.bulk);
    assert_int_equal(state_of(k).expires_wall_s, 12345);
    assert_int_equal(state_of(k).serial, 101);
    d.ttl = 77; /* and the apex is a change like any other */
    r = commit(k, &d);
    assert_true(r.changed && !r.bulk);
    assert_int_equal(r.added + r.removed, 0);
    assert_int_equal(state_of(k).serial, 102);
    data_free(&d);
    verified(k);
    keep_close(k);
}

static void a_large_change_is_a_new_generation(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "files", .serial_hint = 5};
    struct keep_result r;
    assert_int_equal(replace_row(k, 0, 30000, 5, &c, &r, NULL), 0);
    assert_int_equal(replace_row(k, 1, 30000, 5, &c, &r, NULL), 0);
    assert_false(r.bulk);
    assert_int_equal(replace_row(k, 20000, 30000, 5, &c, &r, NULL), 0);
    assert_true(r.bulk);
    assert_int_equal(r.added, 19999);
    assert_int_equal(r.removed, 19999);
    struct keep_state st = state_of(k);
    assert_string_equal(st.generation, "g2");
    assert_int_equal(st.serial, 7);
    assert_int_equal(st.commits, 3);
    verified(k);
    assert_int_equal(replace_row(k, 20001, 30000, 5, &c, &r, NULL), 0);
    struct keep_history h[8];
    unsigned n;
    assert_int_equal(keep_history(k, h, 8, &n, NULL), 0);
    assert_int_equal(n, 4);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(h[i].serial, 8 - i);
    assert_int_equal(h[0].added, 1);
    assert_int_equal(h[3].added, 30000);
    assert_int_equal(h[3].entries, 30000);
    assert_string_equal(h[3].source, "files");
    keep_close(k);
    k = keep_of(&z);
    verified(k);
    assert_int_equal(keep_history(k, h, 2, &n, NULL), 0);
    assert_int_equal(n, 2);
    keep_close(k);
}

static void dry_runs_change_nothing(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "files", .dry_run = true};
    struct keep_result r;
    assert_int_equal(replace_row(k, 0, 100, 1, &c, &r, NULL), 0);
    assert_int_equal(r.added, 100);
    assert_true(state_of(k).empty);
    c.dry_run = false;
    assert_int_equal(replace_row(k, 0, 100, 1, &c, &r, NULL), 0);
    struct keep_state before = state_of(k);
    c.dry_run = true;
    assert_int_equal(replace_row(k, 50, 100, 1, &c, &r, NULL), 0);
    assert_int_equal(r.added, 50);
    assert_int_equal(r.removed, 50);
    struct keep_state after = state_of(k);
    assert_memory_equal(&before, &after, sizeof before);
    verified(k);
    keep_close(k);
}

static void serials_only_go_forward(void **state) {
    (void)state;
    static const struct {
        uint32_t hint, expect;
    } steps[] = {
        {0xfffffffe, 0xfffffffe},
        {0, 0xffffffff},
        {0, 1},
        {0xffffffff, 2},
        {2, 3},
        {10, 10},
        {9, 11},
        {0x80000000, 0x80000000},
        {1, 0x80000001u},
        {0x10, 0x80000002u},
        {0xf0000000, 0xf0000000},
        {0x10, 0x10},
    };
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_result r;
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        struct keep_commit c = {.source = "files", .serial_hint = steps[i].hint};
        assert_int_equal(replace_row(k, i, 10, 1, &c, &r, NULL), 0);
        if (state_of(k).serial != steps[i].expect)
            fail_msg("step %u: serial %u", i, state_of(k).serial);
    }
    keep_close(k);
    z = zone_new();
    k = keep_of(&z);
    struct keep_commit c = {.source = "files"};
    assert_int_equal(replace_row(k, 0, 10, 1, &c, &r, NULL), 0);
    assert_true((uint32_t)clock_wall_s() - state_of(k).serial < 3600);
    keep_close(k);
}

static void limits_refuse(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    z.limits.shrink = 0.5;
    z.limits.grow = 1.0;
    z.limits.entries = 5000;
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "files", .serial_hint = 7};
    struct keep_result r;
    struct err err = {0};
    assert_int_equal(replace_row(k, 0, 5001, 1, &c, &r, &err), E_REFUSED);
    assert_non_null(strstr(err.text, "would have 5001 entries (limit 5000): refused, nothing was committed before"));
    assert_true(state_of(k).empty);
    assert_int_equal(replace_row(k, 0, 99, 1, &c, &r, &err), 0);
    assert_int_equal(replace_row(k, 0, 1000, 1, &c, &r, &err), 0); /* from so few, nothing is a jump */
    assert_int_equal(replace_row(k, 0, 390, 1, &c, &r, &err), E_REFUSED);
    assert_non_null(strstr(err.text, "would remove 61% of 1000 entries (limit 50%): refused, kept serial 8"));
    assert_false(r.changed);
    assert_int_equal(replace_row(k, 0, 2001, 1, &c, &r, &err), E_REFUSED);
    assert_non_null(strstr(err.text, "would add 100% to 1000 entries (limit 100%)"));
    assert_int_equal(state_of(k).entries, 1000);
    assert_int_equal(replace_row(k, 0, 500, 1, &c, &r, &err), 0);
    assert_int_equal(replace_row(k, 0, 1000, 1, &c, &r, &err), 0);
    assert_int_equal(replace_row(k, 0, 0, 1, &c, &r, &err), E_REFUSED);
    c.force = true;
    c.reason = "the operator said so";
    assert_int_equal(replace_row(k, 0, 0, 1, &c, &r, &err), 0);
    assert_int_equal(state_of(k).entries, 0);
    verified(k);
    struct keep_history h;
    unsigned n;
    assert_int_equal(keep_history(k, &h, 1, &n, NULL), 0);
    assert_string_equal(h.reason, "the operator said so");
    assert_int_equal(h.removed, 1000);
    keep_close(k);
}

static int replace_entries(struct keep *k, int type, int second, const char *const *entries, bool force,
                           struct err *err) {
    struct keep_commit c = {.source = "files", .force = force};
    struct keep_result r;
    struct data d;
    data_new(&d, second < 0 ? 1 : 2, type, second);
    uint32_t v = value_of(&d, 2, NULL);
    for (; *entries != NULL; entries++)
        add(&d, second >= 0 && **entries == '2', *entries, v);
    settle(&d);
    int rc = keep_replace(k, &d, &c, &r, err);
    data_free(&d);
    return rc;
}

static void test_points(void **state) {
    (void)state;
    static const struct {
        enum conf_test test;
        int type;
        const char *entries[4];
        const char *refused; /* NULL: fine */
    } cases[] = {
        {TEST_RFC5782_IP4, DATASET_IP4SET, {"127.0.0.2"}, NULL},
        {TEST_RFC5782_IP4, DATASET_IP4SET, {"10.0.0.1"}, "127.0.0.2 is not listed"},
        {TEST_RFC5782_IP4, DATASET_IP4SET, {"127.0.0.0/8"}, "127.0.0.1 is listed and must not be"},
        {TEST_RFC5782_IP4, DATASET_IP4TRIE, {"127.0.0.0/8", "!127.0.0.1"}, NULL},
        {TEST_RFC5782_IP4, DATASET_IP4TRIE, {"0.0.0.0/0"}, "127.0.0.1 is listed"},
        {TEST_RFC5782_IP4, DATASET_IP4TRIE, {"127.0.0.2", "!127.0.0.2"}, NULL}, /* the first counts */
        {TEST_RFC5782_IP4, DATASET_IP4SET, {"127.0.0.2", "!127.0.0.2"}, "127.0.0.2 is not listed"},
        {TEST_RFC5782_IP6, DATASET_IP6TRIE, {"::ffff:7f00:2"}, NULL},
        {TEST_RFC5782_IP6, DATASET_IP6TRIE, {"::/0"}, "::FFFF:7F00:1 is listed"},
        {TEST_RFC5782_IP6, DATASET_IP6TRIE, {"2001:db8::/32"}, "::FFFF:7F00:2 is not listed"},
        {TEST_RFC5782_IP6, DATASET_IP4SET, {"127.0.0.2"}, NULL}, /* IPv4 inside of IPv6 */
        {TEST_RFC5782_DOMAIN, DATASET_DNSET, {"test"}, NULL},
        {TEST_RFC5782_DOMAIN, DATASET_DNSET, {"TEST", "Invalid"}, "INVALID is listed"},
        {TEST_RFC5782_DOMAIN, DATASET_DNSET, {"*.test"}, "TEST is not listed"},
        {TEST_RFC5782_DOMAIN, DATASET_DNSET, {"test", "*."}, "INVALID is listed"},
        {TEST_NONE, DATASET_DNSET, {"invalid"}, NULL},
        {TEST_UNSET, DATASET_IP4SET, {"0.0.0.0/1"}, NULL},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct conf_zone z = zone_new();
        struct err err = {0};
        z.test = cases[i].test;
        struct keep *k = keep_of(&z);
        for (int force = 0; force < 2; force++) {
            int rc = replace_entries(k, cases[i].type, -1, cases[i].entries, force, &err);
            if (rc != (cases[i].refused != NULL ? E_REFUSED : 0))
                fail_msg("case %u: %d %s", i, rc, err.text);
            if (cases[i].refused != NULL && strstr(err.text, cases[i].refused) == NULL)
                fail_msg("case %u: %s", i, err.text);
        }
        keep_close(k);
    }
}

static void one_keeper_at_a_time(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z), *second;
    struct err err = {0};
    pid_t pid = fork();
    if (pid == 0)
        _exit(keep_open(&second, state_dir, &z, &err) == E_EXISTS && strstr(err.text, "another process") ? 0 : 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(keep_open(&second, state_dir, &z, &err), E_EXISTS);
    keep_close(k);
    k = keep_of(&z);
    keep_close(k);
}

static struct addr addr_of(const char *text) {
    struct addr a;
    memset(&a, 0, sizeof a);
    if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1)
        a.in.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1)
        a.in6.sin6_family = AF_INET6;
    return a;
}

static void why_tells_entry_and_commit(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_match m[8];
    unsigned n;
    struct err err = {0};
    struct addr a = addr_of("10.1.2.3");
    assert_int_equal(keep_why_addr(k, &a, m, 8, &n, &err), 0);
    assert_int_equal(n, 0);
    struct data d;
    for (unsigned round = 0; round < 3; round++) {
        struct keep_commit c = {.source = round == 1 ? "publish" : "files", .serial_hint = 10};
        struct keep_result r;
        data_new(&d, 3, DATASET_IP4SET, DATASET_IP4TRIE, DATASET_DNSET);
        uint32_t v2 = value_of(&d, 2, "two"), v3 = value_of(&d, 3, "three");
        add(&d, 0, "10.1.2.3", v2);
        if (round >= 1)
            add(&d, 0, "10.1.2.3", v3);
        add(&d, 1, "10.1.0.0/16", v2);
        if (round >= 2)
            add(&d, 1, "!10.1.2.0/24", 0);
        add(&d, 2, "*.example.com", v3);
        settle(&d);
        assert_int_equal(keep_replace(k, &d, &c, &r, &err), 0);
        data_free(&d);
    }
    assert_int_equal(keep_why_addr(k, &a, m, 8, &n, &err), 0);
    assert_int_equal(n, 3);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(m[i].entry, "10.1.2.3");
        assert_int_equal(m[i].bits, 32);
        assert_int_equal(m[i].dataset, 0);
        assert_int_equal(m[i].type, DATASET_IP4SET);
        assert_false(m[i].excluded);
        assert_true(m[i].journal_known);
        bool first = m[i].value.a[3] == 2;
        assert_int_equal(m[i].since_serial, first ? 10 : 11);
        assert_string_equal(m[i].since_source, first ? "files" : "publish");
    }
    assert_string_equal(m[2].entry, "10.1.2.0/24");
    assert_true(m[2].excluded && m[2].journal_known);
    assert_int_equal(m[2].since_serial, 12);
    assert_int_equal(keep_why_addr(k, &a, m, 1, &n, &err), 0);
    assert_int_equal(n, 1);
    struct name name;
    assert_int_equal(name_from_text(&name, "A.b.Example.com", NULL), 0);
    assert_int_equal(keep_why_name(k, &name, m, 8, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_string_equal(m[0].entry, "*.example.com");
    assert_int_equal(m[0].bits, 1);
    a = addr_of("::ffff:10.1.2.3");
    assert_int_equal(keep_why_addr(k, &a, m, 8, &n, &err), 0);
    assert_int_equal(n, 3);
    a = addr_of("192.0.2.1");
    assert_int_equal(keep_why_addr(k, &a, m, 8, &n, &err), 0);
    assert_int_equal(n, 0);
    verified(k);
    keep_close(k);
}

/* A journal of few bytes keeps the newest commits and says so. */
static void the_journal_is_trimmed(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    z.journal = 4000;
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "files", .serial_hint = 1};
    struct keep_result r;
    struct keep_history h[64];
    unsigned n;
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(replace_row(k, i * 3, 200, 1, &c, &r, NULL), 0);
    assert_int_equal(keep_history(k, h, 64, &n, NULL), 0);
    assert_true(n >= 5 && n < 40);
    assert_int_equal(h[0].serial, 60);
    assert_int_equal(h[n - 1].serial, 60 - n + 1);
    verified(k);
    keep_close(k);
    z.journal = 10; /* not even one header fits: the newest stays alone */
    k = keep_of(&z);
    assert_int_equal(replace_row(k, 1, 200, 1, &c, &r, NULL), 0);
    assert_int_equal(keep_history(k, h, 64, &n, NULL), 0);
    assert_int_equal(n, 1);
    verified(k);
    keep_close(k);
}

static void values_come_and_go(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    for (unsigned round = 0; round < 6; round++) {
        struct data d;
        data_new(&d, 2, DATASET_IP4SET, DATASET_DNSET);
        for (unsigned i = 0; i < 600; i++) {
            char txt[32], name[48];
            unsigned which = i + round * 150; /* a quarter goes, a quarter comes */
            snprintf(txt, sizeof txt, "value %u", which);
            snprintf(name, sizeof name, "n%u.example", which);
            uint32_t v = value_of(&d, which & 255, txt);
            assert_int_equal(data_add4(&d, 0, 0x0a000000 + which * 11, 0x0a000000 + which * 11, v), 0);
            add(&d, 1, name, v);
        }
        (void)value_of(&d, 9, "nobody uses this one");
        settle(&d);
        struct keep_result r = commit(k, &d);
        assert_int_equal(r.added, round == 0 ? 1200 : 300);
        assert_int_equal(r.removed, round == 0 ? 0 : 300);
        verified(k); /* counts the uses of every value */
        data_free(&d);
        struct store_txn *t;
        assert_int_equal(store_read_begin(k->store, &t, NULL), 0);
        assert_int_equal(store_count(t, TABLE_VALUES), 600);
        struct store_cursor *c;
        struct bytes key, record;
        assert_int_equal(store_cursor_open(t, TABLE_VALUES, &c), 0);
        assert_int_equal(store_cursor_last(c, &key, &record), 0);
        assert_true(get_u32(key.at) <= 750); /* ids are used again */
        store_read_end(t);
        keep_close(k);
        k = keep_of(&z);
    }
    keep_close(k);
}

/* A type that changes with the same entries is a change; so is a dataset that comes or goes. */
static void datasets_change(void **state) {
    (void)state;
    static const char *const entries[] = {"10.0.0.0/8", "10.0.0.1", NULL};
    static const char *const both[] = {"10.0.0.0/8", "10.0.0.1", "2001:db8::/32", NULL};
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    assert_int_equal(replace_entries(k, DATASET_IP4SET, -1, entries, false, NULL), 0);
    uint32_t serial = state_of(k).serial;
    assert_int_equal(replace_entries(k, DATASET_IP4TRIE, -1, entries, false, NULL), 0);
    assert_int_equal(state_of(k).serial, serial + 1);
    assert_int_equal(replace_entries(k, DATASET_IP4TRIE, DATASET_IP6TRIE, both, false, NULL), 0);
    assert_int_equal(state_of(k).serial, serial + 2);
    verified(k);
    assert_int_equal(replace_entries(k, DATASET_IP4TRIE, -1, entries, false, NULL), 0);
    assert_int_equal(state_of(k).serial, serial + 3);
    assert_int_equal(state_of(k).entries, 2);
    verified(k);
    keep_close(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_commit_and_difference),
        cmocka_unit_test(nothing_changed_writes_nothing),
        cmocka_unit_test(a_large_change_is_a_new_generation),
        cmocka_unit_test(dry_runs_change_nothing),
        cmocka_unit_test(serials_only_go_forward),
        cmocka_unit_test(limits_refuse),
        cmocka_unit_test(test_points),
        cmocka_unit_test(one_keeper_at_a_time),
        cmocka_unit_test(why_tells_entry_and_commit),
        cmocka_unit_test(the_journal_is_trimmed),
        cmocka_unit_test(values_come_and_go),
        cmocka_unit_test(datasets_change),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
