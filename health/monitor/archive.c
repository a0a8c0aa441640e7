#include "health/monitor/archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "health/monitor/archive_impl.h"
#include "health/report/body.h"
#include "resolver/base/bytes.h"

enum { BUSY_MS = 2000, PATH_MOST = LIMIT_CONF_TEXT + 64, CHECK_MOST = 64 << 20 };

static int error_of(int code) {
    switch (code & 0xff) {
    case SQLITE_FULL:
        return E_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return E_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return E_AGAIN;
    case SQLITE_NOMEM:
        return E_NOMEM;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return E_DENIED;
    case SQLITE_ERROR: /* what was given, not where it goes */
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return E_INVALID;
    default:
        return E_IO;
    }
}

int archive_error(struct archive *a, const char *what, struct err *err) {
    int code = a->db != NULL ? sqlite3_extended_errcode(a->db) : SQLITE_NOMEM;
    return err_set(err, error_of(code), "%s: %s: %s", a->plan.path, what,
                   a->db != NULL ? sqlite3_errmsg(a->db) : "no memory");
}

static int run(struct archive *a, const char *sql, struct err *err) {
    return sqlite3_exec(a->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : archive_error(a, "it cannot be used", err);
}

/* The first column of the first row; `none` when there is no row. */
static int64_t number(struct archive *a, const char *sql, int64_t none) {
    sqlite3_stmt *s = NULL;
    int64_t n = none;
    if (sqlite3_prepare_v2(a->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW &&
        sqlite3_column_type(s, 0) == SQLITE_INTEGER)
        n = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return n;
}

static int migrate(struct archive *a, struct err *err) {
    char note[128];
    int rc = run(a, "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, done INTEGER NOT NULL)", err);
    int64_t done = rc == 0 ? number(a, "SELECT coalesce(max(number), 0) FROM migration", -1) : 0;
    if (rc == 0 && done < 0)
        return archive_error(a, "the number of its tables", err);
    if (done > ARCHIVE_VERSION)
        return err_set(err, E_UNSUPPORTED, "%s: tables of version %lld, this program knows %d", a->plan.path,
                       (long long)done, ARCHIVE_VERSION);
    for (int64_t i = done; rc == 0 && i < ARCHIVE_VERSION; i++) {
        (void)snprintf(note, sizeof note, "INSERT INTO migration VALUES (%lld, strftime('%%s', 'now') * 1000)",
                       (long long)i + 1);
        rc = archive_begin(a, err);
        if (rc == 0)
            rc = run(a, archive_migrations[i], err);
        if (rc == 0)
            rc = run(a, note, err);
        if (rc == 0)
            rc = archive_commit(a, err);
        if (rc < 0)
            archive_rollback(a);
    }
    return rc;
}

/* All of a file that is not large; a large one is found out while it is used. */
static int check(struct archive *a, struct err *err) {
    struct stat st;
    sqlite3_stmt *s = NULL;
    if (stat(a->plan.path, &st) != 0 || st.st_size > CHECK_MOST)
        return 0;
    bool well = sqlite3_prepare_v2(a->db, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK;
    int step = well ? sqlite3_step(s) : SQLITE_ERROR;
    const char *said = step == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    int rc = 0;
    if (said == NULL)
        rc = archive_error(a, "it cannot be checked", err);
    else if (strcmp(said, "ok") != 0)
        rc = err_set(err, E_CORRUPT, "%s: %s", a->plan.path, said);
    (void)sqlite3_finalize(s);
    return rc;
}

static int make_folder(const char *path, struct err *err) {
    char folder[PATH_MOST];
    const char *slash = strrchr(path, '/');
    size_t size = slash != NULL ? (size_t)(slash - path) : 0;
    if (size == 0 || size >= sizeof folder)
        return size == 0 ? 0 : err_set(err, E_INVALID, "%s: too long", path);
    memcpy(folder, path, size);
    folder[size] = '\0';
    return mkdir(folder, 0750) == 0 || errno == EEXIST ? 0 : err_errno(err, "%s", folder);
}

int archive_open(struct archive **out, const struct archive_plan *plan, struct err *err) {
    struct archive *a = calloc(1, sizeof *a);
    *out = NULL;
    if (a == NULL)
        return err_set(err, E_NOMEM, "no memory for the monitor's store");
    a->plan = *plan;
    int rc = make_folder(plan->path, err);
    if (rc == 0 &&
        sqlite3_open_v2(plan->path, &a->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL) !=
            SQLITE_OK)
        rc = archive_error(a, "it cannot be opened", err);
    if (rc == 0) {
        (void)chmod(plan->path, 0640);
        (void)sqlite3_extended_result_codes(a->db, 1);
        (void)sqlite3_busy_timeout(a->db, BUSY_MS);
        rc = run(a,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;"
                 "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY",
                 err);
    }
    if (rc == 0)
        rc = check(a, err);
    if (rc == 0)
        rc = migrate(a, err);
    if (rc < 0) {
        archive_close(a);
        return rc;
    }
    *out = a;
    return 0;
}

void archive_close(struct archive *a) {
    if (a == NULL)
        return;
    for (size_t i = 0; i < ARCHIVE_STATEMENTS; i++)
        (void)sqlite3_finalize(a->statement[i]);
    (void)sqlite3_close(a->db);
    free(a);
}

int archive_aside(const char *path, int64_t number_of, struct err *err) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    char from[PATH_MOST], to[PATH_MOST + 48];
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        (void)snprintf(from, sizeof from, "%s%s", path, ends[i]);
        (void)snprintf(to, sizeof to, "%s.damaged-%lld%s", path, (long long)number_of, ends[i]);
        if (rename(from, to) != 0 && !(errno == ENOENT && i > 0))
            return err_errno(err, "%s", from);
    }
    return 0;
}

int archive_begin(struct archive *a, struct err *err) { return run(a, "BEGIN IMMEDIATE", err); }
int archive_commit(struct archive *a, struct err *err) { return run(a, "COMMIT", err); }

void archive_rollback(struct archive *a) {
    if (sqlite3_get_autocommit(a->db) == 0)
        (void)sqlite3_exec(a->db, "ROLLBACK", NULL, NULL, NULL);
}

sqlite3_stmt *archive_statement(struct archive *a, enum archive_statement s, struct err *err) {
    if (a->statement[s] == NULL &&
        sqlite3_prepare_v3(a->db, archive_sql[s], -1, SQLITE_PREPARE_PERSISTENT, &a->statement[s], NULL) != SQLITE_OK) {
        (void)archive_error(a, "a statement", err);
        return NULL;
    }
    return a->statement[s];
}

int archive_step(struct archive *a, sqlite3_stmt *s, struct err *err) {
    int code = sqlite3_step(s);
    int rc = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : archive_error(a, "it takes nothing", err);
    (void)sqlite3_reset(s);
    (void)sqlite3_clear_bindings(s);
    return rc;
}
