#include "resolver/store/pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/store/fault.h"

enum { PAGES_TRIES = 8 }; /* when a writer turned pages over while they were walked */

struct walk {
    const uint8_t *map;
    uint32_t page_bytes;
    uint64_t last_page;
    uint8_t *seen;   /* a bit a page */
    const char *bad; /* what was wrong, and where */
    uint64_t bad_page;
};

static int bad(struct walk *w, uint64_t page, const char *what) {
    w->bad = what;
    w->bad_page = page;
    return E_CORRUPT;
}

/* Claims a page: inside the file, not yet met, carrying its own number. */
static int take_page(struct walk *w, uint64_t number, struct page_header *h) {
    if (number < META_PAGES || number > w->last_page)
        return bad(w, number, "lies outside of the file");
    if (w->seen[number / 8] >> (number % 8) & 1)
        return bad(w, number, "is met twice");
    w->seen[number / 8] |= (uint8_t)(1u << number % 8);
    memcpy(h, w->map + number * w->page_bytes, sizeof *h);
    return h->number != number ? bad(w, number, "carries another number") : 0;
}

static int check_big(struct walk *w, uint64_t number, uint64_t bytes) {
    struct page_header h;
    uint32_t pages;
    int rc = take_page(w, number, &h);
    if (rc < 0)
        return rc;
    memcpy(&pages, &h.lower, sizeof pages);
    if ((h.flags & PAGE_KINDS) != PAGE_OVERFLOW || pages == 0 || pages - 1 > w->last_page - number ||
        PAGE_HEADER + bytes > (uint64_t)pages * w->page_bytes)
        return bad(w, number, "is no overflow page of the size that is needed");
    for (uint64_t i = 1; i < pages; i++) {
        if (w->seen[(number + i) / 8] >> ((number + i) % 8) & 1)
            return bad(w, number + i, "is met twice");
        w->seen[(number + i) / 8] |= (uint8_t)(1u << (number + i) % 8);
    }
    return 0;
}

static int check_table(struct walk *w, const struct meta_table *t, unsigned level, bool of_free_pages);

static int check_leaf(struct walk *w, uint64_t number, const uint8_t *node, size_t room, unsigned level) {
    struct page_node n;
    memcpy(&n, node, sizeof n);
    uint64_t bytes = (uint64_t)n.low | (uint64_t)n.high << 16, at = NODE_HEADER + (uint64_t)n.key_bytes, page;
    uint64_t here = n.flags & NODE_BIG ? sizeof page : bytes;
    if (n.flags & ~(NODE_BIG | NODE_TABLE) || n.key_bytes > STORE_KEY_MAX || at + here > room)
        return bad(w, number, "has an entry that does not fit");
    if (n.flags & NODE_BIG) {
        memcpy(&page, node + at, sizeof page);
        return check_big(w, page, bytes);
    }
    if (!(n.flags & NODE_TABLE))
        return 0;
    struct meta_table t;
    if (level != 1 || bytes != sizeof t)
        return bad(w, number, "has a table where none can be");
    memcpy(&t, node + at, sizeof t);
    return check_table(w, &t, level + 1, false);
}

