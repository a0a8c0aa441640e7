/* Processes beside each other: a keeper killed at any moment loses nothing that it acknowledged, and readers see one
 * commit at a time while the next is written. */
#include "tests/unit/rbl/keep/zone.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "resolver/store/env.h"

enum { KILLS = 120, GROUPS = 64, BLOCKS = 400, MANY = 12000 };

/* Version `n` of the zone: a function of n alone, so that whoever finds serial n knows every entry. The first address
 * of each of GROUPS networks says n; every eighth version changes many entries, every second so many that it becomes a
 * new generation. */
static void version(struct data *d, uint32_t n) {
    char txt[32];
    data_new(d, 2, DATASET_IP4SET, DATASET_DNSET);
    snprintf(txt, sizeof txt, "version %u", n);
    uint32_t v = value_of(d, n & 255, txt), steady = value_of(d, 2, "steady");
    for (uint32_t g = 0; g < GROUPS; g++) {
        uint32_t net = 0x0a000000 + g * 0x10000;
        assert_int_equal(data_add4(d, 0, net + n % 65521 + 1, net + n % 65521 + 1, v), 0);
    }
    for (uint32_t b = 0; b < BLOCKS * (n / 8 % 2 + 1); b++) {
        uint32_t a = 0x14000000 + (n / 8 * 7919 + b) * 131;
        assert_int_equal(data_add4(d, 0, a, a + 63, steady), 0);
    }
    for (uint32_t i = 0; i < MANY && n % 4 == 3; i++) /* comes and goes as a new generation */
        assert_int_equal(data_add4(d, 0, 0x1e000000 + i * 3, 0x1e000000 + i * 3, steady), 0);
    snprintf(txt, sizeof txt, "v%u.example", n);
    add(d, 1, txt, v);
    settle(d);
}

/* Commits versions from the next one on, for ever, and says each when it is done. */
static void keeper(const struct conf_zone *z, int ack, int report) {
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
        version(&d, n);
        if (keep_replace(k, &d, &c, &r, &err) != 0 || write(ack, &n, sizeof n) != sizeof n) {
            dprintf(report, "version %u: %s", n, err.text);
            _exit(1);
        }
        data_free(&d);
    }
}

static uint32_t last_ack(int fd, uint32_t last) {
    uint32_t n;
    while (read(fd, &n, sizeof n) == sizeof n)
        last = n;
    return last;
}

static void pause_us(unsigned us) {
    struct timespec t = {.tv_nsec = us * 1000L};
    nanosleep(&t, NULL);
}

static void holds(const struct conf_zone *z, uint32_t acknowledged, unsigned round) {
    struct err err = {0};
    struct keep_state st;
    struct data d;
    struct keep *k = keep_of(z);
    keep_state(k, &st);
    if (st.empty && acknowledged == 0) {
        keep_close(k);
        return;
    }
    if (st.serial != acknowledged && st.serial != acknowledged + 1)
        fail_msg("round %u: serial %u, acknowledged %u", round, st.serial, acknowledged);
    version(&d, st.serial);
    struct digest sum = digest_of_data(&d);
    assert_memory_equal(&sum, &st.digest, sizeof sum);
    assert_int_equal(st.entries, data_entries(&d));
    if (keep_verify(k, &err) != 0)
        fail_msg("round %u: %s", round, err.text);
    struct keep_history h[2];
    unsigned n;
    assert_int_equal(keep_history(k, h, 2, &n, NULL), 0);
    assert_true(n >= 1 && h[0].serial == st.serial);
    data_free(&d);
    keep_close(k);
}

static unsigned generations(const struct conf_zone *z) {
    char path[200];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/zones/%s", state_dir, z->name);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    const struct dirent *e;
    while ((e = readdir(dir)) != NULL)
        n += e->d_name[0] == 'g';
    closedir(dir);
    return n;
}

/* Shared with the readers. */
struct scene {
    _Atomic uint32_t committed; /* at least this serial is there */
    _Atomic uint64_t asked, commits_seen;
    _Atomic bool stop;
};

