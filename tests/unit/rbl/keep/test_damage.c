/* Bytes that flip and files that are cut while a zone is open, disks that are full: nobody dies, nobody is told lies,
 * and the next contents heal it. */
#include "tests/unit/rbl/keep/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "rbl/keep/edit.h"
#include "resolver/store/env.h"
#include "resolver/store/fault.h"

/* What a fault jumps over is not freed: that is the price, and damage is rare. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "handle_segv=0:handle_sigbus=0"; }
/* What a fault leaves of LMDB in the middle of its work stays as it is, on purpose. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return 1; }

enum { PAGE = 4096, NETS = 300, EACH = 40 };

/* Version n lists .n of NETS networks and some more; names as well. */
static void version(struct data *d, uint32_t n) {
    char text[40];
    data_new(d, 2, DATASET_IP4SET, DATASET_DNSET);
    uint32_t v = value_of(d, 2, "steady"), w = value_of(d, n & 255, "moving");
    for (uint32_t i = 0; i < NETS; i++) {
        uint32_t net = 0x0a000000 + i * 0x10000;
        for (uint32_t k = 0; k < EACH; k++)
            assert_int_equal(data_add4(d, 0, net + 4096 + k * 7, net + 4096 + k * 7, v), 0);
        assert_int_equal(data_add4(d, 0, net + n, net + n, w), 0);
        snprintf(text, sizeof text, "n%u.example", i);
        add(d, 1, text, v);
    }
    settle(d);
}

static int put(struct keep *k, uint32_t n, struct err *err) {
    struct keep_commit c = {.source = "test", .serial_hint = n};
    struct keep_result r;
    struct data d;
    version(&d, n);
    int rc = keep_replace(k, &d, &c, &r, err);
    data_free(&d);
    return rc;
}

static void live_file(const struct conf_zone *z, char path[300]) {
    char generation[32] = "";
    snprintf(path, 300, "%s/zones/%s/current", state_dir, z->name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%31s", generation), 1);
    fclose(f);
    snprintf(path, 300, "%s/zones/%s/%s/data.mdb", state_dir, z->name, generation);
}

static unsigned char *load(int fd, size_t *size) {
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    *size = (size_t)st.st_size;
    unsigned char *all = malloc(*size + 1);
    assert_int_equal(pread(fd, all, *size, 0), st.st_size);
    return all;
}
static void flip(int fd, const unsigned char *all, size_t at, size_t n) {
    unsigned char b[128];
    for (size_t i = 0; i < n; i++)
        b[i] = all[at + i] ^ 0xff;
    assert_int_equal(pwrite(fd, b, n, (off_t)at), n);
}
/* On all pages with one of these kinds (1 branch, 2 leaf, 4 overflow). */
static void on_pages(int fd, unsigned kinds, size_t at, size_t n) {
    size_t size;
    unsigned char *all = load(fd, &size);
    for (size_t p = 2; (p + 1) * PAGE <= size; p++)
        if (all[p * PAGE + 10] & kinds)
            flip(fd, all, p * PAGE + at, n);
    free(all);
}
static void metas(int fd) {
    size_t size;
    unsigned char *all = load(fd, &size);
    flip(fd, all, 16, 100);
    flip(fd, all, PAGE + 16, 100);
    free(all);
}
static void kinds_of_leaves(int fd) { on_pages(fd, 2, 10, 2); }
static void numbers(int fd) { on_pages(fd, 3, 0, 8); }
static void offsets(int fd) { on_pages(fd, 3, 16, 16); }
static void bounds(int fd) { on_pages(fd, 3, 12, 4); }
static void leaf_data(int fd) { on_pages(fd, 2, PAGE - 64, 48); }
static void node_headers(int fd) { on_pages(fd, 3, PAGE - 16, 8); }
static void children(int fd) { on_pages(fd, 1, PAGE - 32, 32); }
static void half(int fd) {
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(ftruncate(fd, st.st_size / 2 / PAGE * PAGE), 0);
}
static void one_page(int fd) { assert_int_equal(ftruncate(fd, PAGE), 0); }
static void empty(int fd) { assert_int_equal(ftruncate(fd, 0), 0); }
static void zeroes(int fd) {
    static const unsigned char none[PAGE];
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t at = 0; at < st.st_size; at += PAGE)
        assert_int_equal(pwrite(fd, none, PAGE, at), PAGE);
}
static const struct {
    const char *name;
    void (*make)(int fd);
    bool may_lie; /* octets of the entries themselves: only the digest tells */
} damages[] = {
    {"metas", metas, false},       {"kinds_of_leaves", kinds_of_leaves, false},
    {"numbers", numbers, false},   {"offsets", offsets, true},
    {"bounds", bounds, false},     {"leaf_data", leaf_data, true},
    {"children", children, false}, {"node_headers", node_headers, true},
    {"half", half, false},         {"one_page", one_page, false},
    {"empty", empty, false},       {"zeroes", zeroes, false},
};

