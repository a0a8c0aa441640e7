/* Edits one by one: what gives way to what, times, limits, who made it, zones without files, and what damage leaves. */
#include "tests/unit/rbl/keep/zone.h"

#include "rbl/keep/impl.h"
#include "rbl/keep/walk.h"

static struct keep_entry entry(const char *text, unsigned last) {
    struct keep_entry e;
    char copy[300];
    memset(&e, 0, sizeof e);
    text_copy(copy, sizeof copy, text);
    char *slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    e.kind = inet_pton(AF_INET, copy, e.addr) == 1    ? KEEP_4
             : inet_pton(AF_INET6, copy, e.addr) == 1 ? KEEP_6
                                                      : KEEP_NAME;
    if (e.kind == KEEP_NAME) {
        e.bits = copy[0] == '*';
        assert_int_equal(name_from_text(&e.name, copy + 2 * e.bits, NULL), 0);
    } else {
        e.bits = slash != NULL ? (uint8_t)atoi(slash + 1) : e.kind == KEEP_4 ? 32 : 128;
    }
    e.value.a[0] = 127;
    e.value.a[3] = (uint8_t)last;
    return e;
}

static struct keep_batch *open_batch(struct keep *k, const char *source) {
    struct keep_batch *b;
    struct err err = {0};
    if (keep_batch_open(&b, k, &err) != 0)
        fail_msg("%s", err.text);
    keep_batch_source(b, source);
    return b;
}

static void put(struct keep_batch *b, const char *text, unsigned last, int64_t until) {
    struct keep_entry e = entry(text, last);
    struct err err = {0};
    e.until_wall_s = until;
    if (keep_batch_add(b, &e, &err) != 0)
        fail_msg("add %s: %s", text, err.text);
}

static void drop(struct keep_batch *b, const char *text, unsigned last) {
    struct keep_entry e = entry(text, last);
    struct err err = {0};
    if (keep_batch_remove(b, &e, last == 0, &err) != 0)
        fail_msg("remove %s: %s", text, err.text);
}

static struct keep_result done(struct keep_batch *b) {
    struct keep_commit c = {.source = "group"};
    struct keep_result r;
    struct err err = {0};
    if (keep_batch_commit(b, &c, &r, &err) != 0)
        fail_msg("commit: %s", err.text);
    keep_batch_close(b);
    return r;
}

static struct keep_result put_one(struct keep *k, const char *text, unsigned last, int64_t until) {
    struct keep_batch *b = open_batch(k, "add");
    put(b, text, last, until);
    return done(b);
}

static struct keep_result drop_one(struct keep *k, const char *text, unsigned last) {
    struct keep_batch *b = open_batch(k, "del");
    drop(b, text, last);
    return done(b);
}

/* Last octets of what answers, rising, as text. */
static const char *answer(struct view *v, const char *text) {
    static char out[200];
    struct keep_entry q = entry(text, 0);
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned hits, seen[256] = {0};
    bool below;
    size_t at = 0;
    assert_int_equal(view_begin(v, any(1000000), NULL), 0);
    if (q.kind == KEEP_4)
        assert_int_equal(view_find4(v, VIEW_ALL, get_u32(q.addr), hit, &hits), 0);
    else if (q.kind == KEEP_6)
        assert_int_equal(view_find6(v, VIEW_ALL, q.addr, hit, &hits), 0);
    else
        assert_int_equal(view_find_name(v, VIEW_ALL, &q.name, hit, &hits, &below), 0);
    for (unsigned i = 0; i < hits; i++) {
        struct value value;
        assert_int_equal(view_value(v, hit[i].value, &value), 0);
        seen[value.a[3]]++;
    }
    view_end(v);
    out[0] = '\0';
    for (unsigned i = 0; i < 256; i++)
        for (unsigned n = 0; n < seen[i]; n++)
            at += (size_t)snprintf(out + at, sizeof out - at, "%s%u", at > 0 ? " " : "", i);
    return out;
}

