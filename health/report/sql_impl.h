/* Between the parts of the sink into PostgreSQL (sql.h). All of it runs on the sink's thread. */
#ifndef CANDOR_REPORT_SQL_IMPL_H
#define CANDOR_REPORT_SQL_IMPL_H

#include <postgresql/libpq-fe.h>

#include "health/report/sql.h"

enum { SQL_PARAMS = 5, SQL_STATE = 6 };

struct sql {
    struct conf_sql to; /* its texts belong to the configuration, which outlives the sink */
    double push_s;
    const char *node;
    PGconn *conn;
    bool migrated;
    struct detail *taken;  /* the newest that is in the tables */
    int64_t looked_ms;     /* when checks were last counted; mono, 0: never */
    int64_t cleaned_ms;    /* when old rows were last deleted */
    char state[SQL_STATE]; /* SQLSTATE of what failed last; "": the connection did */
};

/* sql_link.c: a connection that is there and brought up to date, or a reason in news->trouble. */
bool sql_connect(struct sql *q, struct sink_news *news) MUST_USE;
void sql_disconnect(struct sql *q);
/* Statements without parameters, or one with `count` texts; waits for the answer until `timeout_ms` at most, whatever
 * the server does. *value (NULL: no interest): the first field of the first row as a number, 0 when there is none. */
bool sql_ask(struct sql *q, const char *text, int count, const char *const *params, int64_t timeout_ms, int64_t *value,
             struct sink_news *news) MUST_USE;

/* sql_schema.c: does the migrations that have not been done. */
bool sql_migrate(struct sql *q, struct sink_news *news) MUST_USE;

#endif
