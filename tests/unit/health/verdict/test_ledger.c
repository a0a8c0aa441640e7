/* The ledger: files that roll over, numbers that never come twice, and a disk that fails for a while. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "health/verdict/ledger.h"
#include "health/verdict/ledger_file.h"

enum { WALL_S = 1700000000, PATIENCE_MS = 30000, STEP_MS = 2 };
static const int64_t wall = (int64_t)WALL_S * 1000;

struct place {
    char base[64], folder[128];
};

static int make_place(void **state) {
    struct place *p = calloc(1, sizeof(*p));
    snprintf(p->base, sizeof(p->base), "/tmp/test_ledger.XXXXXX");
    if (mkdtemp(p->base) == NULL)
        return -1;
    snprintf(p->folder, sizeof(p->folder), "%s/health", p->base);
    *state = p;
    return 0;
}

static int drop_place(void **state) {
    struct place *p = *state;
    struct dirent *d;
    DIR *dir = opendir(p->folder);
    while (dir != NULL && (d = readdir(dir)) != NULL)
        (void)unlinkat(dirfd(dir), d->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    (void)rmdir(p->folder);
    (void)rmdir(p->base);
    free(p);
    return 0;
}

static off_t size_of(const struct place *p, const char *name) {
    char path[256];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static struct event numbered(uint64_t n, enum event_kind kind) {
    struct event e = {
        .sequence = n, .boot = 7, .wall_ms = wall + (int64_t)n, .kind = (uint8_t)kind, .to = VERDICT_FAIL};
    memset(e.what, 'w', sizeof(e.what) - 1);
    memset(e.cause, 'c', sizeof(e.cause) - 1);
    return e;
}

static void write_one(struct ledger_file *f, uint64_t n, enum event_kind kind) {
    char words[LEDGER_WORDS];
    struct event e = numbered(n, kind);
    assert_true(ledger_file_event(f, &e, words));
}

static struct ledger_past *past_of(const struct place *p) {
    struct ledger_file f;
    char words[LEDGER_WORDS];
    ledger_file_open(&f, p->folder);
    struct ledger_past *past = ledger_file_past(&f, false, words);
    ledger_file_close(&f);
    assert_non_null(past);
    for (size_t i = 1; i < past->event_count; i++)
        assert_true(past->events[i].sequence > past->events[i - 1].sequence);
    return past;
}

/* Records of the greatest length, three files full: two stay, within their bounds, and end with the newest. */
static void test_events_roll_over(void **state) {
    struct place *p = *state;
    struct ledger_file f;
    enum { PER_FILE = LEDGER_FILE_BYTES / (EVENT_RECORD_MAX - 2), ALL = 3 * PER_FILE + 10 };
    ledger_file_open(&f, p->folder);
    for (uint64_t n = 1; n <= ALL; n++)
        write_one(&f, n, EVENT_SCOPE);
    ledger_file_close(&f);
    assert_in_range(size_of(p, "events.old"), LEDGER_FILE_BYTES - EVENT_RECORD_MAX, LEDGER_FILE_BYTES);
    assert_int_equal(size_of(p, "events"), 10 * (EVENT_RECORD_MAX - 2));
    assert_int_equal(size_of(p, "doubts"), -1);
    struct ledger_past *past = past_of(p);
    assert_int_equal(past->damaged, 0);
    assert_int_equal(past->event_count, PER_FILE + 10);
    for (size_t i = 0; i < past->event_count; i++)
        assert_int_equal(past->events[i].sequence, ALL - past->event_count + 1 + i);
    ledger_past_free(past);
}

