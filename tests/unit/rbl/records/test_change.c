/* Differences of RRs out of the journal, whole transfers in, and differences in: what was sent is what is there. */
#include "rbl/keep/stream.h"
#include "rbl/keep/walk.h"
#include "tests/unit/rbl/records/random.h"

enum { ROUNDS = 20, STEPS = 5, ENTRIES = 40 };

static uint32_t serial_of(const struct conf_zone *z) {
    struct keep *k = keep_of(z);
    struct keep_state st;
    keep_state(k, &st);
    keep_close(k);
    return st.serial;
}

/* Some entries come and some go, in the local dataset. */
static void edit_some(const struct conf_zone *z, unsigned count, bool names) {
    struct keep *k = keep_of(z);
    struct keep_batch *b;
    struct keep_result r;
    struct err err = {.text = ""};
    const struct keep_commit c = {.source = "test", .force = true};
    static const unsigned lengths[] = {8, 16, 20, 24, 26, 32, 32, 32};
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    for (unsigned i = 0; i < count; i++) {
        struct keep_entry e = {.kind = KEEP_4, .bits = (uint8_t)lengths[any(8)], .excluded = any(4) == 0};
        uint32_t a = some_addr() & (uint32_t)(0xffffffff00000000ull >> e.bits);
        put_u32(e.addr, a);
        if (names && any(2)) {
            char text[64];
            some_name(text, digits);
            e.kind = KEEP_NAME;
            e.bits = any(2) == 0;
            assert_int_equal(name_from_text(&e.name, text, NULL), 0);
        } else if (any(4) == 0) {
            e.kind = KEEP_6;
            e.bits = (uint8_t)(16 + any(113));
            some_addr6(e.addr);
            for (unsigned bit = e.bits; bit < 128; bit++)
                e.addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
        }
        e.value = (struct value){.kind = VALUE_LISTED, .a = {127, 0, 0, (uint8_t)(20 + any(2))}, .ttl = ttls ? 90 : 0};
        if (any(2)) {
            e.value.has_txt = true;
            e.value.txt_size = 4;
            memcpy(e.value.txt, "is $", 4);
        }
        if (any(3) == 0 ? keep_batch_remove(b, &e, true, &err) < 0 : keep_batch_add(b, &e, &err) < 0)
            fail_msg("%s", err.text);
    }
    if (keep_batch_commit(b, &c, &r, &err) < 0)
        fail_msg("%s", err.text);
    keep_batch_close(b);
    keep_close(k);
}

static struct conf_zone some_zone(const enum conf_dataset_type *types, unsigned count, unsigned entries) {
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct data d;
    data_new(&d, 0);
    for (unsigned t = 0; t < count; t++)
        d.dataset[t].type = types[t];
    d.dataset_count = count;
    for (unsigned t = 0; t < count; t++)
        fill(&d, t, types[t], 1 + any(entries));
    settle(&d);
    commit(k, &d);
    keep_close(k);
    data_free(&d);
    return z;
}

/* --- out --- */

static void check_diff(const struct conf_zone *z, const struct set *old, uint32_t from) {
    struct set was = {.count = 0}, is;
    struct keep *k;
    struct records_diff *d = NULL;
    struct records_rr rr;
    struct err err = {.text = ""};
    bool removed, added = false;
    int rc;
    set_walk(&is, state_dir, z);
    for (size_t i = 0; i < old->count; i++) {
        rr = set_get(old, i);
        set_add(&was, &rr);
    }
    if (keep_open_reading(&k, state_dir, z, &err) < 0 || records_diff_open(&d, k, from, &err) < 0)
        fail_msg("diff: %s", err.text);
    while ((rc = records_diff_next(d, &removed, &rr, &err)) > 0) {
        if (removed) {
            assert_false(added); /* what goes comes first */
            if (!set_drop(&was, &rr)) {
                struct set one = {.count = 0};
                set_add(&one, &rr);
                fail_msg("goes, was not there: %s", set_text(&one.at[0]));
            }
        } else {
            added = true;
            set_add(&was, &rr);
        }
    }
    assert_int_equal(rc, 0);
    records_diff_close(d);
    keep_close(k);
    set_sort(&was);
    set_same(&was, &is, "old + difference, new");
    set_free(&was);
    set_free(&is);
}

static void random_diffs(const enum conf_dataset_type *types, unsigned count, bool names) {
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct conf_zone z = some_zone(types, count, ENTRIES);
        uint32_t from = serial_of(&z);
        struct set old;
        set_walk(&old, state_dir, &z);
        for (unsigned s = 0; s < STEPS; s++) {
            edit_some(&z, 1 + any(5), names);
            check_diff(&z, &old, from);
        }
        set_free(&old);
    }
}

