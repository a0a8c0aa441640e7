/* Couriers: each receiver hears what it does not know, once, also after it was away, and over restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "health/alert/courier.h"
#include "health/alert/memory.h"
#include "resolver/base/bytes.h"

enum { SEEN = 64, PATIENCE_MS = 20000 };

struct play {
    pthread_mutex_t lock;
    uint64_t seen[SEEN];
    size_t count, calls;
    bool fails, hangs, ended;
    sem_t go;
};

static struct play *play_new(void) {
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    pthread_mutex_init(&p->lock, NULL);
    sem_init(&p->go, 0, 0);
    return p;
}

static int take(void *ctx, const struct errand *e, struct courier_news *news) {
    struct play *p = ctx;
    pthread_mutex_lock(&p->lock);
    bool hangs = p->hangs, fails = p->fails;
    p->calls++;
    pthread_mutex_unlock(&p->lock);
    if (hangs)
        sem_wait(&p->go);
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; !fails && i < e->count && p->count < SEEN; i++)
        p->seen[p->count++] = e->news[i]->change;
    pthread_mutex_unlock(&p->lock);
    if (fails)
        text_copy(news->trouble, sizeof news->trouble, "refused");
    return fails ? E_CLOSED : 0;
}

static void gone(void *ctx) {
    struct play *p = ctx;
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    pthread_mutex_unlock(&p->lock);
}

static bool ended(struct play *p) {
    pthread_mutex_lock(&p->lock);
    bool yes = p->ended;
    pthread_mutex_unlock(&p->lock);
    return yes;
}

static size_t seen(struct play *p) {
    pthread_mutex_lock(&p->lock);
    size_t n = p->count;
    pthread_mutex_unlock(&p->lock);
    return n;
}

static size_t calls(struct play *p) {
    pthread_mutex_lock(&p->lock);
    size_t n = p->calls;
    pthread_mutex_unlock(&p->lock);
    return n;
}

#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        int left_ms = PATIENCE_MS;                                                                                     \
        while (!(condition) && left_ms-- > 0)                                                                          \
            usleep(1000);                                                                                              \
        assert_true(condition);                                                                                        \
    } while (0)

static struct courier *start(struct play *p, const char *folder) {
    struct courier *c;
    struct err err;
    assert_int_equal(courier_open(&c, &(struct courier_plan){.folder = folder, .name = "a b/c"}, take, gone, p, &err),
                     0);
    return c;
}

/* Alerts with the given changes; those from `over` on have ended. */
static void offer(struct courier *c, uint64_t newest, const uint64_t *changes, size_t count, size_t over) {
    struct alert_list *l = alert_list_new(count);
    assert_non_null(l);
    l->change = newest;
    for (size_t i = 0; i < count; i++) {
        l->at[i].id = l->at[i].change = changes[i];
        l->at[i].ended_wall_ms = i >= over ? 1 : 0;
    }
    courier_offer(c, l);
    alert_list_unref(l);
}

#define OFFER(c, newest, over, ...)                                                                                    \
    do {                                                                                                               \
        const uint64_t changes[] = {__VA_ARGS__};                                                                      \
        offer(c, newest, changes, ARRAY_SIZE(changes), over);                                                          \
    } while (0)

static void finish(struct courier *c, struct play *p) {
    courier_close(c);
    WAIT_FOR(ended(p));
    free(p);
}

static void test_what_it_does_not_know_in_order(void **state) {
    struct play *p = play_new();
    struct courier *c = start(p, "");
    (void)state;
    OFFER(c, 9, 2, 5, 3, 9); /* 9 has ended: a receiver that is new is not told what was */
    WAIT_FOR(seen(p) == 2);
    assert_int_equal(p->seen[0], 3);
    assert_int_equal(p->seen[1], 5);
    OFFER(c, 12, 1, 5, 3, 12, 11, 9);
    WAIT_FOR(seen(p) == 4);
    assert_int_equal(p->seen[2], 11);
    assert_int_equal(p->seen[3], 12);
    WAIT_FOR(courier_news(c)->alerts == 4);
    assert_int_equal(courier_news(c)->delivered, 2);
    assert_int_equal(courier_news(c)->waiting, 0);
    finish(c, p);
}

static void test_nothing_new_is_nothing_told(void **state) {
    struct play *p = play_new();
    struct courier *c = start(p, "");
    (void)state;
    OFFER(c, 5, 1, 5);
    WAIT_FOR(seen(p) == 1);
    for (int i = 0; i < 20; i++)
        OFFER(c, 5, 1, 5);
    OFFER(c, 6, 2, 5, 6);
    WAIT_FOR(seen(p) == 2);
    assert_int_equal(calls(p), 2);
    finish(c, p);
}

