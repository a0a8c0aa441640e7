/* A zone told as RRs answers as the zone does: random zones of all types, a resolver after RFC 4592, many questions. */
#include "rbl/keep/walk.h"
#include "tests/unit/rbl/records/random.h"

enum { ZONES = 30, ENTRIES = 60, ASKS = 600 };

static void local_edits(const struct conf_zone *z, unsigned count) {
    struct keep *k = keep_of(z);
    struct keep_batch *b;
    struct keep_result r;
    struct err err = {.text = ""};
    const struct keep_commit c = {.source = "test", .force = true};
    static const unsigned lengths[] = {8, 16, 20, 24, 26, 32, 32};
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    for (unsigned i = 0; i < count; i++) {
        struct keep_entry e = {.kind = KEEP_4, .bits = (uint8_t)lengths[any(7)], .excluded = any(3) == 0};
        uint32_t a = some_addr() & (uint32_t)(0xffffffff00000000ull >> e.bits);
        put_u32(e.addr, a);
        e.value = (struct value){.kind = VALUE_LISTED, .a = {127, 0, 0, (uint8_t)(20 + any(2))}, .ttl = 90};
        if (keep_batch_add(b, &e, &err) < 0)
            fail_msg("%s", err.text);
    }
    if (keep_batch_commit(b, &c, &r, &err) < 0)
        fail_msg("%s", err.text);
    keep_batch_close(b);
    keep_close(k);
}

/* A and TXT and others that the zone itself says, as lines "type hex", sorted. */
struct lines {
    char at[64][80];
    unsigned count;
};

static int compare_lines(const void *a, const void *b) { return strcmp(a, b); }

