/* The node itself on the status page: traffic, workers, upstreams, capacity, whom it reports to. */
#include <stdio.h>
#include <string.h>

#include "health/web/detail.h"
#include "health/web/page_part.h"
#include "health/web/pulse.h"

static void put_latency(struct text *t, const struct pulse_sample *s, unsigned source) {
    static const double parts[] = {0.5, 0.99};
    for (int i = 0; i < 2; i++) {
        double us = pulse_percentile_us(s, source, parts[i]);
        page_value(t, us < 0 ? us : us / 1000, 2, " ms");
    }
}

/* Silent while nobody ever was. */
static void put_held_back(struct text *t, const struct board *b) {
    uint64_t limited = 0, slipped = 0, unfair = 0;
    for (unsigned i = 0; i < LIMIT_WORKERS; i++) {
        limited += board_get(&b->worker[i].drops[DROP_RATE]);
        slipped += board_get(&b->worker[i].slipped);
        unfair += board_get(&b->worker[i].drops[DROP_FAIR]);
    }
    if (limited + slipped > 0)
        text_fmt(t, "<p>Rate limit: %llu answers were not given, %llu sent empty.</p>", (unsigned long long)limited,
                 (unsigned long long)slipped);
    if (unfair > 0)
        text_fmt(t, "<p>Overload: %llu questions of clients beyond their share got no answer.</p>",
                 (unsigned long long)unfair);
}

void page_traffic(struct text *t, const struct snapshot_source *s, int64_t mono_ms, int64_t wall_ms) {
    static const char *const names[SOURCE_COUNT + 1] = {"zone", "cache", "stale", "upstream", "local", "all"};
    struct pulse_sample w;
    uint64_t all = 0;
    if (s->pulse == NULL || !pulse_window(s->pulse, PULSE_WINDOW, &w))
        return;
    for (int i = 0; i < SOURCE_COUNT; i++)
        all += w.answers[i];
    page_table(t, "Traffic of the last minute", "Answers from|#A second|#Share|#Half within|#99 of 100 within");
    for (unsigned i = 0; i <= SOURCE_COUNT; i++) {
        uint64_t n = i < SOURCE_COUNT ? w.answers[i] : all;
        page_row(t, names[i]);
        page_value(t, pulse_rate(&w, n), 1, "");
        page_value(t, all > 0 ? 100 * (double)n / (double)all : -1, 1, " %");
        put_latency(t, &w, i);
        text_put(t, "</tr>");
    }
    page_rows_end(t);
    text_fmt(
        t, "<p>%.1f questions a second; %.2f %% of the answers are SERVFAIL; %.1f questions a second get none.</p>",
        pulse_rate(&w, w.queries), all > 0 ? 100 * (double)w.servfail / (double)all : 0, pulse_rate(&w, w.dropped));
    put_held_back(t, s->board);
    page_charts(t, s->pulse, mono_ms, wall_ms);
    text_put(t, "</section>");
}

/* --- workers */

static int64_t since_ms(uint64_t then_ms, int64_t now_ms) {
    return then_ms == 0 || (int64_t)then_ms > now_ms ? -1 : now_ms - (int64_t)then_ms;
}

static double busy_percent(const struct board_worker *w) {
    double idle = (double)board_get(&w->loop_idle_ns), busy = (double)board_get(&w->loop_busy_ns);
    return idle + busy > 0 ? 100 * busy / (idle + busy) : -1;
}

void page_workers(struct text *t, const struct snapshot_source *s, int64_t mono_ms, int64_t wall_ms) {
    uint64_t workers = board_get(&s->board->worker_count);
    page_table(t, "Workers",
               "Worker|#Process|#Heartbeat ago|#Answered a probe ago|#Lag now|#Busy|#In flight|#TCP|#Waiting "
               "bytes|#Dropped by the kernel|#Replaced");
    for (uint64_t i = 0; i < workers && i < LIMIT_WORKERS; i++) {
        const struct board_worker *w = &s->board->worker[i];
        char name[24];
        snprintf(name, sizeof(name), "%u", (unsigned)i);
        page_row(t, name);
        page_number(t, board_get(&w->pid));
        page_age(t, since_ms(board_get(&w->heartbeat_ms), mono_ms));
        page_age(t, since_ms((uint64_t)s->tally->worker_answer_wall_ms[i], wall_ms));
        page_value(t, (double)board_get(&w->loop_lag_us) / 1000, 1, " ms");
        page_value(t, busy_percent(w), 1, " %");
        page_number(t, board_get(&w->in_flight));
        page_number(t, board_get(&w->tcp_connections));
        page_number(t, board_get(&w->receive_queue_bytes));
        page_number(t, board_get(&w->socket_drops));
        page_number(t, board_get(&w->restarts_died) + board_get(&w->restarts_hung));
        text_put(t, "</tr>");
    }
    page_table_end(t);
}

/* --- upstreams */

