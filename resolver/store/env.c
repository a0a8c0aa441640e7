#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "resolver/base/folder.h"
#include "resolver/store/fault.h"
#include "resolver/store/impl.h"
#include "resolver/store/pages.h"

static const struct {
    int mdb, code;
} codes[] = {
    {MDB_KEYEXIST, E_EXISTS},
    {MDB_NOTFOUND, E_NOTFOUND},
    {MDB_PAGE_NOTFOUND, E_CORRUPT},
    {MDB_CORRUPTED, E_CORRUPT},
    {MDB_PANIC, E_IO},
    {MDB_VERSION_MISMATCH, E_CORRUPT},
    {MDB_INVALID, E_CORRUPT},
    {MDB_MAP_FULL, E_FULL},
    {MDB_DBS_FULL, E_FULL},
    {MDB_READERS_FULL, E_FULL},
    {MDB_TLS_FULL, E_FULL},
    {MDB_TXN_FULL, E_FULL},
    {MDB_CURSOR_FULL, E_CORRUPT},
    {MDB_PAGE_FULL, E_CORRUPT},
    {MDB_MAP_RESIZED, E_AGAIN},
    {MDB_INCOMPATIBLE, E_CORRUPT},
    {MDB_BAD_VALSIZE, E_INVALID},
    {MDB_BAD_TXN, E_CORRUPT}, /* a page that could not be had ended it */
    {MDB_BAD_DBI, E_INVALID},
    {MDB_BAD_RSLOT, E_SYSTEM},
};

int store_code(int mdb) {
    if (mdb == 0)
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i].mdb == mdb)
            return codes[i].code;
    errno = mdb;
    return mdb > 0 ? err_errno(&(struct err){.code = 0}, "lmdb") : E_SYSTEM;
}

/* LMDB says EIO when less was written than asked for, which is what a full disk does first. */
static bool disk_is_full(const struct store *s) {
    struct statvfs fs;
    return statvfs(s->path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < STORE_DISK_LEAST;
}

int store_error(const struct store *s, int mdb, struct err *err, const char *what) {
    if (mdb == EIO && disk_is_full(s))
        mdb = ENOSPC;
    return err_set(err, store_code(mdb), "%s: %s: %s", s->path, what, mdb_strerror(mdb));
}

/* How often this process is a fork of one that had a store: dearer to ask the kernel for every question. */
static unsigned forks;
static void on_fork(void) { forks++; }
static void watch_forks(void) { (void)pthread_atfork(NULL, NULL, on_fork); }

bool store_is_mine(const struct store *s) { return s->forks == forks; }

bool store_is_broken(const struct store *s) { return s->broken; }
bool store_is_lost(const struct store *s) { return s->lost; }

int store_usable(const struct store *s, struct err *err) {
    if (!store_is_mine(s))
        return err_set(err, E_INVALID, "%s: opened by process %d, used after fork", s->path, (int)s->pid);
    if (s->broken)
        return err_set(err, E_IO, "%s: failed before, must be opened again", s->path);
    return 0;
}

static int open_tables(struct store *s, const struct store_config *c, struct err *err) {
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, c->writer ? 0 : MDB_RDONLY, &txn);
    if (rc == MDB_READERS_FULL) {
        int dead;
        (void)mdb_reader_check(s->env, &dead);
        rc = mdb_txn_begin(s->env, NULL, c->writer ? 0 : MDB_RDONLY, &txn);
    }
    if (rc != 0)
        return store_error(s, rc, err, "begin");
    s->lost = c->writer; /* until the transaction has ended */
    store_find_map(s, txn);
    for (unsigned i = 0; i < c->table_count && rc == 0; i++) {
        rc = mdb_dbi_open(txn, c->tables[i], c->writer ? MDB_CREATE : 0, &s->table[i]);
        if (rc == MDB_NOTFOUND && c->needed > 0 && i >= c->needed) {
            s->table_count = i;
            rc = 0;
            break;
        }
        if (rc == MDB_NOTFOUND) {
            mdb_txn_abort(txn);
            return err_set(err, E_CORRUPT, "%s: table %s is missing", s->path, c->tables[i]);
        }
    }
    if (rc == 0) {
        rc = mdb_txn_commit(txn); /* ends the transaction whatever it returns */
        txn = NULL;
    }
    if (txn != NULL)
        mdb_txn_abort(txn);
    s->lost = false;
    return rc != 0 ? store_error(s, rc, err, "tables") : 0;
}

