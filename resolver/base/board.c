#include "resolver/base/board.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/base/rand.h"

enum {
    BOARD_MODE = 0640,
    LOCK_TRIES = 200, /* with LOCK_PAUSE_MS between: whoever holds the lock holds it for microseconds */
    LOCK_PAUSE_MS = 10,
};

static const char board_magic[8] = "CNDRBRD";

_Static_assert(sizeof(struct board) % sizeof(board_word) == 0, "the board is made of words");

const uint32_t board_latency_us[BOARD_LATENCY_BUCKETS - 1] = {
    50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
};

unsigned board_latency_bucket(uint64_t us) {
    unsigned low = 0, high = BOARD_LATENCY_BUCKETS - 1;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (us <= board_latency_us[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void pause_us(long us) {
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    (void)nanosleep(&t, NULL);
}

/* 0 stands for "never". */
static uint64_t random_id(void) {
    uint64_t id = rand_u64();
    return id != 0 ? id : 1;
}

static int run_path(char path[PATH_MAX], const char *run, const char *name, struct err *err) {
    int n = snprintf(path, PATH_MAX, "%s/%s", run, name);
    if (n < 0 || n >= PATH_MAX)
        return err_set(err, E_RANGE, "%s/%s: the path is longer than %d bytes", run, name, PATH_MAX - 1);
    return E_OK;
}

/* E_CORRUPT: there is a file, and it is not a board of this version. */
static int map_file(struct board **b, const char *path, bool writable, struct err *err) {
    int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    struct board *map = MAP_FAILED;
    int rc;
    if (fd < 0)
        return err_errno(err, "%s", path);
    if (fstat(fd, &st) != 0) {
        rc = err_errno(err, "%s", path);
    } else if (!S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(*map)) {
        rc = err_set(err, E_CORRUPT, "%s: expected a board of %zu bytes, got %lld", path, sizeof(*map),
                     (long long)st.st_size);
    } else {
        map = mmap(NULL, sizeof(*map), PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
        rc = map == MAP_FAILED ? err_errno(err, "%s: mmap", path) : E_OK;
    }
    (void)close(fd);
    if (rc != E_OK)
        return rc;
    if (memcmp(map->magic, board_magic, sizeof(board_magic)) != 0 || board_get(&map->version) != BOARD_VERSION ||
        board_get(&map->size) != sizeof(*map)) {
        (void)munmap(map, sizeof(*map));
        return err_set(err, E_CORRUPT, "%s: expected a board of version %d", path, BOARD_VERSION);
    }
    *b = map;
    return E_OK;
}

/* The file is sparse, but for the slots of processes and workers: were their pages taken from a full /run only when
 * first written, that write would kill the resolver. Zone slots are written by candor-sync alone. */
static int fill_file(int fd, const char *path, struct err *err) {
    struct board *b;
    int number;
    if (fchmod(fd, BOARD_MODE) != 0 || ftruncate(fd, (off_t)sizeof(*b)) != 0)
        return err_errno(err, "%s", path);
    number = posix_fallocate(fd, 0, (off_t)offsetof(struct board, zone));
    if (number != 0) {
        errno = number;
        return err_errno(err, "%s: %zu bytes for the board", path, offsetof(struct board, zone));
    }
    b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (b == MAP_FAILED)
        return err_errno(err, "%s: mmap", path);
    memcpy(b->magic, board_magic, sizeof(board_magic));
    board_set(&b->version, BOARD_VERSION);
    board_set(&b->size, sizeof(*b));
    board_set(&b->node_boot, random_id());
    (void)munmap(b, sizeof(*b));
    return E_OK;
}

/* Complete under another name first, so that no reader ever sees half a board. */
static int make_file(const char *run, const char *path, struct err *err) {
    char temp[PATH_MAX];
    int fd, rc = run_path(temp, run, "candor.board.XXXXXX", err);
    if (rc != E_OK)
        return rc;
    fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "%s", temp);
    rc = fill_file(fd, temp, err);
    if (rc == E_OK && rename(temp, path) != 0)
        rc = err_errno(err, "%s", path);
    if (rc != E_OK)
        (void)unlink(temp);
    (void)close(fd);
    return rc;
}

/* Two processes that find no board at the same moment must not make two: the second would orphan the first. */
static int lock_directory(int *fd, const char *run, struct err *err) {
    int dir = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_errno(err, "%s", run);
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(dir, LOCK_EX | LOCK_NB) == 0) {
            *fd = dir;
            return E_OK;
        }
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        pause_us(LOCK_PAUSE_MS * 1000);
    }
    int rc = err_errno(err, "%s: lock", run);
    (void)close(dir);
    return rc;
}

int board_attach(struct board **b, const char *run, struct err *err) {
    char path[PATH_MAX];
    int lock = -1, rc;
    *b = NULL;
    rc = run_path(path, run, "candor.board", err);
    if (rc == E_OK)
        rc = lock_directory(&lock, run, err);
    if (rc != E_OK)
        return rc;
    rc = map_file(b, path, true, err);
    if (rc == E_NOTFOUND || rc == E_CORRUPT) {
        rc = make_file(run, path, err);
        if (rc == E_OK)
            rc = map_file(b, path, true, err);
    }
    (void)close(lock);
    return rc;
}

int board_watch(const struct board **b, const char *run, struct err *err) {
    char path[PATH_MAX];
    struct board *map = NULL;
    int rc = run_path(path, run, "candor.board", err);
    if (rc == E_OK)
        rc = map_file(&map, path, false, err);
    *b = map;
    return rc;
}

void board_detach(const struct board *b) {
    if (b != NULL)
        (void)munmap((void *)(uintptr_t)b, sizeof(*b));
}

void board_claim(struct board_process *p) {
    uint64_t boot = random_id();
    board_set(&p->ready, 0);
    board_set(&p->pid, (uint64_t)getpid());
    board_set(&p->started_wall_s, (uint64_t)clock_wall_s());
    board_set(&p->loop_lag_us, 0);
    board_set(&p->loop_lag_max_us, 0);
    board_set(&p->heartbeat_ms, (uint64_t)clock_mono_ms());
    /* Last: who sees the new boot id sees its first heartbeat too, not the last of the dead. */
    __atomic_store_n(&p->boot, boot, __ATOMIC_RELEASE);
}

void board_tick(struct board_process *p, int64_t due_ms) {
    int64_t now_ns = clock_ns(CLOCK_KIND_MONO);
    int64_t lag_us = (now_ns - due_ms * NS_PER_MS) / 1000;
    if (lag_us < 0)
        lag_us = 0;
    board_set(&p->heartbeat_ms, (uint64_t)(now_ns / NS_PER_MS));
    board_set(&p->loop_lag_us, (uint64_t)lag_us);
    if ((uint64_t)lag_us > board_get(&p->loop_lag_max_us))
        board_set(&p->loop_lag_max_us, (uint64_t)lag_us);
}

const char *board_guard_mark_name(uint64_t mark) {
    static const char *const names[GUARD_MARKS] = {"unknown", "good", "refuses", "world", "empty", "silent"};
    return mark < GUARD_MARKS ? names[mark] : names[GUARD_MARK_NONE];
}
