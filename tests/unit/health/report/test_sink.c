/* A sink's thread and its letter boxes: order, what is kept and what is dropped, hanging, failing, going. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "health/report/body.h"
#include "health/report/sink.h"
#include "health/report/spool.h"
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

static int take(void *ctx, const struct notice *n, struct sink_news *news) {
    const struct report *r = n->report;
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
        struct report r = {.node = "n", .version = "1", .boot = 1, .sequence = i, .wall_ms = (int64_t)i};
        sink_offer(s, &r, NULL, NULL);
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
    char *text = body_report(&r);
    json_error_t e;
    json_t *doc = json_loads(text, 0, &e);
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "cause")), r.cause);
    assert_string_equal(json_string_value(json_object_get(doc, "boot")), "00000000000000ff");
    assert_int_equal(json_object_size(json_object_get(doc, "scopes")), 1);
    json_decref(doc);
    free(text);
}

/* --- events and what stays on disk */

enum { NOTED = 400 };
struct diary {
    pthread_mutex_t lock;
    uint64_t event[NOTED], report[NOTED], lost;
    size_t events, reports, calls;
    bool fails, detail;
};

static int write_down(void *ctx, const struct notice *n, struct sink_news *news) {
    struct diary *d = ctx;
    pthread_mutex_lock(&d->lock);
    bool fails = d->fails;
    d->calls++;
    d->detail |= n->detail != NULL && strcmp(n->detail->json, "{}") == 0;
    for (size_t i = 0; !fails && i < n->events && d->events < NOTED; i++)
        d->event[d->events++] = n->event[i]->sequence;
    if (!fails && n->report != NULL && d->reports < NOTED)
        d->report[d->reports++] = n->report->sequence;
    d->lost += fails ? 0 : n->events_lost;
    pthread_mutex_unlock(&d->lock);
    if (fails)
        text_copy(news->trouble, sizeof news->trouble, "refused");
    return fails ? E_CLOSED : 0;
}

static void nothing(void *ctx) { (void)ctx; }

static void happen(struct events *e, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct event one = {.sequence = e->sequence + 1,
                            .boot = 7,
                            .wall_ms = 1000 + i,
                            .kind = EVENT_CHECK,
                            .what = "a check",
                            .cause = "x"};
        assert_true(events_add(e, &one));
    }
}

