/* What comes from nodes, into the tables; and what is too old, out of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/monitor/archive_impl.h"
#include "health/report/body.h"
#include "resolver/base/bytes.h"

enum { BOOT_TEXT = 17 };

static void text(sqlite3_stmt *s, int at, const char *value) {
    (void)sqlite3_bind_text(s, at, value, -1, SQLITE_TRANSIENT);
}

static void boot_text(sqlite3_stmt *s, int at, uint64_t boot) {
    char hex[BOOT_TEXT];
    (void)snprintf(hex, sizeof hex, "%016llx", (unsigned long long)boot);
    text(s, at, hex);
}

static void whole(sqlite3_stmt *s, int at, int64_t n) { (void)sqlite3_bind_int64(s, at, n); }

/* The columns that a report and its node have alike, 1 to 8. */
static void bind_report(sqlite3_stmt *s, const struct report *r, int64_t came_ms) {
    text(s, 1, r->node);
    boot_text(s, 2, r->boot);
    whole(s, 3, (int64_t)r->sequence);
    whole(s, 4, r->wall_ms);
    whole(s, 5, came_ms);
    text(s, 6, verdict_state_name((enum verdict_state)r->overall));
    whole(s, 7, r->ready);
    text(s, 8, r->cause);
}

int archive_report(struct archive *a, const struct report *r, int64_t came_ms, struct err *err) {
    sqlite3_stmt *s = archive_statement(a, ARCHIVE_REPORT, err);
    char *document = body_report(r);
    int rc = s == NULL ? E_IO : document == NULL ? err_set(err, E_NOMEM, "no memory for a report") : 0;
    if (rc == 0) {
        bind_report(s, r, came_ms);
        text(s, 9, document);
        rc = archive_step(a, s, err);
    }
    free(document);
    if (rc < 0 || sqlite3_changes(a->db) == 0)
        return rc; /* it is there already */
    if ((s = archive_statement(a, ARCHIVE_NODE, err)) == NULL)
        return E_IO;
    bind_report(s, r, came_ms);
    text(s, 9, r->version);
    whole(s, 10, a->plan.push_ms);
    whole(s, 11, a->plan.keep_ms);
    return archive_step(a, s, err);
}

static const char *scope_text(const struct event *e) {
    return e->kind == EVENT_START || e->scope >= SCOPE_COUNT ? "" : verdict_scope_name((enum verdict_scope)e->scope);
}

static const char *state_text(const struct event *e, uint8_t state) {
    return e->kind == EVENT_START || state >= VERDICT_STATES ? "" : verdict_state_name((enum verdict_state)state);
}

static int event(struct archive *a, const char *node, const struct event *e, int64_t came_ms, struct err *err) {
    sqlite3_stmt *s = archive_statement(a, ARCHIVE_EVENT, err);
    if (s == NULL)
        return E_IO;
    text(s, 1, node);
    boot_text(s, 2, e->boot);
    whole(s, 3, (int64_t)e->sequence);
    text(s, 4, event_kind_name((enum event_kind)e->kind));
    text(s, 5, scope_text(e));
    text(s, 6, e->what);
    text(s, 7, state_text(e, e->from));
    text(s, 8, state_text(e, e->to));
    whole(s, 9, e->wall_ms);
    whole(s, 10, e->seen_wall_ms);
    whole(s, 11, came_ms);
    text(s, 12, e->cause);
    return archive_step(a, s, err);
}

int archive_events(struct archive *a, const char *node, const struct event *e, size_t count, uint64_t lost,
                   int64_t came_ms, struct err *err) {
    int rc = 0;
    bool any = false;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = event(a, node, &e[i], came_ms, err);
        any |= rc == 0 && sqlite3_changes(a->db) > 0;
    }
    if (rc < 0 || lost == 0 || !any)
        return rc; /* those that were lost before events that are there already were counted then */
    sqlite3_stmt *s = archive_statement(a, ARCHIVE_LOST, err);
    if (s == NULL)
        return E_IO;
    text(s, 1, node);
    whole(s, 2, lost < INT64_MAX / 2 ? (int64_t)lost : INT64_MAX / 2);
    return archive_step(a, s, err);
}

int archive_detail(struct archive *a, const char *node, const struct detail *d, bool fully, struct err *err) {
    static const enum archive_statement always[] = {ARCHIVE_DETAIL_NODE, ARCHIVE_ZONES_END, ARCHIVE_ZONES_NEW,
                                                    ARCHIVE_PEERS_END, ARCHIVE_PEERS_NEW},
                                        sometimes[] = {ARCHIVE_ZONES_TIMES, ARCHIVE_PEERS_HEARD, ARCHIVE_PROBES};
    size_t most = ARRAY_SIZE(always) + (fully ? ARRAY_SIZE(sometimes) : 0);
    int rc = 0;
    for (size_t i = 0; i < most && rc == 0; i++) {
        enum archive_statement which = i < ARRAY_SIZE(always) ? always[i] : sometimes[i - ARRAY_SIZE(always)];
        sqlite3_stmt *s = archive_statement(a, which, err);
        if (s == NULL)
            return E_IO;
        text(s, 1, node);
        (void)sqlite3_bind_text(s, 2, d->json, (int)d->size, SQLITE_STATIC);
        rc = archive_step(a, s, err);
    }
    return rc;
}