static void line(struct lines *l, unsigned type, const uint8_t *rdata, size_t size) {
    char text[80];
    int at = snprintf(text, sizeof text, "%u ", type);
    for (size_t i = 0; i < size && at < 70; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%02x", rdata[i]);
    for (unsigned i = 0; i < l->count; i++)
        if (strcmp(l->at[i], text) == 0)
            return;
    assert_true(l->count < 64);
    strcpy(l->at[l->count++], text);
}

static void take_hits(struct lines *l, struct view *v, const struct view_hit *hit, unsigned hits) {
    for (unsigned i = 0; i < hits; i++) {
        struct value value;
        uint8_t txt[256];
        assert_int_equal(view_value(v, hit[i].value, &value), 0);
        if (value.kind == VALUE_RR) {
            line(l, value.type, (const uint8_t *)value.txt, value.txt_size);
            continue;
        }
        line(l, TYPE_A, value.a, 4);
        if (!value.has_txt)
            continue;
        txt[0] = (uint8_t)value.txt_size;
        for (unsigned k = 0; k < value.txt_size; k++)
            txt[1 + k] = value.txt[k] == '\0' ? '$' : (uint8_t)value.txt[k];
        line(l, TYPE_TXT, txt, 1u + value.txt_size);
    }
}

static void said_by_zone(struct lines *l, struct view *v, const uint8_t *addr, unsigned family, const char *name) {
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned hits = 0;
    struct name n;
    bool below;
    l->count = 0;
    if (family == 4)
        assert_int_equal(view_find4(v, VIEW_ALL, get_u32(addr), hit, &hits), 0);
    else if (family == 6)
        assert_int_equal(view_find6(v, VIEW_ALL, addr, hit, &hits), 0);
    take_hits(l, v, hit, hits);
    assert_int_equal(name_from_text(&n, name, NULL), 0);
    hits = 0;
    assert_int_equal(view_find_name(v, VIEW_ALL, &n, hit, &hits, &below), 0);
    take_hits(l, v, hit, hits);
    qsort(l->at, l->count, sizeof l->at[0], compare_lines);
}

static void said_by_set(struct lines *l, const struct set *s, const struct name *apex, const char *name) {
    struct name q;
    size_t found[64], count;
    char text[NAME_TEXT_MAX], zone[NAME_TEXT_MAX];
    snprintf(text, sizeof text, "%s.%s", name, name_text(apex, zone));
    assert_int_equal(name_from_text(&q, text, NULL), 0);
    l->count = 0;
    count = set_ask(s, apex, &q, found);
    for (size_t i = 0; i < count; i++)
        if (s->at[found[i]].type != TYPE_HINFO)
            line(l, s->at[found[i]].type, s->at[found[i]].rdata, s->at[found[i]].size);
    qsort(l->at, l->count, sizeof l->at[0], compare_lines);
}

static void compare_answers(struct view *v, const struct set *s, const struct name *apex, const uint8_t *addr,
                            unsigned family, const char *name) {
    struct lines a, b;
    said_by_zone(&a, v, addr, family, name);
    said_by_set(&b, s, apex, name);
    bool same = a.count == b.count;
    for (unsigned i = 0; i < a.count && same; i++)
        same = strcmp(a.at[i], b.at[i]) == 0;
    if (same)
        return;
    for (unsigned i = 0; i < a.count; i++)
        print_message("  zone: %s\n", a.at[i]);
    for (unsigned i = 0; i < b.count; i++)
        print_message("  RRs:  %s\n", b.at[i]);
    fail_msg("%s", name);
}

static void name4(char to[64], uint32_t a) {
    snprintf(to, 64, "%u.%u.%u.%u", a & 255, a >> 8 & 255, a >> 16 & 255, a >> 24);
}

static void name6(char to[72], const uint8_t a[16]) {
    for (unsigned i = 0; i < 16; i++)
        snprintf(to + 4 * i, 5, "%x.%x%s", a[15 - i] & 15, a[15 - i] >> 4, i < 15 ? "." : "");
}

static void ask_all(const struct conf_zone *z, bool names_alone) {
    struct set s;
    struct name apex;
    struct view *v = view_of(z);
    struct err err;
    set_walk(&s, state_dir, z);
    assert_int_equal(name_from_text(&apex, z->name, NULL), 0);
    assert_int_equal(view_begin(v, 1, &err), 0);
    for (unsigned i = 0; i < ASKS; i++) {
        char name[80];
        uint8_t addr[16];
        put_u32(addr, some_addr());
        name4(name, get_u32(addr));
        if (!names_alone)
            compare_answers(v, &s, &apex, addr, 4, name);
        some_addr6(addr);
        name6(name, addr);
        if (!names_alone)
            compare_answers(v, &s, &apex, addr, 6, name);
        some_name(name, true);
        if (names_alone)
            compare_answers(v, &s, &apex, addr, 0, name);
    }
    view_end(v);
    view_close(v);
    set_free(&s);
}

static void random_zones(const enum conf_dataset_type *types, unsigned count, bool local, bool names_alone) {
    for (unsigned i = 0; i < ZONES; i++) {
        struct conf_zone z = zone_new();
        struct keep *k = keep_of(&z);
        struct data d;
        data_new(&d, 0);
        for (unsigned t = 0; t < count; t++) {
            d.dataset[t].type = types[t];
            d.dataset[t].ttl = any(2) ? 300 : 0;
        }
        d.dataset_count = count;
        for (unsigned t = 0; t < count; t++)
            fill(&d, t, types[t], 1 + any(ENTRIES));
        settle(&d);
        commit(k, &d);
        keep_close(k);
        data_free(&d);
        if (local)
            local_edits(&z, 1 + any(12));
        ask_all(&z, names_alone);
    }
}

static void test_tries_answer_alike(void **state) {
    (void)state;
    random_zones((const enum conf_dataset_type[]){DATASET_IP4TRIE}, 1, false, false);
}

static void test_sets_answer_alike(void **state) {
    (void)state;
    random_zones((const enum conf_dataset_type[]){DATASET_IP4SET}, 1, false, false);
}

static void test_ip6_answers_alike(void **state) {
    (void)state;
    random_zones((const enum conf_dataset_type[]){DATASET_IP6TRIE}, 1, false, false);
}

static void test_datasets_add_up_alike(void **state) {
    (void)state;
    random_zones((const enum conf_dataset_type[]){DATASET_IP4TRIE, DATASET_IP6TRIE, DATASET_IP4SET}, 3, false, false);
}

static void test_what_is_done_by_hand_answers_alike(void **state) {
    (void)state;
    random_zones((const enum conf_dataset_type[]){DATASET_IP4TRIE, DATASET_IP4SET}, 2, true, false);
}

static void test_names_answer_alike(void **state) {
    (void)state;
    random_zones((const enum conf_dataset_type[]){DATASET_DNSET, DATASET_GENERIC}, 2, false, true);
}

static void test_names_beside_addresses_answer_alike(void **state) {
    (void)state;
    random_zones((const enum conf_dataset_type[]){DATASET_IP4TRIE, DATASET_GENERIC, DATASET_DNSET}, 3, true, false);
}

int main(void) {
#define T(t) cmocka_unit_test_setup_teardown(t, make_state, drop_state)
    const struct CMUnitTest tests[] = {
        T(test_tries_answer_alike),
        T(test_sets_answer_alike),
        T(test_ip6_answers_alike),
        T(test_datasets_add_up_alike),
        T(test_what_is_done_by_hand_answers_alike),
        T(test_names_answer_alike),
        T(test_names_beside_addresses_answer_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
