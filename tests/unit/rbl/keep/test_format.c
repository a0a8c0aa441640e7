/* Zones that older code wrote: served as they are, taken over without losing anything, and told apart from what is not
 * known yet. The files are in tests/fixtures. */
#include "tests/unit/rbl/keep/zone.h"

#include "rbl/keep/impl.h"
#include "rbl/keep/walk.h"

/* The fixture as the live generation of a new zone. */
static struct conf_zone zone_from(const char *fixture) {
    struct conf_zone z = zone_new();
    char command[512];
    snprintf(command, sizeof command,
             "d='%s/zones/%s/g1' && mkdir -p \"$d\" && gzip -dc 'tests/fixtures/%s/data.mdb.gz' > \"$d/data.mdb\" && "
             "echo g1 > \"$d/../current\"",
             state_dir, z.name, fixture);
    assert_int_equal(system(command), 0);
    return z;
}

static unsigned hits4(struct view *v, const char *addr, char txt[VALUE_BYTES + 8]) {
    uint8_t a[4];
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned hits;
    assert_int_equal(inet_pton(AF_INET, addr, a), 1);
    assert_int_equal(view_find4(v, VIEW_ALL, get_u32(a), hit, &hits), 0);
    txt[0] = '\0';
    if (hits > 0) {
        struct value value;
        assert_int_equal(view_value(v, hit[0].value, &value), 0);
        assert_int_equal(value.kind, VALUE_LISTED);
        assert_int_equal(value.ttl, 0);
        snprintf(txt, VALUE_BYTES + 8, "%u %s", value.a[3], value.txt);
    }
    return hits;
}

static void answers(struct view *v) {
    struct view_hit hit[LIMIT_ANSWER_RRS];
    struct name n;
    unsigned hits, datasets;
    bool below;
    char txt[VALUE_BYTES + 8];
    uint8_t six[16];
    assert_int_equal(view_begin(v, any(1000000), NULL), 0);
    assert_int_equal(view_apex(v)->ttl, 2100);
    assert_int_equal(view_datasets(v, &datasets)[2].ttl, 600);
    assert_int_equal(datasets, 3);
    assert_int_equal(hits4(v, "192.0.2.1", txt), 1);
    assert_string_equal(txt, "2 listed: $");
    assert_int_equal(hits4(v, "192.0.2.130", txt), 1);
    assert_string_equal(txt, "3 a range, see \"$\"");
    assert_int_equal(hits4(v, "192.0.2.200", txt), 0);
    assert_int_equal(hits4(v, "198.51.100.77", txt), 1);
    assert_string_equal(txt, "4 ");
    assert_int_equal(hits4(v, "203.0.113.8", txt), 0);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::2", six), 1);
    assert_int_equal(view_find6(v, VIEW_ALL, six, hit, &hits), 0);
    assert_int_equal(hits, 1);
    assert_int_equal(name_from_text(&n, "www.example.net.", NULL), 0);
    assert_int_equal(view_find_name(v, VIEW_ALL, &n, hit, &hits, &below), 0);
    assert_int_equal(hits, 1);
    assert_int_equal(hit[0].ttl, 600);
    view_end(v);
}

static unsigned format_of(struct keep *k) { return k->meta->format; }

static int count_entry(void *ctx, const struct keep_entry *e) {
    (void)e;
    ++*(unsigned *)ctx;
    return 0;
}

static int count_change(void *ctx, bool removed, const struct keep_entry *e) {
    (void)e;
    ((unsigned *)ctx)[removed]++;
    return 0;
}

static const struct digest digest_v1 = {.hi = 0x27f687948eab6dd7, .lo = 0xf4554f4dde43ddc0};

