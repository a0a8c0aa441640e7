/* A zone on its way to another node: the same entries, values, times and digest at both ends; what was cut, altered or
 * does not fit changes nothing. */
#include "rbl/keep/stream.h"

#include "rbl/keep/impl.h"
#include "rbl/keep/look.h"
#include "rbl/keep/walk.h"
#include "streams.h"
#include "zone.h"

struct sum {
    uint64_t n, until;
    struct digest digest;
};
static int add_up(void *ctx, const struct keep_entry *e) {
    struct sum *s = ctx;
    s->n++;
    s->until += (uint64_t)e->until_wall_s;
    return 0;
}

static void alike(struct keep *a, struct keep *b) {
    struct keep_state x = state_of(a), y = state_of(b);
    struct sum s = {0}, t = {0};
    const struct dataset *da, *db;
    unsigned na, nb;
    assert_int_equal(x.serial, y.serial);
    assert_int_equal(x.entries, y.entries);
    assert_true(same_digest(x.digest, y.digest));
    assert_int_equal(x.changed_wall_s, y.changed_wall_s);
    verified(a);
    verified(b);
    assert_int_equal(keep_walk(a, add_up, &s, NULL), 0);
    assert_int_equal(keep_walk(b, add_up, &t, NULL), 0);
    assert_int_equal(s.n, t.n);
    assert_int_equal(s.until, t.until);
    const struct view_apex *pa = keep_apex(a, &da, &na), *pb = keep_apex(b, &db, &nb);
    assert_int_equal(na, nb);
    for (unsigned i = 0; i < na; i++)
        assert_int_equal(da[i].type, db[i].type);
    assert_true(apex_same(pa, pb));
}

static void everything(struct data *d, unsigned round) {
    char name[64];
    data_new(d, 3, DATASET_IP4SET, DATASET_IP6TRIE, DATASET_DNSET);
    uint32_t v[6];
    for (unsigned i = 0; i < ARRAY_SIZE(v); i++) {
        snprintf(name, sizeof name, "listed %u $", i);
        v[i] = value_of(d, 2 + i, i % 2 ? name : NULL);
    }
    add(d, 0, "127.0.0.2", v[0]);
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(data_add4(d, 0, i * 70001 + round % 3, i * 70001 + round % 3, v[i % 6]), 0);
    for (unsigned i = 0; i < 9000; i++) /* a bitmap, and many values in one bucket */
        assert_int_equal(data_add4(d, 0, 0xc0a80000 + i, 0xc0a80000 + i, v[i < 6000 ? 0 : i % 6]), 0);
    add(d, 0, "10.0.0.0/8", v[1]);
    add(d, 0, "!10.1.0.0/16", 0);
    add(d, 0, "10.1.2.0/23", v[2]);
    for (unsigned i = 0; i < 400; i++) {
        uint8_t a[16] = {0x20, 0x01, 0x0d, 0xb8, (uint8_t)any(0), (uint8_t)any(0), 0, (uint8_t)i, (uint8_t)any(0)};
        unsigned bits = i % 5 == 0 ? 32 : i % 5 == 1 ? 48 : i % 5 == 2 ? 64 : 72;
        memset(a + bits / 8, 0, 16 - bits / 8);
        assert_int_equal(data_add6(d, 1, a, bits, v[i % 6]), 0);
    }
    add(d, 1, "!2001:db8::/33", 0);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "%sn%u.d%u.example", i % 7 ? "" : "*.", i, i % 50);
        add(d, 2, name, v[i % 6]);
    }
    add(d, 2, "*.", v[3]);
    settle(d);
}

static struct keep_entry entry4(uint32_t addr, int64_t until) {
    struct keep_entry e = {.kind = KEEP_4, .bits = 32, .value = {.a = {127, 0, 0, 9}}, .until_wall_s = until};
    put_u32(e.addr, addr);
    return e;
}

static void edit(struct keep *k, const struct keep_entry *e, bool remove) {
    struct keep_commit c = {.source = "add"};
    struct keep_result r;
    struct keep_batch *b;
    struct err err = {0};
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    keep_batch_source(b, "update key.example.");
    assert_int_equal(remove ? keep_batch_remove(b, e, false, &err) : keep_batch_add(b, e, &err), 0);
    if (keep_batch_commit(b, &c, &r, &err) != 0)
        fail_msg("keep_batch_commit: %s", err.text);
    keep_batch_close(b);
}

