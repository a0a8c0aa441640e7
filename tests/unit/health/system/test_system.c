/* Texts of /proc, as kernels write them and as none ever did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "health/system/sample.h"
#include "health/system/sockets.h"

static void test_stat(void **state) {
    (void)state;
    static const char whole[] = "12 (a) R) T 7 12 12 0 -1 4194560 100 0 33 0 250 50 0 0 20 0 5 0 9000 1 2\n";
    static const struct {
        const char *text;
        int rc;
        char is;
    } rows[] = {
        {"12 (candor) S 1 12 12 0", 0, 'S'},
        {whole, 0, 'T'}, /* a name that tries to be a state */
        {"12 (a b) t 1", 0, 't'},
        {"12 (a)", E_INVALID, 0},
        {"12 (a) ", E_INVALID, 0},
        {"12 (a)  S", E_INVALID, 0},
        {"12 )a( S 1", E_INVALID, 0},
        {"", E_INVALID, 0},
        {"no parenthesis", E_INVALID, 0},
    };
    struct sys_process p;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        p = (struct sys_process){.state = '?'};
        if (sys_stat_parse(rows[i].text, &p) != rows[i].rc || p.state != (rows[i].rc == 0 ? rows[i].is : '?'))
            fail_msg("\"%s\"", rows[i].text);
    }
    assert_int_equal(sys_stat_parse(whole, &p), 0);
    assert_string_equal(p.name, "a)?R");
    assert_int_equal(p.parent, 7);
    assert_int_equal(p.major_faults, 33);
    assert_int_equal(p.cpu_ticks, 300);
    assert_int_equal(p.threads, 5);
    assert_int_equal(p.start_ticks, 9000);
    assert_int_equal(sys_stat_parse("1 (\x01\xff) R 1", &p), 0);
    assert_string_equal(p.name, "??");
    assert_string_equal(sys_state_text('T'), "stopped");
    assert_string_equal(sys_state_text('\0'), "gone");
}

static void test_fields(void **state) {
    (void)state;
    uint64_t v = 1;
    struct sys_process p = {.fds_max = 9};
    assert_true(sys_field("Name:\tx FDSize: 7\nFDSize:\t64\n", "FDSize:", &v));
    assert_int_equal(v, 64);
    assert_false(sys_field("FDSize:\t\n", "FDSize:", &v));
    assert_false(sys_field("", "FDSize:", &v));
    assert_int_equal(sys_limits_parse("Max processes 1 1\nMax open files            1024      4096     files\n", &p),
                     0);
    assert_int_equal(p.fds_max, 1024);
    assert_int_equal(sys_limits_parse("Max open files            unlimited  unlimited  files\n", &p), 0);
    assert_int_equal(p.fds_max, 0);
    assert_int_equal(sys_limits_parse("nothing of the kind", &p), E_INVALID);
    assert_int_equal(sys_word("  1 22 x", 1), 22);
    assert_int_equal(sys_word("1 22 x", 2), 0);
    assert_int_equal(sys_word("1", 5), 0);
}

static void test_cgroup(void **state) {
    (void)state;
    static const char text[] = "9:name=systemd:/\n4:cpu,freezer:/a:b\n3:freezers:/no\n0::/unified/x\n";
    char path[64];
    assert_true(sys_cgroup_path(text, "freezer", path, sizeof(path)));
    assert_string_equal(path, "/a:b");
    assert_true(sys_cgroup_path(text, "", path, sizeof(path)));
    assert_string_equal(path, "/unified/x");
    assert_false(sys_cgroup_path(text, "freeze", path, sizeof(path)));
    assert_false(sys_cgroup_path("garbage\n0::/x", "", path, sizeof(path)));
    assert_false(sys_cgroup_path("", "", path, sizeof(path)));
    assert_true(sys_cgroup_path(text, "", path, 4)); /* cut, not beyond */
    assert_string_equal(path, "/un");
}