/* What version 1 had is all there: digest, serials, history with its changesets. */
static void is_the_zone_of_v1(struct keep *k, unsigned commits) {
    struct keep_history h[8];
    unsigned count, changes[2] = {0, 0};
    struct err err = {0};
    verified(k);
    assert_int_equal(keep_history(k, h, ARRAY_SIZE(h), &count, &err), 0);
    assert_int_equal(count, commits);
    h[0] = h[count - 2];
    assert_int_equal(h[0].serial, 1001);
    assert_string_equal(h[0].source, "files");
    assert_memory_equal(&h[0].digest, &digest_v1, sizeof digest_v1);
    assert_string_equal(h[count - 1].source, "publish");
    assert_string_equal(h[count - 1].reason, "the first");
    if (keep_diff(k, 1000, 1001, count_change, changes, &err) != 0)
        fail_msg("diff: %s", err.text);
    assert_int_equal(changes[0], 2);
    assert_int_equal(changes[1], 1);
}

static void edit_by_hand(struct keep *k, const char *addr) {
    struct keep_commit c = {.source = "add"};
    struct keep_result r;
    struct keep_batch *b;
    struct keep_entry e;
    struct err err = {0};
    memset(&e, 0, sizeof e);
    e.kind = KEEP_4;
    e.bits = 32;
    assert_int_equal(inet_pton(AF_INET, addr, e.addr), 1);
    e.value.a[0] = 127;
    e.value.a[3] = 7;
    e.until_wall_s = 5000000000;
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    assert_int_equal(keep_batch_add(b, &e, &err), 0);
    if (keep_batch_commit(b, &c, &r, &err) != 0)
        fail_msg("commit: %s", err.text);
    assert_true(r.changed);
    keep_batch_close(b);
}

static void v1_is_served_and_taken_over(void **state) {
    (void)state;
    struct conf_zone z = zone_from("zone-v1");
    struct view *v = view_of(&z);
    struct keep_state st;
    struct err err = {0};
    unsigned entries = 0;
    char txt[VALUE_BYTES + 8];
    answers(v);
    struct keep *k;
    if (keep_open_reading(&k, state_dir, &z, &err) != 0) /* looked at from beside, still as it was */
        fail_msg("%s", err.text);
    assert_int_equal(format_of(k), 1);
    is_the_zone_of_v1(k, 2);
    assert_int_equal(keep_walk(k, count_entry, &entries, &err), 0);
    assert_int_equal(entries, 11);
    keep_close(k);
    k = keep_of(&z);
    is_the_zone_of_v1(k, 2);
    keep_state(k, &st);
    assert_int_equal(st.serial, 1001);
    assert_memory_equal(&st.digest, &digest_v1, sizeof digest_v1);
    edit_by_hand(k, "192.0.2.77");
    assert_int_equal(format_of(k), META_FORMAT);
    is_the_zone_of_v1(k, 3);
    answers(v);
    assert_int_equal(view_begin(v, 1, NULL), 0);
    assert_int_equal(hits4(v, "192.0.2.77", txt), 1);
    view_end(v);
    keep_close(k);
    k = keep_of(&z);
    assert_int_equal(format_of(k), META_FORMAT);
    is_the_zone_of_v1(k, 3);
    keep_state(k, &st);
    assert_int_equal(st.serial, 1002);
    assert_int_equal(st.entries, 12);
    keep_close(k);
    view_close(v);
}

/* A new file and times that move make version 2 of it as well. */
static void v1_by_files(void **state) {
    (void)state;
    for (unsigned how = 0; how < 2; how++) {
        struct conf_zone z = zone_from("zone-v1");
        struct keep *k = keep_of(&z);
        struct data d;
        data_new(&d, 3, DATASET_IP4SET, DATASET_IP6TRIE, DATASET_DNSET);
        add(&d, 0, "192.0.2.1", value_of(&d, 2, "listed: $"));
        if (how > 0)
            d.expires_wall_s = 5000000000;
        settle(&d);
        commit(k, &d);
        assert_int_equal(format_of(k), META_FORMAT);
        is_the_zone_of_v1(k, 3);
        if (how > 0) {
            struct keep_state st;
            d.expires_wall_s = 5000000001;
            assert_true(commit(k, &d).changed); /* other nodes have to know when it ends */
            assert_false(commit(k, &d).changed);
            keep_state(k, &st);
            assert_int_equal(st.expires_wall_s, 5000000001);
        }
        data_free(&d);
        keep_close(k);
    }
}

