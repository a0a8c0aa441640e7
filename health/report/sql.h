/* Reports into PostgreSQL, from a sink's thread (sink.h): one row a report in candor.report, and candor.event for each
 * change of a scope between two of them. Tables are made, and brought up to date, by whoever comes first.
 *
 * `hostaddr` is the configuration's address, `host` its tls-name, which the certificate must say (sslmode verify-full
 * with `ca`; without tls-name the connection is not encrypted: a loopback or a tunnel). libpq looks up no name then.
 * Rows are keyed by (node, boot, sequence): what is sent twice stands there once. */
#ifndef CANDOR_REPORT_SQL_H
#define CANDOR_REPORT_SQL_H

#include "health/report/sink.h"
#include "resolver/base/conf.h"

enum { SQL_TIMEOUT_S = 10, SQL_KEEP = 960 /* reports that wait for a database: four hours of them at 15 s */ };

int sql_open(struct sink **out, const struct conf_sql *to, uint32_t retry_ms, struct err *err) MUST_USE;

#endif