static struct keep *kept(const struct conf_zone *z, struct data *d) {
    struct keep *k = keep_of(z);
    data_new(d, 2, DATASET_IP4SET, DATASET_DNSET);
    add(d, 0, "192.0.2.0/24", value_of(d, 2, NULL));
    add(d, 0, "192.0.2.1", value_of(d, 3, NULL));
    add(d, 0, "192.0.2.1", value_of(d, 4, NULL));
    add(d, 0, "198.51.100.1", value_of(d, 3, NULL));
    add(d, 1, "example.com", value_of(d, 5, NULL));
    add(d, 1, "*.example.com", value_of(d, 6, NULL));
    settle(d);
    commit(k, d);
    return k;
}

static void what_gives_way(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct data d;
    struct keep *k = kept(&z, &d);
    struct view *v = view_of(&z);
    assert_string_equal(answer(v, "192.0.2.1"), "3 4");
    /* one of two values goes, the other stays; the wider prefix of the file does not shine through */
    assert_true(drop_one(k, "192.0.2.1", 3).changed);
    assert_string_equal(answer(v, "192.0.2.1"), "4");
    assert_false(drop_one(k, "192.0.2.1", 3).changed);
    /* another takes its place, and the file's comes back when it is added again */
    put_one(k, "192.0.2.1", 9, 0);
    assert_string_equal(answer(v, "192.0.2.1"), "4 9");
    put_one(k, "192.0.2.1", 3, 0);
    assert_string_equal(answer(v, "192.0.2.1"), "3 4 9");
    drop_one(k, "192.0.2.1", 9);
    assert_string_equal(answer(v, "192.0.2.1"), "3 4");
    assert_int_equal(keep_local_entries(k), 0);
    /* all at a place */
    drop_one(k, "192.0.2.1", 0);
    assert_string_equal(answer(v, "192.0.2.1"), "");
    assert_string_equal(answer(v, "192.0.2.2"), "2");
    /* an exclusion of a network silences what is as wide or wider, not what is inside of it */
    drop_one(k, "192.0.2.0/24", 0);
    assert_string_equal(answer(v, "192.0.2.2"), "");
    put_one(k, "192.0.2.2", 8, 0);
    assert_string_equal(answer(v, "192.0.2.2"), "8");
    /* names: the exact one, and the wildcard above it */
    assert_string_equal(answer(v, "www.example.com"), "6");
    drop_one(k, "*.example.com", 0);
    assert_string_equal(answer(v, "www.example.com"), "");
    assert_string_equal(answer(v, "example.com"), "5");
    put_one(k, "www.example.com", 7, 0);
    assert_string_equal(answer(v, "www.example.com"), "7");
    /* new files, in place and as a new generation: what was made by hand stays */
    uint64_t local = keep_local_entries(k);
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < (round == 1 ? 20000 : 5); i++)
            assert_int_equal(data_add4(&d, 0, 0x0a000000 + i * 5 + round, 0x0a000000 + i * 5 + round, 1), 0);
        settle(&d);
        assert_int_equal(commit(k, &d).bulk, round > 0);
        assert_int_equal(keep_local_entries(k), local);
        verified(k);
        assert_string_equal(answer(v, "192.0.2.1"), "");
        assert_string_equal(answer(v, "192.0.2.2"), "8");
        assert_string_equal(answer(v, "www.example.com"), "7");
        data_free(&d);
        if (round < 2) {
            data_new(&d, 2, DATASET_IP4SET, DATASET_DNSET);
            add(&d, 0, "192.0.2.1", value_of(&d, 3, NULL));
            add(&d, 0, "192.0.2.0/24", value_of(&d, 2, NULL));
        }
    }
    view_close(v);
    keep_close(k);
}

