/* Streams and what goes wrong: the receiver killed at any moment, a disk that is full, a sender whose store is damaged.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "rbl/keep/edit.h"
#include "resolver/store/fault.h"
#include "streams.h"

enum { VERSIONS = 24, KILLS = 60, FLIPS = 150 };

static void version(struct data *d, uint32_t n) {
    char txt[32];
    data_new(d, 2, DATASET_IP4SET, DATASET_DNSET);
    snprintf(txt, sizeof txt, "version %u", n);
    uint32_t v = value_of(d, n & 255, txt), steady = value_of(d, 2, "steady");
    add(d, 0, "127.0.0.2", v);
    for (uint32_t i = 0; i < 9000; i++)
        assert_int_equal(data_add4(d, 0, i * 7001 + (i % 50 == n), i * 7001 + (i % 50 == n), i % 50 == n ? v : steady),
                         0);
    snprintf(txt, sizeof txt, "v%u.example", n);
    add(d, 1, txt, v);
    settle(d);
}

struct versions {
    struct told whole[VERSIONS], since[VERSIONS]; /* since[n]: from n - 1 */
    struct keep_state state[VERSIONS];
};

static void tell_versions(struct versions *x) {
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    memset(x, 0, sizeof *x);
    for (unsigned n = 0; n < VERSIONS; n++) {
        struct keep_commit c = {.source = "test", .serial_hint = n + 1};
        struct keep_result r;
        struct data d;
        version(&d, n);
        assert_int_equal(keep_replace(k, &d, &c, &r, NULL), 0);
        data_free(&d);
        x->state[n] = state_of(k);
        told_whole(k, &x->whole[n]);
        if (n > 0)
            assert_int_equal(told_since(k, n, &x->state[n - 1].digest, &x->since[n]), 0);
    }
    keep_close(k);
}

static void forget_versions(struct versions *x) {
    for (unsigned n = 0; n < VERSIONS; n++) {
        free(x->whole[n].at);
        free(x->since[n].at);
    }
}

/* Takes version after version, for ever, changes and snapshots in turn. */
static void taker(const struct conf_zone *z, const struct versions *x, int ack, int report) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct keep *k = NULL;
    struct err err = {0};
    if (keep_open(&k, state_dir, z, &err) != 0 || keep_verify(k, &err) != 0) {
        dprintf(report, "%s", err.text);
        _exit(1);
    }
    for (struct keep_state st = state_of(k);; st = state_of(k)) {
        uint32_t n = st.empty ? 0 : st.serial % VERSIONS;
        const struct told *t = n == 0 || any(2) ? &x->whole[n] : &x->since[n];
        struct keep_result r;
        if (taken(k, t->at, t->size, 3000, &r, &err) != 0 || write(ack, &n, sizeof n) != sizeof n) {
            dprintf(report, "version %u: %s", n, err.text);
            _exit(1);
        }
    }
}

/* Folders of generations, half-made ones included. */
static unsigned folders(const struct conf_zone *z) {
    char path[200];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/zones/%s", state_dir, z->name);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    const struct dirent *e;
    while ((e = readdir(dir)) != NULL)
        n += e->d_name[0] == 'g' || e->d_name[0] == 'i';
    closedir(dir);
    return n;
}

static void killed_at_any_moment(void **state) {
    (void)state;
    static struct versions x;
    struct conf_zone z = zone_new();
    int ack[2], report[2], last = -1;
    unsigned acknowledged = 0;
    tell_versions(&x);
    assert_int_equal(pipe2(ack, O_NONBLOCK), 0);
    assert_int_equal(pipe2(report, O_NONBLOCK), 0);
    for (unsigned round = 0; round < KILLS; round++) {
        char why[480] = "";
        int status;
        uint32_t n;
        random_state += 2 * round; /* the child's too */
        pid_t pid = fork();
        if (pid == 0)
            taker(&z, &x, ack[1], report[1]);
        struct pollfd first = {.fd = ack[0], .events = POLLIN};
        if (round % 2 == 0)
            assert_int_equal(poll(&first, 1, 60000), 1);
        struct timespec t = {.tv_nsec = any(20000) * 1000L};
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (read(report[0], why, sizeof why - 1) > 0 || !WIFSIGNALED(status))
            fail_msg("round %u: the receiver gave up: %s", round, why);
        for (; read(ack[0], &n, sizeof n) == sizeof n; acknowledged++)
            last = (int)n;
        struct keep *k = keep_of(&z);
        struct keep_state st = state_of(k);
        if (st.empty)
            assert_int_equal(last, -1);
        else {
            int now = (int)st.serial - 1;
            assert_true(now == last || now == (last + 1) % VERSIONS);
            assert_true(same_digest(st.digest, x.state[now].digest));
            verified(k);
            last = now;
        }
        keep_close(k);
        assert_true(folders(&z) <= 1);
    }
    assert_true(acknowledged > KILLS / 2); /* or this test has proved little */
    close(ack[0]), close(ack[1]), close(report[0]), close(report[1]);
    forget_versions(&x);
}

