/* What a monitor keeps of its nodes: the tables of docs/formats/sql.md in one SQLite file, so that it needs no
 * database.
 *
 *   archive_open -> archive_begin -> archive_report, archive_events, archive_detail -> archive_commit: it is on the
 * disk
 *
 * Everything is kept once: what comes again changes nothing. The tables are brought up to date by number when the file
 * is opened. A file that is damaged is no reason to stop: archive_aside gives it another name, and a new one is begun.
 *
 * One thread at a time; any call may wait for the disk. Errors: E_FULL the disk has no room, E_CORRUPT the file is not
 * what it should be, E_IO, E_AGAIN somebody else holds the file, E_NOMEM; then the transaction is to be rolled back. */
#ifndef CANDOR_MONITOR_ARCHIVE_H
#define CANDOR_MONITOR_ARCHIVE_H

#include "health/report/notice.h"

enum {
    ARCHIVE_VERSION = 1,            /* of the tables */
    ARCHIVE_REPORTS_MOST = 4000000, /* rows, about 2.5 GB; older ones go first */
    ARCHIVE_SLICE = 500             /* rows that are deleted at a time */
};

struct archive;
struct archive_plan {
    const char *path; /* its folder is made when it is missing */
    uint32_t push_ms; /* how often nodes are expected to report */
    int64_t keep_ms;  /* rows */
};

int archive_open(struct archive **out, const struct archive_plan *plan, struct err *err) MUST_USE;
void archive_close(struct archive *a); /* NULL is allowed */
/* The file, with what SQLite has beside it, becomes PATH.damaged-NUMBER. Only when it is not open. */
int archive_aside(const char *path, int64_t number, struct err *err) MUST_USE;

int archive_begin(struct archive *a, struct err *err) MUST_USE;
int archive_commit(struct archive *a, struct err *err) MUST_USE;
void archive_rollback(struct archive *a);

int archive_report(struct archive *a, const struct report *r, int64_t came_ms, struct err *err) MUST_USE;
int archive_events(struct archive *a, const char *node, const struct event *e, size_t count, uint64_t lost,
                   int64_t came_ms, struct err *err) MUST_USE;
/* A detail (docs/formats/detail.md) as text. `fully`: also what is looked at once a minute. */
int archive_detail(struct archive *a, const char *node, const struct detail *d, bool fully, struct err *err) MUST_USE;

/* Deletes one slice of what is too old, in a transaction of its own: rows, or an error. */
int archive_clean(struct archive *a, int64_t now_ms, struct err *err) MUST_USE;
/* The newest events of all nodes, newest first; how many. `node` of each is REPORT_NODE octets. */
int archive_newest(struct archive *a, char (*node)[REPORT_NODE], struct event *e, size_t most,
                   struct err *err) MUST_USE;

#endif