/* Every look between begin and end must be of the version that the apex names. */
static void reader(const struct conf_zone *z, struct scene *s, int report) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct view *v = NULL;
    struct err err = {0};
    uint32_t last = 0;
    if (view_open(&v, state_dir, z->name, &err) != 0) {
        dprintf(report, "open: %s", err.text);
        _exit(1);
    }
    while (!s->stop) {
        uint32_t least = s->committed;
        if (view_begin(v, least, &err) != 0) {
            dprintf(report, "begin: %s", err.text);
            _exit(1);
        }
        uint32_t serial = view_apex(v)->serial;
        if (serial < least || serial < last) {
            dprintf(report, "serial %u after %u, committed %u", serial, last, least);
            _exit(1);
        }
        s->commits_seen += serial != last;
        last = serial;
        for (uint32_t g = 0; g < GROUPS; g++) {
            struct view_hit hit[LIMIT_ANSWER_RRS];
            struct value value;
            unsigned hits = 0;
            uint32_t a = 0x0a000000 + g * 0x10000 + serial % 65521 + 1;
            int rc = view_find4(v, VIEW_ALL, a, hit, &hits);
            if (rc == 0 && hits == 1)
                rc = view_value(v, hit[0].value, &value);
            if (rc != 0 || hits != 1 || value.a[3] != (serial & 255) || value.txt_size == 0) {
                dprintf(report, "serial %u, group %u: code %d, %u hits", serial, g, rc, hits);
                _exit(1);
            }
            rc = view_find4(v, VIEW_ALL, a + 1, hit, &hits);
            if (rc != 0 || hits != 0) {
                dprintf(report, "serial %u, group %u: the next version's entry is there", serial, g);
                _exit(1);
            }
            s->asked += 2;
        }
        view_end(v);
    }
    view_close(v);
    _exit(0);
}

