/* The connection of the sink into PostgreSQL. Statements are sent and waited for without blocking, for a deadline on
 * this side: the server's own timeouts say nothing about a server that is stopped. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/report/sql_impl.h"
#include "resolver/base/clock.h"

enum { SQL_PASSWORD_MAX = 1024, SQL_PARTS = 20 };

/* libpq's words are several lines. */
static void complain(struct sink_news *news, const char *what, const char *text) {
    size_t n = (size_t)snprintf(news->trouble, sizeof news->trouble, "%s: %.120s", what, text);
    n = n < sizeof news->trouble ? n : sizeof news->trouble - 1;
    while (n > 0 && news->trouble[n - 1] == '\n')
        news->trouble[--n] = '\0';
    for (char *c = news->trouble; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

void sql_disconnect(struct sql *q) {
    PQfinish(q->conn);
    q->conn = NULL;
    q->migrated = false;
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

static void silently(void *ctx, const char *message) {
    (void)ctx;
    (void)message; /* a server's notices are not for our standard error */
}

bool sql_connect(struct sql *q, struct sink_news *news) {
    char host[ADDR_TEXT_MAX], port[8], secret[SQL_PASSWORD_MAX];
    bool tls = q->to.tls_name[0] != '\0';
    if (q->conn != NULL && PQstatus(q->conn) == CONNECTION_OK)
        return q->migrated || (q->migrated = sql_migrate(q, news));
    sql_disconnect(q);
    if (!password(q, secret, news))
        return false;
    addr_host_text(&q->to.address, host);
    (void)snprintf(port, sizeof port, "%u", addr_port(&q->to.address));
    const char *const parts[][2] = {
        {"hostaddr", host},
        {"host", tls ? q->to.tls_name : host},
        {"port", port},
        {"dbname", q->to.database},
        {"user", q->to.user},
        {"password", secret},
        {"application_name", "candor"},
        {"sslmode", tls ? "verify-full" : "disable"},
        {"sslrootcert", q->to.ca[0] != '\0' ? q->to.ca : NULL},
        {"gssencmode", "disable"},
        {"connect_timeout", "5"},
        {"tcp_user_timeout", "15000"},
        {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"options", "-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"}};
    const char *keys[SQL_PARTS] = {NULL}, *values[SQL_PARTS] = {NULL};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        keys[i] = parts[i][0];
        values[i] = parts[i][1];
    }
    q->conn = PQconnectdbParams(keys, values, 0);
    OPENSSL_cleanse(secret, sizeof secret);
    if (q->conn == NULL || PQstatus(q->conn) != CONNECTION_OK) {
        complain(news, "connect", q->conn != NULL ? PQerrorMessage(q->conn) : "no memory");
        sql_disconnect(q);
        return false;
    }
    (void)PQsetNoticeProcessor(q->conn, silently, NULL);
    return PQsetnonblocking(q->conn, 1) == 0 && (q->migrated = sql_migrate(q, news));
}

/* Until the next result can be fetched without blocking; false: the time is up, or the connection is gone. */
static bool await(PGconn *c, int64_t until_ms) {
    for (;;) {
        int flush = PQflush(c);
        if (flush < 0 || (flush == 0 && !PQisBusy(c)))
            return flush == 0;
        int64_t left = until_ms - clock_mono_ms();
        struct pollfd p = {.fd = PQsocket(c), .events = (short)(POLLIN | (flush > 0 ? POLLOUT : 0))};
        if (left <= 0 || p.fd < 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
            return false;
        if ((p.revents & ~POLLOUT) != 0 && PQconsumeInput(c) == 0)
            return false;
    }
}

static bool is_well(struct sql *q, const PGresult *r, int64_t *value, struct sink_news *news) {
    ExecStatusType s = PQresultStatus(r);
    if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK) {
        const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
        text_copy(q->state, sizeof q->state, state != NULL ? state : "");
        complain(news, "sql", PQresultErrorMessage(r));
        return false;
    }
    if (value != NULL && s == PGRES_TUPLES_OK && PQntuples(r) > 0 && PQnfields(r) > 0)
        *value = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    return true;
}

bool sql_ask(struct sql *q, const char *text, int count, const char *const *params, int64_t timeout_ms, int64_t *value,
             struct sink_news *news) {
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    bool well = true;
    PGresult *r;
    q->state[0] = '\0';
    if (value != NULL)
        *value = 0;
    int sent =
        count == 0 ? PQsendQuery(q->conn, text) : PQsendQueryParams(q->conn, text, count, NULL, params, NULL, NULL, 0);
    if (sent == 0) {
        complain(news, "sql", PQerrorMessage(q->conn));
        return false;
    }
    for (;;) {
        if (!await(q->conn, until_ms)) {
            const char *why = PQerrorMessage(q->conn);
            char late[48];
            (void)snprintf(late, sizeof late, "no answer for %lld s", (long long)timeout_ms / 1000);
            complain(news, "sql", clock_mono_ms() < until_ms && why[0] != '\0' ? why : late);
            q->state[0] = '\0';
            return false;
        }
        if ((r = PQgetResult(q->conn)) == NULL)
            return well;
        well = well && is_well(q, r, value, news);
        PQclear(r);
    }
}