static void damage(const struct conf_zone *z, unsigned which) {
    char path[300];
    live_file(z, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    damages[which].make(fd);
    close(fd);
}

/* All look-ups of version n. Returns how many were refused; *wrong: answers that are not so. */
static unsigned look_at_all(struct view *v, uint32_t n, unsigned *wrong) {
    unsigned refused = 0;
    for (uint32_t i = 0; i < NETS; i++) {
        struct view_hit hit[LIMIT_ANSWER_RRS];
        struct value value;
        unsigned hits = 0;
        uint32_t net = 0x0a000000 + i * 0x10000;
        int rc = view_begin(v, 1, NULL);
        if (rc == 0) {
            rc = view_find4(v, VIEW_ALL, net + n, hit, &hits);
            if (rc == 0 && hits == 1)
                rc = view_value(v, hit[0].value, &value);
            if (rc == 0 && (hits != 1 || value.a[3] != (n & 255)))
                ++*wrong;
            if (rc == 0)
                rc = view_find4(v, VIEW_ALL, net + 3, hit, &hits);
            if (rc == 0 && hits != 0)
                ++*wrong;
            view_end(v);
        }
        refused += rc != 0;
    }
    return refused;
}

/* A worker and a keeper, each a process; the file is damaged under both. */
struct talk {
    int go[2], back[2];
};
static void say(int fd, char c) { assert_int_equal(write(fd, &c, 1), 1); }
static char hear(int fd) {
    char c = '?';
    return read(fd, &c, 1) == 1 ? c : '\0';
}

static void worker(const struct conf_zone *z, const struct conf_zone *other, struct talk *t, bool may_lie) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    store_fault_watch();
    unsigned wrong = 0;
    struct view *v = view_of(z), *o = view_of(other);
    if (look_at_all(v, 1, &wrong) != 0 || wrong != 0)
        _exit(2);
    say(t->back[1], 'r');
    if (hear(t->go[0]) != 'd') /* damaged */
        _exit(3);
    for (unsigned i = 0; i < 3; i++) {
        (void)look_at_all(v, 1, &wrong);
        if (look_at_all(o, 1, &wrong) != 0) /* the neighbour does not notice */
            _exit(4);
    }
    if (wrong != 0 && !may_lie)
        _exit(5);
    say(t->back[1], 'l');
    if (hear(t->go[0]) != 'h') /* healed */
        _exit(6);
    wrong = 0;
    for (unsigned i = 0; i < 400 && view_begin(v, 100 + i, NULL) != 0; i++)
        usleep(10000);
    view_end(v);
    if (look_at_all(v, 2, &wrong) != 0 || wrong != 0)
        _exit(7);
    view_close(v);
    view_close(o);
    _exit(0);
}