static void snapshot_of_everything(void **state) {
    (void)state;
    struct conf_zone za = zone_new(), zb = zone_new();
    struct keep *a = keep_of(&za), *b = keep_of(&zb);
    struct told t = {0}, again = {0};
    struct data d;
    everything(&d, 0);
    (void)commit(a, &d);
    struct keep_entry e = entry4(0xcb007101, 4000000000);
    edit(a, &e, false);
    e = entry4(0xcb007102, 0);
    edit(a, &e, false);
    e.excluded = true;
    e.until_wall_s = 5000000000;
    edit(a, &e, false);
    told_whole(a, &t);
    assert_true(t.head.snapshot);
    told_whole(a, &again); /* the same stream each time */
    assert_int_equal(t.size, again.size);
    assert_memory_equal(t.at, again.at, t.size);
    take(b, &t, 777);
    alike(a, b);
    /* over what is there, and in one piece; the journal begins here */
    e = entry4(0xcb007103, 0);
    edit(a, &e, false);
    told_whole(a, &t);
    take(b, &t, t.size);
    alike(a, b);
    assert_int_equal(told_since(b, state_of(b).serial - 1, NULL, &again), E_NOTFOUND);
    /* and goes on from here */
    struct keep_state st = state_of(b);
    e = entry4(0xcb007104, 0);
    edit(a, &e, false);
    assert_int_equal(told_since(a, st.serial, &st.digest, &t), 0);
    assert_false(t.head.snapshot);
    take(b, &t, 1);
    alike(a, b);
    /* a hub tells it further */
    assert_int_equal(told_since(b, st.serial, &st.digest, &again), 0);
    data_free(&d);
    keep_close(a);
    keep_close(b);
    free(t.at);
    free(again.at);
}

static void changes_of_all_kinds(void **state) {
    (void)state;
    struct conf_zone za = zone_new(), zb = zone_new(), zc = zone_new();
    struct keep *a = keep_of(&za), *b = keep_of(&zb), *c = keep_of(&zc);
    struct told t = {0};
    struct data d;
    everything(&d, 0);
    (void)commit(a, &d);
    data_free(&d);
    told_whole(a, &t);
    take(b, &t, 4096);
    take(c, &t, 4096);
    struct keep_state far = state_of(c);
    for (unsigned round = 1; round < 12; round++) {
        struct keep_state st = state_of(b);
        struct keep_entry e = entry4(0xcb007100 + any(6), any(2) ? 4000000000 + any(100) : 0);
        everything(&d, round);
        if (round % 4 == 0)
            d.dataset[0].ttl = 100 + round; /* the datasets change, too */
        (void)commit(a, &d);
        data_free(&d);
        edit(a, &e, any(3) == 0);
        e = entry4(0xcb007100 + any(6), any(2) ? 4000000000 + any(100) : 0);
        e.excluded = any(3) == 0;
        edit(a, &e, any(3) == 0);
        int rc = told_since(a, st.serial, &st.digest, &t);
        assert_int_equal(rc, 0);
        assert_true(t.head.commits >= 1);
        take(b, &t, 1 + any(5000));
        alike(a, b);
    }
    assert_int_equal(told_since(a, state_of(b).serial, &(struct digest){1, 2}, &t), E_NOTFOUND);
    struct digest now = state_of(b).digest;
    assert_int_equal(told_since(a, state_of(b).serial, &now, &t), E_EXISTS);
    assert_int_equal(told_since(a, state_of(b).serial, NULL, &t), E_EXISTS);
    /* all of it at once, from the hub's journal */
    int rc = told_since(b, far.serial, &far.digest, &t);
    if (rc == E_NOTFOUND)
        told_whole(b, &t);
    take(c, &t, 100000);
    alike(b, c);
    keep_close(a);
    keep_close(b);
    keep_close(c);
    free(t.at);
}

static void not_from_here(void **state) {
    (void)state;
    struct conf_zone za = zone_new(), zb = zone_new();
    struct keep *a = keep_of(&za), *b = keep_of(&zb);
    struct told t = {0};
    struct keep_result r;
    struct err err = {0};
    struct keep_entry e = entry4(0xcb007101, 0);
    edit(a, &e, false);
    struct keep_state st = state_of(a);
    e = entry4(0xcb007102, 0);
    edit(a, &e, false);
    assert_int_equal(told_since(a, st.serial, &st.digest, &t), 0);
    assert_int_equal(taken(b, t.at, t.size, 100, &r, &err), E_NOTFOUND);
    assert_true(state_of(b).empty);
    e = entry4(0xcb007109, 0);
    edit(b, &e, false);
    assert_int_equal(taken(b, t.at, t.size, 100, &r, &err), E_NOTFOUND);
    assert_int_equal(state_of(b).entries, 1);
    verified(b);
    keep_close(a);
    keep_close(b);
    free(t.at);
}