static void v1_compacted(void **state) {
    (void)state;
    struct conf_zone z = zone_from("zone-v1");
    struct view *v = view_of(&z);
    struct keep *k = keep_of(&z);
    struct keep_result r;
    struct err err = {0};
    if (keep_compact(k, &r, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(format_of(k), 1); /* copied as it stands */
    is_the_zone_of_v1(k, 2);
    answers(v);
    view_close(v);
    keep_close(k);
}

static void v1_killed(void **state) {
    (void)state;
    struct conf_zone z = zone_from("zone-v1");
    for (unsigned round = 0; round < 3; round++) { /* opened for writing, and nothing came of it */
        struct keep *k = keep_of(&z);
        assert_int_equal(format_of(k), 1);
        keep_close(k);
        struct view *v = view_of(&z);
        answers(v);
        view_close(v);
    }
}

/* What version 2 brought: subzones, RRs, acl, changes by hand with their times and who made them. */
static void v2_answers(struct view *v) {
    struct view_hit hit[LIMIT_ANSWER_RRS];
    struct value value;
    struct name n;
    struct addr client = {0};
    unsigned hits, datasets;
    bool below;
    char txt[VALUE_BYTES + 8];
    assert_int_equal(view_begin(v, any(1000000), NULL), 0);
    const struct dataset *d = view_datasets(v, &datasets);
    assert_int_equal(datasets, 5);
    assert_int_equal(d[0].sub_count, 0);
    assert_int_equal(d[1].sub_count, 2);
    assert_int_equal(name_from_text(&n, "sub.", NULL), 0);
    assert_memory_equal(d[1].sub[0].wire, n.wire, n.size);
    assert_int_equal(d[1].sub[1].labels, 0);
    assert_int_equal(name_from_text(&n, "mx", NULL), 0);
    assert_int_equal(view_find_name(v, VIEW_ALL, &n, hit, &hits, &below), 0);
    assert_int_equal(hits, 1);
    assert_int_equal(view_value(v, hit[0].value, &value), 0);
    assert_int_equal(value.kind, VALUE_RR);
    assert_int_equal(value.type, 15);
    assert_int_equal(value.ttl, 300);
    assert_memory_equal(value.txt, "\0\012\4mail\0", 8);
    assert_int_equal(view_find_name(v, VIEW_LOCAL | 1 << 2, &n, hit, &hits, &below), 0);
    assert_int_equal(hits, 0);
    client.in.sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, "203.0.113.200", &client.in.sin_addr), 1);
    assert_int_equal(view_find_acl(v, &client, &value), 1);
    assert_int_equal(value.act, ACL_REFUSE);
    assert_int_equal(inet_pton(AF_INET, "203.0.114.200", &client.in.sin_addr), 1);
    assert_int_equal(view_find_acl(v, &client, &value), 0);
    memset(&client, 0, sizeof client);
    client.in6.sin6_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, "::ffff:203.0.113.1", &client.in6.sin6_addr), 1);
    assert_int_equal(view_find_acl(v, &client, &value), 1);
    assert_int_equal(hits4(v, "203.0.113.9", txt), 0); /* an acl lists nobody */
    assert_int_equal(hits4(v, "192.0.2.1", txt), 0);
    assert_int_equal(hits4(v, "192.0.2.130", txt), 1);
    assert_int_equal(view_find4(v, 1, 0xc0000201, hit, &hits), 0); /* without what was made by hand */
    assert_int_equal(hits, 1);
    assert_int_equal(view_find4(v, VIEW_ALL, 0xc000024d, hit, &hits), 0);
    assert_int_equal(hits, 1);
    assert_int_equal(hit[0].dataset, DATASET_LOCAL);
    assert_int_equal(view_value(v, hit[0].value, &value), 0);
    assert_int_equal(value.ttl, 60);
    view_end(v);
}

