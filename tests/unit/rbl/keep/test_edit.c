/* Batches against a model: what is listed at each place after any sequence of edits, marks, rewinds and commits; the
 * digest recomputed after each; and a view that must answer as the raw entries say. */
#include "tests/unit/rbl/keep/zone.h"

#include "rbl/keep/walk.h"

enum { PLACES = 22, VALUES = 6 };

static const char *const places[PLACES] = {
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.0/24",
    "192.0.0.0/16",
    "192.0.0.0/12",
    "198.51.100.7",
    "198.51.100.0/25",
    "198.51.100.0/24",
    "203.0.113.9",
    "203.0.113.0/24",
    "2001:db8::1",
    "2001:db8::/64",
    "2001:db8::/32",
    "2001:db8:0:1::/64",
    "example.com",
    "*.example.com",
    "a.example.com",
    "*.a.example.com",
    "*.com",
    "b.a.example.com",
    "test.example.net",
    "*.",
};

struct model {
    bool is[PLACES][VALUES];
    int64_t until[PLACES][VALUES];
    bool file[PLACES][VALUES];
};

static struct value value_at(unsigned i) {
    struct value v;
    memset(&v, 0, sizeof v);
    v.a[0] = 127;
    v.a[3] = (uint8_t)(2 + i);
    if (i == 2) {
        v.ttl = 77;
    } else if (i == 3) {
        v = (struct value){.kind = VALUE_RR, .type = 16, .ttl = 300, .txt_size = 400};
        memset(v.txt, 'x', 400);
    } else if (i >= 4) {
        v.has_txt = true;
        v.txt_size = (uint16_t)(i * 20);
        memset(v.txt, 'a' + (int)i, v.txt_size);
    }
    return v;
}

static struct keep_entry entry_at(unsigned p) {
    struct keep_entry e;
    char text[64];
    memset(&e, 0, sizeof e);
    text_copy(text, sizeof text, places[p]);
    char *slash = strchr(text, '/');
    if (slash != NULL)
        *slash = '\0';
    if (inet_pton(AF_INET, text, e.addr) == 1) {
        e.kind = KEEP_4;
        e.bits = slash != NULL ? (uint8_t)atoi(slash + 1) : 32;
    } else if (inet_pton(AF_INET6, text, e.addr) == 1) {
        e.kind = KEEP_6;
        e.bits = slash != NULL ? (uint8_t)atoi(slash + 1) : 128;
    } else {
        e.kind = KEEP_NAME;
        e.bits = text[0] == '*';
        assert_int_equal(name_from_text(&e.name, text[0] != '*' ? text : text[2] == '\0' ? "." : text + 2, NULL), 0);
    }
    return e;
}

static void files(struct data *d, struct model *m) {
    data_new(d, 3, DATASET_IP4SET, DATASET_IP6TRIE, DATASET_DNSET);
    for (unsigned p = 0; p < PLACES; p++)
        for (unsigned i = 0; i < VALUES; i++) {
            struct keep_entry e = entry_at(p);
            struct value v = value_at(i);
            uint32_t id;
            bool one = e.kind == KEEP_6; /* a trie has one value a prefix */
            if (any(4) != 0 || i == 3 || i == 2)
                continue;
            for (unsigned k = 0; one && k < i; k++)
                one = !m->file[p][k];
            if (e.kind == KEEP_6 && !one)
                continue;
            assert_int_equal(data_value(d, &v, &id), 0);
            add(d, e.kind == KEEP_4 ? 0 : e.kind == KEEP_6 ? 1 : 2, places[p], id);
            m->is[p][i] = m->file[p][i] = true;
        }
    settle(d);
}

/* What a batch says is there is what the model has. */
static void same_places(struct keep_batch *b, const struct model *m) {
    for (unsigned p = 0; p < PLACES; p++) {
        struct keep_entry at = entry_at(p), found[VALUES];
        unsigned count, wanted = 0;
        assert_int_equal(keep_batch_at(b, &at, found, VALUES, &count, NULL), 0);
        for (unsigned i = 0; i < VALUES; i++) {
            struct value v = value_at(i);
            unsigned hits = 0;
            wanted += m->is[p][i];
            for (unsigned k = 0; k < count && k < VALUES; k++)
                if (value_same(&found[k].value, &v)) {
                    hits++;
                    assert_int_equal(found[k].until_wall_s, m->until[p][i]);
                }
            assert_int_equal(hits, m->is[p][i]);
        }
        assert_int_equal(count, wanted);
    }
}

