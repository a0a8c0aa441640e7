/* A slow disk for one program: LD_PRELOAD=slow.so CANDOR_SLOW=FILE. The file holds two 32-bit numbers of this machine,
 * the least and the most milliseconds that an fsync, fdatasync or msync takes longer; it is read through a mapping. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile uint32_t *bounds_ms;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CANDOR_SLOW");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, 2 * sizeof *bounds_ms, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        bounds_ms = at;
    close(fd);
}

static void wait_a_little(void) {
    struct timespec now;
    if (bounds_ms == NULL || bounds_ms[1] == 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint32_t least = bounds_ms[0], most = bounds_ms[1];
    uint32_t ms = least + (uint32_t)(now.tv_nsec / 1000) % (most > least ? most - least : 1);
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

int fsync(int fd) {
    wait_a_little();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    wait_a_little();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int msync(void *at, size_t size, int flags) {
    if (flags & MS_SYNC)
        wait_a_little();
    return ((int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync"))(at, size, flags);
}
