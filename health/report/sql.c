#include "health/report/sql.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/report/https.h"

enum { SQL_PASSWORD_MAX = 1024, SQL_PARTS = 16 };

struct sql {
    struct conf_sql to;
    PGconn *conn;
    bool migrated;
    bool has_before; /* what the last report in the table said, of this process */
    struct report before;
};

/* Numbered, each done once and in order; never changed afterwards: a change is a new line. */
static const char *const migrations[] = {
    "CREATE TABLE candor.report (node text NOT NULL, boot text NOT NULL, sequence bigint NOT NULL,"
    " made timestamptz NOT NULL, came timestamptz NOT NULL DEFAULT now(), status text NOT NULL, ready boolean NOT NULL,"
    " cause text NOT NULL, document jsonb NOT NULL, PRIMARY KEY (node, boot, sequence));"
    "CREATE INDEX report_made ON candor.report (node, made DESC);"
    "CREATE TABLE candor.event (node text NOT NULL, boot text NOT NULL, sequence bigint NOT NULL, scope text NOT NULL,"
    " was text NOT NULL, is_now text NOT NULL, made timestamptz NOT NULL, cause text NOT NULL,"
    " PRIMARY KEY (node, boot, sequence, scope));"
    "CREATE VIEW candor.node AS SELECT DISTINCT ON (node) node, boot, sequence, made, came, status, ready, cause"
    " FROM candor.report ORDER BY node, made DESC;"
    "CREATE VIEW candor.gaps AS SELECT node, boot, before + 1 AS first, sequence - 1 AS last FROM"
    " (SELECT node, boot, sequence, lag(sequence) OVER (PARTITION BY node, boot ORDER BY sequence) AS before"
    " FROM candor.report) AS r WHERE sequence > before + 1;"
    "CREATE VIEW candor.silent AS SELECT node, now() - came AS silent_for, status AS last_status FROM candor.node"
    " WHERE now() - came > interval '45 seconds'",
};

static void complain(struct sink_news *news, const char *what, const char *text) {
    size_t n = (size_t)snprintf(news->trouble, sizeof news->trouble, "%s: %.120s", what, text);
    for (size_t i = 0; i < n && i < sizeof news->trouble; i++)
        if (news->trouble[i] == '\n')
            news->trouble[i] = ' ';
}

static bool run(struct sql *q, const char *text, struct sink_news *news) {
    PGresult *r = PQexec(q->conn, text);
    bool well = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
    if (!well)
        complain(news, "sql", PQerrorMessage(q->conn));
    PQclear(r);
    return well;
}

/* Under a lock of the database's, so that nodes that start at once do not do it twice. */
static bool migrate(struct sql *q, struct sink_news *news) {
    if (q->migrated)
        return true;
    if (!run(q,
             "BEGIN; SELECT pg_advisory_xact_lock(5300538); CREATE SCHEMA IF NOT EXISTS candor;"
             "CREATE TABLE IF NOT EXISTS candor.migration (number integer PRIMARY KEY, done timestamptz NOT NULL);",
             news))
        return false;
    PGresult *r = PQexec(q->conn, "SELECT coalesce(max(number), 0) FROM candor.migration");
    bool well = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1;
    long done = well ? strtol(PQgetvalue(r, 0, 0), NULL, 10) : 0;
    PQclear(r);
    for (long i = done < 0 ? 0 : done; well && i < (long)ARRAY_SIZE(migrations); i++) {
        char note[96];
        (void)snprintf(note, sizeof note, "INSERT INTO candor.migration VALUES (%ld, now())", i + 1);
        well = run(q, migrations[i], news) && run(q, note, news);
    }
    q->migrated = well && run(q, "COMMIT", news);
    return q->migrated;
}

