/* Compaction: the same zone in fewer octets, whatever happens meanwhile, and a file that stays within its bound. */
#include "tests/unit/rbl/keep/zone.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "rbl/keep/walk.h"
#include "resolver/store/env.h"

enum { ENTRIES = 150000, CHURN = 6000, KILLS = 60 };

/* The n-th version of a list: every CHURN-th part of it is another one than in the version before. */
static void version(struct data *d, uint32_t n) {
    char text[40];
    data_new(d, 2, DATASET_IP4SET, DATASET_DNSET);
    uint32_t v = value_of(d, 2, "listed, see $"), w = value_of(d, 3, "also");
    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint32_t number = i < n % 25 * CHURN ? n / 25 + 1 : n / 25;
        uint32_t a = (i * 2654435761u) ^ (number * 40503u);
        assert_int_equal(data_add4(d, 0, a, a, i % 7 == 0 ? w : v), 0);
    }
    for (uint32_t i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "n%u.v%u.example", i, n / 3);
        add(d, 1, text, v);
    }
    settle(d);
}

static struct keep_result commit_version(struct keep *k, uint32_t n) {
    struct keep_commit c = {.source = "test", .serial_hint = n};
    struct keep_result r;
    struct err err = {0};
    struct data d;
    version(&d, n);
    if (keep_replace(k, &d, &c, &r, &err) != 0)
        fail_msg("version %u: %s", n, err.text);
    data_free(&d);
    return r;
}

