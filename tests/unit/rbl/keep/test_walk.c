/* Reading a kept zone from beside: all entries, and what changed between two serials, against plain sets. */
#include "tests/unit/rbl/keep/zone.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "rbl/keep/walk.h"

enum { LINE = 400, LINES = 20000 };

/* A sorted set of lines, each an entry as text. */
struct set {
    char (*line)[LINE];
    unsigned count;
};

static int compare(const void *a, const void *b) { return strcmp(a, b); }
static void set_new(struct set *s) {
    s->count = 0;
    s->line = calloc(LINES, LINE);
    assert_non_null(s->line);
}
static void set_sort(struct set *s) { qsort(s->line, s->count, LINE, compare); }

static void describe(char to[LINE], unsigned dataset, enum keep_kind kind, unsigned bits, const void *at, size_t size,
                     const struct value *v) {
    char value[VALUE_TEXT_MAX] = "!";
    size_t n = (size_t)snprintf(to, LINE, "%u %d/%u ", dataset, kind, bits);
    for (size_t i = 0; i < size && n + 3 < LINE; i++)
        n += (size_t)snprintf(to + n, LINE - n, "%02x", ((const uint8_t *)at)[i]);
    if (v != NULL)
        value_text(v, value);
    snprintf(to + n, LINE - n, " %.200s", value);
}

static const struct value *value_or_none(const struct data *d, uint32_t id) {
    return id == VALUE_EXCLUDED ? NULL : &d->value[id];
}

static void set_of_data(struct set *s, const struct data *d) {
    set_new(s);
    assert_true(data_entries(d) <= LINES);
    for (size_t i = 0; i < d->n4; i++) {
        uint8_t a[4];
        put_u32(a, d->e4[i].addr);
        describe(s->line[s->count++], d->e4[i].dataset, KEEP_4, d->e4[i].bits, a, 4, value_or_none(d, d->e4[i].value));
    }
    for (size_t i = 0; i < d->n6; i++)
        describe(s->line[s->count++], d->e6[i].dataset, KEEP_6, d->e6[i].bits, d->e6[i].addr, 16,
                 value_or_none(d, d->e6[i].value));
    for (size_t i = 0; i < d->nn; i++)
        describe(s->line[s->count++], d->en[i].dataset, KEEP_NAME, d->en[i].wildcard, d->en[i].name, d->en[i].size,
                 value_or_none(d, d->en[i].value));
    set_sort(s);
}

/* Labels the other way round, as the model has them. */
static size_t reverse(const struct name *n, uint8_t to[255]) {
    size_t end = n->size - 1u;
    assert_int_equal(n->wire[end], 0);
    for (size_t at = 0; at < end; at += n->wire[at] + 1u)
        memcpy(to + end - at - n->wire[at] - 1u, n->wire + at, n->wire[at] + 1u);
    return end;
}

static void set_add_entry(struct set *s, const struct keep_entry *e) {
    uint8_t reversed[255];
    const void *at = e->addr;
    size_t size = e->kind == KEEP_4 ? 4 : 16;
    assert_true(s->count < LINES);
    if (e->kind == KEEP_NAME) {
        size = reverse(&e->name, reversed);
        at = reversed;
    }
    describe(s->line[s->count++], e->dataset, e->kind, e->bits, at, size, e->excluded ? NULL : &e->value);
}

static int on_walk(void *ctx, const struct keep_entry *e) {
    set_add_entry(ctx, e);
    return 0;
}

struct told {
    struct set added, removed;
};
static int on_diff(void *ctx, bool removed, const struct keep_entry *e) {
    struct told *t = ctx;
    set_add_entry(removed ? &t->removed : &t->added, e);
    return 0;
}

static void same(const struct set *a, const struct set *b, const char *what) {
    for (unsigned i = 0; i < a->count && i < b->count; i++)
        if (strcmp(a->line[i], b->line[i]) != 0)
            fail_msg("%s: \"%s\" and \"%s\"", what, a->line[i], b->line[i]);
    assert_int_equal(a->count, b->count);
}

/* The lines of `a` that `b` has not. */
static void minus(struct set *to, const struct set *a, const struct set *b) {
    set_new(to);
    for (unsigned i = 0; i < a->count; i++)
        if (b->count == 0 || bsearch(a->line[i], b->line, b->count, LINE, compare) == NULL)
            memcpy(to->line[to->count++], a->line[i], LINE);
}