/* One that is opened again goes on where it was. */
static void test_a_full_file_is_found_full(void **state) {
    struct place *p = *state;
    struct ledger_file f;
    enum { PER_FILE = LEDGER_FILE_BYTES / (EVENT_RECORD_MAX - 2) };
    for (uint64_t n = 1; n <= PER_FILE + 1; n++) {
        if (n % 500 == 1 || n == PER_FILE + 1)
            ledger_file_open(&f, p->folder);
        write_one(&f, n, EVENT_CHECK);
        if (n % 500 == 0 || n >= PER_FILE)
            ledger_file_close(&f);
    }
    assert_int_equal(size_of(p, "events"), EVENT_RECORD_MAX - 2);
    struct ledger_past *past = past_of(p);
    assert_int_equal(past->event_count, PER_FILE + 1);
    ledger_past_free(past);
}

/* Masses of doubts: bounded on disk, the newest come back, and no event is pushed out by them. */
static void test_doubts_push_out_nothing(void **state) {
    struct place *p = *state;
    struct ledger_file f;
    enum { ALL = 5000, EACH = 100 };
    ledger_file_open(&f, p->folder);
    for (uint64_t n = 1; n <= ALL; n++)
        write_one(&f, n, n % EACH == 0 ? EVENT_SCOPE : EVENT_DOUBT);
    ledger_file_close(&f);
    assert_in_range(size_of(p, "doubts"), 1, LEDGER_DOUBT_BYTES);
    assert_in_range(size_of(p, "doubts.old"), 1, LEDGER_DOUBT_BYTES);
    struct ledger_past *past = past_of(p);
    size_t events = 0, doubts = 0;
    for (size_t i = 0; i < past->event_count; i++)
        *(past->events[i].kind == EVENT_DOUBT ? &doubts : &events) += 1;
    assert_int_equal(events, ALL / EACH);
    assert_true(doubts > LEDGER_DOUBT_BYTES / EVENT_RECORD_MAX);
    assert_int_equal(past->events[past->event_count - 1].sequence, ALL);
    assert_int_equal(past->events[past->event_count - 2].sequence, ALL - 1);
    assert_int_equal(past->damaged, 0);
    ledger_past_free(past);
}

/* A number that stands in both files was put there by somebody else. */
static void test_a_number_stands_once(void **state) {
    struct place *p = *state;
    struct ledger_file f;
    ledger_file_open(&f, p->folder);
    write_one(&f, 3, EVENT_SCOPE);
    write_one(&f, 3, EVENT_DOUBT);
    write_one(&f, 4, EVENT_DOUBT);
    write_one(&f, 4, EVENT_DOUBT);
    ledger_file_close(&f);
    struct ledger_past *past = past_of(p);
    assert_int_equal(past->event_count, 2);
    assert_int_equal(past->damaged, 2);
    ledger_past_free(past);
}

static void limit(int resource, rlim_t to) {
    struct rlimit r;
    assert_int_equal(getrlimit(resource, &r), 0);
    r.rlim_cur = to < r.rlim_max ? to : r.rlim_max;
    assert_int_equal(setrlimit(resource, &r), 0);
}

/* The disk takes a part of a record: that part is taken back, and the record goes in whole later. */
static void test_a_part_of_a_record(void **state) {
    struct place *p = *state;
    struct ledger_file f;
    char words[LEDGER_WORDS] = "";
    struct event second = numbered(2, EVENT_SCOPE);
    struct availability_minute m = {.minute = 99};
    ledger_file_open(&f, p->folder);
    write_one(&f, 1, EVENT_SCOPE);
    limit(RLIMIT_FSIZE, (rlim_t)size_of(p, "events") + 10);
    assert_false(ledger_file_event(&f, &second, words));
    assert_non_null(strstr(words, "10 of"));
    assert_false(ledger_file_event(&f, &second, words));
    assert_false(ledger_file_minute(&f, &m, words));
    assert_non_null(strstr(words, "availability"));
    limit(RLIMIT_FSIZE, RLIM_INFINITY);
    assert_true(ledger_file_event(&f, &second, words));
    assert_true(ledger_file_minute(&f, &m, words));
    ledger_file_close(&f);
    struct ledger_past *past = past_of(p);
    assert_int_equal(past->event_count, 2);
    assert_int_equal(past->minute_count, 1);
    assert_int_equal(past->damaged, 0);
    ledger_past_free(past);
}