static void times(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct data d;
    struct keep *k = kept(&z, &d);
    struct view *v = view_of(&z);
    struct keep_state before, after;
    int64_t next;
    put_one(k, "203.0.113.1", 2, 1000);
    put_one(k, "203.0.113.2", 2, 2000);
    put_one(k, "*.example.net", 2, 3000);
    put_one(k, "2001:db8::/48", 2, 0);
    /* a time that moves changes no entry, but other nodes have to know it */
    keep_state(k, &before);
    assert_true(put_one(k, "203.0.113.1", 2, 1500).changed);
    assert_true(put_one(k, "2001:db8::/48", 2, 4000).changed);
    assert_false(put_one(k, "2001:db8::/48", 2, 4000).changed);
    keep_state(k, &after);
    assert_int_equal(before.serial + 2, after.serial);
    assert_int_equal(before.digest.lo, after.digest.lo);
    keep_close(k);
    k = keep_of(&z);
    verified(k);
    struct keep_batch *b = open_batch(k, "expiry");
    assert_int_equal(keep_batch_expire(b, 1499, &next, NULL), 0);
    assert_int_equal(next, 1500);
    assert_int_equal(keep_batch_mark(b), 0);
    assert_int_equal(keep_batch_expire(b, 2000, &next, NULL), 0);
    assert_int_equal(next, 3000);
    assert_int_equal(done(b).removed, 2);
    assert_string_equal(answer(v, "203.0.113.1"), "");
    assert_string_equal(answer(v, "x.example.net"), "2");
    verified(k);
    /* renewed for ever in the same batch: not taken away */
    b = open_batch(k, "expiry");
    put(b, "*.example.net", 2, 0);
    assert_int_equal(keep_batch_expire(b, 9000, &next, NULL), 0);
    assert_int_equal(next, 0);
    assert_int_equal(done(b).removed, 1);
    assert_string_equal(answer(v, "x.example.net"), "2");
    assert_string_equal(answer(v, "2001:db8::1"), "");
    b = open_batch(k, "expiry");
    assert_int_equal(keep_batch_expire(b, INT64_MAX, &next, NULL), 0);
    assert_int_equal(next, 0);
    assert_false(done(b).changed);
    /* an exclusion that ends */
    b = open_batch(k, "del");
    struct keep_entry e = entry("198.51.100.1", 0);
    e.excluded = true;
    e.until_wall_s = 5000;
    assert_int_equal(keep_batch_add(b, &e, NULL), 0);
    done(b);
    assert_string_equal(answer(v, "198.51.100.1"), "");
    b = open_batch(k, "expiry");
    assert_int_equal(keep_batch_expire(b, 5000, &next, NULL), 0);
    done(b);
    assert_string_equal(answer(v, "198.51.100.1"), "3");
    verified(k);
    view_close(v);
    keep_close(k);
    data_free(&d);
}

static void who_made_it(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct data d;
    struct keep *k = kept(&z, &d);
    struct keep_batch *b = open_batch(k, "update one.example.");
    put(b, "203.0.113.1", 2, 0);
    keep_batch_source(b, "update two.example.");
    put(b, "203.0.113.2", 2, 7000);
    drop(b, "198.51.100.1", 0);
    keep_batch_source(b, "update one.example.");
    put(b, "203.0.113.3", 2, 0);
    struct keep_result r = done(b);
    assert_int_equal(r.added, 4);
    static const struct {
        const char *addr, *source;
        unsigned matches;
    } wanted[] = {{"203.0.113.1", "update one.example.", 1},
                  {"203.0.113.2", "update two.example.", 1},
                  {"203.0.113.3", "update one.example.", 1},
                  {"198.51.100.1", "update two.example.", 2}};
    for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
        struct keep_match m[4];
        struct addr a = {0};
        unsigned count;
        a.in.sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, wanted[i].addr, &a.in.sin_addr), 1);
        assert_int_equal(keep_why_addr(k, &a, m, 4, &count, NULL), 0);
        assert_int_equal(count, wanted[i].matches);
        assert_true(m[0].local && m[0].journal_known);
        assert_string_equal(m[0].since_source, wanted[i].source);
        assert_int_equal(m[0].until_wall_s, i == 1 ? 7000 : 0);
        assert_int_equal(m[0].excluded, i == 3);
        if (count > 1) {
            assert_true(m[1].silenced && !m[1].local && !m[1].excluded);
            assert_string_equal(m[1].since_source, "test");
        }
    }
    struct keep_history h[2];
    unsigned count;
    assert_int_equal(keep_history(k, h, 2, &count, NULL), 0);
    assert_string_equal(h[0].source, "group");
    keep_close(k);
    data_free(&d);
}

