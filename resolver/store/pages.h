/* LMDB 0.9's file as it stands on disk, native byte order (its mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node), for the
 * checks that come before it is mapped and trusted. Inside of resolver/store. */
#ifndef CANDOR_STORE_PAGES_H
#define CANDOR_STORE_PAGES_H

#include <stddef.h>

#include "resolver/store/env.h"

enum {
    META_MAGIC = 0xBEEFC0DE,
    META_VERSION = 1,
    META_PAGES = 2,
    META_DEPTH_MAX = 32,
    PAGE_HEADER = 16,
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_META = 0x08,
    PAGE_KINDS = 0x6f, /* all that tell how a page is read; the others are LMDB's notes to itself */
    NODE_HEADER = 8,
    NODE_BIG = 0x01,   /* the value stands on overflow pages */
    NODE_TABLE = 0x02, /* the value is a struct meta_table */
};

struct meta_table {
    uint32_t pad; /* of the first table: page size */
    uint16_t flags, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, root; /* root UINT64_MAX: empty */
};
struct meta_page {
    uint64_t number;
    uint16_t pad, flags;
    uint32_t pages;
    uint32_t magic, version;
    uint64_t address, map_bytes;
    struct meta_table table[2]; /* free pages, tables */
    uint64_t last_page, txn;
};
struct page_header {
    uint64_t number;
    uint16_t pad, flags;
    uint16_t lower, upper; /* overflow: one number of 32 bits, how many pages */
};
struct page_node {
    uint16_t low, high, flags, key_bytes; /* leaf: bytes of the value; branch: page, 16 bits more in flags */
};
_Static_assert(sizeof(struct meta_table) == 48, "MDB_db");
_Static_assert(offsetof(struct meta_page, magic) == PAGE_HEADER && offsetof(struct meta_page, table) == 40, "MDB_meta");
_Static_assert(sizeof(struct meta_page) == 152, "MDB_page header and MDB_meta");
_Static_assert(sizeof(struct page_header) == PAGE_HEADER && sizeof(struct page_node) == NODE_HEADER, "MDB_node");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "MDB_node has its halves the other way round elsewhere");

/* Both metas of the file, checked; *newest is the one that counts. */
int pages_read_metas(int fd, const char *path, struct meta_page *newest, struct err *err) MUST_USE;

/* Walks every page that the newest meta leads to: numbers, kinds, depths, offsets and sizes, none twice. A writer at
 * work is no reason to fail. */
int pages_check(const char *path, struct err *err) MUST_USE;

#endif