/* --- the raw entries, and what they answer --- */
struct raw {
    struct keep_entry e[512];
    unsigned count;
};

static int take_raw(void *ctx, const struct keep_entry *e) {
    struct raw *r = ctx;
    assert_true(r->count < ARRAY_SIZE(r->e));
    r->e[r->count++] = *e;
    return 0;
}

static bool covers_addr(const struct keep_entry *e, const uint8_t *a) {
    for (unsigned bit = 0; bit < e->bits; bit++)
        if ((e->addr[bit / 8] ^ a[bit / 8]) >> (7 - bit % 8) & 1)
            return false;
    return true;
}

/* How specific the entry is for the question, as look.h weighs; -1: it says nothing of it. */
static int specific(const struct keep_entry *e, const struct keep_entry *q) {
    if (e->kind != q->kind)
        return -1;
    if (e->kind != KEEP_NAME)
        return covers_addr(e, q->addr) ? e->bits : -1;
    unsigned more = (unsigned)(q->name.size - e->name.size);
    if (q->name.size < e->name.size || memcmp(q->name.wire + more, e->name.wire, e->name.size) != 0)
        return -1;
    return more == 0 ? (e->bits ? -1 : 1000) : (e->bits ? e->name.labels : -1);
}

static unsigned class_of(const struct keep_entry *e, int s) {
    return e->kind == KEEP_4 ? entry_class4((unsigned)s) : (unsigned)s;
}

/* Values as strings of bits: the answer's set. */
static unsigned model_answer(const struct raw *r, const struct keep_entry *q, unsigned n_of[VALUES]) {
    int silenced = -1, local = -1, best[LIMIT_DATASETS];
    unsigned total = 0;
    for (unsigned d = 0; d < LIMIT_DATASETS; d++)
        best[d] = -1;
    for (unsigned i = 0; i < r->count; i++) {
        int s = specific(&r->e[i], q);
        unsigned d = r->e[i].dataset;
        if (d == DATASET_LOCAL && r->e[i].excluded)
            silenced = s > silenced ? s : silenced;
        else if (d == DATASET_LOCAL)
            local = s > local ? s : local;
        else
            best[d] = s > best[d] ? s : best[d];
    }
    memset(n_of, 0, VALUES * sizeof *n_of);
    for (unsigned i = 0; i < r->count; i++) {
        const struct keep_entry *e = &r->e[i];
        int s = specific(e, q);
        bool takes = e->dataset == DATASET_LOCAL
                         ? !e->excluded && s >= 0 && s == local && s >= silenced
                         : s >= 0 && s > silenced && class_of(e, s) == class_of(e, best[e->dataset]);
        for (unsigned k = 0; takes && k < VALUES; k++) {
            struct value v = value_at(k);
            n_of[k] += value_same(&v, &e->value);
        }
        total += takes;
    }
    return total;
}

static void same_answers(struct view *v, struct keep *k) {
    struct raw *r = calloc(1, sizeof *r);
    struct err err = {0};
    assert_int_equal(keep_walk(k, take_raw, r, &err), 0);
    assert_int_equal(view_begin(v, any(1000000), &err), 0);
    for (unsigned p = 0; p < PLACES; p++) {
        struct keep_entry q = entry_at(p);
        struct view_hit hit[LIMIT_ANSWER_RRS];
        unsigned hits, wanted, n_of[VALUES], got[VALUES] = {0};
        bool below;
        if (q.kind == KEEP_NAME) { /* something beneath a wildcard */
            if (q.bits)
                assert_int_equal(name_from_text(&q.name, places[p][2] == '\0' ? "x" : "x.example.com", NULL), 0);
            q.bits = 0;
            assert_int_equal(view_find_name(v, VIEW_ALL, &q.name, hit, &hits, &below), 0);
        } else if (q.kind == KEEP_4) {
            q.addr[3] |= q.bits < 32 ? 3 : 0;
            assert_int_equal(view_find4(v, VIEW_ALL, get_u32(q.addr), hit, &hits), 0);
        } else {
            q.addr[15] |= q.bits < 128 ? 3 : 0;
            assert_int_equal(view_find6(v, VIEW_ALL, q.addr, hit, &hits), 0);
        }
        wanted = model_answer(r, &q, n_of);
        assert_int_equal(hits, wanted);
        for (unsigned i = 0; i < hits; i++) {
            struct value value;
            assert_int_equal(view_value(v, hit[i].value, &value), 0);
            for (unsigned n = 0; n < VALUES; n++) {
                struct value one = value_at(n);
                got[n] += value_same(&one, &value);
            }
        }
        assert_memory_equal(got, n_of, sizeof got);
    }
    view_end(v);
    free(r);
}