static void test_pressure(void **state) {
    (void)state;
    struct sys_pressure p;
    assert_int_equal(sys_pressure_parse("some avg10=12.50 avg60=0.00 avg300=0.00 total=77\n"
                                        "full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n",
                                        &p),
                     0);
    assert_true(p.known[SYS_SOME] && p.known[SYS_FULL]);
    assert_true(p.avg10[SYS_SOME] > 0.124 && p.avg10[SYS_SOME] < 0.126);
    assert_int_equal(p.total_us[SYS_SOME], 77);
    assert_int_equal(sys_pressure_parse("some avg10=1.00 avg60=0.00 avg300=0.00 total=1", &p),
                     0); /* cpu, old kernels */
    assert_false(p.known[SYS_FULL]);
    /* A line that ends early does not borrow from the next one. */
    assert_int_equal(sys_pressure_parse("some avg10=1.00\nfull avg10=1.00 total=3\n", &p), 0);
    assert_false(p.known[SYS_SOME]);
    assert_int_equal(sys_pressure_parse("some avg10=nan total=1\n", &p), 0);
    assert_true(p.avg10[SYS_SOME] == 0);
    assert_int_equal(sys_pressure_parse("some avg10=1e9 total=1\n", &p), 0);
    assert_true(p.avg10[SYS_SOME] == 1);
    assert_int_equal(sys_pressure_parse("", &p), E_INVALID);
    assert_int_equal(sys_pressure_parse("something avg10=1 total=1\n", &p), E_INVALID);
}

static void test_socket_lines(void **state) {
    (void)state;
    struct sys_socket s;
    char text[ADDR_TEXT_MAX];
    assert_int_equal(
        sys_socket_parse(" 4690: 0100007F:3DBC 00000000:0000 07 00000000:00000000 00:00000000 00000000   101 "
                         "       0 12948417 2 000000001ff97987 0",
                         false, &s),
        0);
    assert_string_equal(addr_text(&s.local, text), "127.0.0.1@15804");
    assert_int_equal(s.inode, 12948417);
    assert_int_equal(s.uid, 101);
    assert_true(s.waits);
    assert_int_equal(sys_socket_parse("0: 0100007F:0035 0200007F:1234 01 0:0 00:0 0 0 0 9 1 0 0", false, &s), 0);
    assert_false(s.waits); /* connected */
    assert_int_equal(
        sys_socket_parse("0: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 0A "
                         "0:0 00:0 0 0 0 9 1 0 0",
                         true, &s),
        0);
    assert_string_equal(addr_text(&s.local, text), "::1@53");
    static const char *const bad[] = {"",
                                      "  sl  local_address rem_address   st tx_queue",
                                      "0: 0100007F 00000000:0000 07",
                                      "0: 01:0035 00:0000 07 0:0 0:0 0 0 0 9",
                                      "0: GGGGGGGG:0035 00000000:0000 07 0:0 0:0 0 0 0 9",
                                      "0: 0100007F:0035 00000000:0000 07 0:0 00:0 0"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (sys_socket_parse(bad[i], false, &s) != E_INVALID)
            fail_msg("%s", bad[i]);
    /* A short IPv6 address must not be read beyond its end. */
    assert_int_equal(sys_socket_parse("0: 0100007F:0035 00000000:0000 07 0:0 00:0 0 0 0 9", true, &s), E_INVALID);
}

static struct addr at(const char *text) {
    struct addr a;
    assert_int_equal(addr_parse(&a, text, 0, NULL), 0);
    return a;
}

static void test_who_meets(void **state) {
    (void)state;
    static const struct {
        const char *held, *ours;
        bool meets;
    } rows[] = {{"127.0.0.1@53", "127.0.0.1@53", true},
                {"127.0.0.1@53", "0.0.0.0@53", true},
                {"0.0.0.0@53", "127.0.0.1@53", false},
                {"127.0.0.2@53", "127.0.0.1@53", false},
                {"127.0.0.1@54", "0.0.0.0@53", false},
                {"::1@53", "0.0.0.0@53", false},
                {"::1@53", "::@53", true},
                {"0.0.0.0@53", "0.0.0.0@53", true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct addr held = at(rows[i].held), ours = at(rows[i].ours);
        if (sys_socket_meets(&held, &ours) != rows[i].meets)
            fail_msg("%s %s", rows[i].held, rows[i].ours);
    }
}

static void find_self(int type, bool tcp) {
    struct addr a = at("127.0.0.1@1");
    struct sys_socket found[4];
    struct sys_process owner;
    uint64_t pid, inodes[64];
    socklen_t size = sizeof(a);
    bool whole = false;
    addr_set_port(&a, 0);
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, &a.sa, addr_len(&a)), 0);
    assert_int_equal(tcp ? listen(fd, 1) : 0, 0);
    assert_int_equal(getsockname(fd, &a.sa, &size), 0);
    assert_int_equal(sys_sockets_on(tcp, &a, found, 4, &whole), 1);
    assert_true(whole);
    assert_int_equal(sys_socket_owner(found[0].inode, &pid, &owner), 0);
    assert_int_equal(pid, getpid());
    int n = sys_sockets_of((uint64_t)getpid(), inodes, 64), hits = 0;
    for (int i = 0; i < n; i++)
        hits += inodes[i] == found[0].inode;
    assert_int_equal(hits, 1);
    assert_int_equal(sys_sockets_on(tcp, &a, found, 0, &whole), 0);
    assert_false(whole);
    close(fd);
    assert_int_equal(sys_sockets_on(tcp, &a, found, 4, &whole), 0);
    assert_int_equal(sys_socket_owner(UINT64_MAX, &pid, &owner), E_NOTFOUND);
}