static void test_diffs_of_a_trie(void **state) {
    (void)state;
    random_diffs((const enum conf_dataset_type[]){DATASET_IP4TRIE}, 1, false);
}

static void test_diffs_of_many(void **state) {
    (void)state;
    random_diffs((const enum conf_dataset_type[]){DATASET_IP4SET, DATASET_IP6TRIE, DATASET_DNSET}, 3, true);
}

static void test_diff_of_a_new_version(void **state) {
    (void)state;
    for (unsigned i = 0; i < ROUNDS / 2; i++) {
        struct conf_zone z = some_zone((const enum conf_dataset_type[]){DATASET_IP4TRIE, DATASET_GENERIC}, 2, ENTRIES);
        uint32_t from = serial_of(&z);
        struct set old;
        set_walk(&old, state_dir, &z);
        struct keep *k = keep_of(&z);
        struct data d;
        data_new(&d, 2, DATASET_IP4TRIE, DATASET_GENERIC);
        fill(&d, 0, DATASET_IP4TRIE, 1 + any(ENTRIES));
        fill(&d, 1, DATASET_GENERIC, 1 + any(ENTRIES));
        settle(&d);
        commit(k, &d);
        keep_close(k);
        data_free(&d);
        if (serial_of(&z) != from)
            check_diff(&z, &old, from);
        set_free(&old);
    }
}

/* --- in --- */

static struct records_rr soa_rr(const struct conf_zone *z, uint32_t serial) {
    static uint8_t rdata[2 + 20];
    struct records_rr rr = {.type = TYPE_SOA, .ttl = 300, .rdata = {rdata, sizeof rdata}};
    assert_int_equal(name_from_text(&rr.owner, z->name, NULL), 0);
    memset(rdata, 0, sizeof rdata);
    put_u32(rdata + 2, serial);
    put_u32(rdata + 18, 60);
    return rr;
}

/* The zone becomes what the RRs say, as by AXFR. */
static void transfer_in(const struct conf_zone *z, const struct conf_zone *from, const struct set *s, uint32_t serial,
                        uint64_t *entries) {
    struct records_in *in;
    struct data *d;
    struct keep_result r;
    struct err err = {.text = ""};
    const struct keep_commit c = {
        .source = "test", .force = true, .whole = true, .serial_hint = serial, .exact_serial = true};
    struct records_rr rr = soa_rr(from, serial);
    if (records_in_open(&in, z, &err) < 0 || records_in_add(in, &rr, &err) < 0)
        fail_msg("in: %s", err.text);
    for (size_t i = 0; i < s->count; i++) {
        rr = set_get(s, i);
        if (records_in_add(in, &rr, &err) < 0)
            fail_msg("in: %s", err.text);
    }
    if (records_in_data(in, &d, &err) < 0)
        fail_msg("in: %s", err.text);
    *entries = data_entries(d);
    struct keep *k = keep_of(z);
    if (keep_replace(k, d, &c, &r, &err) < 0)
        fail_msg("in: %s", err.text);
    keep_close(k);
    records_in_close(in);
}

/* A second zone of the same name in another folder. */
static char other_dir[80];
static struct conf_zone other_zone(const struct conf_zone *z) {
    struct conf_zone o = *z;
    snprintf(other_dir, sizeof other_dir, "%s/other", state_dir);
    return o;
}

static void as_other(char saved[64]) {
    memcpy(saved, state_dir, 64);
    memcpy(state_dir, other_dir, 64);
}

static void round_trip(const struct conf_zone *z, bool compact) {
    struct conf_zone o = other_zone(z);
    char saved[64];
    struct set sent, got;
    uint64_t entries, had;
    set_walk(&sent, state_dir, z);
    struct keep *k = keep_of(z);
    struct keep_state st;
    keep_state(k, &st);
    had = st.entries;
    keep_close(k);
    as_other(saved);
    transfer_in(&o, z, &sent, st.serial, &entries);
    set_walk(&got, state_dir, &o);
    memcpy(state_dir, saved, 64);
    set_same(&sent, &got, "sent, got");
    if (compact && entries > had)
        fail_msg("%llu entries became %llu", (unsigned long long)had, (unsigned long long)entries);
    set_free(&sent);
    set_free(&got);
}

static void random_trips(const enum conf_dataset_type *types, unsigned count, bool compact) {
    ttls = false;   /* a listing has one TTL for A and TXT */
    digits = false; /* who gets a name that looks like an address takes it for one */
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct conf_zone z = some_zone(types, count, ENTRIES);
        round_trip(&z, compact);
    }
}