static void v2_is_served(void **state) {
    (void)state;
    static const struct digest digest_v2 = {.hi = 0x51b03828dc13e291, .lo = 0xfa5982730a04875f};
    struct conf_zone z = zone_from("zone-v2");
    struct view *v = view_of(&z);
    struct keep *k = keep_of(&z);
    struct keep_match m[4];
    struct addr a = {0};
    struct keep_state st;
    unsigned count, changes[2] = {0, 0};
    struct err err = {0};
    v2_answers(v);
    verified(k);
    keep_state(k, &st);
    assert_int_equal(st.serial, 1002);
    assert_int_equal(st.entries, 15);
    assert_memory_equal(&st.digest, &digest_v2, sizeof digest_v2);
    a.in.sin_family = AF_INET;
    put_u32((uint8_t *)&a.in.sin_addr, 0xc000024d);
    assert_int_equal(keep_why_addr(k, &a, m, ARRAY_SIZE(m), &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(m[0].until_wall_s, 5000000000);
    assert_string_equal(m[0].since_source, "update key.example.");
    put_u32((uint8_t *)&a.in.sin_addr, 0xc0000201);
    assert_int_equal(keep_why_addr(k, &a, m, ARRAY_SIZE(m), &count, &err), 0);
    assert_int_equal(count, 2);
    assert_true(m[0].excluded && m[0].local && m[1].silenced);
    assert_string_equal(m[0].since_source, "del");
    if (keep_diff(k, 1000, 1002, count_change, changes, &err) != 0)
        fail_msg("diff: %s", err.text);
    assert_int_equal(changes[0], 4);
    assert_int_equal(changes[1], 1);
    edit_by_hand(k, "192.0.2.78");
    verified(k);
    v2_answers(v);
    keep_close(k);
    view_close(v);
}

static int forge_format(struct store_txn *t, void *ctx, struct err *err) {
    struct bytes key = {(const uint8_t *)"zone", 4}, record;
    uint8_t copy[256];
    (void)err;
    assert_int_equal(store_get(t, TABLE_META, key, &record), 0);
    memcpy(copy, record.at, record.size);
    put_u16(copy + 4, *(const uint16_t *)ctx);
    return store_put(t, TABLE_META, key, (struct bytes){copy, record.size});
}

static void later_versions(void **state) {
    (void)state;
    static const uint16_t formats[] = {META_FORMAT + 1, 0, 65535};
    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        struct conf_zone z = zone_from("zone-v1");
        struct keep *k = keep_of(&z);
        struct view *v;
        struct err err = {0};
        uint16_t format = formats[i];
        char both[2][40];
        snprintf(both[0], sizeof both[0], "format %u,", format);
        snprintf(both[1], sizeof both[1], "reads %d to %d", META_FORMAT_OLDEST, META_FORMAT);
        assert_int_equal(store_write(k->store, forge_format, &format, &err), 0);
        keep_close(k);
        assert_int_equal(keep_open(&k, state_dir, &z, &err), E_UNSUPPORTED);
        assert_non_null(strstr(err.text, both[0]));
        assert_non_null(strstr(err.text, both[1]));
        assert_int_equal(view_open(&v, state_dir, z.name, &err), E_UNSUPPORTED);
        assert_non_null(strstr(err.text, both[0]));
        assert_int_equal(keep_open_reading(&k, state_dir, &z, &err), E_UNSUPPORTED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1_is_served_and_taken_over),
        cmocka_unit_test(v1_by_files),
        cmocka_unit_test(v1_compacted),
        cmocka_unit_test(v1_killed),
        cmocka_unit_test(later_versions),
        cmocka_unit_test(v2_is_served),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