static const struct verdict_check *check_of(const struct verdict_book *b, const char *address) {
    for (size_t i = 0; i < b->count; i++)
        if (b->checks[i].scope == SCOPE_UPSTREAM && strcmp(b->checks[i].measurement, "answers") == 0 &&
            strcmp(b->checks[i].id, address) == 0)
            return &b->checks[i];
    return NULL;
}

static void put_upstream(struct text *t, const struct snapshot_source *s, size_t u, const char *address,
                         int64_t wall_ms) {
    const struct verdict_check *c = check_of(s->book, address);
    struct upstream_sum sum;
    upstream_sum(&sum, s->board, u);
    page_row(t, address);
    text_put(t, "<td>");
    if (c != NULL)
        page_state(t, c->shown);
    text_put(t, "</td>");
    page_cell(t, c != NULL ? c->evidence.came : "not asked");
    page_value(t, c != NULL ? (double)c->evidence.took_us / 1000 : -1, 1, " ms");
    page_number(t, sum.results[UPSTREAM_OK]);
    page_number(t, sum.results[UPSTREAM_TIMEOUT]);
    page_number(t, sum.results[UPSTREAM_ERROR_RCODE]);
    page_number(t, sum.results[UPSTREAM_MISMATCH] + sum.results[UPSTREAM_NETWORK]);
    page_age(t, since_ms(sum.last_success_wall_s * 1000, wall_ms));
    text_put(t, "</tr>");
}

void page_upstreams(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    struct addr list[LIMIT_UPSTREAMS];
    size_t count = conf_upstreams(s->conf, list, LIMIT_UPSTREAMS);
    if (count == 0)
        return;
    page_table(t, "Upstreams",
               "Address|State|A probe had|#It took|#Answers to workers|#Timeouts|#Error codes|#Other|#Last answer ago");
    for (size_t u = 0; u < count && u < LIMIT_UPSTREAMS; u++) {
        char address[ADDR_TEXT_MAX];
        put_upstream(t, s, u, addr_text(&list[u], address), wall_ms);
    }
    page_table_end(t);
}

/* --- capacity */

static void put_share(struct text *t, const char *what, uint64_t used, uint64_t of, double scale, const char *unit) {
    page_row(t, what);
    page_value(t, (double)used / scale, 1, unit);
    page_value(t, (double)of / scale, 1, unit);
    page_value(t, of > 0 ? 100 * (double)used / (double)of : -1, 1, " %");
    text_put(t, "</tr>");
}

void page_capacity(struct text *t, const struct snapshot_source *s) {
    uint64_t zones = board_get(&s->board->zone_count);
    size_t fullest = SIZE_MAX, busiest = SIZE_MAX;
    char what[BOARD_NAME_MAX + 48];
    double share = -1, readers = -1;
    for (size_t i = 0; i < zones && i < LIMIT_ZONES && i < s->conf->rbl.zone_count; i++) {
        const struct board_zone *z = &s->board->zone[i];
        double map = (double)board_get(&z->map_bytes), slots = (double)board_get(&z->readers_max);
        if (map > 0 && (double)board_get(&z->used_bytes) / map > share) {
            share = (double)board_get(&z->used_bytes) / map;
            fullest = i;
        }
        if (slots > 0 && (double)board_get(&z->readers) / slots > readers) {
            readers = (double)board_get(&z->readers) / slots;
            busiest = i;
        }
    }
    page_table(t, "Capacity", "What|#Used|#Of|#Share");
    if (fullest != SIZE_MAX) {
        const struct board_zone *z = &s->board->zone[fullest];
        snprintf(what, sizeof(what), "fullest map: %s", s->conf->rbl.zones[fullest].name);
        put_share(t, what, board_get(&z->used_bytes), board_get(&z->map_bytes), 1 << 20, " MiB");
    }
    if (busiest != SIZE_MAX) {
        const struct board_zone *z = &s->board->zone[busiest];
        snprintf(what, sizeof(what), "readers: %s", s->conf->rbl.zones[busiest].name);
        put_share(t, what, board_get(&z->readers), board_get(&z->readers_max), 1, "");
    }
    if (s->tally->disk_known) {
        page_row(t, "free on the disk of state");
        page_value(t, (double)s->tally->disk_free_bytes / (1 << 20), 0, " MiB");
        text_put(t, "<td></td><td></td></tr>");
    }
    page_table_end(t);
}

/* --- reporting */

void page_reporting(struct text *t, const struct snapshot_source *s, int64_t wall_ms) {
    size_t count = s->sender != NULL ? sender_count(s->sender) : 0;
    if (count == 0)
        return;
    page_table(t, "Monitors that hear this node", "Address|Node|#Last acknowledged ago|#Acknowledged|#Silent|Trouble");
    for (size_t i = 0; i < count; i++) {
        const struct sender_target *m = sender_target(s->sender, i);
        page_row(t, m->address);
        page_cell(t, m->monitor);
        page_age(t, since_ms((uint64_t)m->acked_wall_ms, wall_ms));
        page_number(t, m->results[SENDER_ACKNOWLEDGED]);
        page_number(t, m->results[SENDER_SILENT]);
        page_cell(t, m->trouble);
        text_put(t, "</tr>");
    }
    page_table_end(t);
}
