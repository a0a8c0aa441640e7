/* A sink's thread and its letter boxes: order, what is kept and what is dropped, hanging, failing, going. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "health/report/https.h"
#include "resolver/base/bytes.h"

enum { SEEN = 64, PATIENCE_MS = 20000 };

/* What the thread did; the test looks when it is told to. */
struct play {
    pthread_mutex_t lock;
    uint64_t seen[SEEN];
    size_t count;
    bool fails, hangs, inside, ended;
    sem_t go;
};

static int take(void *ctx, const struct report *r, struct sink_news *news) {
    struct play *p = ctx;
    pthread_mutex_lock(&p->lock);
    bool hangs = p->hangs, fails = p->fails;
    p->inside = true;
    pthread_mutex_unlock(&p->lock);
    if (hangs)
        sem_wait(&p->go);
    pthread_mutex_lock(&p->lock);
    p->inside = false;
    if (!fails && p->count < SEEN)
        p->seen[p->count++] = r->sequence;
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

static struct sink *start(struct play *p, size_t keep) {
    struct sink *s;
    struct sink_plan plan = {.keep = keep, .retry_ms = 5};
    struct err err = {.text = ""};
    memset(p->seen, 0, sizeof p->seen);
    p->count = 0;
    p->ended = p->inside = false;
    pthread_mutex_init(&p->lock, NULL);
    sem_init(&p->go, 0, 0);
    assert_int_equal(sink_open(&s, &plan, take, gone, p, &err), 0);
    return s;
}

static void offer(struct sink *s, uint64_t from, uint64_t to) {
    for (uint64_t i = from; i <= to; i++) {
        struct report r = {.node = "n", .boot = 1, .sequence = i, .wall_ms = (int64_t)i};
        sink_offer(s, &r);
    }
}

static bool set(struct play *p, bool *what, bool value) {
    pthread_mutex_lock(&p->lock);
    *what = value;
    pthread_mutex_unlock(&p->lock);
    return value;
}

static bool is(struct play *p, const bool *what) {
    pthread_mutex_lock(&p->lock);
    bool value = *what;
    pthread_mutex_unlock(&p->lock);
    return value;
}

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        int left = PATIENCE_MS;                                                                                        \
        while (!(condition) && left-- > 0)                                                                             \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);                                                   \
        assert_true(condition);                                                                                        \
    } while (0)

static void in_order(void **ctx) {
    (void)ctx;
    struct play p = {.fails = false};
    struct sink *s = start(&p, 50);
    offer(s, 1, 40);
    UNTIL(sink_news(s)->sequence == 40);
    const struct sink_news *n = sink_news(s);
    assert_int_equal(n->results[SINK_DELIVERED], 40);
    assert_int_equal(n->waiting, 0);
    assert_int_equal(n->dropped, 0);
    assert_int_equal(n->oldest_wall_ms, 0);
    assert_true(n->delivered_mono_ms > 0 && n->busy_since_mono_ms == 0);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(p.seen[i], i + 1);
    sink_close(s);
    assert_true(p.ended);
}

static void tried_again_until_it_goes(void **ctx) {
    (void)ctx;
    struct play p = {.fails = true};
    struct sink *s = start(&p, 50);
    offer(s, 1, 3);
    UNTIL(sink_news(s)->results[SINK_FAILED] >= 3 && sink_news(s)->waiting == 3);
    assert_string_equal(sink_news(s)->trouble, "refused");
    assert_int_equal(sink_news(s)->oldest_wall_ms, 1);
    assert_int_equal(sink_news(s)->delivered_mono_ms, 0);
    set(&p, &p.fails, false);
    UNTIL(sink_news(s)->sequence == 3);
    assert_int_equal(p.seen[0], 1);
    assert_int_equal(p.count, 3);
    assert_string_equal(sink_news(s)->trouble, "");
    sink_close(s);
}

/* Whoever only wants what is true now is given the newest. */
static void newest_alone(void **ctx) {
    (void)ctx;
    struct play p = {.fails = true};
    struct sink *s = start(&p, 1);
    offer(s, 1, 9);
    UNTIL(sink_news(s)->results[SINK_FAILED] >= 2);
    offer(s, 10, 10);
    set(&p, &p.fails, false);
    UNTIL(sink_news(s)->sequence == 10);
    assert_int_equal(p.seen[p.count - 1], 10);
    assert_true(p.count <= 2);
    assert_true(sink_news(s)->dropped >= 8);
    sink_close(s);
}

/* The loop goes on, knows that it hangs and how many wait, and no memory runs away. */
static void hanging(void **ctx) {
    (void)ctx;
    struct play p = {.hangs = true};
    struct sink *s = start(&p, 8);
    offer(s, 1, 1);
    UNTIL(is(&p, &p.inside));
    offer(s, 2, 1000);
    const struct sink_news *n = sink_news(s);
    assert_true(n->busy_since_mono_ms > 0);
    assert_true(n->waiting >= 4 && n->waiting <= 9);
    assert_true(n->dropped > 900);
    set(&p, &p.hangs, false);
    sem_post(&p.go);
    UNTIL(sink_news(s)->sequence == 1000 && sink_news(s)->waiting == 0);
    uint64_t dropped = sink_news(s)->dropped, got = p.count;
    assert_int_equal(dropped + got, 1000);
    for (size_t i = 1; i < p.count; i++)
        assert_true(p.seen[i] > p.seen[i - 1]);
    sink_close(s);
}

/* What hangs is left behind; it works on memory that stays. */
static void left_behind(void **ctx) {
    (void)ctx;
    static struct play p = {.hangs = true};
    struct sink *s = start(&p, 8);
    offer(s, 1, 1);
    UNTIL(is(&p, &p.inside));
    sink_close(s);
    assert_false(is(&p, &p.ended));
    sem_post(&p.go);
    UNTIL(is(&p, &p.ended));
}

static void body(void **ctx) {
    (void)ctx;
    struct report r = {.node = "scan1",
                       .version = "0.1.0",
                       .boot = 255,
                       .sequence = 3,
                       .overall = VERDICT_WARN,
                       .ready = true,
                       .cause = "a \"quoted\" \\ cause"};
    memset(r.scope, REPORT_ABSENT, sizeof r.scope);
    r.scope[SCOPE_WORKER] = VERDICT_FAIL;
    char *text = https_body(&r);
    json_error_t e;
    json_t *doc = json_loads(text, 0, &e);
    assert_non_null(doc);
    assert_true(strlen(text) < HTTPS_BODY_MAX);
    assert_string_equal(json_string_value(json_object_get(doc, "cause")), r.cause);
    assert_string_equal(json_string_value(json_object_get(doc, "boot")), "00000000000000ff");
    assert_int_equal(json_object_size(json_object_get(doc, "scopes")), 1);
    json_decref(doc);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),     cmocka_unit_test(tried_again_until_it_goes),
        cmocka_unit_test(newest_alone), cmocka_unit_test(hanging),
        cmocka_unit_test(left_behind),  cmocka_unit_test(body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