static void random_data(struct data *d) {
    char text[80];
    data_new(d, 4, DATASET_IP4SET, DATASET_IP6TRIE, DATASET_DNSET, DATASET_IP4TRIE);
    uint32_t v[4] = {value_of(d, 2, "two $"), value_of(d, 3, "three"), value_of(d, 4, NULL), value_of(d, 5, "")};
    for (unsigned i = 0; i < 400; i++) {
        uint32_t value = v[any(4)];
        const char *no = any(8) == 0 ? "!" : "";
        snprintf(text, sizeof text, "%s10.%u.%u.%u/%u", no, any(3), any(4), any(4) * 16, 20 + any(9));
        if (any(3) != 0)
            snprintf(text, sizeof text, "%s10.0.%u.%u", no, any(4), any(64));
        add(d, any(2) * 3, text, value);
        snprintf(text, sizeof text, "%s2001:db8:%x::%x/%u", no, any(3), any(8), any(3) == 0 ? 128 : 20 + any(109));
        add(d, 1, text, value);
        snprintf(text, sizeof text, "%s%sn%u.e%u.example", no, any(2) ? "*." : "", any(20), any(5));
        add(d, 2, text, value);
    }
    for (size_t i = 0; i < d->n6; i++) /* host bits */
        for (unsigned b = d->e6[i].bits; b < 128; b++)
            d->e6[i].addr[b / 8] &= (uint8_t) ~(0x80 >> b % 8);
    settle(d);
}

static struct keep *reading_of(const struct conf_zone *z) {
    struct keep *k = NULL;
    struct err err = {0};
    if (keep_open_reading(&k, state_dir, z, &err) != 0)
        fail_msg("keep_open_reading: %s", err.text);
    return k;
}

static void walk_tells_everything(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z), *beside = NULL;
    struct err err = {0};
    assert_int_equal(keep_open_reading(&beside, state_dir, &z, &err), E_NOTFOUND);
    assert_null(beside);
    for (unsigned round = 0; round < 6; round++) {
        struct data d;
        struct set model, found;
        random_data(&d);
        commit(k, &d);
        /* the keeper itself walks while nobody else has the store open: one process, one environment */
        set_new(&found);
        assert_int_equal(keep_walk(k, on_walk, &found, &err), 0);
        set_of_data(&model, &d);
        set_sort(&found);
        same(&model, &found, "walk");
        free(found.line), free(model.line);
        data_free(&d);
    }
    keep_close(k);
}

static int stop_at_third(void *ctx, const struct keep_entry *e) {
    (void)e;
    return ++*(unsigned *)ctx == 3 ? E_NOTFOUND : 0;
}

static void walk_stops_when_told(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct data d;
    unsigned n = 0;
    assert_int_equal(keep_walk(k, stop_at_third, &n, NULL), 0);
    random_data(&d);
    commit(k, &d);
    assert_int_equal(keep_walk(k, stop_at_third, &n, NULL), E_NOTFOUND); /* the caller's, not the table's end */
    assert_int_equal(n, 3);
    verified(k); /* and the handle is free again */
    data_free(&d);
    keep_close(k);
}

static int take_times(void *ctx, const struct keep_entry *e) {
    int64_t *time = ctx;
    time[e->kind] = e->until_wall_s;
    return 0;
}

