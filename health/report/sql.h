/* Reports, events and details into PostgreSQL, from a sink's thread (sink.h). The tables and views are described in
 * docs/formats/sql.md; they are made, and brought up to date, by whoever comes first.
 *
 * One transaction for each notice. Rows are keyed by (node, boot, sequence): what is sent twice stands there once. A
 * detail that the database cannot read is left out, and said in the log; nothing waits for it.
 *
 * `hostaddr` is the configuration's address, `host` its tls-name, which the certificate must say (sslmode verify-full
 * with `ca`; without tls-name the connection is not encrypted: a loopback or a tunnel). libpq looks up no name then. */
#ifndef CANDOR_REPORT_SQL_H
#define CANDOR_REPORT_SQL_H

#include "health/report/sink.h"
#include "resolver/base/conf.h"

enum {
    SQL_KEEP = 960,         /* reports that wait for a database: four hours of them at 15 s */
    SQL_TIMEOUT_MS = 12000, /* for one statement; the server ends it after ten seconds itself */
    SQL_LOOK_PUSHES = 4,    /* push intervals: checks are counted, and old rows deleted, so often */
    SQL_CLEAN = 500         /* rows of each table at a time */
};

/* `folder`: where is kept what waits (struct sink_plan). */
int sql_open(struct sink **out, const struct conf *conf, const char *folder, uint32_t retry_ms,
             struct err *err) MUST_USE;

/* JSON in place: its strings become ASCII without control characters, one '?' for each character that was none. */
void sql_plain(char *json);

#endif