static void test_what_failed_comes_again_with_the_newest(void **state) {
    struct play *p = play_new();
    struct courier *c = start(p, "");
    (void)state;
    p->fails = true;
    OFFER(c, 5, 1, 5);
    WAIT_FOR(courier_news(c)->failed > 0);
    assert_string_equal(courier_news(c)->trouble, "refused");
    assert_int_equal(courier_news(c)->waiting, 1);
    pthread_mutex_lock(&p->lock);
    p->fails = false;
    pthread_mutex_unlock(&p->lock);
    OFFER(c, 7, 1, 6, 7); /* 5 became 6, 7 came and went */
    WAIT_FOR(seen(p) >= 1);
    WAIT_FOR(courier_news(c)->trouble[0] == '\0' && courier_news(c)->waiting == 0);
    finish(c, p);
}

static void test_one_that_hangs_costs_nothing(void **state) {
    struct play *p = play_new();
    struct courier *c = start(p, "");
    (void)state;
    p->hangs = true;
    OFFER(c, 5, 1, 5);
    WAIT_FOR(calls(p) == 1);
    for (uint64_t i = 6; i < 200; i++)
        OFFER(c, i, 1, i);
    WAIT_FOR(courier_news(c)->busy_since_mono_ms != 0);
    courier_close(c); /* leaves it behind */
    assert_false(ended(p));
    pthread_mutex_lock(&p->lock);
    p->hangs = false;
    pthread_mutex_unlock(&p->lock);
    sem_post(&p->go);
    WAIT_FOR(ended(p));
    free(p);
}

static void test_the_mark_outlives_the_process(void **state) {
    char folder[] = "/tmp/candor-courier-XXXXXX", path[128];
    (void)state;
    assert_non_null(mkdtemp(folder));
    struct play *p = play_new();
    struct courier *c = start(p, folder);
    OFFER(c, 5, 1, 5);
    WAIT_FOR(courier_news(c)->delivered == 1);
    finish(c, p);
    p = play_new();
    c = start(p, folder);
    OFFER(c, 8, 1, 5, 8); /* 8 ended meanwhile: it is told, since this receiver is not new */
    WAIT_FOR(seen(p) == 1);
    assert_int_equal(p->seen[0], 8);
    WAIT_FOR(courier_news(c)->delivered == 1);
    finish(c, p);
    p = play_new();
    c = start(p, folder);
    OFFER(c, 2, 1, 2); /* numbers of another life: what holds is told */
    WAIT_FOR(seen(p) == 1);
    finish(c, p);
    (void)snprintf(path, sizeof path, "%s/sink-a_b_c.mark", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static struct alert_list *read_back(struct memory *m) {
    struct alert_list *past = NULL;
    int left_ms = PATIENCE_MS;
    while (!memory_past(m, &past) && left_ms-- > 0)
        usleep(1000);
    assert_true(left_ms > 0);
    return past;
}

static void test_memory(void **state) {
    char folder[] = "/tmp/candor-memory-XXXXXX", path[128];
    struct courier *c;
    struct memory *m;
    struct err err;
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/alerts.json", folder);
    assert_int_equal(memory_open(&c, &m, folder, &err), 0);
    assert_null(read_back(m));
    struct alert_list *l = alert_list_new(1);
    assert_non_null(l);
    l->change = 77;
    l->at[0] = (struct alert){.id = 70, .change = 77, .kind = ALERT_NODES, .news = ALERT_GREW, .total = 12};
    l->at[0].members = strdup("n1\nn2\n");
    text_copy(l->at[0].description, sizeof l->at[0].description, "one\ntwo \"three\"");
    courier_offer(c, l);
    alert_list_unref(l);
    courier_close(c); /* the last word is written, whatever was under way */
    WAIT_FOR(access(path, R_OK) == 0);
    assert_int_equal(memory_open(&c, &m, folder, &err), 0);
    l = read_back(m);
    assert_non_null(l);
    assert_int_equal(l->change, 77);
    assert_int_equal(l->count, 1);
    assert_int_equal(l->at[0].id, 70);
    assert_int_equal(l->at[0].kind, ALERT_NODES);
    assert_int_equal(l->at[0].news, ALERT_GREW);
    assert_int_equal(l->at[0].total, 12);
    assert_string_equal(l->at[0].members, "n1\nn2\n");
    assert_string_equal(l->at[0].description, "one\ntwo \"three\"");
    alert_list_unref(l);
    courier_close(c);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("{\"format\":1,\"alerts\":[", f);
    (void)fclose(f);
    assert_int_equal(memory_open(&c, &m, folder, &err), 0);
    assert_null(read_back(m));
    courier_close(c);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_does_not_know_in_order),
        cmocka_unit_test(test_nothing_new_is_nothing_told),
        cmocka_unit_test(test_what_failed_comes_again_with_the_newest),
        cmocka_unit_test(test_one_that_hangs_costs_nothing),
        cmocka_unit_test(test_the_mark_outlives_the_process),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
