/* A keeper of edits and files killed at any moment: what it acknowledged is there, what it did not is there as a whole
 * or not at all, and the digest is that of the entries. */
#include "tests/unit/rbl/keep/zone.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "rbl/keep/edit.h"

enum { KILLS = 150, LOCALS = 48, FILES = 12000 };

/* What the files say at serial n: they are read at every fourth, every second time as a new generation. */
static void files_at(struct data *d, uint32_t n) {
    data_new(d, 1, DATASET_IP4TRIE);
    uint32_t v = value_of(d, 2, "from files"), round = n / 4;
    for (uint32_t i = 0; i < (round % 2 ? FILES : 500); i++)
        assert_int_equal(data_add4(d, 0, 0x0a000000 + i * 7 + round, 0x0a000000 + i * 7 + round, v), 0);
}

static uint32_t local_addr(uint32_t n, uint32_t i) { return 0x14000000 + i * 0x8000 + n % 3001; }

static struct value local_value(uint32_t n) {
    struct value v;
    memset(&v, 0, sizeof v);
    v.a[0] = 127;
    v.a[3] = 3;
    v.has_txt = true;
    v.ttl = 60;
    v.txt_size = (uint16_t)snprintf(v.txt, sizeof v.txt, "by hand %u", n);
    return v;
}

/* The last serial up to n that edits made. */
static uint32_t edited_by(uint32_t n) { return n % 4 == 0 && n > 0 ? n - 1 : n; }

/* All entries at serial n, local ones among them. */
static void version(struct data *d, uint32_t n) {
    struct value v = local_value(edited_by(n));
    uint32_t id;
    files_at(d, n);
    d->dataset_count = LIMIT_DATASETS; /* for the sorting alone */
    for (uint32_t i = 0; i < LOCALS && edited_by(n) > 0; i++) {
        uint32_t a = local_addr(edited_by(n), i);
        assert_int_equal(data_value(d, &v, &id), 0);
        assert_int_equal(data_add4(d, DATASET_LOCAL, a, a, i % 5 == 0 ? VALUE_EXCLUDED : id), 0);
    }
}

static void put(struct keep_batch *b, uint32_t n, bool remove) {
    for (uint32_t i = 0; i < LOCALS; i++) {
        struct keep_entry e;
        struct err err = {0};
        memset(&e, 0, sizeof e);
        e.kind = KEEP_4;
        e.bits = 32;
        put_u32(e.addr, local_addr(n, i));
        e.excluded = i % 5 == 0;
        e.value = local_value(n);
        e.until_wall_s = i % 3 == 0 ? 4000000000 + n : 0;
        int rc = remove ? keep_batch_remove(b, &e, false, &err) : keep_batch_add(b, &e, &err);
        if (rc != 0)
            _exit(2);
    }
}

static int step(struct keep *k, uint32_t n, struct err *err) {
    struct keep_commit c = {.source = "test", .serial_hint = n};
    struct keep_result r;
    struct keep_batch *b;
    if (n % 4 == 0) {
        struct data d;
        files_at(&d, n);
        int rc = data_settle(&d, err);
        rc = rc == 0 ? keep_replace(k, &d, &c, &r, err) : rc;
        data_free(&d);
        return rc;
    }
    int rc = keep_batch_open(&b, k, err);
    if (rc != 0)
        return rc;
    keep_batch_source(b, "update key.example.");
    put(b, edited_by(n - 1), true);
    put(b, n, false);
    rc = keep_batch_commit(b, &c, &r, err);
    keep_batch_close(b);
    return rc;
}

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
    for (uint32_t n = st.serial + 1;; n++)
        if (step(k, n, &err) != 0 || write(ack, &n, sizeof n) != sizeof n) {
            dprintf(report, "serial %u: %s", n, err.text);
            _exit(1);
        }
}

static uint32_t holds(const struct conf_zone *z, uint32_t acknowledged, unsigned round) {
    struct keep_state st;
    struct err err = {0};
    struct data d;
    struct keep *k = keep_of(z);
    keep_state(k, &st);
    if (st.serial != acknowledged && st.serial != acknowledged + 1)
        fail_msg("round %u: serial %u, acknowledged %u", round, st.serial, acknowledged);
    version(&d, st.serial);
    struct digest sum = digest_of_data(&d);
    assert_memory_equal(&sum, &st.digest, sizeof sum);
    assert_int_equal(st.entries, data_entries(&d));
    if (keep_verify(k, &err) != 0)
        fail_msg("round %u: %s", round, err.text);
    data_free(&d);
    keep_close(k);
    return st.serial;
}

static void killed_at_any_moment(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    int ack[2], report[2];
    struct keep *k = keep_of(&z);
    struct err err = {0};
    uint32_t acknowledged = 1, n;
    /* serial 1 needs files and edits, two commits, and is not killed */
    struct keep_commit c = {.source = "test", .serial_hint = UINT32_MAX};
    struct keep_result r;
    struct data d;
    files_at(&d, 1);
    settle(&d);
    assert_int_equal(keep_replace(k, &d, &c, &r, &err), 0);
    data_free(&d);
    struct keep_batch *b;
    c.serial_hint = 1;
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    put(b, 1, false);
    assert_int_equal(keep_batch_commit(b, &c, &r, &err), 0);
    keep_batch_close(b);
    keep_close(k);
    assert_int_equal(pipe2(ack, O_NONBLOCK), 0);
    assert_int_equal(pipe2(report, O_NONBLOCK), 0);
    for (unsigned round = 0; round < KILLS; round++) {
        char why[480] = "";
        int status;
        pid_t pid = fork();
        if (pid == 0)
            keeper(&z, ack[1], report[1]);
        struct pollfd first = {.fd = ack[0], .events = POLLIN};
        if (round % 2 == 0)
            assert_int_equal(poll(&first, 1, 60000), 1);
        struct timespec t = {.tv_nsec = any(15000) * 1000L};
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        ssize_t said = read(report[0], why, sizeof why - 1);
        if (said > 0 || !WIFSIGNALED(status))
            fail_msg("round %u: the keeper gave up: %s", round, why);
        while (read(ack[0], &n, sizeof n) == sizeof n)
            acknowledged = n;
        acknowledged = holds(&z, acknowledged, round);
    }
    assert_true(acknowledged >= KILLS / 2);
    close(ack[0]), close(ack[1]), close(report[0]), close(report[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
