/* Inside of resolver/store: what env.c, check.c, txn.c, cursor.c and stat.c share. */
#ifndef CANDOR_STORE_IMPL_H
#define CANDOR_STORE_IMPL_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "resolver/store/env.h"

enum {
    STORE_CURSORS = 32,      /* open at a time, per handle */
    STORE_RETRIES = 4,       /* to begin a transaction when the map was resized or the reader table is full */
    STORE_MAP_DOUBLINGS = 40 /* in one store_write */
};
#define STORE_DISK_LEAST ((uint64_t)1 << 17)
#define STORE_MAP_FIRST ((uint64_t)1 << 20)
#define STORE_MAP_MAX ((uint64_t)1 << 44)
_Static_assert(sizeof(size_t) == 8, "maps beyond 4 GiB and LMDB's 64-bit layout are taken for granted");

struct store_cursor {
    struct store_txn *txn; /* NULL: not open */
    MDB_cursor *at;        /* kept from one read transaction to the next, renewed instead of allocated */
    unsigned table;
};

struct store_txn {
    struct store *store;
    MDB_txn *txn;
    bool active, writing;
    unsigned nested; /* of a shared handle: how often it was begun and not ended */
    int failed;      /* MDB_MAP_FULL once it was met, whatever the body made of it; else the last LMDB code < or > 0 */
    int64_t begun_ms;
    const uint8_t *low, *high; /* reading: every view must lie in between; NULL: bounds not known */
};

struct store {
    MDB_env *env;
    char *path;
    pid_t pid;
    unsigned forks; /* of this process when it was opened */
    bool writer;
    _Atomic bool broken; /* a lost map or a failed meta write: only closing is left */
    _Atomic bool lost;   /* a fault in the middle of a write: LMDB's part is left as it is, for ever */
    unsigned fault_slot; /* of the map, + 1; 0: none */
    unsigned page_bytes;
    unsigned table_count;
    MDB_dbi table[STORE_TABLES];
    struct store_txn read, write;
    struct store_cursor cursor[STORE_CURSORS];
    uint64_t commit_bytes;
    unsigned dead_cleared; /* slots of dead readers that were freed, and not told by store_stat() yet */
    struct store *of;      /* a shared handle: whose environment it is; NULL: its own */
    pthread_mutex_t gate;  /* of the next two */
    unsigned shares;       /* shared handles that are open: the map must not move */
    bool closed;           /* the last of them closes the environment */
    const uint8_t *map;    /* where the map begins, once found; NULL: not looked for since the map was made */
};

/* The project's code for an LMDB code or errno, and the same with a text: "PATH: what: words". */
int store_code(int mdb);
int store_error(const struct store *s, int mdb, struct err *err, const char *what);

/* Whether this process, and not its parent, opened it. */
bool store_is_mine(const struct store *s);
/* 0 when this process opened the store and it is usable. */
int store_usable(const struct store *s, struct err *err);

/* Looks at data.mdb before LMDB maps it: a file shorter than its own meta page says would be a SIGBUS later.
 * E_NOTFOUND when there is none, or an empty one. */
int store_check_file(const char *path, struct err *err);

/* Begins with the retries that the codes call for. */
int store_begin(struct store *s, struct store_txn *t, unsigned flags, struct err *err);
int store_grow(struct store *s, struct err *err);

/* Damaged pages can yield any address and size: nothing outside of the pages in use gets out of here. */
int store_view(const struct store_txn *t, const MDB_val *from, struct bytes *to);

/* --- share.c --- */
/* A new size of the map; EBUSY: it is being read. */
int store_remap(struct store *s, uint64_t bytes);

/* --- fault.c --- */
void store_fault_install(void);
void store_fault_assert(MDB_env *env, const char *text);
/* Where the store's map is now; NULL: it has none. */
void store_fault_map(struct store *s, const void *low, size_t size);

/* Finds the map by the first page of the table of tables, before anything was written in this transaction. */
void store_find_map(struct store *s, MDB_txn *txn);

void store_cursors_end(struct store_txn *t);

#endif