/* Cut off anywhere, and with any octet altered: nothing happens. */
static void torn_and_altered(void **state) {
    (void)state;
    struct conf_zone za = zone_new(), zb = zone_new();
    struct keep *a = keep_of(&za), *b = keep_of(&zb);
    struct told t[2] = {{0}, {0}};
    struct keep_result r;
    struct data d;
    data_new(&d, 2, DATASET_IP4SET, DATASET_DNSET);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(data_add4(&d, 0, i << 20, (i << 20) + i, value_of(&d, 2 + i % 3, "x")), 0);
    add(&d, 1, "*.example.com", value_of(&d, 2, NULL));
    settle(&d);
    (void)commit(a, &d);
    data_free(&d);
    told_whole(a, &t[0]);
    take(b, &t[0], 100);
    struct keep_state st = state_of(b);
    struct keep_entry e = entry4(0xcb007101, 4000000000);
    edit(a, &e, false);
    told_whole(a, &t[0]);
    assert_int_equal(told_since(a, st.serial, &st.digest, &t[1]), 0);
    for (unsigned n = 0; n < 2; n++) {
        for (size_t cut = 0; cut < t[n].size; cut++) {
            struct err err = {0};
            assert_int_not_equal(taken(b, t[n].at, cut, 64, &r, &err), 0);
        }
        for (size_t at = 0; at < t[n].size; at++) {
            struct err err = {0};
            uint8_t flip = (uint8_t)(1 << any(8));
            t[n].at[at] ^= flip;
            int rc = taken(b, t[n].at, t[n].size, 4096, &r, &err);
            t[n].at[at] ^= flip;
            assert_true(rc == E_INVALID || rc == E_CORRUPT || rc == E_UNSUPPORTED || rc == E_FULL);
        }
        assert_int_equal(state_of(b).serial, st.serial);
        verified(b);
    }
    keep_close(a);
    keep_close(b);
    free(t[0].at);
    free(t[1].at);
}

static void list(struct keep *k, const char *entry, unsigned others) {
    struct data d;
    data_new(&d, 2, DATASET_IP4SET, DATASET_DNSET);
    uint32_t v = value_of(&d, 2, NULL);
    for (unsigned i = 0; i < others; i++)
        assert_int_equal(data_add4(&d, 0, 0x0a000000 + i, 0x0a000000 + i, v), 0);
    if (entry != NULL)
        add(&d, entry[0] >= '0' && entry[0] <= '9' ? 0 : 1, entry, v);
    add(&d, 0, "127.0.0.2", v);
    settle(&d);
    (void)commit(k, &d);
    data_free(&d);
}

/* The receiver's own guards: what its configuration does not allow is refused, in either form, and the old state stays.
 */