static void bounds_and_refusals(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct data d;
    struct keep *k = kept(&z, &d);
    struct keep_commit c = {.source = "x", .dry_run = true};
    struct keep_result r;
    struct keep_state before, after;
    struct err err = {0};
    struct keep_batch *b = open_batch(k, "add");
    keep_state(k, &before);
    put(b, "203.0.113.1", 2, 0);
    assert_int_equal(keep_batch_commit(b, &c, &r, &err), 0);
    assert_true(r.changed && r.added == 1);
    assert_string_equal(r.first[0], "+203.0.113.1 :127.0.0.2:");
    c.dry_run = false;
    z.limits.entries = 8; /* it has six */
    put(b, "203.0.113.2", 2, 0);
    size_t mark = keep_batch_mark(b);
    put(b, "203.0.113.3", 2, 0);
    assert_int_equal(keep_batch_commit(b, &c, &r, &err), E_REFUSED);
    assert_non_null(strstr(err.text, "limit 8"));
    keep_state(k, &after);
    assert_int_equal(before.serial, after.serial);
    keep_batch_rewind(b, mark);
    assert_int_equal(keep_batch_commit(b, &c, &r, &err), 0);
    assert_int_equal(r.added, 2);
    keep_batch_close(b);
    z.limits.entries = 0;
    verified(k);
    /* what no entry can be */
    b = open_batch(k, "add");
    struct keep_entry e = entry("203.0.113.1", 2);
    e.bits = 33;
    assert_int_equal(keep_batch_add(b, &e, &err), E_INVALID);
    e = entry("203.0.113.1", 2);
    e.value.kind = VALUE_ACL;
    assert_int_equal(keep_batch_add(b, &e, &err), E_INVALID);
    e.value.kind = 99;
    e.value.txt_size = VALUE_BYTES + 1;
    assert_int_equal(keep_batch_add(b, &e, &err), E_INVALID);
    e = entry("example.com", 2);
    e.bits = 2;
    assert_int_equal(keep_batch_add(b, &e, &err), E_INVALID);
    e.kind = 7;
    assert_int_equal(keep_batch_add(b, &e, &err), E_INVALID);
    e = entry("203.0.113.1", 2);
    e.until_wall_s = -1;
    assert_int_equal(keep_batch_add(b, &e, &err), E_INVALID);
    assert_int_equal(keep_batch_mark(b), 0);
    /* a batch that is full says so and can be committed */
    uint32_t n = 0;
    for (int rc = 0; rc == 0; n++) {
        struct keep_entry one = entry("10.0.0.0", 2);
        put_u32(one.addr, 0x0a000000 + n * 3);
        rc = keep_batch_add(b, &one, &err);
        assert_true(rc == 0 || rc == E_FULL);
    }
    assert_int_equal(n - 1, KEEP_BATCH_EDITS);
    assert_int_equal(done(b).added, KEEP_BATCH_EDITS);
    verified(k);
    keep_close(k);
    data_free(&d);
}

/* More values at one address than an answer takes. */
static void many_values(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct data d;
    struct keep *k = kept(&z, &d);
    static const char *const at[] = {"203.0.113.1", "2001:db8::1", "many.example.net"};
    for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
        struct keep_batch *b = open_batch(k, "add");
        for (unsigned n = 0; n < 250; n++)
            put(b, at[i], n, 0);
        assert_int_equal(done(b).added, 250);
        b = open_batch(k, "add");
        for (unsigned n = 100; n < 256; n++)
            put(b, at[i], n, 0);
        assert_int_equal(done(b).added, 6);
        assert_int_equal(drop_one(k, at[i], 200).removed, 1);
        verified(k);
        assert_int_equal(drop_one(k, at[i], 0).removed, 255);
        verified(k);
    }
    assert_int_equal(keep_local_entries(k), 0);
    keep_close(k);
    data_free(&d);
}