static void nobody_dies(void **state) {
    (void)state;
    store_fault_watch(); /* cmocka takes the signals for each test */
    for (unsigned i = 0; i < ARRAY_SIZE(damages); i++) {
        struct conf_zone z = zone_new(), other = zone_new();
        struct conf_dataset files = {.type = DATASET_IP4SET};
        struct talk t;
        struct err err = {0};
        int status;
        z.data = &files;
        z.data_count = 1;
        struct keep *k = keep_of(&z), *o = keep_of(&other);
        assert_int_equal(put(k, 1, &err), 0);
        assert_int_equal(put(o, 1, &err), 0);
        keep_close(o);
        assert_int_equal(pipe(t.go) | pipe(t.back), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(t.go[1]);
            worker(&z, &other, &t, damages[i].may_lie);
        }
        close(t.go[0]);
        assert_int_equal(hear(t.back[0]), 'r');
        damage(&z, i);
        say(t.go[1], 'd');
        assert_int_equal(hear(t.back[0]), 'l');
        int rc = keep_look_after(k, &err);
        if (rc != 0 && rc != E_CORRUPT)
            fail_msg("%s: look after: %s", damages[i].name, err.text);
        if (rc != 0 && strstr(err.text, "written anew") == NULL)
            fail_msg("%s: look after says: %s", damages[i].name, err.text);
        if (put(k, 2, &err) != 0)
            fail_msg("%s: %s", damages[i].name, err.text);
        verified(k);
        assert_int_equal(keep_look_after(k, &err), 0);
        say(t.go[1], 'h');
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            fail_msg("%s: the worker: status %x", damages[i].name, (unsigned)status);
        keep_close(k);
        close(t.go[1]), close(t.back[0]), close(t.back[1]);
    }
}

static bool exists(const struct conf_zone *z, const char *name) {
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "%s/zones/%s/%s", state_dir, z->name, name);
    return stat(path, &st) == 0;
}

static void damaged_before_it_is_opened(void **state) {
    (void)state;
    store_fault_watch(); /* cmocka takes the signals for each test */
    for (unsigned i = 0; i < ARRAY_SIZE(damages); i++) {
        struct conf_zone z = zone_new();
        struct conf_dataset files = {.type = DATASET_IP4SET};
        struct err err = {0};
        struct keep_state st;
        z.data = &files;
        z.data_count = 1;
        struct keep *k = keep_of(&z);
        assert_int_equal(put(k, 41, &err), 0);
        keep_close(k);
        damage(&z, i);
        k = keep_of(&z); /* opens whatever is there */
        keep_state(k, &st);
        if (st.empty) {
            assert_int_equal(keep_look_after(k, &err), E_CORRUPT);
            assert_true(exists(&z, "damaged"));
            keep_close(k); /* and again: what was set aside stays, and is not forgotten */
            k = keep_of(&z);
            assert_int_equal(keep_look_after(k, &err), E_CORRUPT);
        }
        if (put(k, 42, &err) != 0)
            fail_msg("%s: %s", damages[i].name, err.text);
        verified(k);
        keep_state(k, &st);
        assert_int_equal(st.serial, 42);
        assert_int_equal(keep_look_after(k, &err), 0);
        keep_close(k);
        k = keep_of(&z);
        assert_int_equal(keep_look_after(k, &err), 0);
        keep_state(k, &st);
        assert_int_equal(st.serial, 42);
        keep_close(k);
    }
}

/* A zone that lives from changes alone is not quietly begun anew. */
static void without_files(void **state) {
    (void)state;
    store_fault_watch(); /* cmocka takes the signals for each test */
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_batch *b = NULL;
    struct err err = {0};
    assert_int_equal(put(k, 7, &err), 0);
    keep_close(k);
    damage(&z, 0);
    k = keep_of(&z);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(keep_look_after(k, &err), E_CORRUPT);
        assert_non_null(strstr(err.text, "candor publish"));
        assert_int_equal(keep_batch_open(&b, k, &err), E_CORRUPT);
        assert_null(b);
        keep_close(k);
        k = keep_of(&z);
    }
    assert_int_equal(put(k, 8, &err), 0); /* published */
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    keep_batch_close(b);
    verified(k);
    keep_close(k);
}

