/* The mapping and its file: made, taken over, or done without. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/rand.h"
#include "resolver/cache/inside.h"
#include "resolver/cache/layout.h"

static uint64_t file_check(const struct cache_file *f) { return XXH3_64bits(f, offsetof(struct cache_file, check)); }

/* Which boot of the machine this is; zeros when the kernel does not say. */
static void machine_boot(uint8_t id[16]) {
    char text[64] = "";
    memset(id, 0, 16);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n > 0) {
        XXH128_hash_t h = XXH3_128bits(text, (size_t)n);
        memcpy(id, &h, 16);
    }
}

/* How the octets are shared out: one page, one index word per CACHE_LOG_PER_WORD octets of log, the logs. */
static void geometry(uint64_t size, uint64_t *buckets, uint64_t *log_bytes) {
    uint64_t line = CACHE_WAYS * sizeof(uint64_t);
    *buckets = (size - CACHE_PAGE) / (CACHE_WAYS * CACHE_LOG_PER_WORD + line);
    *log_bytes = (size - CACHE_PAGE - *buckets * line) & ~(uint64_t)(CACHE_UNIT - 1);
}

static uint64_t ring_bytes(uint64_t log_bytes, enum cache_ring_id ring) {
    uint64_t fresh = log_bytes / CACHE_NEW_PART & ~(uint64_t)(CACHE_UNIT - 1);
    return ring == CACHE_NEW ? fresh : log_bytes - fresh;
}

static void header_make(struct cache_file *f, const struct cache_config *config, uint64_t size) {
    memset(f, 0, sizeof *f);
    f->version = CACHE_FORMAT_VERSION;
    f->order = 0x01020304;
    f->size = size;
    geometry(size, &f->buckets, &f->log_bytes);
    f->hash_seed = rand_u64();
    f->check_seed = rand_u64();
    f->monotonic = config->monotonic;
    if (config->monotonic)
        machine_boot(f->boot_id);
    memcpy(f->magic, CACHE_MAGIC, sizeof f->magic);
    f->check = file_check(f);
    for (unsigned i = 0; i < CACHE_RINGS; i++) /* position 0 stands for "none" */
        f->ring[i].head = f->ring[i].judged = ring_bytes(f->log_bytes, i);
}

/* Why a file cannot be taken over; NULL: it can. */
static const char *header_fault(const struct cache_file *f, const struct cache_config *config, uint64_t size) {
    uint64_t buckets, log_bytes;
    uint8_t boot_id[16];
    if (memcmp(f->magic, CACHE_MAGIC, sizeof f->magic) != 0)
        return "it is not a cache file";
    if (f->version != CACHE_FORMAT_VERSION || f->order != 0x01020304)
        return "it is of another version or machine";
    if (f->check != file_check(f))
        return "its header is damaged";
    geometry(size, &buckets, &log_bytes);
    if (f->size != size || f->buckets != buckets || f->log_bytes != log_bytes)
        return "the configured size is another";
    machine_boot(boot_id);
    if (f->monotonic != config->monotonic || (f->monotonic && memcmp(f->boot_id, boot_id, 16) != 0))
        return "its times are of another clock";
    return NULL;
}

static void adopt(struct cache *c, void *map, uint64_t size) {
    const struct cache_file *f = map;
    c->file = map;
    c->size = size;
    c->buckets = f->buckets;
    c->hash_seed = f->hash_seed;
    c->check_seed = f->check_seed;
    c->index = (uint64_t *)((uint8_t *)map + CACHE_PAGE);
    (void)madvise(c->index, c->buckets * CACHE_WAYS * sizeof *c->index, MADV_RANDOM); /* no memory for neighbours */
    uint8_t *log = (uint8_t *)map + CACHE_PAGE + c->buckets * CACHE_WAYS * sizeof(uint64_t);
    for (unsigned i = 0; i < CACHE_RINGS; i++) {
        c->ring[i].log = log;
        c->ring[i].bytes = ring_bytes(f->log_bytes, i);
        log += c->ring[i].bytes;
    }
}

