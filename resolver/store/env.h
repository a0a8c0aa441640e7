/* LMDB environments and transactions; the only room that includes lmdb.h.
 *
 * One zone generation is one environment: a directory with data.mdb and lock.mdb. One process writes (candor-sync),
 * many read. The facts this room deals with so that no one else has to:
 *
 * - MDB_MAP_FULL: the writer aborts, doubles the map and runs the transaction again (store_write).
 * - MDB_MAP_RESIZED: a reader takes over the new size at its next store_read_begin.
 * - MDB_READERS_FULL: dead readers are cleared, then tried once more.
 * - An environment never crosses fork(): a child opens its own; using the parent's is E_INVALID.
 * - A process must not open one environment twice: closing one drops the POSIX locks of the other. Several threads of
 *   the writer's process read through store_share.
 * - A stopped reader pins pages; store_stat shows how far it lags and who it is.
 * - A file that is shorter than its meta page says would be SIGBUS: store_open refuses it with E_CORRUPT. The same for
 *   garbage and other versions. LMDB trusts what is inside its pages: with `check` the whole tree is looked at before,
 *   and views that point outside of the pages in use are E_CORRUPT at any time. Damage that comes later can fault in
 *   the middle of a look-up: whoever reads arms a guard (fault.h); opening, beginning and writing have their own.
 *
 * Bytes that come back are views into the map, valid until the transaction ends, and not to be trusted: check lengths.
 */
#ifndef CANDOR_STORE_ENV_H
#define CANDOR_STORE_ENV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "resolver/base/bytes.h"
#include "resolver/base/err.h"

enum { STORE_TABLES = 16, STORE_READERS = 256, STORE_KEY_MAX = 511 };

struct store;     /* an open environment */
struct store_txn; /* a transaction; one thread */

struct store_config {
    const char *path; /* directory, made when missing (writer) */
    bool writer;
    /* names, opened in this order; index = table id below. Readers: a missing table is E_CORRUPT */
    const char *const *tables;
    unsigned table_count;
    unsigned needed;    /* readers: from this one on tables may be missing and are E_INVALID then; 0: all are needed */
    uint64_t map_bytes; /* writer: initial size, grows by itself; reader: 0 */
    bool check; /* walk all pages first (some ms for 10 million entries): whoever crashed on damage does not again */
    bool bulk;  /* writer of a generation nobody reads yet: commits are not synced; store_sync() at the end */
};

int store_open(struct store **s, const struct store_config *c, struct err *err) MUST_USE;
void store_close(struct store *s);
/* Another handle on the environment of the writer `s`, for reading on another thread: it sees the newest commit, and
 * the same one until it is closed. Whoever calls this sees to it that nobody closes `s` meanwhile; afterwards it may be
 * closed, and the environment is when the last of them all has been. store_read_begin and store_read_end of such a
 * handle may be nested; its cursors end with the outermost. While there is any, the map of `s` cannot grow: who shares
 * it gives it room (map_bytes is address space, not memory). E_FULL: LMDB's table of readers. */
int store_share(struct store *s, struct store **handle, struct err *err) MUST_USE;
bool store_is_shared(struct store *s);
int store_sync(struct store *s, struct err *err) MUST_USE; /* fsync of data and directory */

/* One reader handle per thread: begin renews, end resets; pages are held only in between. */
int store_read_begin(struct store *s, struct store_txn **t, struct err *err) MUST_USE;
void store_read_end(struct store_txn *t);
/* Milliseconds since store_read_begin. */
int64_t store_read_age_ms(const struct store_txn *t);
/* Number of the commit that is seen. As long as it is the same in a later read transaction of this handle, views from
 * the earlier one hold the same bytes at the same place. */
uint64_t store_txn_id(const struct store_txn *t);

/* Runs `body` in one write transaction and commits it durably (fdatasync). body returns 0 to commit, negative to abort.
 * On MAP_FULL the map is doubled and body runs again from the start: it must be repeatable. */
typedef int (*store_body)(struct store_txn *t, void *ctx, struct err *err);
int store_write(struct store *s, store_body body, void *ctx, struct err *err) MUST_USE;

/* Text for a code that one of the functions below gave: "PATH: what: LMDB's words". Returns `code`. */
int store_failed(const struct store_txn *t, int code, struct err *err, const char *what);

/* E_NOTFOUND when missing. Keys have 1..511 bytes, values any size. */
int store_get(struct store_txn *t, unsigned table, struct bytes key, struct bytes *value) MUST_USE;
int store_put(struct store_txn *t, unsigned table, struct bytes key, struct bytes value) MUST_USE;
/* As put for a key behind all others (bulk load in order); E_EXISTS when it is not. */
int store_append(struct store_txn *t, unsigned table, struct bytes key, struct bytes value) MUST_USE;
int store_del(struct store_txn *t, unsigned table, struct bytes key) MUST_USE; /* E_NOTFOUND when missing */
int store_clear(struct store_txn *t, unsigned table) MUST_USE;
uint64_t store_count(struct store_txn *t, unsigned table);

/* Walks in key order from the first key >= `from` (size 0: the first). Any write through the same transaction other
 * than store_cursor_put/del ends the walk's validity. */
struct store_cursor;
int store_cursor_open(struct store_txn *t, unsigned table, struct store_cursor **c) MUST_USE;
int store_cursor_seek(struct store_cursor *c, struct bytes from, struct bytes *key, struct bytes *value) MUST_USE;
int store_cursor_next(struct store_cursor *c, struct bytes *key, struct bytes *value) MUST_USE;
int store_cursor_last(struct store_cursor *c, struct bytes *key, struct bytes *value) MUST_USE;
int store_cursor_put(struct store_cursor *c, struct bytes value) MUST_USE; /* replaces the value at the cursor */
int store_cursor_del(struct store_cursor *c) MUST_USE;
void store_cursor_close(struct store_cursor *c);

struct store_stat {
    uint64_t map_bytes, used_bytes, free_pages, last_txn;
    unsigned readers, readers_max;
    uint64_t oldest_reader_txns; /* how many transactions the oldest reader lags */
    pid_t oldest_reader_pid;     /* 0: none */
    unsigned stale_cleared;      /* dead readers cleared since the last call, and by this one */
};
int store_stat(struct store *s, struct store_stat *st, struct err *err) MUST_USE;

/* What the same records would take when they were appended in order to an empty file: reads all keys. */
int store_weigh(struct store *s, uint64_t *bytes, struct err *err) MUST_USE;

/* After an error that leaves nothing to do but to close it. */
bool store_is_broken(const struct store *s);
/* A fault struck while it was written: this process must not open the same environment again, its lock may be held. */
bool store_is_lost(const struct store *s);
/* Walks all pages as store_open with `check` does: E_CORRUPT. */
int store_check(struct store *s, struct err *err) MUST_USE;

/* Pages dirtied and bytes written by the last committed store_write: the cost of a commit. */
uint64_t store_last_commit_bytes(const struct store *s);

#endif