/* One after the other, the keeper running on. */
static void again_and_again(void **state) {
    (void)state;
    store_fault_watch();
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct store_stat st;
    uint32_t n = 1;
    struct err err = {0};
    assert_int_equal(put(k, n++, &err), 0);
    for (unsigned i = 0; i < 3 * ARRAY_SIZE(damages); i++) {
        damage(&z, i % ARRAY_SIZE(damages));
        if (i >= ARRAY_SIZE(damages))
            (void)!keep_stat(k, &st, &err);
        if (i >= 2 * ARRAY_SIZE(damages) && keep_look_after(k, &err) == 0)
            (void)!keep_wants_compaction(k);
        struct keep_state before, after;
        keep_state(k, &before);
        if (put(k, n++, &err) != 0)
            fail_msg("%s, turn %u: code %d %s", damages[i % ARRAY_SIZE(damages)].name, i, err.code, err.text);
        verified(k);
        keep_state(k, &after);
        if (keep_look_after(k, &err) != 0)
            fail_msg("%s, turn %u: %s", damages[i % ARRAY_SIZE(damages)].name, i, err.text);
        if (before.empty && strcmp(before.generation, after.generation) == 0)
            fail_msg("%s, turn %u: the name of what was set aside comes again", damages[i % ARRAY_SIZE(damages)].name,
                     i);
    }
    keep_close(k);
}

/* Local entries are saved from a store whose files' part is damaged. */
static void changes_by_hand_are_saved(void **state) {
    (void)state;
    store_fault_watch(); /* cmocka takes the signals for each test */
    struct conf_zone z = zone_new();
    struct conf_dataset files = {.type = DATASET_IP4SET};
    struct keep *k = keep_of(&z);
    struct keep_batch *b;
    struct keep_commit c = {.source = "add"};
    struct keep_result r;
    struct err err = {0};
    struct keep_entry e = {.kind = KEEP_4, .bits = 32, .addr = {192, 0, 2, 77}, .value.a = {127, 0, 0, 9}};
    assert_int_equal(put(k, 1, &err), 0);
    z.data = &files;
    z.data_count = 1;
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    assert_int_equal(keep_batch_add(b, &e, &err), 0);
    assert_int_equal(keep_batch_commit(b, &c, &r, &err), 0);
    keep_batch_close(b);
    assert_int_equal(keep_local_entries(k), 1);
    char path[300]; /* one octet of one bucket of the files' */
    size_t size;
    live_file(&z, path);
    int fd = open(path, O_RDWR);
    unsigned char *all = load(fd, &size), *at = all; /* pages left behind have it too */
    while ((at = memmem(at, size - (size_t)(at - all), "\x10\x07\x10\x0e", 4)) != NULL) {
        flip(fd, all, (size_t)(at - all), 4);
        at++;
    }
    free(all);
    close(fd);
    assert_int_equal(keep_verify(k, &err), E_CORRUPT);
    assert_int_equal(put(k, 5, &err), 0);
    verified(k);
    assert_int_equal(keep_local_entries(k), 1);
    keep_close(k);
}

/* --- disks --- */

/* In a process of its own, since limits and mounts are the process's. 77: not possible here. */
static void apart(void (*body)(const struct conf_zone *z), const struct conf_zone *z) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        body(z);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    if (status != 0)
        fail_msg("status %x, line %d", (unsigned)status, WEXITSTATUS(status));
}
#define MUST(x)                                                                                                        \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            fprintf(stderr, "line %d: %s\n", __LINE__, #x);                                                            \
            _exit(99);                                                                                                 \
        }                                                                                                              \
    } while (0)

static int put_many(struct keep *k, uint32_t n, uint32_t many, struct err *err) {
    struct keep_commit c = {.source = "test", .serial_hint = n};
    struct keep_result r;
    struct data d;
    data_new(&d, 1, DATASET_IP4SET);
    uint32_t v = value_of(&d, 2, "x");
    for (uint32_t i = 0; i < many; i++)
        MUST(data_add4(&d, 0, i * 2654435761u, i * 2654435761u, v) == 0);
    settle(&d);
    int rc = keep_replace(k, &d, &c, &r, err);
    data_free(&d);
    return rc;
}