static void test_a_trie_there_and_back(void **state) {
    (void)state;
    random_trips((const enum conf_dataset_type[]){DATASET_IP4TRIE}, 1, false);
}

static void test_ip6_there_and_back(void **state) {
    (void)state;
    random_trips((const enum conf_dataset_type[]){DATASET_IP6TRIE}, 1, false);
}

static void test_names_there_and_back(void **state) {
    (void)state;
    random_trips((const enum conf_dataset_type[]){DATASET_DNSET}, 1, false);
}

static void test_all_there_and_back(void **state) {
    (void)state;
    random_trips((const enum conf_dataset_type[]){DATASET_IP4SET, DATASET_IP6TRIE, DATASET_DNSET, DATASET_GENERIC}, 4,
                 false);
}

/* --- differences in --- */

static int apply(const struct conf_zone *o, const struct set *old, const struct set *new, uint32_t serial) {
    struct keep *k = keep_of(o);
    struct keep_batch *b;
    struct records_edit *e;
    struct keep_result r;
    struct err err = {.text = ""};
    const struct keep_commit c = {.source = "test", .force = true, .serial_hint = serial, .exact_serial = true};
    int rc = keep_batch_open(&b, k, &err);
    assert_int_equal(rc, 0);
    assert_int_equal(records_edit_open(&e, o, b, &err), 0);
    for (size_t i = 0, n = 0; i < old->count || n < new->count;) {
        int order = i == old->count ? 1 : n == new->count ? -1 : set_compare_rr(&old->at[i], &new->at[n]);
        struct records_rr rr = order < 0 ? set_get(old, i) : order > 0 ? set_get(new, n) : set_get(old, i);
        if (order < 0)
            rc = records_edit_remove(e, &rr, &err);
        else if (order > 0)
            rc = records_edit_add(e, &rr, &err);
        assert_int_equal(rc, 0);
        i += order <= 0;
        n += order >= 0;
    }
    rc = records_edit_finish(e, &err);
    if (rc == 0)
        rc = keep_batch_commit(b, &c, &r, &err);
    if (rc < 0 && rc != E_INVALID)
        fail_msg("edit: %s", err.text);
    records_edit_close(e);
    keep_batch_close(b);
    keep_close(k);
    return rc;
}

static unsigned fell_back, applied;

static void random_edits(const enum conf_dataset_type *types, unsigned count, bool names) {
    fell_back = applied = 0;
    digits = ttls = false;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct conf_zone z = some_zone(types, count, ENTRIES), o = other_zone(&z);
        struct set old, new, got;
        char saved[64];
        uint64_t entries;
        set_walk(&old, state_dir, &z);
        as_other(saved);
        transfer_in(&o, &z, &old, 1, &entries);
        memcpy(state_dir, saved, 64);
        for (unsigned s = 0; s < STEPS; s++) {
            edit_some(&z, 1 + any(4), names);
            set_walk(&new, state_dir, &z);
            as_other(saved);
            int rc = apply(&o, &old, &new, 2 + s);
            applied += rc == 0;
            fell_back += rc < 0;
            if (rc < 0)
                transfer_in(&o, &z, &new, 2 + s, &entries);
            set_walk(&got, state_dir, &o);
            memcpy(state_dir, saved, 64);
            set_same(&new, &got, "sent, got by difference");
            set_free(&got);
            set_free(&old);
            old = new;
        }
        set_free(&old);
    }
    print_message("  %u differences taken, %u wanted the whole zone\n", applied, fell_back);
    assert_true(fell_back * 10 < applied);
}

static void test_edits_of_a_trie(void **state) {
    (void)state;
    random_edits((const enum conf_dataset_type[]){DATASET_IP4TRIE}, 1, false);
}

static void test_edits_of_many(void **state) {
    (void)state;
    random_edits((const enum conf_dataset_type[]){DATASET_IP4SET, DATASET_IP6TRIE, DATASET_DNSET}, 3, true);
}

int main(void) {
#define T(t) cmocka_unit_test_setup_teardown(t, make_state, drop_state)
    const struct CMUnitTest tests[] = {
        T(test_diffs_of_a_trie),       T(test_diffs_of_many),      T(test_diff_of_a_new_version),
        T(test_a_trie_there_and_back), T(test_ip6_there_and_back), T(test_names_there_and_back),
        T(test_all_there_and_back),    T(test_edits_of_a_trie),    T(test_edits_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
