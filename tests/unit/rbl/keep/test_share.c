/* Readers on threads of the writer's process: each sees one commit for as long as it is open, while commits, growth,
 * new generations and compaction go on, and the locks of the environment stay whole. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "rbl/keep/impl.h"
#include "rbl/keep/stream.h"
#include "rbl/keep/walk.h"
#include "zone.h"

static struct keep *shared_of(struct keep *k) {
    struct keep *r = NULL;
    struct err err = {0};
    if (keep_share(k, &r, &err) != 0)
        fail_msg("keep_share: %s", err.text);
    return r;
}

static struct keep_state state_of(const struct keep *k) {
    struct keep_state st;
    keep_state(k, &st);
    return st;
}

static void fill(struct data *d, unsigned count, uint32_t from) {
    data_new(d, 1, DATASET_IP4TRIE);
    uint32_t v = value_of(d, 2, "listed");
    add(d, 0, "127.0.0.2", v);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(data_add4(d, 0, from + 3 * i, from + 3 * i, v), 0);
    settle(d);
}

static void commit_entries(struct keep *k, unsigned count, uint32_t from) {
    struct data d;
    fill(&d, count, from);
    (void)commit(k, &d);
    data_free(&d);
}

static void add_one(struct keep *k, uint32_t addr) {
    struct keep_entry e = {.kind = KEEP_4, .bits = 32, .value = {.a = {127, 0, 0, 2}}};
    struct keep_commit c = {.source = "test"};
    struct keep_result r;
    struct keep_batch *b;
    struct err err = {0};
    put_u32(e.addr, addr);
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    assert_int_equal(keep_batch_add(b, &e, &err), 0);
    assert_int_equal(keep_batch_commit(b, &c, &r, &err), 0);
    keep_batch_close(b);
}

static int count_one(void *ctx, const struct keep_entry *e) {
    (void)e;
    ++*(uint64_t *)ctx;
    return 0;
}

static uint64_t walked(struct keep *r) {
    struct err err = {0};
    uint64_t n = 0;
    if (keep_walk(r, count_one, &n, &err) != 0)
        fail_msg("keep_walk: %s", err.text);
    return n;
}

static void nothing_yet(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z), *r;
    struct err err = {0};
    assert_int_equal(keep_share(k, &r, &err), E_NOTFOUND);
    assert_null(r);
    keep_close(k);
}

static void sees_one_commit(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_result res;
    struct err err = {0};
    commit_entries(k, 1000, 0x0a000000);
    struct keep *r = shared_of(k);
    struct keep_state before = state_of(r);
    assert_int_equal(before.serial, state_of(k).serial);
    add_one(k, 0xc0000201);
    assert_int_equal(walked(r), 1001);
    assert_int_equal(state_of(r).serial, before.serial);
    verified(r);
    commit_entries(k, 30000, 0x0a000000); /* a new generation */
    assert_string_not_equal(state_of(k).generation, before.generation);
    assert_int_equal(walked(r), 1001);
    verified(r);
    struct keep *r2 = shared_of(k);
    assert_int_equal(walked(r2), 30002);
    assert_int_equal(keep_compact(k, &res, &err), 0);
    struct keep *r3 = shared_of(k);
    assert_int_equal(walked(r3), 30002);
    assert_int_equal(keep_replace(r3, NULL, NULL, &res, &err), E_DENIED);
    keep_close(r);
    add_one(k, 0xc0000202);
    keep_close(k); /* the readers outlive the writer */
    assert_int_equal(walked(r2), 30002);
    assert_int_equal(walked(r3), 30002);
    verified(r3);
    keep_close(r2);
    keep_close(r3);
}

/* Nested use: a walk inside of a walk, of the same handle. */
static int walk_inside(void *ctx, const struct keep_entry *e) {
    struct keep *r = ctx;
    (void)e;
    assert_int_equal(walked(r), 11);
    return 0;
}

static void nested(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct err err = {0};
    commit_entries(k, 10, 0x0a000000);
    struct keep *r = shared_of(k);
    assert_int_equal(keep_walk(r, walk_inside, r, &err), 0);
    keep_close(r);
    keep_close(k);
}

struct reading {
    struct keep *k;
    _Atomic bool stop;
    _Atomic unsigned rounds, wrong;
};

static void *read_on(void *ctx) {
    struct reading *x = ctx;
    while (!atomic_load(&x->stop)) {
        struct keep *r;
        struct err err = {0};
        int rc = keep_share(x->k, &r, &err);
        if (rc != 0) {
            atomic_fetch_add(&x->wrong, rc != E_NOTFOUND);
            continue;
        }
        struct keep_state st;
        uint64_t n = 0;
        keep_state(r, &st);
        if (keep_walk(r, count_one, &n, &err) != 0 || n != st.entries || keep_verify(r, &err) != 0)
            atomic_fetch_add(&x->wrong, 1);
        keep_close(r);
        atomic_fetch_add(&x->rounds, 1);
    }
    return NULL;
}

/* The slots of the reader table that this process has beside those in use go back: none is lost. */
static void threads_beside_the_writer(void **state) {
    (void)state;
    enum { THREADS = 3, ROUNDS = 60 };
    struct conf_zone z = zone_new();
    struct reading x = {.k = keep_of(&z)};
    pthread_t thread[THREADS];
    struct keep_result res;
    struct store_stat st;
    struct err err = {0};
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_on, &x), 0);
    for (unsigned i = 0; i < ROUNDS || atomic_load(&x.rounds) < ROUNDS; i++) {
        if (i % 10 == 3)
            commit_entries(x.k, 500 + any(40000), any(0) >> 4);
        else if (i % 10 == 7 && i < 500)
            assert_int_equal(keep_compact(x.k, &res, &err), 0);
        else if (state_of(x.k).empty)
            commit_entries(x.k, 100, 0x0a000000);
        else
            add_one(x.k, any(0));
    }
    atomic_store(&x.stop, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&x.wrong), 0);
    verified(x.k);
    assert_int_equal(keep_stat(x.k, &st, &err), 0);
    assert_true(st.readers <= 1);
    keep_close(x.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_yet),
        cmocka_unit_test(sees_one_commit),
        cmocka_unit_test(nested),
        cmocka_unit_test(threads_beside_the_writer),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