static void no_larger(const struct conf_zone *z) {
    struct err err = {0};
    struct keep_state st;
    struct rlimit limit = {1 << 20, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    struct keep_result r;
    signal(SIGXFSZ, SIG_IGN);
    struct keep *k = keep_of(z);
    MUST(put_many(k, 1, 20000, &err) == 0);
    MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (unsigned i = 0; i < 3; i++) {
        MUST(put_many(k, 2, 120000, &err) < 0); /* a new generation */
        MUST(err.text[0] != '\0');
        keep_state(k, &st);
        MUST(st.serial == 1 && st.entries == 20000);
        MUST(keep_verify(k, &err) == 0);
    }
    MUST(!exists(z, "g2") && !exists(z, "g2.new"));
    int rc = 0;
    uint32_t n = 3;
    for (; n < 400 && rc == 0; n++) /* and in place, until the file is as large as it may be */
        rc = put_many(k, n, 20000 + n * 900, &err);
    MUST(rc < 0);
    MUST(keep_verify(k, &err) == 0);
    keep_state(k, &st);
    MUST(st.serial == n - 2);
    rc = keep_compact(k, &r, &err); /* may succeed or not */
    MUST(keep_verify(k, &err) == 0);
    MUST(setrlimit(RLIMIT_FSIZE, &none) == 0);
    MUST(put_many(k, n, 120000, &err) == 0); /* recovers by itself */
    MUST(keep_verify(k, &err) == 0);
    MUST(keep_look_after(k, &err) == 0);
    keep_close(k);
}

static void file_size_limit(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    apart(no_larger, &z);
}

static void on_a_small_disk(const struct conf_zone *z) {
    struct err err = {0};
    struct keep_state st;
    struct keep_result r;
    char own[96];
    snprintf(own, sizeof own, "%s/small", state_dir);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mkdir(own, 0700) != 0 || mount("tmpfs", own, "tmpfs", 0, "size=3m") != 0)
        _exit(77);
    struct keep *k = NULL;
    MUST(keep_open(&k, own, z, &err) == 0);
    MUST(put_many(k, 1, 40000, &err) == 0);
    int rc = put_many(k, 2, 400000, &err);
    if (rc != E_FULL)
        fprintf(stderr, "%d %s\n", rc, err.text);
    MUST(rc == E_FULL);
    keep_state(k, &st);
    MUST(st.serial == 1 && keep_verify(k, &err) == 0);
    uint32_t n = 2;
    for (rc = 0; n < 400 && rc == 0; n++)
        rc = put_many(k, n, 40000 + n * 900, &err);
    MUST(rc == E_FULL);
    MUST(strstr(err.text, "No space") != NULL || strstr(err.text, "full") != NULL);
    MUST(keep_verify(k, &err) == 0);
    keep_state(k, &st);
    MUST(st.serial == n - 2);
    rc = keep_compact(k, &r, &err); /* needs room that is not there: says so, and leaves it */
    MUST(rc == 0 || rc == E_FULL);
    MUST(keep_verify(k, &err) == 0);
    MUST(mount("none", own, NULL, MS_REMOUNT, "size=64m") == 0);
    MUST(put_many(k, n, 120000, &err) == 0);
    MUST(keep_verify(k, &err) == 0 && keep_look_after(k, &err) == 0);
    keep_close(k);
    /* read-only */
    MUST(keep_open(&k, own, z, &err) == 0);
    MUST(mount("none", own, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0 || errno == EBUSY);
    MUST(umount2(own, MNT_DETACH) == 0);
    keep_close(k);
}

static void disk_full(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    apart(on_a_small_disk, &z);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_dies),
        cmocka_unit_test(damaged_before_it_is_opened),
        cmocka_unit_test(without_files),
        cmocka_unit_test(again_and_again),
        cmocka_unit_test(changes_by_hand_are_saved),
        cmocka_unit_test(file_size_limit),
        cmocka_unit_test(disk_full),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