/* A ledger with its book, as candor-health has them. */
struct node {
    struct verdict_book book;
    struct board *board;
    struct ledger *ledger;
    size_t check;
    int64_t now;
};

static void start(struct node *n, const struct place *p, uint64_t boot) {
    *n = (struct node){.board = calloc(1, sizeof(*n->board)), .now = (int64_t)boot * 60000};
    assert_non_null(n->board);
    assert_int_equal(verdict_open(&n->book, 4, 2, 2), 0);
    int c = verdict_add(&n->book, SCOPE_WORKER, "worker", "answers", "worker 0", 1000, true);
    assert_true(c >= 0);
    n->check = (size_t)c;
    assert_int_equal(ledger_open(&n->ledger, p->folder, boot, wall + n->now), 0);
}

static void stop(struct node *n) {
    ledger_close(n->ledger);
    verdict_close(&n->book);
    free(n->board);
}

static void feed(struct node *n, enum verdict_state s) {
    struct verdict_result r = {.state = s, .mono_ms = ++n->now, .evidence = {.wall_ms = wall + n->now}};
    (void)verdict_result(&n->book, n->check, &r);
    verdict_judge(&n->book, n->now, wall + n->now);
    ledger_note(n->ledger, &n->book, n->board, wall + n->now, 0);
}

static bool loaded(const struct ledger_state *s) { return s->loaded; }
static bool written(const struct ledger_state *s) { return s->loaded && s->waiting == 0 && s->problem[0] == '\0'; }
static bool in_trouble(const struct ledger_state *s) { return s->problem[0] != '\0'; }

static struct ledger_state until(struct node *n, bool (*it)(const struct ledger_state *)) {
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    struct ledger_state s = {0};
    for (int ms = 0; ms < PATIENCE_MS; ms += STEP_MS) {
        ledger_note(n->ledger, &n->book, n->board, wall + n->now, 0);
        ledger_state(n->ledger, &s);
        if (it(&s))
            return s;
        (void)nanosleep(&step, NULL);
    }
    fail_msg("in vain: loaded %d, waiting %llu, problem \"%s\"", s.loaded, (unsigned long long)s.waiting, s.problem);
    return s;
}

static uint64_t newest(const struct node *n) { return event_list_at(ledger_events(n->ledger), 0)->sequence; }

static size_t count_kind(const struct node *n, enum event_kind kind) {
    const struct event *e;
    size_t found = 0;
    for (size_t back = 0; (e = event_list_at(ledger_events(n->ledger), back)) != NULL; back++)
        found += e->kind == kind;
    return found;
}

static void expect_numbers_in_a_row(const struct node *n) {
    const struct event *e;
    for (size_t back = 0; (e = event_list_at(ledger_events(n->ledger), back)) != NULL; back++)
        assert_int_equal(e->sequence, newest(n) - back);
}

/* The last that happened before the end is a doubt: its number is not given again. */
static void test_doubts_outlive_a_restart(void **state) {
    struct place *p = *state;
    struct node n;
    uint64_t before = 0;
    for (uint64_t boot = 1; boot <= 3; boot++) {
        start(&n, p, boot);
        (void)until(&n, loaded);
        assert_int_equal(newest(&n), before + 1);
        assert_int_equal(event_list_at(ledger_events(n.ledger), 0)->kind, EVENT_START);
        feed(&n, VERDICT_PASS);
        for (int i = 0; i < 5; i++) {
            feed(&n, VERDICT_FAIL);
            feed(&n, VERDICT_PASS);
        }
        assert_int_equal(event_list_at(ledger_events(n.ledger), 0)->kind, EVENT_DOUBT);
        assert_int_equal(count_kind(&n, EVENT_DOUBT), 5 * boot);
        assert_int_equal(count_kind(&n, EVENT_START), boot);
        expect_numbers_in_a_row(&n);
        before = newest(&n);
        (void)until(&n, written);
        stop(&n);
    }
}