static uint64_t file_size(const struct conf_zone *z, struct keep *k) {
    char path[300];
    struct keep_state s;
    struct stat st;
    keep_state(k, &s);
    snprintf(path, sizeof path, "%s/zones/%s/%s/data.mdb", state_dir, z->name, s.generation);
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

/* Small commits, so that pages split and none of them becomes a new generation of its own accord: in each one entry of
 * TURN moves. */
enum { TURN = 1500 };
static void splinter(struct keep *k, uint32_t *serial, unsigned commits) {
    struct data d;
    for (unsigned i = 0; i < commits; i++) {
        data_new(&d, 1, DATASET_IP4SET);
        uint32_t v = value_of(&d, 2, "x"), n = ++*serial;
        for (uint32_t a = 0; a < 120000; a++) {
            uint32_t moved = n >= a % TURN ? 1 + (n - a % TURN) / TURN : 0, at = a * 2654435761u + moved * 977;
            assert_int_equal(data_add4(&d, 0, at, at, v), 0);
        }
        settle(&d);
        struct keep_commit c = {.source = "splinter", .serial_hint = n};
        struct keep_result r;
        assert_int_equal(keep_replace(k, &d, &c, &r, NULL), 0);
        data_free(&d);
    }
}

static int count_changes(void *ctx, bool removed, const struct keep_entry *e) {
    (void)e;
    ((unsigned *)ctx)[removed]++;
    return 0;
}

static void the_same_in_fewer_octets(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_result r;
    struct err err = {0};
    struct keep_state before, after;
    struct keep_history h[2][64];
    unsigned n[2], changes[2][2] = {{0}};
    uint32_t serial = 100;
    assert_int_equal(keep_compact(k, &r, &err), 0); /* nothing there: nothing to do */
    assert_false(r.changed);
    assert_false(keep_wants_compaction(k));
    for (uint32_t i = 1; i <= 6; i++)
        commit_version(k, i);
    splinter(k, &serial, 30);
    keep_state(k, &before);
    assert_int_equal(keep_history(k, h[0], 64, &n[0], NULL), 0);
    assert_int_equal(keep_diff(k, 103, serial, count_changes, changes[0], &err), 0);
    uint64_t was = file_size(&z, k);
    assert_int_equal(keep_compact(k, &r, &err), 0);
    assert_true(r.changed && r.bulk);
    assert_int_equal(r.bytes, file_size(&z, k));
    assert_true(r.bytes < was);
    keep_state(k, &after);
    assert_string_not_equal(before.generation, after.generation);
    assert_int_equal(before.serial, after.serial);
    assert_int_equal(before.commits, after.commits);
    assert_int_equal(before.entries, after.entries);
    assert_int_equal(before.changed_wall_s, after.changed_wall_s);
    assert_memory_equal(&before.digest, &after.digest, sizeof before.digest);
    verified(k);
    assert_int_equal(keep_history(k, h[1], 64, &n[1], NULL), 0);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(h[0], h[1], n[0] * sizeof h[0][0]);
    assert_int_equal(keep_diff(k, 103, serial, count_changes, changes[1], &err), 0);
    assert_memory_equal(changes[0], changes[1], sizeof changes[0]);
    assert_true(changes[0][0] > 100);
    assert_false(keep_wants_compaction(k));
    commit_version(k, serial + 1); /* and life goes on */
    verified(k);
    keep_close(k);
    k = keep_of(&z);
    keep_state(k, &after);
    assert_int_equal(after.serial, serial + 1);
    keep_close(k);
}

/* What weighing says is what compaction brings. */
static void weighing_tells_the_truth(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_result r;
    uint32_t serial = 0;
    z.journal = 1 << 20;
    splinter(k, &serial, 1);
    assert_int_equal(keep_compact(k, &r, NULL), 0);
    uint64_t tight = r.bytes, seen = 0;
    unsigned compactions = 0;
    for (unsigned i = 0; i < 40; i++) {
        splinter(k, &serial, 10);
        uint64_t size = file_size(&z, k);
        seen = size > seen ? size : seen;
        if (!keep_wants_compaction(k))
            continue;
        assert_int_equal(keep_compact(k, &r, NULL), 0);
        assert_true(r.bytes * 10 < size * 9); /* it was worth it */
        assert_true(r.bytes < tight + z.journal + z.journal / 2);
        assert_false(keep_wants_compaction(k));
        keep_close(k); /* who opens anew need not rest */
        k = keep_of(&z);
        compactions++;
    }
    if (compactions < 1)
        fail_msg("largest file %llu, tight %llu", (unsigned long long)seen, (unsigned long long)tight);
    assert_true(compactions <= 20); /* pages that a commit wrote are at most so many */
    assert_true(seen < (tight + z.journal) * 2 + (2 << 20));
    keep_close(k);
}

static void month_of_churn(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    z.journal = 64 << 10;
    struct keep *k = keep_of(&z);
    struct keep_result r;
    double worst = 0;
    commit_version(k, 1);
    for (uint32_t n = 2; n <= 31; n++) {
        commit_version(k, n);
        if (keep_wants_compaction(k))
            assert_int_equal(keep_compact(k, &r, NULL), 0);
        double each = (double)file_size(&z, k) / ENTRIES;
        worst = each > worst ? each : worst;
    }
    verified(k);
    print_message("a month of 4 %% a day: at most %.2f octets an entry\n", worst);
    assert_true(worst < 20); /* few entries a bucket: the bound of 9 is for ten million, tests/bench measures it */
    keep_close(k);
}

static void not_by_readers(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_result r;
    struct err err = {0};
    commit_version(k, 1);
    keep_close(k);
    assert_int_equal(keep_open_reading(&k, state_dir, &z, &err), 0);
    assert_false(keep_wants_compaction(k));
    assert_int_equal(keep_compact(k, &r, &err), E_DENIED);
    keep_close(k);
}

struct scene {
    _Atomic uint32_t serial;
    _Atomic uint64_t compactions, answers;
    _Atomic bool stop;
};

/* Every answer must come at once and be that of a serial that was committed. */
static void reader(const struct conf_zone *z, struct scene *s, int report) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct err err = {0};
    struct view *v = NULL;
    if (view_open(&v, state_dir, z->name, &err) != 0) {
        dprintf(report, "open: %s", err.text);
        _exit(1);
    }
    uint32_t last = 0;
    while (!s->stop) {
        struct view_hit hit[LIMIT_ANSWER_RRS];
        struct value value;
        unsigned hits = 0;
        int rc = view_begin(v, s->compactions, &err);
        uint32_t serial = rc == 0 ? view_apex(v)->serial : 0;
        if (rc == 0)
            rc = view_find4(v, VIEW_ALL, 0x0a000001, hit, &hits);
        if (rc == 0 && hits == 1)
            rc = view_value(v, hit[0].value, &value);
        if (rc != 0 || hits != 1 || value.a[3] != (serial & 255) || serial < last) {
            dprintf(report, "serial %u after %u: code %d, %u hits, %s", serial, last, rc, hits, err.text);
            _exit(1);
        }
        last = serial;
        view_end(v);
        s->answers++;
    }
    view_close(v);
    _exit(0);
}