static int map_fd(int fd, uint64_t size, void **map) {
    int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    *map = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    return *map == MAP_FAILED ? E_NOMEM : 0;
}

uint64_t cache_identity(const struct cache *c) { return c->on_disk && c->path != NULL ? c->check_seed | 1 : 0; }

/* What the header says of the file's own times and size counts. */
static int attach(struct cache *c, struct err *err) {
    struct stat st;
    void *map = NULL;
    int fd = open(c->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(err, "%s", c->path);
    int e = 0;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < CACHE_SIZE_MIN)
        e = err_set(err, E_CORRUPT, "%s: it is not a cache file", c->path);
    else if (map_fd(fd, (uint64_t)st.st_size, &map) != 0)
        e = err_set(err, E_NOMEM, "%s: cannot be mapped", c->path);
    close(fd);
    if (e != 0 || map == NULL)
        return e != 0 ? e : E_NOMEM;
    c->config.monotonic = ((const struct cache_file *)map)->monotonic == 1;
    const char *why = header_fault(map, &c->config, (uint64_t)st.st_size);
    if (why != NULL) {
        munmap(map, (size_t)st.st_size);
        return err_set(err, E_CORRUPT, "%s: %s", c->path, why);
    }
    c->on_disk = true;
    adopt(c, map, (uint64_t)st.st_size);
    return 0;
}

int cache_attach(struct cache **out, const struct cache_config *config, struct err *err) {
    struct cache *c = calloc(1, sizeof *c);
    *out = NULL;
    if (c == NULL || (c->path = strdup(config->path)) == NULL) {
        free(c);
        return err_set(err, E_NOMEM, "answer cache: no memory");
    }
    c->config = *config;
    c->config.path = NULL;
    int e = attach(c, err);
    if (e != 0) {
        free(c->path);
        free(c);
        return e;
    }
    cache_tick(c);
    *out = c;
    return 0;
}

/* Takes the file over as it is. */
static int file_take(struct cache *c, uint64_t size, const char **why) {
    struct stat st;
    void *map;
    *why = NULL;
    int fd = open(c->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return E_NOTFOUND;
    int e = E_CORRUPT;
    /* Blocks that are missing would be a SIGBUS later, so they are asked for now. */
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size) {
        *why = "the configured size is another";
    } else if (posix_fallocate(fd, 0, (off_t)size) != 0 || map_fd(fd, size, &map) != 0) {
        *why = "it cannot be mapped";
    } else if ((*why = header_fault(map, &c->config, size)) != NULL) {
        munmap(map, size);
    } else {
        adopt(c, map, size);
        e = 0;
    }
    close(fd);
    return e;
}

/* Makes a new file beside the old one and renames it: who has the old one mapped keeps a valid mapping. All blocks are
 * asked for here, so that a full disk is an error now and not a signal later. */
static int file_make(struct cache *c, uint64_t size, struct err *err) {
    char fresh[4096];
    void *map;
    if (snprintf(fresh, sizeof fresh, "%s.new", c->path) >= (int)sizeof fresh)
        return err_set(err, E_RANGE, "%s: path too long", c->path);
    unlink(fresh);
    int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, "%s", fresh);
    int e = posix_fallocate(fd, 0, (off_t)size);
    if (e != 0) {
        errno = e;
        e = err_errno(err, "%s: %llu octets", fresh, (unsigned long long)size);
        goto out;
    }
    if ((e = map_fd(fd, size, &map)) != 0) {
        err_set(err, e, "%s: cannot be mapped", fresh);
        goto out;
    }
    header_make(map, &c->config, size);
    if (rename(fresh, c->path) != 0) {
        e = err_errno(err, "%s", c->path);
        munmap(map, size);
        goto out;
    }
    adopt(c, map, size);
out:
    close(fd);
    if (e != 0)
        unlink(fresh);
    return e;
}