/* The first line of the file. */
static bool password(const struct sql *q, char to[SQL_PASSWORD_MAX], struct sink_news *news) {
    to[0] = '\0';
    if (q->to.password_file[0] == '\0')
        return true;
    int fd = open(q->to.password_file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, to, SQL_PASSWORD_MAX - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    if (n < 0) {
        (void)snprintf(news->trouble, sizeof news->trouble, "%.120s cannot be read", q->to.password_file);
        return false;
    }
    to[n] = '\0';
    to[strcspn(to, "\r\n")] = '\0';
    return true;
}

static bool connect_to(struct sql *q, struct sink_news *news) {
    char host[ADDR_TEXT_MAX], port[8], secret[SQL_PASSWORD_MAX];
    bool tls = q->to.tls_name[0] != '\0';
    if (q->conn != NULL && PQstatus(q->conn) == CONNECTION_OK)
        return true;
    PQfinish(q->conn);
    q->conn = NULL;
    q->migrated = false;
    if (!password(q, secret, news))
        return false;
    addr_host_text(&q->to.address, host);
    (void)snprintf(port, sizeof port, "%u", addr_port(&q->to.address));
    const char *keys[SQL_PARTS] = {
        "hostaddr",         "port",    "dbname",     "user",    "password", "connect_timeout",
        "application_name", "sslmode", "gssencmode", "options", "host",     "sslrootcert"};
    const char *values[SQL_PARTS] = {host,
                                     port,
                                     q->to.database,
                                     q->to.user,
                                     secret,
                                     "5",
                                     "candor",
                                     tls ? "verify-full" : "disable",
                                     "disable",
                                     "-c statement_timeout=10s",
                                     tls ? q->to.tls_name : host,
                                     q->to.ca[0] != '\0' ? q->to.ca : NULL};
    q->conn = PQconnectdbParams(keys, values, 0);
    OPENSSL_cleanse(secret, sizeof secret);
    if (q->conn != NULL && PQstatus(q->conn) == CONNECTION_OK)
        return true;
    complain(news, "connect", q->conn != NULL ? PQerrorMessage(q->conn) : "no memory");
    return false;
}

static bool insert(struct sql *q, const char *text, int count, const char *const *values, struct sink_news *news) {
    PGresult *r = PQexecParams(q->conn, text, count, NULL, values, NULL, NULL, 0);
    bool well = PQresultStatus(r) == PGRES_COMMAND_OK;
    if (!well)
        complain(news, "insert", PQerrorMessage(q->conn));
    PQclear(r);
    return well;
}

struct texts {
    char boot[24], sequence[24], made[32];
};

static bool put_report(struct sql *q, const struct report *r, const struct texts *t, struct sink_news *news) {
    char *document = https_body(r);
    const char *values[] = {r->node,
                            t->boot,
                            t->sequence,
                            t->made,
                            verdict_state_name((enum verdict_state)r->overall),
                            r->ready ? "t" : "f",
                            r->cause,
                            document};
    bool well = document != NULL &&
                insert(q,
                       "INSERT INTO candor.report (node, boot, sequence, made, status, ready, cause, document) VALUES"
                       " ($1, $2, $3::bigint, to_timestamp($4::double precision), $5, $6::boolean, $7, $8::jsonb)"
                       " ON CONFLICT DO NOTHING",
                       ARRAY_SIZE(values), values, news);
    free(document);
    return well;
}

static const char *state_of(uint8_t s) {
    return s < VERDICT_STATES ? verdict_state_name((enum verdict_state)s) : "none";
}

static bool put_events(struct sql *q, const struct report *r, const struct texts *t, struct sink_news *news) {
    bool well = true;
    for (int s = 0; s < SCOPE_COUNT && q->has_before && well; s++) {
        if (r->scope[s] == q->before.scope[s])
            continue;
        const char *values[] = {r->node,
                                t->boot,
                                t->sequence,
                                verdict_scope_name((enum verdict_scope)s),
                                state_of(q->before.scope[s]),
                                state_of(r->scope[s]),
                                t->made,
                                r->cause};
        well = insert(q,
                      "INSERT INTO candor.event VALUES ($1, $2, $3::bigint, $4, $5, $6,"
                      " to_timestamp($7::double precision), $8) ON CONFLICT DO NOTHING",
                      ARRAY_SIZE(values), values, news);
    }
    return well;
}

static int deliver(void *ctx, const struct report *r, struct sink_news *news) {
    struct sql *q = ctx;
    struct texts t;
    (void)snprintf(t.boot, sizeof t.boot, "%016llx", (unsigned long long)r->boot);
    (void)snprintf(t.sequence, sizeof t.sequence, "%lld", (long long)r->sequence);
    (void)snprintf(t.made, sizeof t.made, "%lld.%03d", (long long)(r->wall_ms / 1000), (int)(r->wall_ms % 1000));
    bool well = connect_to(q, news) && migrate(q, news) && run(q, "BEGIN", news) && put_report(q, r, &t, news) &&
                put_events(q, r, &t, news) && run(q, "COMMIT", news);
    if (!well && q->conn != NULL) {
        PQfinish(q->conn); /* whatever it was: begin anew */
        q->conn = NULL;
        return E_CLOSED;
    }
    if (!well)
        return E_CLOSED;
    q->before = *r;
    q->has_before = true;
    return 0;
}

static void sql_end(void *ctx) {
    struct sql *q = ctx;
    PQfinish(q->conn);
    free(q);
}

int sql_open(struct sink **out, const struct conf_sql *to, uint32_t retry_ms, struct err *err) {
    struct sql *q = calloc(1, sizeof *q);
    if (q == NULL)
        return err_set(err, E_NOMEM, "no memory for reports into a database");
    q->to = *to; /* its texts belong to the configuration, which outlives the sink */
    return sink_open(out, &(struct sink_plan){.keep = SQL_KEEP, .retry_ms = retry_ms}, deliver, sql_end, q, err);
}