/* `depth` levels from here on, leaves included; `level` 1: LMDB's table of tables. */
static int check_page(struct walk *w, uint64_t number, unsigned depth, unsigned level, bool of_free_pages) {
    struct page_header h;
    int rc = take_page(w, number, &h);
    if (rc < 0)
        return rc;
    const uint8_t *page = w->map + number * w->page_bytes;
    unsigned kind = h.flags & PAGE_KINDS, count = (h.lower - PAGE_HEADER) / 2u;
    if (kind != (depth > 1 ? PAGE_BRANCH : PAGE_LEAF))
        return bad(w, number, "is of another kind than its place");
    if (h.lower < PAGE_HEADER || h.lower > h.upper || h.upper > w->page_bytes || h.lower % 2 != 0)
        return bad(w, number, "has impossible bounds");
    if (count < (kind == PAGE_BRANCH && !of_free_pages ? 2 : 1))
        return bad(w, number, "is empty");
    for (unsigned i = 0; i < count && rc == 0; i++) {
        uint16_t at;
        struct page_node n;
        memcpy(&at, page + PAGE_HEADER + 2 * (size_t)i, sizeof at);
        if (at < h.upper || at % 2 != 0 || at + (uint32_t)NODE_HEADER > w->page_bytes)
            return bad(w, number, "has an entry outside of itself");
        memcpy(&n, page + at, sizeof n);
        if (kind == PAGE_LEAF)
            rc = check_leaf(w, number, page + at, w->page_bytes - at, level);
        else if (n.key_bytes > STORE_KEY_MAX || at + (uint32_t)NODE_HEADER + n.key_bytes > w->page_bytes)
            rc = bad(w, number, "has a key that does not fit");
        else
            rc = check_page(w, (uint64_t)n.low | (uint64_t)n.high << 16 | (uint64_t)n.flags << 32, depth - 1, level,
                            of_free_pages);
    }
    return rc;
}

static int check_table(struct walk *w, const struct meta_table *t, unsigned level, bool of_free_pages) {
    if (t->root == UINT64_MAX)
        return 0;
    if (t->depth == 0 || t->depth > META_DEPTH_MAX)
        return bad(w, t->root, "is the root of a table of impossible depth");
    if (!of_free_pages && t->flags != 0)
        return bad(w, t->root, "is the root of a table of another kind than ours");
    return check_page(w, t->root, t->depth, level, of_free_pages);
}

static int walk_all(const struct meta_page *m, const uint8_t *map, const char *path, struct err *err) {
    struct walk w = {.map = map, .page_bytes = m->table[0].pad, .last_page = m->last_page};
    w.seen = calloc(m->last_page / 8 + 1, 1);
    if (w.seen == NULL)
        return err_set(err, E_NOMEM, "%s: no memory to check its pages", path);
    int rc = check_table(&w, &m->table[0], 0, true);
    if (rc == 0)
        rc = check_table(&w, &m->table[1], 1, false);
    free(w.seen);
    if (rc < 0)
        return err_set(err, rc, "%s/data.mdb: damaged: page %llu %s", path, (unsigned long long)w.bad_page, w.bad);
    return 0;
}

/* The file may be cut while it is walked. */
static int walk_guarded(const struct meta_page *m, const uint8_t *map, const char *path, struct err *err) {
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0)
        return err_set(err, E_CORRUPT, "%s/data.mdb: ends, or cannot be read, where pages should be", path);
    store_fault_arm(&f);
    f.any = true;
    int rc = walk_all(m, map, path, err);
    store_fault_disarm(&f);
    return rc;
}

/* One walk over what the newest meta shows. *txn: of that meta. */
static int check_once(int fd, const char *path, uint64_t *txn, struct err *err) {
    struct meta_page m;
    int rc = pages_read_metas(fd, path, &m, err);
    if (rc < 0)
        return rc;
    size_t bytes = (size_t)(m.last_page + 1) * m.table[0].pad;
    uint8_t *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return err_errno(err, "%s/data.mdb: map", path);
    rc = walk_guarded(&m, map, path, err);
    (void)munmap(map, bytes);
    *txn = m.txn;
    return rc;
}

int pages_check(const char *path, struct err *err) {
    char file[4096];
    uint64_t txn, before = 0;
    if (snprintf(file, sizeof file, "%s/data.mdb", path) >= (int)sizeof file)
        return err_set(err, E_RANGE, "path too long: %.80s...", path);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(err, "%s", file);
    int rc = E_CORRUPT;
    bool settled = false;
    for (unsigned i = 0; i < PAGES_TRIES && rc == E_CORRUPT && !settled; i++) {
        txn = 0;
        rc = check_once(fd, path, &txn, err);
        settled = txn == before; /* nobody wrote in between: it is so */
        before = txn;
    }
    close(fd);
    /* Commits came faster than the walk: what it saw was half of one and half of another, which proves nothing. */
    return rc == E_CORRUPT && !settled && before != 0 ? 0 : rc;
}