static void guards_of_the_receiver(void **state) {
    (void)state;
    static const struct {
        const char *entry;
        unsigned others;
        double space, shrink;
        enum conf_test test;
        int changes, snapshot;
    } cases[] = {
        {"64.0.0.0/2", 500, 0.1, 1e9, TEST_NONE, E_NOTFOUND, E_REFUSED},
        {"64.0.0.0/2", 500, 0.5, 1e9, TEST_NONE, 0, 0},
        {"*.", 500, 0.1, 1e9, TEST_NONE, E_NOTFOUND, E_REFUSED},
        {"*.com", 500, 0.1, 1e9, TEST_NONE, E_NOTFOUND, E_REFUSED},
        {NULL, 200, 0.1, 0.5, TEST_NONE, E_REFUSED, E_REFUSED},
        {NULL, 400, 0.1, 0.5, TEST_NONE, 0, 0},
        {"127.0.0.1", 500, 0.1, 1e9, TEST_RFC5782_IP4, E_REFUSED, E_REFUSED},
        {"10.1.0.1", 500, 0.1, 1e9, TEST_RFC5782_IP4, 0, 0},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
        for (unsigned snapshot = 0; snapshot < 2; snapshot++) {
            struct conf_zone za = zone_new(), zb = zone_new();
            struct keep *a = keep_of(&za), *b = keep_of(&zb);
            struct told t = {0};
            struct keep_result r;
            struct err err = {0};
            zb.limits.grow = 1e9;
            zb.limits.space = cases[i].space;
            zb.limits.shrink = cases[i].shrink;
            zb.limits.tlds = 20;
            zb.test = cases[i].test;
            list(a, NULL, 500);
            told_whole(a, &t);
            take(b, &t, 5000);
            struct keep_state st = state_of(b);
            list(a, cases[i].entry, cases[i].others);
            if (snapshot)
                told_whole(a, &t);
            else
                assert_int_equal(told_since(a, st.serial, &st.digest, &t), 0);
            int rc = taken(b, t.at, t.size, 5000, &r, &err), expected = snapshot ? cases[i].snapshot : cases[i].changes;
            if (rc != expected)
                fail_msg("case %u: %d instead of %d: %s", i, rc, expected, err.text);
            if (rc == 0)
                alike(a, b);
            else
                assert_true(state_of(b).serial == st.serial && same_digest(state_of(b).digest, st.digest));
            verified(b);
            keep_close(a);
            keep_close(b);
            free(t.at);
        }
}

static void whole_and_exact(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "transfer", .serial_hint = 4000000000, .exact_serial = true, .whole = true};
    struct keep_result r;
    struct err err = {0};
    for (unsigned round = 0; round < 6; round++) {
        struct data d;
        data_new(&d, 0);
        uint32_t v = value_of(&d, 2, "x");
        unsigned many = round == 3 ? 40000 : 100 + round;
        for (unsigned i = 0; i < many; i++)
            assert_int_equal(data_add4(&d, DATASET_LOCAL, i * 3 + round, i * 3 + round, i % 4 ? v : VALUE_EXCLUDED), 0);
        add(&d, DATASET_LOCAL, "*.example.com", v);
        settle(&d);
        c.serial_hint = round == 4 ? 0 : round == 5 ? 17 : c.serial_hint + 7;
        if (keep_replace(k, &d, &c, &r, &err) != 0)
            fail_msg("keep_replace: %s", err.text);
        assert_int_equal(state_of(k).serial, c.serial_hint);
        assert_int_equal(state_of(k).entries, many + 1);
        assert_true(same_digest(state_of(k).digest, digest_of_data(&d)));
        assert_int_equal(keep_local_entries(k), many + 1);
        verified(k);
        /* nothing new but the serial */
        c.serial_hint++;
        assert_int_equal(keep_replace(k, &d, &c, &r, &err), 0);
        assert_int_equal(state_of(k).serial, c.serial_hint);
        assert_int_equal(keep_replace(k, &d, &c, &r, &err), 0);
        assert_false(r.changed);
        struct keep_entry e = entry4(0xcb007101, 4000000000 + round); /* goes with the next */
        edit(k, &e, false);
        data_free(&d);
    }
    keep_close(k);
    k = keep_of(&z);
    verified(k);
    keep_close(k);
}

static void apex_alone(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "transfer"};
    struct keep_result r;
    struct keep_batch *b;
    struct keep_entry e = entry4(0xcb007101, 0);
    edit(k, &e, false);
    uint32_t serial = state_of(k).serial;
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(keep_batch_open(&b, k, NULL), 0);
        struct view_apex apex = *keep_batch_apex(b);
        apex.soa.refresh = 4711;
        assert_int_equal(keep_batch_set_apex(b, &apex), 0);
        assert_int_equal(keep_batch_commit(b, &c, &r, NULL), 0);
        assert_int_equal(r.changed, round == 0);
        keep_batch_close(b);
    }
    assert_int_equal(state_of(k).serial, serial + 1);
    /* a serial alone, backwards, 0 */
    for (unsigned round = 0; round < 3; round++) {
        c.exact_serial = true;
        c.serial_hint = round == 0 ? 5 : 0;
        assert_int_equal(keep_batch_open(&b, k, NULL), 0);
        assert_int_equal(keep_batch_commit(b, &c, &r, NULL), 0);
        assert_int_equal(r.changed, round < 2);
        keep_batch_close(b);
        assert_int_equal(state_of(k).serial, c.serial_hint);
    }
    keep_close(k);
    k = keep_of(&z);
    verified(k);
    assert_int_equal(state_of(k).serial, 0);
    const struct dataset *d;
    unsigned n;
    assert_int_equal(keep_apex(k, &d, &n)->soa.refresh, 4711);
    keep_close(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshot_of_everything),
        cmocka_unit_test(changes_of_all_kinds),
        cmocka_unit_test(not_from_here),
        cmocka_unit_test(torn_and_altered),
        cmocka_unit_test(guards_of_the_receiver),
        cmocka_unit_test(whole_and_exact),
        cmocka_unit_test(apex_alone),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