static void times_by_hand_are_told(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_batch *b;
    struct keep_result r;
    struct keep_commit c = {.source = "add"};
    struct keep_entry e[] = {{.kind = KEEP_4, .bits = 24, .addr = {192, 0, 2}, .until_wall_s = 5000000001},
                             {.kind = KEEP_6, .bits = 32, .addr = {0x20, 1, 0x0d, 0xb8}},
                             {.kind = KEEP_NAME, .bits = 1, .excluded = true, .until_wall_s = 5000000002}};
    int64_t time[3] = {-1, -1, -1};
    assert_int_equal(name_from_text(&e[KEEP_NAME].name, "example.com", NULL), 0);
    assert_int_equal(keep_batch_open(&b, k, NULL), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(keep_batch_add(b, &e[i], NULL), 0);
    assert_int_equal(keep_batch_commit(b, &c, &r, NULL), 0);
    keep_batch_close(b);
    assert_int_equal(keep_walk(k, take_times, time, NULL), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(time[i], e[i].until_wall_s);
    keep_close(k);
}

/* All pairs of serials, both ways, against the difference of the sets. */
static void diff_is_netted(void **state) {
    (void)state;
    enum { VERSIONS = 7 };
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct err err = {0};
    struct set version[VERSIONS];
    struct data d;
    for (uint32_t n = 0; n < VERSIONS; n++) {
        struct keep_commit c = {.source = "test", .serial_hint = 100 + n};
        struct keep_result r;
        random_data(&d);
        if (n == 4)
            d.ttl = 77; /* the apex moves as well */
        assert_int_equal(keep_replace(k, &d, &c, &r, &err), 0);
        assert_int_equal(r.bulk, n == 0);
        set_of_data(&version[n], &d);
        data_free(&d);
    }
    unsigned told = 0;
    for (uint32_t a = 0; a < VERSIONS; a++)
        for (uint32_t b = 0; b < VERSIONS; b++) {
            struct told t;
            struct set plus, less;
            set_new(&t.added), set_new(&t.removed);
            if (keep_diff(k, 100 + a, 100 + b, on_diff, &t, &err) != 0)
                fail_msg("%u to %u: %s", a, b, err.text);
            set_sort(&t.added), set_sort(&t.removed);
            minus(&plus, &version[b], &version[a]);
            minus(&less, &version[a], &version[b]);
            same(&plus, &t.added, "added");
            same(&less, &t.removed, "removed");
            told += plus.count + less.count;
            free(plus.line), free(less.line), free(t.added.line), free(t.removed.line);
        }
    assert_true(told > 1000);
    for (unsigned n = 0; n < VERSIONS; n++)
        free(version[n].line);
    keep_close(k);
}

static void one_entry(struct data *d, unsigned last) {
    data_new(d, 1, DATASET_IP4SET);
    uint32_t v = value_of(d, 2, "x");
    assert_int_equal(data_add4(d, 0, 0x0a000000 + last, 0x0a000000 + last, v), 0);
    settle(d);
}

static int count_diff(void *ctx, bool removed, const struct keep_entry *e) {
    ((unsigned *)ctx)[removed]++;
    assert_int_equal(e->kind, KEEP_4);
    return 0;
}
static int stop_diff(void *ctx, bool removed, const struct keep_entry *e) {
    (void)ctx, (void)removed, (void)e;
    return E_NOTFOUND;
}

static void diff_says_how_far_it_reaches(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    z.journal = 1100;
    struct keep *k = keep_of(&z);
    struct err err = {0};
    unsigned n[2] = {0, 0};
    assert_int_equal(keep_diff(k, 1, 2, count_diff, n, &err), E_NOTFOUND);
    for (uint32_t i = 1; i <= 40; i++) {
        struct data d;
        struct keep_commit c = {.source = "test", .serial_hint = i};
        struct keep_result r;
        one_entry(&d, i);
        assert_int_equal(keep_replace(k, &d, &c, &r, NULL), 0);
        data_free(&d);
    }
    assert_int_equal(keep_diff(k, 39, 40, count_diff, n, &err), 0);
    assert_int_equal(n[0] * 100 + n[1], 101);
    assert_int_equal(keep_diff(k, 40, 40, count_diff, n, &err), 0);
    assert_int_equal(n[0] * 100 + n[1], 101);
    assert_int_equal(keep_diff(k, 2, 40, count_diff, n, &err), E_NOTFOUND);
    unsigned since = 0, back = 0;
    assert_int_equal(sscanf(strstr(err.text, "since"),
                            "since serial %u are not in the journal: it reaches back to serial %u", &since, &back),
                     2);
    assert_int_equal(since, 2);
    assert_true(back > 30 && back < 40);
    assert_int_equal(keep_diff(k, back, 40, count_diff, n, &err), 0); /* what it says is so */
    assert_int_equal(n[0] * 100 + n[1], 202);
    assert_int_equal(keep_diff(k, back - 1, 40, count_diff, n, &err), E_NOTFOUND);
    assert_int_equal(keep_diff(k, 40, 41, count_diff, n, &err), E_NOTFOUND);
    assert_int_equal(n[0] * 100 + n[1], 202); /* nothing was told before it was known that all is there */
    assert_int_equal(keep_diff(k, 39, 40, stop_diff, NULL, &err), E_NOTFOUND);
    keep_close(k);
}

/* More changes than are added up at a time. Each of three versions moves a third of a million addresses; the last one
 * moves the first ones back. */
static void diff_of_very_many(void **state) {
    (void)state;
    enum { STEADY = 1600000, MOVING = 180000 };
    struct conf_zone z = zone_new();
    z.journal = 1u << 30;
    struct keep *k = keep_of(&z);
    for (uint32_t n = 1; n <= 4; n++) {
        struct data d;
        struct keep_commit c = {.source = "test", .serial_hint = n};
        struct keep_result r;
        data_new(&d, 1, DATASET_IP4SET);
        uint32_t v = value_of(&d, 2, "x");
        for (uint32_t i = 0; i < STEADY; i++)
            assert_int_equal(data_add4(&d, 0, 0x0a000000 + i * 2, 0x0a000000 + i * 2, v), 0);
        for (uint32_t i = 0; i < MOVING; i++) {
            uint32_t a = 0x20000000 + (n % 3) * 0x1000000 + i * 7;
            assert_int_equal(data_add4(&d, 0, a, a, v), 0);
        }
        settle(&d);
        assert_int_equal(keep_replace(k, &d, &c, &r, NULL), 0);
        assert_int_equal(r.bulk, n == 1);
        data_free(&d);
    }
    unsigned n[2] = {0, 0};
    assert_int_equal(keep_diff(k, 1, 4, count_diff, n, NULL), 0); /* there and back again, over a million changes */
    assert_int_equal(n[0] + n[1], 0);
    assert_int_equal(keep_diff(k, 1, 3, count_diff, n, NULL), 0);
    assert_int_equal(n[0], MOVING);
    assert_int_equal(n[1], MOVING);
    assert_int_equal(keep_diff(k, 4, 2, count_diff, n, NULL), 0);
    assert_int_equal(n[0], 2 * MOVING);
    assert_int_equal(n[1], 2 * MOVING);
    keep_close(k);
}

static unsigned files_in(const struct conf_zone *z) {
    char path[200];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/zones/%s", state_dir, z->name);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* In a process of its own, as the operator's command is. */
static void reading_changes_nothing(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct data d;
    char path[200];
    random_data(&d);
    commit(k, &d);
    keep_close(k);
    snprintf(path, sizeof path, "%s/zones/%s/g7.new", state_dir, z.name); /* somebody is making a new one */
    assert_int_equal(mkdir(path, 0700), 0);
    unsigned before = files_in(&z);
    struct keep *r = reading_of(&z);
    struct keep_commit c = {.source = "test"};
    struct keep_result result;
    struct keep_state st;
    struct keep_history h[4];
    unsigned n;
    struct err err = {0};
    assert_int_equal(keep_replace(r, &d, &c, &result, &err), E_DENIED);
    verified(r);
    keep_state(r, &st);
    assert_int_equal(st.entries, data_entries(&d));
    assert_int_equal(keep_history(r, h, 4, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(files_in(&z), before);
    keep_close(r);
    assert_int_equal(files_in(&z), before);
    data_free(&d);
}

static void reading_follows_the_keeper(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    int go[2], back[2];
    char c = 0;
    struct data d;
    random_data(&d);
    assert_int_equal(pipe(go) | pipe(back), 0);
    pid_t pid = fork();
    if (pid == 0) { /* the keeper: a commit for every word, the third one a new generation */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(go[1]);
        struct keep *k = keep_of(&z);
        for (unsigned i = 0; i < 3; i++) {
            if (read(go[0], &c, 1) != 1)
                _exit(1);
            struct data next;
            data_new(&next, 1, DATASET_IP4SET);
            uint32_t v = value_of(&next, 2, "x");
            for (uint32_t a = 0; a < (i == 2 ? 30000u : 10u + i); a++)
                if (data_add4(&next, 0, a * 5, a * 5, v) != 0)
                    _exit(1);
            settle(&next);
            if (commit(k, &next).bulk != (i != 1) || write(back[1], "x", 1) != 1)
                _exit(1);
            data_free(&next);
        }
        (void)!read(go[0], &c, 1);
        _exit(0);
    }
    struct keep *r = NULL;
    for (unsigned i = 0; i < 3; i++) {
        struct err err = {0};
        struct keep_state st;
        struct keep_history h[8];
        unsigned n;
        assert_int_equal(write(go[1], "g", 1), 1);
        assert_int_equal(read(back[0], &c, 1), 1);
        if (r == NULL)
            r = reading_of(&z);
        assert_int_equal(keep_history(r, h, 8, &n, &err), 0);
        assert_int_equal(n, i + 1);
        keep_state(r, &st);
        assert_int_equal(st.entries, i == 2 ? 30000 : 10 + i);
        assert_int_equal(st.serial, h[0].serial);
    }
    keep_close(r);
    close(go[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(go[0]), close(back[0]), close(back[1]);
    data_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walk_tells_everything),        cmocka_unit_test(walk_stops_when_told),
        cmocka_unit_test(times_by_hand_are_told),       cmocka_unit_test(diff_is_netted),
        cmocka_unit_test(diff_says_how_far_it_reaches), cmocka_unit_test(diff_of_very_many),
        cmocka_unit_test(reading_changes_nothing),      cmocka_unit_test(reading_follows_the_keeper),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