static void random_edit(struct keep_batch *b, struct model *m) {
    unsigned p = any(PLACES), i = any(VALUES);
    struct keep_entry e = entry_at(p);
    struct err err = {0};
    e.value = value_at(i);
    switch (any(5)) {
    case 0:
        assert_int_equal(keep_batch_remove(b, &e, false, &err), 0);
        m->is[p][i] = false;
        m->until[p][i] = 0;
        break;
    case 1:
        assert_int_equal(keep_batch_remove(b, &e, true, &err), 0);
        memset(m->is[p], 0, sizeof m->is[p]);
        memset(m->until[p], 0, sizeof m->until[p]);
        break;
    default:
        e.until_wall_s = any(3) == 0 ? 5000000000 + any(5) : 0;
        assert_int_equal(keep_batch_add(b, &e, &err), 0);
        struct keep_entry found[VALUES];
        unsigned count;
        assert_int_equal(keep_batch_at(b, &e, found, VALUES, &count, &err), 0);
        m->is[p][i] = true;
        m->until[p][i] = e.until_wall_s;
        for (unsigned k = 0; k < count; k++) /* what the files list stays whatever the time */
            if (value_same(&found[k].value, &e.value) && found[k].dataset != DATASET_LOCAL)
                m->until[p][i] = 0;
    }
}

static void batch_commit(struct keep_batch *b, struct keep_result *r) {
    struct keep_commit c = {.source = "test"};
    struct err err = {0};
    if (keep_batch_commit(b, &c, r, &err) != 0)
        fail_msg("commit: %s", err.text);
}

static void equals_the_model(void **state) {
    (void)state;
    for (unsigned zone = 0; zone < 12; zone++) {
        struct conf_zone z = zone_new();
        struct keep *k = keep_of(&z);
        struct data d;
        struct model m = {0};
        files(&d, &m);
        commit(k, &d);
        struct view *v = view_of(&z);
        for (unsigned round = 0; round < 40; round++) {
            struct keep_batch *b;
            struct keep_result r;
            struct keep_state before, after;
            assert_int_equal(keep_batch_open(&b, k, NULL), 0);
            keep_batch_source(b, round % 2 ? "update key.example." : "add");
            for (unsigned n = any(20); n-- > 0;) {
                struct model was = m;
                size_t mark = keep_batch_mark(b);
                for (unsigned i = any(4); i-- > 0;)
                    random_edit(b, &m);
                if (any(3) == 0) {
                    keep_batch_rewind(b, mark);
                    m = was;
                }
            }
            same_places(b, &m);
            keep_state(k, &before);
            batch_commit(b, &r);
            keep_state(k, &after);
            assert_int_equal(after.serial, before.serial + r.changed);
            assert_int_equal(after.entries, before.entries + r.added - r.removed);
            same_places(b, &m);
            keep_batch_close(b);
            verified(k);
            same_answers(v, k);
            if (any(8) == 0) {
                keep_close(k);
                k = keep_of(&z);
            }
            if (any(8) == 0) { /* the same files again, and others: local entries stay */
                uint64_t local = keep_local_entries(k);
                keep_state(k, &before);
                assert_false(commit(k, &d).changed);
                keep_state(k, &after);
                assert_int_equal(before.serial, after.serial);
                assert_int_equal(local, keep_local_entries(k));
            }
        }
        view_close(v);
        keep_close(k);
        data_free(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_model),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