static void clean(const char *folder) {
    char path[256];
    static const char *const ends[] = {"reports", "mark"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/sink-play_1.%s", folder, ends[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static struct sink *open_diary(struct diary *d, const char *folder, bool anew) {
    struct sink *s;
    struct err err = {.text = ""};
    struct sink_plan plan = {
        .keep = 50, .retry_ms = 5, .events = true, .events_anew = anew, .folder = folder, .name = "play@1"};
    pthread_mutex_init(&d->lock, NULL);
    assert_int_equal(sink_open(&s, &plan, write_down, nothing, d, &err), 0);
    return s;
}

static void offer_all(struct sink *s, struct events *e, uint64_t sequence) {
    struct report r = {.node = "n", .version = "1", .boot = 1, .sequence = sequence, .wall_ms = 5};
    struct detail *d = detail_make("{}", 2);
    sink_offer(s, &r, e->list, d);
    detail_unref(d);
}

/* More than one notice holds, over a failing time and another life of the process: each once, none left out. */
static void events_once_in_order(void **ctx) {
    (void)ctx;
    char folder[] = "/tmp/candor-sink-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct events e;
    assert_int_equal(events_open(&e), 0);
    struct diary d = {.fails = true};
    struct sink *s = open_diary(&d, folder, false);
    happen(&e, 300);
    offer_all(s, &e, 1);
    offer_all(s, &e, 2);
    UNTIL(sink_news(s)->results[SINK_FAILED] >= 2 && sink_news(s)->waiting == 2);
    assert_int_equal(sink_news(s)->events_waiting, 300);
    sink_close(s); /* the process ends; nothing was delivered */
    d.fails = false;
    s = open_diary(&d, folder, false);
    offer_all(s, &e, 3);
    UNTIL(sink_news(s)->events_waiting == 0 && sink_news(s)->waiting == 0 && sink_news(s)->event_sequence == 300);
    happen(&e, 5);
    offer_all(s, &e, 4);
    UNTIL(sink_news(s)->event_sequence == 305 && sink_news(s)->sequence == 4);
    sink_close(s);
    assert_int_equal(d.events, 305);
    for (size_t i = 0; i < d.events; i++)
        assert_int_equal(d.event[i], i + 1);
    assert_int_equal(d.reports, 4);
    for (size_t i = 0; i < d.reports; i++)
        assert_int_equal(d.report[i], i + 1);
    assert_true(d.detail);
    assert_int_equal(d.lost, 0);
    s = open_diary(&d, folder, false); /* another life: what went does not go again */
    offer_all(s, &e, 5);
    UNTIL(sink_news(s)->sequence == 5);
    sink_close(s);
    assert_int_equal(d.events, 305);
    events_close(&e);
    clean(folder);
}

/* Somebody who is told from now on: not what happened before, but all of what happens after, also over a restart. */
static void events_from_now_on(void **ctx) {
    (void)ctx;
    char folder[] = "/tmp/candor-sink-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct events e;
    assert_int_equal(events_open(&e), 0);
    struct diary d = {.fails = false};
    happen(&e, 10);
    struct sink *s = open_diary(&d, folder, true);
    offer_all(s, &e, 1);
    UNTIL(sink_news(s)->sequence == 1);
    sink_close(s);
    assert_int_equal(d.events, 0);
    happen(&e, 2);
    s = open_diary(&d, folder, true);
    offer_all(s, &e, 2);
    UNTIL(sink_news(s)->event_sequence == 12);
    sink_close(s);
    assert_int_equal(d.events, 2);
    assert_int_equal(d.event[0], 11);
    events_close(&e);
    clean(folder);
}

/* What the ledger had to forget is counted; numbers that begin anew are another life of it. */
static void events_lost_and_anew(void **ctx) {
    (void)ctx;
    char folder[] = "/tmp/candor-sink-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct events e, other;
    assert_int_equal(events_open(&e), 0);
    assert_int_equal(events_open(&other), 0);
    struct diary d = {.fails = false};
    struct sink *s = open_diary(&d, folder, false);
    happen(&e, 1);
    offer_all(s, &e, 1);
    UNTIL(sink_news(s)->event_sequence == 1);
    pthread_mutex_lock(&d.lock);
    d.events = 0;
    pthread_mutex_unlock(&d.lock);
    happen(&e, EVENTS_PER_PAGE * EVENTS_PAGES + 100);
    uint64_t newest = event_list_at(e.list, 0)->sequence, oldest = newest - event_list_count(e.list) + 1;
    offer_all(s, &e, 2);
    UNTIL(sink_news(s)->event_sequence == newest);
    assert_int_equal(d.lost, oldest - 2);
    assert_int_equal(sink_news(s)->events_dropped, oldest - 2);
    assert_int_equal(d.event[0], oldest);
    happen(&other, 3);
    offer_all(s, &other, 3);
    UNTIL(sink_news(s)->event_sequence == 3);
    sink_close(s);
    events_close(&e);
    events_close(&other);
    clean(folder);
}

static void spool_takes_any_octets(void **ctx) {
    (void)ctx;
    char folder[] = "/tmp/candor-sink-XXXXXX", path[256];
    assert_non_null(mkdtemp(folder));
    struct spool s;
    struct report r = {.node = "n", .version = "1", .boot = 1, .sequence = 1}, back[8];
    spool_open(&s, folder, "play@1");
    assert_false(spool_mark_read(&s).known);
    spool_mark_write(&s, 77);
    assert_true(spool_mark_read(&s).known);
    assert_int_equal(spool_mark_read(&s).sequence, 77);
    spool_add(&s, &r);
    (void)snprintf(path, sizeof path, "%s/sink-play_1.reports", folder);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    assert_true(fwrite("RC\xff\xff garbage RC", 1, 15, f) == 15);
    assert_int_equal(fclose(f), 0);
    for (r.sequence = 2; r.sequence <= 11; r.sequence++)
        spool_add(&s, &r);
    spool_close(&s);
    spool_open(&s, folder, "play@1");
    assert_int_equal(spool_read(&s, back, 8), 8); /* the newest that fit */
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(back[i].sequence, 4 + i);
    spool_empty(&s);
    assert_int_equal(spool_read(&s, back, 8), 0);
    spool_close(&s);
    (void)snprintf(path, sizeof path, "%s/sink-play_1.mark", folder);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("12x\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    spool_open(&s, folder, "play@1");
    assert_false(spool_mark_read(&s).known);
    spool_close(&s);
    spool_open(&s, "", "play"); /* no disk: everything is nothing */
    spool_add(&s, &r);
    spool_mark_write(&s, 1);
    assert_int_equal(spool_read(&s, back, 8), 0);
    clean(folder);
}

static void whole_notice(void **ctx) {
    (void)ctx;
    struct event e = {.sequence = 9, .boot = 3, .kind = EVENT_SCOPE, .scope = SCOPE_WORKER, .to = VERDICT_FAIL};
    const struct event *list[] = {&e};
    text_copy(e.cause, sizeof e.cause, "cut \xe2\x82");
    struct detail *d = detail_make("{\"v\":1}\n", 8);
    struct notice n = {.event = list, .events = 1, .detail = d, .events_lost = 4};
    char *text = body_notice(&n, "scan1");
    json_t *doc = json_loads(text, 0, NULL);
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "node")), "scan1");
    assert_null(json_object_get(doc, "report"));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(doc, "detail"), "v")), 1);
    assert_int_equal(json_integer_value(json_object_get(doc, "eventsLost")), 4);
    json_t *first = json_array_get(json_object_get(doc, "events"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "to")), "fail");
    assert_string_equal(json_string_value(json_object_get(first, "cause")), "cut ??");
    json_decref(doc);
    free(text);
    detail_unref(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(tried_again_until_it_goes),
        cmocka_unit_test(newest_alone),
        cmocka_unit_test(hanging),
        cmocka_unit_test(left_behind),
        cmocka_unit_test(body),
        cmocka_unit_test(events_once_in_order),
        cmocka_unit_test(events_from_now_on),
        cmocka_unit_test(events_lost_and_anew),
        cmocka_unit_test(spool_takes_any_octets),
        cmocka_unit_test(whole_notice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