/* No descriptor is to be had at the start: that is not a node without a past. */
static void test_the_past_is_asked_for_again(void **state) {
    struct place *p = *state;
    struct node n;
    start(&n, p, 1);
    (void)until(&n, loaded);
    feed(&n, VERDICT_PASS);
    uint64_t before = newest(&n);
    (void)until(&n, written);
    stop(&n);
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    limit(RLIMIT_NOFILE, 0);
    start(&n, p, 2);
    struct ledger_state s = until(&n, in_trouble);
    assert_false(s.loaded);
    assert_non_null(strstr(s.problem, "events.old: read"));
    feed(&n, VERDICT_PASS);
    assert_null(event_list_at(ledger_events(n.ledger), 0));
    limit(RLIMIT_NOFILE, files.rlim_cur);
    s = until(&n, written);
    assert_int_equal(s.damaged, 0);
    assert_int_equal(s.dropped, 0);
    assert_int_equal(count_kind(&n, EVENT_START), 2);
    assert_true(newest(&n) > before + 1);
    expect_numbers_in_a_row(&n);
    stop(&n);
}

/* A full disk: what happens waits, and is on the disk when there is room again. */
static void test_a_full_disk_loses_nothing(void **state) {
    struct place *p = *state;
    struct node n;
    start(&n, p, 1);
    (void)until(&n, loaded);
    feed(&n, VERDICT_PASS);
    (void)until(&n, written);
    limit(RLIMIT_FSIZE, (rlim_t)size_of(p, "events") + 3);
    for (int i = 0; i < 20; i++)
        feed(&n, i % 4 < 2 ? VERDICT_FAIL : VERDICT_PASS);
    struct ledger_state s = until(&n, in_trouble);
    assert_true(s.waiting > 0);
    assert_int_equal(s.dropped, 0);
    limit(RLIMIT_FSIZE, RLIM_INFINITY);
    s = until(&n, written);
    assert_int_equal(s.dropped, 0);
    uint64_t before = newest(&n);
    stop(&n);
    start(&n, p, 2);
    s = until(&n, loaded);
    assert_int_equal(s.damaged, 0);
    assert_int_equal(newest(&n), before + 1);
    expect_numbers_in_a_row(&n);
    stop(&n);
}

/* Full for so long that the box is full too: what found no room is counted, and doubts are the first to go. */
static void test_what_is_dropped_is_counted(void **state) {
    struct place *p = *state;
    struct node n;
    start(&n, p, 1);
    (void)until(&n, written);
    limit(RLIMIT_FSIZE, (rlim_t)size_of(p, "events"));
    feed(&n, VERDICT_PASS);
    (void)until(&n, in_trouble);
    for (int i = 0; i < LEDGER_BOX; i++) {
        feed(&n, VERDICT_FAIL);
        feed(&n, VERDICT_PASS);
    }
    struct ledger_state s;
    ledger_state(n.ledger, &s);
    assert_in_range(s.waiting, LEDGER_BOX - LEDGER_BOX_SPARE - 2, LEDGER_BOX - LEDGER_BOX_SPARE);
    assert_in_range(s.dropped, LEDGER_BOX_SPARE, LEDGER_BOX_SPARE + 8);
    uint64_t dropped = s.dropped;
    feed(&n, VERDICT_FAIL);
    feed(&n, VERDICT_FAIL);
    ledger_state(n.ledger, &s);
    assert_true(s.waiting > LEDGER_BOX - LEDGER_BOX_SPARE);
    assert_int_equal(s.dropped, dropped);
    limit(RLIMIT_FSIZE, RLIM_INFINITY);
    (void)until(&n, written);
    stop(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events_roll_over, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_a_full_file_is_found_full, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_doubts_push_out_nothing, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_a_number_stands_once, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_a_part_of_a_record, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_doubts_outlive_a_restart, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_the_past_is_asked_for_again, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_a_full_disk_loses_nothing, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_what_is_dropped_is_counted, make_place, drop_place),
    };
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not an end */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
