/* Between the files of the archive. */
#ifndef CANDOR_MONITOR_ARCHIVE_IMPL_H
#define CANDOR_MONITOR_ARCHIVE_IMPL_H

#include <sqlite3.h>

#include "health/monitor/archive.h"

enum archive_statement {
    ARCHIVE_REPORT,
    ARCHIVE_NODE,
    ARCHIVE_EVENT,
    ARCHIVE_LOST,
    ARCHIVE_DETAIL_NODE,
    ARCHIVE_ZONES_END,
    ARCHIVE_ZONES_NEW,
    ARCHIVE_ZONES_TIMES,
    ARCHIVE_PEERS_END,
    ARCHIVE_PEERS_NEW,
    ARCHIVE_PEERS_HEARD,
    ARCHIVE_PROBES,
    ARCHIVE_STATEMENTS
};
extern const char *const archive_sql[ARCHIVE_STATEMENTS];

/* The tables, one text for each number from 1. Never changed afterwards: a change is a new number. */
extern const char *const archive_migrations[ARCHIVE_VERSION];

struct archive {
    sqlite3 *db;
    struct archive_plan plan;
    sqlite3_stmt *statement[ARCHIVE_STATEMENTS]; /* made when first used */
    unsigned cleaned;                            /* which table is next */
};

/* The words of SQLite, and which error that is. */
int archive_error(struct archive *a, const char *what, struct err *err);
/* Ready for its values; NULL: the error is in *err. */
sqlite3_stmt *archive_statement(struct archive *a, enum archive_statement s, struct err *err);
/* Runs one that gives no rows, and makes it ready for the next time. */
int archive_step(struct archive *a, sqlite3_stmt *s, struct err *err) MUST_USE;

#endif
