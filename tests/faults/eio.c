/* A disk that fails for one program: LD_PRELOAD=eio.so CANDOR_EIO=FILE. The file holds an errno, a 64-bit number of
 * this machine, 0 for none; it is read through a mapping, so that a test may break the disk, and mend it, at any
 * moment. What writes or syncs a regular file then fails with it; sockets, pipes and everything that reads go on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const volatile int64_t *failing;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CANDOR_EIO");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof *failing, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        failing = at;
    close(fd);
}

static int fails(int fd) {
    struct stat st;
    if (failing == NULL || *failing == 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    errno = (int)*failing;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *p, size_t n) { return fails(fd) ? -1 : REAL(write)(fd, p, n); }
ssize_t writev(int fd, const struct iovec *v, int n) { return fails(fd) ? -1 : REAL(writev)(fd, v, n); }
ssize_t pwrite(int fd, const void *p, size_t n, off_t at) { return fails(fd) ? -1 : REAL(pwrite)(fd, p, n, at); }
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at) { return fails(fd) ? -1 : REAL(pwrite64)(fd, p, n, at); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) { return fails(fd) ? -1 : REAL(pwritev)(fd, v, n, at); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at) {
    return fails(fd) ? -1 : REAL(pwritev64)(fd, v, n, at);
}
int fsync(int fd) { return fails(fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(fd) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return fails(fd) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return fails(fd) ? -1 : REAL(ftruncate64)(fd, size); }
int fallocate(int fd, int mode, off_t at, off_t n) { return fails(fd) ? -1 : REAL(fallocate)(fd, mode, at, n); }
int fallocate64(int fd, int mode, off64_t at, off64_t n) { return fails(fd) ? -1 : REAL(fallocate64)(fd, mode, at, n); }
