#include "health/report/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/report/body.h"
#include "health/report/sql_impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

/* Databases have encodings, and none takes a NUL: ASCII is understood by all of them. */
void sql_plain(char *json) {
    const char *from = json;
    char *to = json;
    while (*from != '\0') {
        unsigned char c = (unsigned char)*from++;
        if (c >= 0x80) {
            while (((unsigned char)*from & 0xC0) == 0x80)
                from++;
            *to++ = '?';
        } else if (c != '\\' || *from == '\0') {
            *to++ = (char)c;
        } else if (*from == '"' || *from == '\\' || *from == '/') {
            *to++ = '\\';
            *to++ = *from++;
        } else {
            size_t skip = *from++ == 'u' ? 4 : 0;
            while (skip-- > 0 && *from != '\0' && *from != '"')
                from++;
            *to++ = '?';
        }
    }
    *to = '\0';
}

/* Wrapped around what may be NULL for want of memory. */
static char *plain(char *json, struct sink_news *news) {
    if (json == NULL)
        text_copy(news->trouble, sizeof news->trouble, "no memory");
    else
        sql_plain(json);
    return json;
}

static bool ask(struct sql *q, const char *text, int count, const char *const *params, struct sink_news *news) {
    return sql_ask(q, text, count, params, SQL_TIMEOUT_MS, NULL, news);
}

static bool put_report(struct sql *q, const struct report *r, struct sink_news *news) {
    char push[32], keep[32];
    char *document = plain(body_report(r), news);
    const char *params[] = {document, push, keep};
    (void)snprintf(push, sizeof push, "%.3f", q->push_s);
    (void)snprintf(keep, sizeof keep, "%u", q->to.keep_s);
    bool well = document != NULL && ask(q, "SELECT candor.take_report($1::jsonb, $2::float8, $3::float8)",
                                        ARRAY_SIZE(params), params, news);
    free(document);
    return well;
}

static bool put_events(struct sql *q, const struct notice *n, struct sink_news *news) {
    struct notice events = {.event = n->event, .events = n->events};
    char lost[24];
    char *text = plain(body_notice(&events, NULL), news);
    const char *params[] = {q->node, text, lost};
    (void)snprintf(lost, sizeof lost, "%lld", (long long)n->events_lost);
    bool well = text != NULL && ask(q, "SELECT candor.take_events($1, $2::jsonb -> 'events', $3::bigint)",
                                    ARRAY_SIZE(params), params, news);
    free(text);
    return well;
}

/* "22021" and the like: it is the data's fault, and will be the next time. */
static bool is_of_data(const char *state) {
    return strncmp(state, "21", 2) == 0 || strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0;
}

static bool put_detail(struct sql *q, const struct detail *d, bool fully, struct sink_news *news) {
    char *text = plain(strdup(d->json), news);
    const char *params[] = {q->node, text, fully ? "t" : "f"};
    bool well = text != NULL && ask(q, "SAVEPOINT detail", 0, NULL, news) &&
                ask(q, "SELECT candor.take_detail($1, $2::jsonb, $3::boolean)", ARRAY_SIZE(params), params, news);
    free(text);
    if (well || !is_of_data(q->state))
        return well;
    LOG(LEVEL_WARN, "the database cannot take a detail", KS("why", news->trouble));
    news->trouble[0] = '\0';
    return ask(q, "ROLLBACK TO SAVEPOINT detail", 0, NULL, news);
}

static bool put(struct sql *q, const struct notice *n, bool fully, struct sink_news *news) {
    bool fresh = n->detail != NULL && n->detail != q->taken;
    return ask(q, "BEGIN", 0, NULL, news) && (n->report == NULL || put_report(q, n->report, news)) &&
           (n->events == 0 || put_events(q, n, news)) && (!fresh || put_detail(q, n->detail, fully, news)) &&
           ask(q, "COMMIT", 0, NULL, news);
}

/* No notice waits for it, and none comes again because of it. */
static void clean(struct sql *q, struct sink_news *news) {
    char most[16];
    const char *params[] = {q->node, most};
    (void)snprintf(most, sizeof most, "%d", SQL_CLEAN);
    if (ask(q, "SELECT candor.clean($1, $2::bigint)", ARRAY_SIZE(params), params, news))
        return;
    LOG(LEVEL_WARN, "old rows cannot be deleted", KS("why", news->trouble));
    news->trouble[0] = '\0';
    sql_disconnect(q);
}

static bool is_due(const struct sql *q, int64_t last_ms, int64_t now) {
    return last_ms == 0 || (double)(now - last_ms) >= SQL_LOOK_PUSHES * q->push_s * 1000;
}

static int deliver(void *ctx, const struct notice *n, struct sink_news *news) {
    struct sql *q = ctx;
    int64_t now = clock_mono_ms();
    bool look = is_due(q, q->looked_ms, now), fresh = n->detail != NULL && n->detail != q->taken;
    if (!sql_connect(q, news) || !put(q, n, look, news)) {
        sql_disconnect(q); /* whatever it was: begin anew */
        return E_CLOSED;
    }
    if (fresh) {
        detail_unref(q->taken);
        q->taken = detail_ref((struct detail *)n->detail); /* its count alone changes */
    }
    if (fresh && look)
        q->looked_ms = now;
    if (is_due(q, q->cleaned_ms, now)) {
        q->cleaned_ms = now;
        clean(q, news);
    }
    return 0;
}

static void sql_end(void *ctx) {
    struct sql *q = ctx;
    sql_disconnect(q);
    detail_unref(q->taken);
    free(q);
}

int sql_open(struct sink **out, const struct conf *conf, const char *folder, uint32_t retry_ms, struct err *err) {
    struct sql *q = calloc(1, sizeof *q);
    char address[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX + 8];
    if (q == NULL)
        return err_set(err, E_NOMEM, "no memory for reports into a database");
    q->to = conf->health.sql;
    q->push_s = conf->health.interval.push_ms / 1000.0;
    q->node = conf->node.name;
    (void)snprintf(name, sizeof name, "sql %s", addr_text(&q->to.address, address));
    struct sink_plan plan = {.keep = SQL_KEEP, .retry_ms = retry_ms, .events = true, .folder = folder, .name = name};
    return sink_open(out, &plan, deliver, sql_end, q, err);
}