static void marked(struct data *d, uint32_t n) {
    data_new(d, 1, DATASET_IP4SET);
    uint32_t v = value_of(d, n & 255, "mark"), x = value_of(d, 2, "x");
    assert_int_equal(data_add4(d, 0, 0x0a000001, 0x0a000001, v), 0);
    for (uint32_t a = 0; a < 3000; a++) {
        uint32_t at = 0x14000000 + a * 77773 + (a % 50 == n % 50) * n;
        assert_int_equal(data_add4(d, 0, at, at, x), 0);
    }
    settle(d);
}

/* Commits and compacts in turns until it is killed. */
static void keeper(const struct conf_zone *z, struct scene *s, int report) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct keep *k = NULL;
    struct err err = {0};
    struct keep_state st;
    if (keep_open(&k, state_dir, z, &err) != 0 || keep_verify(k, &err) != 0) {
        dprintf(report, "%s", err.text);
        _exit(1);
    }
    keep_state(k, &st);
    for (uint32_t n = st.empty ? 1 : st.serial + 1;; n++) {
        struct keep_commit c = {.source = "test", .serial_hint = n};
        struct keep_result r;
        struct data d;
        marked(&d, n);
        int rc = keep_replace(k, &d, &c, &r, &err);
        if (rc == 0)
            s->serial = n;
        for (unsigned i = 0; i < 2 && rc == 0; i++) {
            rc = keep_compact(k, &r, &err);
            s->compactions++;
        }
        if (rc != 0) {
            dprintf(report, "version %u: %s", n, err.text);
            _exit(1);
        }
        data_free(&d);
    }
}

static void holds(const struct conf_zone *z, struct scene *s, unsigned round) {
    struct keep_state st;
    struct data d;
    struct keep_history h[8];
    unsigned n;
    struct err err = {0};
    struct keep *k = keep_of(z);
    keep_state(k, &st);
    if (!st.empty || s->serial != 0) {
        if (st.serial != s->serial && st.serial != s->serial + 1)
            fail_msg("round %u: serial %u, acknowledged %u", round, st.serial, s->serial);
        marked(&d, st.serial);
        struct digest sum = digest_of_data(&d);
        assert_memory_equal(&sum, &st.digest, sizeof sum);
        data_free(&d);
        if (keep_verify(k, &err) != 0)
            fail_msg("round %u: %s", round, err.text);
        assert_int_equal(keep_history(k, h, 8, &n, NULL), 0);
        assert_int_equal(n, st.commits < 8 ? st.commits : 8); /* history outlives compaction whole */
        s->serial = st.serial;
    }
    keep_close(k);
}

static void killed_while_it_compacts(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct scene *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int report[2], status;
    pid_t watching = 0;
    char why[480] = "";
    assert_ptr_not_equal(s, MAP_FAILED);
    assert_int_equal(pipe2(report, O_NONBLOCK), 0);
    for (unsigned round = 0; round < KILLS; round++) {
        uint64_t before = s->compactions;
        pid_t pid = fork();
        if (pid == 0)
            keeper(&z, s, report[1]);
        for (unsigned i = 0; round % 2 == 0 && s->compactions == before && i < 30000; i++)
            usleep(1000);
        usleep(any(15000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        ssize_t n = read(report[0], why, sizeof why - 1);
        if (n > 0 || !WIFSIGNALED(status))
            fail_msg("round %u: the keeper gave up: %s", round, why);
        holds(&z, s, round);
        if (watching == 0 && s->serial > 0 && (watching = fork()) == 0)
            reader(&z, s, report[1]);
    }
    assert_true(s->compactions >= KILLS / 2);
    s->stop = true;
    assert_int_equal(waitpid(watching, &status, 0), watching);
    if (status != 0) {
        ssize_t n = read(report[0], why, sizeof why - 1);
        fail_msg("the reader: status %d %s", status, n > 0 ? why : "");
    }
    assert_true(s->answers > 100);
    munmap(s, sizeof *s);
    close(report[0]), close(report[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_in_fewer_octets), cmocka_unit_test(weighing_tells_the_truth),
        cmocka_unit_test(month_of_churn),           cmocka_unit_test(not_by_readers),
        cmocka_unit_test(killed_while_it_compacts),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
