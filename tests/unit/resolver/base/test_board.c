/* The board: made once whoever comes first, replaced when it is not one, consistent copies, hostile content. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/board.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

struct place {
    char run[32], path[64];
};

static struct place place;

static int make_place(void **state) {
    (void)state;
    (void)snprintf(place.run, sizeof(place.run), "/tmp/candor-test-XXXXXX");
    if (mkdtemp(place.run) == NULL)
        return -1;
    (void)snprintf(place.path, sizeof(place.path), "%s/candor.board", place.run);
    return 0;
}

static int drop_place(void **state) {
    (void)state;
    if (unlink(place.path) != 0)
        (void)rmdir(place.path);
    return rmdir(place.run); /* fails when anything else was left behind */
}

static void write_file(const char *text, size_t size) {
    int fd = open(place.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

static struct board *attach(void) {
    struct err err = {0};
    struct board *b;
    if (board_attach(&b, place.run, &err) != E_OK)
        fail_msg("%s", err.text);
    return b;
}

static void made_and_shared(void **state) {
    struct stat st;
    (void)state;
    struct board *a = attach(), *b = attach();
    assert_true(board_get(&a->node_boot) != 0);
    assert_int_equal(board_get(&a->node_boot), board_get(&b->node_boot));
    board_set(&a->worker[3].drops[DROP_ACL], 41);
    board_add(&b->worker[3].drops[DROP_ACL], 1);
    assert_int_equal(board_get(&a->worker[3].drops[DROP_ACL]), 42);
    assert_int_equal(stat(place.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_size, sizeof(struct board));
    assert_true((size_t)st.st_blocks * 512 < sizeof(struct board)); /* zone slots take no room before they are used */
    board_detach(a);
    board_detach(b);
    board_detach(NULL);
}

static void outlives_its_processes(void **state) {
    (void)state;
    struct board *a = attach();
    uint64_t boot = board_get(&a->node_boot);
    board_set(&a->zone[LIMIT_ZONES - 1].serial, 99);
    board_detach(a);
    a = attach();
    assert_int_equal(board_get(&a->node_boot), boot);
    assert_int_equal(board_get(&a->zone[LIMIT_ZONES - 1].serial), 99);
    board_detach(a);
}

static void replaced_when_it_is_not_one(void **state) {
    static char junk[sizeof(struct board)];
    (void)state;
    memset(junk, 0x5a, sizeof(junk));
    const size_t sizes[] = {0, 1, sizeof(junk) - 1, sizeof(junk)};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        write_file(junk, sizes[i]);
        struct board *b = attach();
        assert_int_equal(board_get(&b->version), BOARD_VERSION);
        assert_int_equal(board_get(&b->process[0].pid), 0);
        board_detach(b);
    }
}

static void old_mapping_stays_valid(void **state) {
    (void)state;
    struct board *old = attach();
    uint64_t boot = board_get(&old->node_boot);
    board_set(&old->version, BOARD_VERSION + 1); /* as a newer program would leave it */
    struct board *new = attach();
    assert_true(board_get(&new->node_boot) != boot);
    assert_int_equal(board_get(&new->version), BOARD_VERSION);
    board_set(&old->process[0].heartbeat_ms, 5);
    assert_int_equal(board_get(&new->process[0].heartbeat_ms), 0);
    board_detach(old);
    board_detach(new);
}

static void watched(void **state) {
    const struct board *w;
    struct err err = {0};
    (void)state;
    assert_int_equal(board_watch(&w, place.run, &err), E_NOTFOUND);
    assert_null(w);
    write_file("short", 5);
    assert_int_equal(board_watch(&w, place.run, &err), E_CORRUPT);
    assert_null(w);
    assert_non_null(strstr(err.text, "candor.board"));
    struct board *b = attach();
    board_set(&b->process[ROLE_SYNC].pid, 7);
    assert_int_equal(board_watch(&w, place.run, &err), E_OK);
    assert_int_equal(board_get(&w->process[ROLE_SYNC].pid), 7);
    board_detach(w);
    b->magic[0] ^= 1;
    assert_int_equal(board_watch(&w, place.run, &err), E_CORRUPT);
    b->magic[0] ^= 1;
    board_set(&b->size, sizeof(*b) - 8);
    assert_int_equal(board_watch(&w, place.run, &err), E_CORRUPT);
    board_detach(b);
}

static void not_through_links_or_folders(void **state) {
    struct err err = {0};
    struct board *b;
    (void)state;
    assert_int_equal(symlink("/dev/zero", place.path), 0);
    assert_true(board_attach(&b, place.run, &err) < 0);
    assert_null(b);
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(mkdir(place.path, 0700), 0);
    assert_true(board_attach(&b, place.run, &err) < 0);
    assert_null(b);
    assert_int_equal(board_attach(&b, "/nonexistent-folder", &err), E_NOTFOUND);
    char longer[8192];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(board_attach(&b, longer, &err), E_RANGE);
    assert_int_equal(board_attach(&b, longer, NULL), E_RANGE);
}

enum { RACERS = 8, ROUNDS = 20 };

/* Everybody finds no board, or a broken one, at the same moment; all must end on the same. */
static void one_board_for_all(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        int go[2], out[2], status;
        uint64_t boots[RACERS];
        pid_t child[RACERS];
        char byte = 0;
        assert_int_equal(pipe(go), 0);
        assert_int_equal(pipe(out), 0);
        if (round % 2 == 0)
            (void)unlink(place.path);
        else
            write_file("broken", 6);
        for (int i = 0; i < RACERS; i++) {
            child[i] = fork();
            assert_true(child[i] >= 0);
            if (child[i] == 0) {
                struct board *b;
                close(go[1]);
                (void)!read(go[0], &byte, 1); /* ends for all at once */
                if (board_attach(&b, place.run, NULL) != E_OK)
                    _exit(1);
                uint64_t boot = board_get(&b->node_boot);
                _exit(write(out[1], &boot, sizeof(boot)) == sizeof(boot) ? 0 : 1);
            }
        }
        close(go[0]);
        close(go[1]);
        for (int i = 0; i < RACERS; i++) {
            assert_int_equal(waitpid(child[i], &status, 0), child[i]);
            assert_int_equal(status, 0);
            assert_int_equal(read(out[0], &boots[i], sizeof(boots[i])), sizeof(boots[i]));
            assert_true(boots[i] == boots[0]);
        }
        close(out[0]);
        close(out[1]);
    }
}

static int64_t now_ns;
static int64_t turned(enum clock_kind kind) { return kind == CLOCK_KIND_WALL ? 5 * NS_PER_S : now_ns; }

static void claims_and_ticks(void **state) {
    struct board_process p;
    (void)state;
    memset(&p, 0, sizeof(p));
    board_set(&p.ready, 1);
    board_set(&p.starts, 4);
    board_set(&p.loop_lag_max_us, 77);
    now_ns = 1000 * NS_PER_MS;
    clock_set_source(turned);
    board_claim(&p);
    uint64_t boot = board_get(&p.boot);
    assert_true(boot != 0);
    assert_int_equal(board_get(&p.pid), getpid());
    assert_int_equal(board_get(&p.started_wall_s), 5);
    assert_int_equal(board_get(&p.heartbeat_ms), 1000);
    assert_int_equal(board_get(&p.ready), 0);
    assert_int_equal(board_get(&p.loop_lag_max_us), 0);
    assert_int_equal(board_get(&p.starts), 4); /* the supervisor's */
    now_ns = 1250 * NS_PER_MS + 1500;
    board_tick(&p, 1250);
    assert_int_equal(board_get(&p.heartbeat_ms), 1250);
    assert_int_equal(board_get(&p.loop_lag_us), 1);
    now_ns = 1600 * NS_PER_MS;
    board_tick(&p, 1500);
    assert_int_equal(board_get(&p.loop_lag_us), 100000);
    board_tick(&p, 1700); /* early: no lag */
    assert_int_equal(board_get(&p.loop_lag_us), 0);
    assert_int_equal(board_get(&p.loop_lag_max_us), 100000);
    board_claim(&p);
    assert_true(board_get(&p.boot) != boot);
    clock_set_source(NULL);
}

static void buckets(void **state) {
    (void)state;
    assert_int_equal(board_latency_bucket(0), 0);
    for (unsigned i = 0; i < BOARD_LATENCY_BUCKETS - 1; i++) {
        assert_int_equal(board_latency_bucket(board_latency_us[i]), i);
        assert_int_equal(board_latency_bucket(board_latency_us[i] + 1), i + 1);
        assert_true(i == 0 || board_latency_us[i] > board_latency_us[i - 1]);
    }
    assert_int_equal(board_latency_bucket(UINT64_MAX), BOARD_LATENCY_BUCKETS - 1);
}

static void writer_that_died_half_way(void **state) {
    struct board_zone z, copy;
    (void)state;
    memset(&z, 0xee, sizeof(z)); /* no NUL anywhere, every number absurd */
    board_set(&z.seq, 6);
    board_zone_open(&z);
    assert_int_equal(board_get(&z.seq), 7);
    memset(&copy, 0, sizeof(copy));
    assert_false(board_zone_read(&z, &copy));
    assert_int_equal(strlen(copy.name), BOARD_NAME_MAX - 1);
    assert_int_equal(strlen(copy.generation), sizeof(copy.generation) - 1);
    assert_int_equal(strlen(copy.error), BOARD_TEXT_MAX - 1);
    assert_int_equal(copy.state, ZONE_ERROR);
    board_zone_open(&z); /* the successor */
    assert_int_equal(board_get(&z.seq) % 2, 1);
    assert_true(board_get(&z.seq) != 7);
    text_copy(z.name, sizeof(z.name), "bl.example.");
    board_zone_close(&z);
    assert_int_equal(board_get(&z.seq) % 2, 0);
    assert_true(board_zone_read(&z, &copy));
    assert_string_equal(copy.name, "bl.example.");
    board_zone_close(&z); /* closed twice: still even */
    assert_int_equal(board_get(&z.seq) % 2, 0);
}

enum { GOOD_READS = 2000, KINDS = 5, PATIENCE_MS = 60000, REST = 3000 };

/* The writer changes name, digest and serial together; a copy that says it is whole must have all three of one kind. */
static void copies_are_whole(void **state) {
    (void)state;
    struct board *b = attach();
    struct board_zone *z = &b->zone[5], copy;
    unsigned good = 0, kinds = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (unsigned i = 0;; i++) { /* ended by the parent */
            char c = (char)('a' + i % 26);
            board_zone_open(z);
            memset(z->name, c, sizeof(z->name) - 1);
            memset(z->digest, c, sizeof(z->digest));
            board_set(&z->serial, (uint64_t)c);
            memset(z->error, c, sizeof(z->error) - 1);
            board_zone_close(z);
            for (volatile unsigned rest = 0; rest < REST; rest++) /* as long as a few reads take */
                ;
        }
    }
    int64_t until = clock_mono_ms() + PATIENCE_MS; /* the writer may get the CPU late */
    while (clock_mono_ms() < until) {
        if (good >= GOOD_READS && __builtin_popcount(kinds) >= KINDS)
            break;
        if (!board_zone_read(z, &copy) || copy.name[0] == '\0')
            continue;
        char c = copy.name[0];
        char same[2] = {c, '\0'};
        if (strspn(copy.name, same) != sizeof(copy.name) - 1 || strspn(copy.error, same) != sizeof(copy.error) - 1 ||
            copy.digest[0] != c || copy.digest[15] != c || copy.serial != (uint64_t)c)
            break;
        kinds |= 1u << (c - 'a');
        good++;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(good >= GOOD_READS);
    assert_true(__builtin_popcount(kinds) >= KINDS); /* it did change meanwhile */
    board_detach(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(made_and_shared, make_place, drop_place),
        cmocka_unit_test_setup_teardown(outlives_its_processes, make_place, drop_place),
        cmocka_unit_test_setup_teardown(replaced_when_it_is_not_one, make_place, drop_place),
        cmocka_unit_test_setup_teardown(old_mapping_stays_valid, make_place, drop_place),
        cmocka_unit_test_setup_teardown(watched, make_place, drop_place),
        cmocka_unit_test_setup_teardown(not_through_links_or_folders, make_place, drop_place),
        cmocka_unit_test_setup_teardown(one_board_for_all, make_place, drop_place),
        cmocka_unit_test(claims_and_ticks),
        cmocka_unit_test(buckets),
        cmocka_unit_test(writer_that_died_half_way),
        cmocka_unit_test_setup_teardown(copies_are_whole, make_place, drop_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
