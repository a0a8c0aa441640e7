#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/store/impl.h"
#include "resolver/store/pages.h"

static int bad(struct err *err, const char *path, const char *what) {
    return err_set(err, E_CORRUPT, "%s/data.mdb: %s", path, what);
}

static int read_meta(int fd, off_t at, struct meta_page *m, const char *path, struct err *err) {
    ssize_t n = pread(fd, m, sizeof *m, at);
    if (n < 0)
        return err_errno(err, "%s/data.mdb: read", path);
    if ((size_t)n < sizeof *m)
        return bad(err, path, "ends inside its meta pages");
    if (!(m->flags & PAGE_META) || m->magic != META_MAGIC)
        return bad(err, path, "is no LMDB file");
    if (m->version != META_VERSION)
        return err_set(err, E_CORRUPT, "%s/data.mdb: LMDB data version %u, expected %d", path, m->version,
                       META_VERSION);
    uint32_t page = m->table[0].pad;
    if (page < 512 || page > 65536 || (page & (page - 1)) != 0)
        return bad(err, path, "has an impossible page size");
    return 0;
}

static int check_meta(const struct meta_page *m, uint64_t size, const char *path, struct err *err) {
    uint64_t page = m->table[0].pad;
    if (m->last_page < META_PAGES - 1 || m->last_page >= STORE_MAP_MAX / page || m->map_bytes > STORE_MAP_MAX)
        return bad(err, path, "has impossible sizes in its meta page");
    if ((m->last_page + 1) * page > size)
        return err_set(err, E_CORRUPT, "%s/data.mdb: cut off: %llu bytes, its meta page needs %llu", path,
                       (unsigned long long)size, (unsigned long long)((m->last_page + 1) * page));
    for (unsigned i = 0; i < ARRAY_SIZE(m->table); i++) {
        const struct meta_table *t = &m->table[i];
        if ((t->root != UINT64_MAX && t->root > m->last_page) || t->depth > META_DEPTH_MAX)
            return bad(err, path, "has an impossible root in its meta page");
    }
    return 0;
}

/* The size is taken after the metas, so that a writer at work can only make it larger than needed. */
int pages_read_metas(int fd, const char *path, struct meta_page *newest, struct err *err) {
    struct meta_page second;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(err, "%s/data.mdb", path);
    if (!S_ISREG(st.st_mode))
        return bad(err, path, "is no file");
    if (st.st_size == 0)
        return err_set(err, E_NOTFOUND, "%s/data.mdb: empty", path);
    int rc = read_meta(fd, 0, newest, path, err);
    if (rc == 0)
        rc = read_meta(fd, newest->table[0].pad, &second, path, err);
    if (rc != 0)
        return rc;
    if (second.table[0].pad != newest->table[0].pad)
        return bad(err, path, "has two page sizes");
    if (fstat(fd, &st) < 0)
        return err_errno(err, "%s/data.mdb", path);
    if (second.txn > newest->txn)
        *newest = second;
    return check_meta(newest, (uint64_t)st.st_size, path, err);
}

int store_check_file(const char *path, struct err *err) {
    char file[4096];
    if (snprintf(file, sizeof file, "%s/data.mdb", path) >= (int)sizeof file)
        return err_set(err, E_RANGE, "path too long: %.80s...", path);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(err, "%s", file);
    struct meta_page newest;
    int rc = pages_read_metas(fd, path, &newest, err);
    close(fd);
    return rc;
}