static int open_env(struct store *s, const struct store_config *c, struct err *err) {
    int rc = mdb_env_create(&s->env);
    if (rc != 0)
        return store_error(s, rc, err, "create");
    (void)mdb_env_set_assert(s->env, store_fault_assert);
    rc = mdb_env_set_maxdbs(s->env, STORE_TABLES);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(s->env, STORE_READERS);
    if (rc == 0 && c->writer)
        rc = mdb_env_set_mapsize(s->env, c->map_bytes > STORE_MAP_FIRST ? c->map_bytes : STORE_MAP_FIRST);
    unsigned flags = MDB_NOTLS | (c->writer ? 0 : MDB_RDONLY | MDB_NORDAHEAD) | (c->bulk ? MDB_NOSYNC : 0);
    if (rc == 0)
        rc = mdb_env_open(s->env, s->path, flags, 0640);
    if (rc != 0)
        return store_error(s, rc, err, "open");
    MDB_stat st;
    rc = mdb_env_stat(s->env, &st);
    s->page_bytes = st.ms_psize;
    return rc != 0 ? store_error(s, rc, err, "stat") : 0;
}

static int opening_faulted(struct store *s, const struct store_fault *f, struct err *err) {
    s->lost = true;
    (void)store_faulted(f, err);
    (void)err_prefix(err, "%s", s->path);
    return E_CORRUPT;
}

static int open_all(struct store *s, const struct store_config *c, struct err *err) {
    int rc = store_check_file(c->path, err);
    if (rc == E_NOTFOUND && c->writer) {
        if (mkdir(c->path, 0750) < 0 && errno != EEXIST)
            return err_errno(err, "%s", c->path);
        rc = 0;
    } else if (rc == 0 && c->check)
        rc = pages_check(c->path, err);
    if (rc < 0)
        return rc;
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0)
        return opening_faulted(s, &f, err);
    store_fault_arm(&f);
    f.any = true;
    rc = open_env(s, c, err);
    if (rc == 0)
        rc = open_tables(s, c, err);
    store_fault_disarm(&f);
    return rc;
}

int store_open(struct store **out, const struct store_config *c, struct err *err) {
    *out = NULL;
    if (c->table_count > STORE_TABLES || (c->bulk && !c->writer))
        return err_set(err, E_INVALID, "%s: at most %d tables, bulk is for writers", c->path, STORE_TABLES);
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL || (s->path = strdup(c->path)) == NULL) {
        free(s);
        return err_set(err, E_NOMEM, "%s: no memory to open it", c->path);
    }
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    store_fault_install();
    s->pid = getpid();
    s->forks = forks;
    (void)pthread_mutex_init(&s->gate, NULL); /* of the default kind: cannot fail */
    s->writer = c->writer;
    s->table_count = c->table_count;
    s->read.store = s->write.store = s;
    s->write.writing = true;
    int rc = open_all(s, c, err);
    if (rc < 0)
        store_close(s);
    else
        *out = s;
    return rc;
}

int store_sync(struct store *s, struct err *err) {
    int rc = store_usable(s, err);
    if (rc < 0)
        return rc;
    rc = mdb_env_sync(s->env, 1);
    if (rc != 0)
        return store_error(s, rc, err, "sync");
    return folder_sync(s->path, err);
}

int store_grow(struct store *s, struct err *err) {
    MDB_envinfo info;
    int rc = mdb_env_info(s->env, &info);
    if (rc != 0)
        return store_error(s, rc, err, "info");
    if (s->read.active)
        return err_set(err, E_INVALID, "%s: the map is full and cannot grow while this handle reads", s->path);
    if (info.me_mapsize >= STORE_MAP_MAX / 2)
        return err_set(err, E_FULL, "%s: the map has reached its limit of %llu bytes", s->path,
                       (unsigned long long)info.me_mapsize);
    rc = store_remap(s, info.me_mapsize * 2);
    if (rc == EBUSY)
        return err_set(err, E_FULL, "%s: the map is full and cannot grow while it is being read", s->path);
    return rc != 0 ? store_error(s, rc, err, "growing the map") : 0;
}