static void zones_without_files(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_state st;
    z.test = TEST_RFC5782_IP4;
    struct keep_batch *b = open_batch(k, "add");
    put(b, "127.0.0.2", 2, 0);
    put(b, "203.0.113.1", 2, 0);
    assert_true(done(b).changed);
    verified(k);
    keep_state(k, &st);
    assert_int_equal(st.entries, 2);
    struct view *v = view_of(&z);
    assert_string_equal(answer(v, "203.0.113.1"), "2");
    view_close(v);
    b = open_batch(k, "del");
    drop(b, "127.0.0.2", 0);
    struct keep_commit c = {.source = "del"};
    struct keep_result r;
    struct err err = {0};
    assert_int_equal(keep_batch_commit(b, &c, &r, &err), E_REFUSED);
    keep_batch_close(b);
    /* files that come later need not bring the test point that is there by hand */
    struct data d;
    data_new(&d, 1, DATASET_IP4SET);
    add(&d, 0, "203.0.113.9", value_of(&d, 2, NULL));
    settle(&d);
    assert_true(commit(k, &d).changed);
    add(&d, 0, "127.0.0.1", value_of(&d, 2, NULL));
    settle(&d);
    assert_int_equal(keep_replace(k, &d, &c, &r, &err), E_REFUSED);
    data_free(&d);
    keep_close(k);
    /* with files that were never read nobody may make the zone up */
    struct conf_zone y = zone_new();
    y.data_count = 1;
    k = keep_of(&y);
    assert_int_equal(keep_batch_open(&b, k, &err), E_AGAIN);
    keep_close(k);
}

struct forge {
    unsigned table;
    const char *key, *bytes;
    size_t key_size, size;
};

static int forge_body(struct store_txn *t, void *ctx, struct err *err) {
    const struct forge *f = ctx;
    (void)err;
    return store_put(t, f->table, (struct bytes){(const uint8_t *)f->key, f->key_size},
                     (struct bytes){(const uint8_t *)f->bytes, f->size});
}

/* Damaged files' entries are written anew beside the local ones; damaged local ones go, and the zone is served. */
static void damage(void **state) {
    (void)state;
    static const struct forge how[] = {
        {TABLE_NAMES, "\001\003com", "\200", 5, 1},
        {TABLE_4, "\000\020\300\000", "x", 4, 1},
        {TABLE_JOURNAL, "abc", "x", 3, 1},
        {TABLE_4, "\077\020\313\000", "x", 4, 1},
        {TABLE_DUE, "abc", "x", 3, 1},
    };
    log_open("test", LEVEL_ERROR + 1, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    for (unsigned i = 0; i < ARRAY_SIZE(how); i++) {
        struct conf_zone z = zone_new();
        struct data d;
        struct keep *k = kept(&z, &d);
        bool stays = i < 3;
        put_one(k, "203.0.113.1", 2, 9000);
        drop_one(k, "192.0.2.1", 0);
        assert_int_equal(store_write(k->store, forge_body, (void *)&how[i], NULL), 0);
        struct err err = {0};
        assert_int_equal(keep_verify(k, &err), E_CORRUPT);
        for (uint32_t n = 0; n < 20000; n++) /* a new generation is due */
            assert_int_equal(data_add4(&d, 0, 0x0a000000 + n * 5, 0x0a000000 + n * 5, 1), 0);
        settle(&d);
        assert_true(commit(k, &d).bulk);
        verified(k);
        assert_int_equal(keep_local_entries(k), stays ? 2 : 0);
        struct view *v = view_of(&z);
        assert_string_equal(answer(v, "203.0.113.1"), stays ? "2" : "");
        assert_string_equal(answer(v, "192.0.2.1"), stays ? "" : "3 4");
        view_close(v);
        keep_close(k);
        data_free(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_gives_way), cmocka_unit_test(times),
        cmocka_unit_test(who_made_it),    cmocka_unit_test(bounds_and_refusals),
        cmocka_unit_test(many_values),    cmocka_unit_test(zones_without_files),
        cmocka_unit_test(damage),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