static void test_own_sockets(void **state) {
    (void)state;
    find_self(SOCK_DGRAM, false);
    find_self(SOCK_STREAM, true);
    uint64_t inode;
    assert_int_equal(sys_sockets_of(UINT64_MAX, &inode, 1), E_NOTFOUND);
}

static void test_own_process(void **state) {
    (void)state;
    struct sys_process p, more;
    struct rlimit limit;
    char words[160];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(sys_process_read((uint64_t)getpid(), &p), 0);
    assert_int_equal(p.state, 'R');
    assert_int_equal(p.fds_max, limit.rlim_cur == RLIM_INFINITY ? 0 : limit.rlim_cur);
    assert_true(p.fds >= 3 && p.resident_bytes > 0 && p.threads == 1 && !p.fds_bound);
    int fd = dup(0);
    assert_int_equal(sys_process_read((uint64_t)getpid(), &more), 0);
    assert_int_equal(more.fds, p.fds + 1);
    close(fd);
    assert_int_equal(sys_process_read(UINT64_MAX, &p), E_NOTFOUND);
    assert_int_equal(p.state, '\0');
    assert_int_equal(sys_process_look(0, &p), E_NOTFOUND);
    assert_string_equal(sys_halt_text(0, words, sizeof(words)), "");
}

static void test_rates(void **state) {
    (void)state;
    struct sys_one one = {.pid = 0};
    struct sys_process now = {.state = 'S', .start_ticks = 5, .cpu_ticks = 100, .major_faults = 10};
    sys_one_follow(&one, 7, &now, 0, 100);
    assert_false(one.has_rates);
    assert_int_equal(one.cpu_ticks, 100);
    now.cpu_ticks = 150;
    now.major_faults = 30;
    sys_one_follow(&one, 7, &now, 1000, 100);
    assert_true(one.has_rates && one.cpu > 0.49 && one.cpu < 0.51 && one.major_per_s > 19.9);
    /* Its successor counts from zero; what this name has used goes on. */
    now = (struct sys_process){.state = 'S', .start_ticks = 9, .cpu_ticks = 3, .major_faults = 1};
    sys_one_follow(&one, 8, &now, 1000, 100);
    assert_false(one.has_rates);
    assert_int_equal(one.cpu_ticks, 153);
    assert_int_equal(one.major_faults, 31);
    /* The same number, another process. */
    now.start_ticks = 20;
    sys_one_follow(&one, 8, &now, 1000, 100);
    assert_false(one.has_rates);
}

static void test_sample(void **state) {
    (void)state;
    struct board *b = calloc(1, sizeof(*b));
    struct sys_sample *s = calloc(1, sizeof(*s));
    board_set(&b->worker_count, UINT64_MAX); /* nobody's word is an index */
    board_set(&b->process[ROLE_HEALTH].pid, (uint64_t)getpid());
    board_set(&b->worker[3].pid, (uint64_t)getpid());
    sys_sample_take(s, b, 1000);
    sys_sample_take(s, b, 2000);
    assert_int_equal(s->count, ROLE_COUNT + LIMIT_WORKERS);
    assert_true(s->at[ROLE_HEALTH].has_rates);
    assert_int_equal(s->at[ROLE_SYNC].now.state, '\0');
    assert_string_equal(sys_sample_worker(s, 3)->name, "worker 3");
    assert_true(sys_sample_worker(s, 3)->now.fds > 0);
    assert_null(sys_sample_worker(s, LIMIT_WORKERS));
    free(s);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stat),        cmocka_unit_test(test_fields),       cmocka_unit_test(test_cgroup),
        cmocka_unit_test(test_pressure),    cmocka_unit_test(test_socket_lines), cmocka_unit_test(test_who_meets),
        cmocka_unit_test(test_own_sockets), cmocka_unit_test(test_own_process),  cmocka_unit_test(test_rates),
        cmocka_unit_test(test_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