static void killed_at_any_moment(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    uint32_t acknowledged = 0;
    int ack[2], report[2];
    pid_t watching = 0;
    struct scene *scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(scene, MAP_FAILED);
    assert_int_equal(pipe2(ack, O_NONBLOCK), 0);
    assert_int_equal(pipe2(report, O_NONBLOCK), 0);
    for (unsigned round = 0; round < KILLS; round++) {
        char why[480] = "";
        int status;
        pid_t pid = fork();
        if (pid == 0)
            keeper(&z, ack[1], report[1]);
        struct pollfd first = {.fd = ack[0], .events = POLLIN};
        if (round % 2 == 0) /* every other one lives long enough for a commit, the others die while they open */
            assert_int_equal(poll(&first, 1, 60000), 1);
        pause_us(any(20000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        ssize_t n = read(report[0], why, sizeof why - 1);
        if (n > 0 || !WIFSIGNALED(status))
            fail_msg("round %u: the keeper gave up: %s", round, why);
        acknowledged = last_ack(ack[0], acknowledged);
        scene->committed = acknowledged;
        if (watching == 0 && acknowledged > 0 && (watching = fork()) == 0)
            reader(&z, scene, report[1]); /* sees every commit, and none twice, whoever dies beside it */
        holds(&z, acknowledged, round);
        struct keep *k = keep_of(&z); /* a commit that was not acknowledged may be there all the same */
        struct keep_state st;
        keep_state(k, &st);
        acknowledged = st.serial;
        keep_close(k);
        assert_true(generations(&z) <= 1);
    }
    assert_true(acknowledged >= KILLS / 2); /* or this test has proved little */
    int status;
    char why[480] = "";
    scene->stop = true;
    assert_int_equal(waitpid(watching, &status, 0), watching);
    if (status != 0) {
        ssize_t n = read(report[0], why, sizeof why - 1);
        fail_msg("the reader: status %d %s", status, n > 0 ? why : "");
    }
    assert_true(scene->commits_seen > 10);
    munmap(scene, sizeof *scene);
    close(ack[0]), close(ack[1]), close(report[0]), close(report[1]);
}

static void readers_see_one_commit(void **state) {
    (void)state;
    enum { READERS = 2, COMMITS = 150 };
    struct conf_zone z = zone_new();
    struct scene *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(s, MAP_FAILED);
    int report[2];
    pid_t pid[READERS];
    char why[480] = "";
    assert_int_equal(pipe2(report, O_NONBLOCK), 0);
    struct keep *k = keep_of(&z);
    for (uint32_t n = 1; n <= COMMITS; n++) {
        struct keep_commit c = {.source = "test", .serial_hint = n};
        struct keep_result r;
        struct data d;
        version(&d, n);
        assert_int_equal(keep_replace(k, &d, &c, &r, NULL), 0);
        data_free(&d);
        s->committed = n;
        for (unsigned i = 0; n == 1 && i < READERS; i++)
            if ((pid[i] = fork()) == 0)
                reader(&z, s, report[1]);
        uint64_t seen = s->commits_seen; /* now and then wait until somebody has followed */
        for (unsigned i = 0; n % 16 == 0 && s->commits_seen == seen && i < 20000; i++)
            pause_us(500);
    }
    s->stop = true;
    for (unsigned i = 0; i < READERS; i++) {
        int status;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        if (status != 0) {
            ssize_t n = read(report[0], why, sizeof why - 1);
            fail_msg("reader %u: status %d %s", i, status, n > 0 ? why : "");
        }
    }
    assert_true(s->asked > 1000 && s->commits_seen > 10);
    struct store_stat st;
    assert_int_equal(keep_stat(k, &st, NULL), 0);
    assert_int_equal(st.oldest_reader_txns, 0);
    keep_close(k);
    munmap(s, sizeof *s);
    close(report[0]), close(report[1]);
}

/* A reader that stands still keeps its old state, whatever is committed meanwhile, and goes on afterwards. */
static void a_stopped_reader_keeps_its_state(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    int go[2], back[2];
    char c;
    assert_int_equal(pipe(go) | pipe(back), 0);
    struct data d;
    version(&d, 4);
    struct keep_commit first = {.source = "test", .serial_hint = 4};
    struct keep_result r;
    assert_int_equal(keep_replace(k, &d, &first, &r, NULL), 0);
    data_free(&d);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct view *v = view_of(&z);
        struct view_hit hit[LIMIT_ANSWER_RRS];
        unsigned hits, bad = 0;
        if (view_begin(v, 1, NULL) != 0 || write(back[1], "r", 1) != 1 || read(go[0], &c, 1) != 1)
            _exit(9);
        for (uint32_t g = 0; g < GROUPS; g++)
            bad += view_find4(v, VIEW_ALL, 0x0a000000 + g * 0x10000 + 5, hit, &hits) != 0 || hits != 1;
        bad += view_apex(v)->serial != 4;
        view_end(v);
        bad += view_begin(v, 60, NULL) != 0 || view_apex(v)->serial != 240;
        view_end(v);
        view_close(v);
        _exit(bad > 0);
    }
    assert_int_equal(read(back[0], &c, 1), 1);
    for (uint32_t n = 8; n <= 240; n += 4) { /* none of them a new generation */
        struct keep_commit next = {.source = "test", .serial_hint = n};
        version(&d, n);
        assert_int_equal(keep_replace(k, &d, &next, &r, NULL), 0);
        data_free(&d);
    }
    struct store_stat st;
    assert_int_equal(keep_stat(k, &st, NULL), 0);
    assert_int_equal(st.oldest_reader_pid, pid);
    assert_int_equal(st.oldest_reader_txns, 59);
    assert_int_equal(write(go[1], "g", 1), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    keep_close(k);
    close(go[0]), close(go[1]), close(back[0]), close(back[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(readers_see_one_commit),
        cmocka_unit_test(a_stopped_reader_keeps_its_state),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