static int memory_make(struct cache *c, uint64_t size, struct err *err) {
    void *map;
    if (map_fd(-1, size, &map) != 0)
        return err_set(err, E_NOMEM, "answer cache: no memory for %llu octets", (unsigned long long)size);
    header_make(map, &c->config, size);
    adopt(c, map, size);
    return 0;
}

/* The file as it is, else a new one, else memory alone. */
static int acquire(struct cache *c, bool take, struct err *err) {
    struct err trouble;
    const char *why;
    uint64_t size = c->config.size;
    c->on_disk = true;
    if (c->path != NULL && take) {
        int e = file_take(c, size, &why);
        if (e == 0)
            return 0;
        if (why != NULL)
            LOG(LEVEL_WARN, "answer cache starts empty", KS("file", c->path), KS("reason", why));
    }
    if (c->path != NULL) {
        if (file_make(c, size, &trouble) == 0)
            return 0;
        LOG(LEVEL_WARN, "answer cache is in memory only", KS("reason", trouble.text));
    }
    c->on_disk = false;
    return memory_make(c, size, err);
}

int cache_open(struct cache **out, const struct cache_config *config, struct err *err) {
    struct cache *c = calloc(1, sizeof *c);
    *out = NULL;
    if (c == NULL)
        return err_set(err, E_NOMEM, "answer cache: no memory");
    c->config = *config;
    if (c->config.size < CACHE_SIZE_MIN)
        c->config.size = CACHE_SIZE_MIN;
    c->config.size &= ~(uint64_t)(CACHE_PAGE - 1);
    c->config.path = NULL;
    int e = 0;
    if (config->path != NULL && (c->path = strdup(config->path)) == NULL)
        e = err_set(err, E_NOMEM, "answer cache: no memory");
    if (e == 0)
        e = acquire(c, config->persist, err);
    if (e != 0) {
        free(c->path);
        free(c);
        return e;
    }
    cache_tick(c);
    *out = c;
    return 0;
}

int cache_renew(struct cache *c, struct err *err) {
    void *old = c->file;
    uint64_t old_size = c->size;
    int e = acquire(c, false, err);
    if (e == 0)
        munmap(old, old_size);
    return e;
}

void cache_close(struct cache *c) {
    if (c == NULL)
        return;
    munmap(c->file, c->size);
    free(c->path);
    free(c);
}

bool cache_on_disk(const struct cache *c) { return c->on_disk; }

/* By what the logs hold. When the large one has gone round three times, what was put while they filled is gone, or its
 * word was raised (evict.c). */
static void extent_choose(struct cache *c) {
    uint64_t held = 0;
    for (unsigned i = 0; i < CACHE_RINGS; i++) {
        uint64_t written = c->ring[i].head_seen - c->ring[i].bytes;
        held += written < c->ring[i].bytes ? written : c->ring[i].bytes;
    }
    unsigned e = 0;
    while (e < CACHE_EXTENTS - 1 && cache_extent_buckets(c, e) < CACHE_EXTENT_MIN)
        e++;
    c->least = e;
    while (e < CACHE_EXTENTS - 1 && held > cache_extent_buckets(c, e) * CACHE_WAYS * CACHE_EXTENT_LOAD)
        e++;
    c->extent = e;
    if (e == CACHE_EXTENTS - 1 && c->ring[CACHE_KEPT].head_seen / 4 > c->ring[CACHE_KEPT].bytes)
        c->least = e;
}

void cache_tick(struct cache *c) {
    int64_t s = clock_ns(c->config.monotonic ? CLOCK_KIND_BOOT : CLOCK_KIND_WALL) / NS_PER_S;
    c->now_s = s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
    for (unsigned i = 0; i < CACHE_RINGS; i++)
        c->ring[i].head_seen = __atomic_load_n(&c->file->ring[i].head, __ATOMIC_RELAXED);
    extent_choose(c);
}