static void limit_files(rlim_t bytes) {
    struct rlimit l;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = bytes < l.rlim_max ? bytes : l.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* No octet of a file can be written beyond so many: in the middle of a snapshot, of its reading back, of changes. */
static void full_disk(void **state) {
    (void)state;
    struct conf_zone za = zone_new(), zb = zone_new();
    struct keep *a = keep_of(&za), *b = keep_of(&zb);
    struct told t[2] = {{0}, {0}};
    struct data d;
    signal(SIGXFSZ, SIG_IGN);
    version(&d, 0);
    (void)commit(a, &d);
    data_free(&d);
    told_whole(a, &t[0]);
    struct keep_result r;
    struct err err = {0};
    assert_int_equal(taken(b, t[0].at, t[0].size, 3000, &r, &err), 0);
    struct keep_state before = state_of(b);
    version(&d, 1);
    (void)commit(a, &d);
    data_free(&d);
    assert_int_equal(told_since(a, before.serial, &before.digest, &t[0]), 0);
    told_whole(a, &t[1]);
    for (unsigned how = 0; how < 2; how++) {
        unsigned failed = 0;
        int rc = E_FULL;
        for (rlim_t bytes = 8192; rc != 0; bytes += 8192) {
            limit_files(bytes);
            rc = taken(b, t[how].at, t[how].size, 3000, &r, &err);
            limit_files(RLIM_INFINITY);
            failed += rc != 0;
            if (rc == 0)
                break;
            assert_true(rc == E_FULL || rc == E_IO || rc == E_SYSTEM || rc == E_RANGE);
            assert_true(state_of(b).serial == before.serial && same_digest(state_of(b).digest, before.digest));
            verified(b);
            assert_true(folders(&zb) <= 2);
        }
        assert_true(failed > 0);
        assert_true(same_digest(state_of(b).digest, state_of(a).digest));
        verified(b);
        before = state_of(b);
    }
    keep_close(a);
    keep_close(b);
    free(t[0].at);
    free(t[1].at);
}

/* One octet of the sender's file is another one: it says so, or what it sends is good all the same. */
static void damaged_sender(void **state) {
    (void)state;
    struct conf_zone za = zone_new(), zb = zone_new();
    struct keep *a = keep_of(&za), *b = keep_of(&zb);
    struct data d;
    char path[300];
    unsigned said = 0;
    store_fault_watch(); /* cmocka has taken the signals */
    version(&d, 3);
    (void)commit(a, &d);
    data_free(&d);
    struct keep_state st = state_of(a);
    snprintf(path, sizeof path, "%s/zones/%s/%s/data.mdb", state_dir, za.name, st.generation);
    int fd = open(path, O_RDWR);
    off_t size = lseek(fd, 0, SEEK_END);
    for (unsigned i = 0; i < FLIPS; i++) {
        off_t at = 8192 + (off_t)any((uint32_t)size - 8192);
        uint8_t was, now;
        struct stream_out *o = NULL;
        struct stream_head head;
        struct keep *share;
        struct keep_result r;
        struct err err = {0};
        uint8_t part[4096];
        size_t n = 1;
        struct stream_in *in;
        assert_int_equal(pread(fd, &was, 1, at), 1);
        now = was ^ (uint8_t)(1 << any(8));
        assert_int_equal(pwrite(fd, &now, 1, at), 1);
        assert_int_equal(stream_in_open(&in, b, &err), 0);
        int rc = keep_share(a, &share, &err);
        if (rc == 0)
            rc = stream_out_snapshot(&o, share, &head, &err);
        while (rc == 0 && n > 0) {
            rc = stream_out_read(o, part, sizeof part, &n, &err);
            if (rc == 0)
                rc = stream_in_write(in, (struct bytes){part, n}, &err);
        }
        const struct keep_commit c = {.source = "transfer"};
        if (rc == 0)
            rc = stream_in_commit(in, &c, &r, &err);
        else
            assert_int_not_equal(stream_in_commit(in, &c, &r, NULL), 0);
        said += rc != 0;
        stream_out_close(o);
        stream_in_close(in);
        keep_close(share);
        assert_int_equal(pwrite(fd, &was, 1, at), 1);
        if (rc == 0)
            assert_true(same_digest(state_of(b).digest, st.digest));
        if (!state_of(b).empty)
            verified(b);
    }
    assert_true(said > FLIPS / 4);
    close(fd);
    keep_close(a);
    keep_close(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(damaged_sender),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