/* Of reports also those that are too many. */
static int64_t reports_until(struct archive *a, int64_t old_ms) {
    sqlite3_stmt *s = NULL;
    int64_t until = old_ms;
    static const char sql[] = "SELECT came FROM report WHERE rowid <= (SELECT max(rowid) FROM report) - ?1"
                              " ORDER BY rowid DESC LIMIT 1";
    if (sqlite3_prepare_v2(a->db, sql, -1, &s, NULL) == SQLITE_OK) {
        whole(s, 1, ARCHIVE_REPORTS_MOST);
        if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) > until)
            until = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    return until;
}

int archive_clean(struct archive *a, int64_t now_ms, struct err *err) {
    static const char *const deletes[] = {
        "DELETE FROM report WHERE rowid IN (SELECT rowid FROM report WHERE came < ?1 ORDER BY came LIMIT ?2)",
        "DELETE FROM event WHERE rowid IN (SELECT rowid FROM event WHERE came < ?1 ORDER BY came LIMIT ?2)",
        "DELETE FROM zone_state WHERE rowid IN (SELECT rowid FROM zone_state WHERE until < ?1 LIMIT ?2)",
        "DELETE FROM peer_view WHERE rowid IN (SELECT rowid FROM peer_view WHERE until < ?1 LIMIT ?2)",
        "DELETE FROM probe_result WHERE day < date(?1 / 1000, 'unixepoch')",
    };
    sqlite3_stmt *s = NULL;
    unsigned which = a->cleaned++ % ARRAY_SIZE(deletes);
    int64_t old_ms = now_ms - a->plan.keep_ms;
    if (which == 0)
        old_ms = reports_until(a, old_ms);
    if (sqlite3_prepare_v2(a->db, deletes[which], -1, &s, NULL) != SQLITE_OK)
        return archive_error(a, "what is old", err);
    whole(s, 1, old_ms);
    if (sqlite3_bind_parameter_count(s) > 1)
        whole(s, 2, ARCHIVE_SLICE);
    int rc = archive_step(a, s, err);
    int rows = rc == 0 ? sqlite3_changes(a->db) : rc;
    (void)sqlite3_finalize(s);
    return rows;
}

static void column(sqlite3_stmt *s, int at, char *to, size_t size) {
    const unsigned char *value = sqlite3_column_text(s, at);
    text_copy(to, size, value != NULL ? (const char *)value : "");
}

static int kind_find(const char *name) {
    for (int k = 0; k < EVENT_KINDS; k++)
        if (strcmp(event_kind_name((enum event_kind)k), name) == 0)
            return k;
    return EVENT_SCOPE;
}

static uint8_t state_find(const char *name) {
    for (int s = 0; s < VERDICT_STATES; s++)
        if (strcmp(verdict_state_name((enum verdict_state)s), name) == 0)
            return (uint8_t)s;
    return VERDICT_STATES;
}

static void read_event(sqlite3_stmt *s, char *node, struct event *e) {
    char word[BOOT_TEXT + 8];
    *e = (struct event){.sequence = (uint64_t)sqlite3_column_int64(s, 2),
                        .wall_ms = sqlite3_column_int64(s, 8),
                        .seen_wall_ms = sqlite3_column_int64(s, 9)};
    column(s, 0, node, REPORT_NODE);
    column(s, 1, word, sizeof word);
    e->boot = strtoull(word, NULL, 16);
    column(s, 3, word, sizeof word);
    e->kind = (uint8_t)kind_find(word);
    column(s, 4, word, sizeof word);
    int scope = verdict_scope_find(word);
    e->scope = scope < 0 ? SCOPE_COUNT : (uint8_t)scope;
    column(s, 5, e->what, sizeof e->what);
    column(s, 6, word, sizeof word);
    e->from = state_find(word);
    column(s, 7, word, sizeof word);
    e->to = state_find(word);
    column(s, 10, e->cause, sizeof e->cause);
}

int archive_newest(struct archive *a, char (*node)[REPORT_NODE], struct event *e, size_t most, struct err *err) {
    static const char sql[] =
        "SELECT node, boot, sequence, kind, scope, what, was, is_now, made, seen, cause FROM event"
        " ORDER BY rowid DESC LIMIT ?1";
    sqlite3_stmt *s = NULL;
    size_t n = 0;
    if (sqlite3_prepare_v2(a->db, sql, -1, &s, NULL) != SQLITE_OK)
        return archive_error(a, "the newest events", err);
    whole(s, 1, (int64_t)most);
    for (; n < most && sqlite3_step(s) == SQLITE_ROW; n++)
        read_event(s, node[n], &e[n]);
    (void)sqlite3_finalize(s);
    return (int)n;
}
