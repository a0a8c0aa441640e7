/* How candor top shows what it knows: from the sentence down to single zones, as far as the screen reaches. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "health/command/ask.h"
#include "health/command/judge.h"
#include "health/command/out.h"
#include "health/command/shown.h"
#include "health/command/top.h"

enum { TRANSITIONS_SHOWN = 6, TROUBLES_SHOWN = 5, ZONES_LEAST = 6 };

static enum screen_ink ink_of(enum judge_state s) {
    static const enum screen_ink inks[JUDGE_STATES] = {INK_GOOD, INK_WARN, INK_BAD, INK_UNKNOWN};
    return s < JUDGE_STATES ? inks[s] : INK_UNKNOWN;
}

static enum screen_ink ink_of_word(const char *status) { return ink_of(judge_status(status)); }

static const char *clean(char to[OUT_CELL_MAX], const char *text) {
    return out_clean(to, OUT_CELL_MAX, text, strlen(text));
}

static void draw_verdict(struct screen *s, const struct top *t, int64_t wall_ms) {
    struct judgement j = {.state = JUDGE_UNKNOWN};
    char node[OUT_CELL_MAX], clock[16];
    int64_t day_s = wall_ms / 1000 % 86400;
    (void)snprintf(clock, sizeof clock, "%02d:%02d:%02d", (int)(day_s / 3600), (int)(day_s / 60 % 60),
                   (int)(day_s % 60));
    if (t->health != NULL)
        judge(&j, t->health);
    else
        (void)snprintf(j.sentence, sizeof j.sentence, "the health port is silent: %s", t->silence.text);
    screen_put(s, INK_BOLD, "candor %s ", clean(node, t->conf->node.name));
    screen_put(s, ink_of(j.state), "%s", judge_name(j.state));
    screen_put(s, INK_PLAIN, "  %s UTC  %s", clock, j.sentence);
    screen_line(s);
}

static void draw_scopes(struct screen *s, const struct top *t) {
    json_t *scopes = json_object_get(t->health, "scopes"), *scope;
    const char *name, *between = "scopes  ";
    if (json_object_size(scopes) == 0)
        return;
    json_object_foreach(scopes, name, scope) {
        char text[OUT_CELL_MAX];
        const char *status = ask_text(scope, "status");
        screen_put(s, INK_PLAIN, "%s%s ", between, clean(text, name));
        screen_put(s, ink_of_word(status), "%s", clean(text, status));
        between = ", ";
    }
    screen_line(s);
}

struct troubles {
    struct screen *s;
    unsigned shown, more;
};

static void draw_trouble(void *ctx, const char *name, const json_t *check) {
    struct troubles *t = ctx;
    const char *status = ask_text(check, "status");
    char text[OUT_CELL_MAX];
    if (judge_status(status) == JUDGE_OK)
        return;
    if (t->shown >= TROUBLES_SHOWN) {
        t->more++;
        return;
    }
    t->shown++;
    screen_put(t->s, ink_of_word(status), "  %-7s ", clean(text, status[0] != '\0' ? status : "unknown"));
    screen_put(t->s, INK_PLAIN, "%s ", clean(text, name));
    screen_put(t->s, INK_PLAIN, "%s: ", clean(text, ask_text(check, "componentId")));
    screen_put(t->s, INK_PLAIN, "%s", clean(text, ask_text(check, "output")));
    screen_line(t->s);
}

static void draw_troubles(struct screen *s, const struct top *t) {
    struct troubles all = {.s = s};
    judge_each(t->health, draw_trouble, &all);
    if (all.more > 0) {
        screen_put(s, INK_PLAIN, "  and %u more: candor health", all.more);
        screen_line(s);
    }
}

static const char *milliseconds(char to[32], double us) {
    if (us < 0)
        (void)snprintf(to, 32, "-");
    else
        (void)snprintf(to, 32, us < 10000 ? "%.2f ms" : "%.0f ms", us / 1000);
    return to;
}

static void draw_traffic(struct screen *s, const struct top *t) {
    static const char *const sources[SOURCE_COUNT] = {"zone", "cache", "stale", "upstream", "local"};
    const struct top_figures *f = t->between;
    char p50[32], p99[32];
    uint64_t answers = 0, in_flight = 0, tcp = 0, workers = board_get(&t->board->worker_count);
    for (int i = 0; i < SOURCE_COUNT; i++)
        answers += f->answers[i];
    for (uint64_t i = 0; i < workers && i < LIMIT_WORKERS; i++) {
        in_flight += board_get(&t->board->worker[i].in_flight);
        tcp += board_get(&t->board->worker[i].tcp_connections);
    }
    screen_put(s, INK_BOLD, "%.0f questions/s", top_rate(f, f->queries));
    screen_put(s, INK_PLAIN, "  p50 %s  p99 %s  ", milliseconds(p50, top_percentile_us(f->latency, 0.5)),
               milliseconds(p99, top_percentile_us(f->latency, 0.99)));
    screen_put(s, f->servfail > 0 ? INK_WARN : INK_PLAIN, "SERVFAIL %.2f %%", top_share(f->servfail, answers));
    screen_put(s, f->dropped > 0 ? INK_WARN : INK_PLAIN, "  dropped %.0f/s", top_rate(f, f->dropped));
    screen_put(s, INK_PLAIN, "  in flight %" PRIu64 "  TCP %" PRIu64, in_flight, tcp);
    screen_line(s);
    screen_put(s, INK_PLAIN, "answers");
    for (int i = 0; i < SOURCE_COUNT; i++)
        screen_put(s, INK_PLAIN, "  %s %.0f/s (%.0f %%)", sources[i], top_rate(f, f->answers[i]),
                   top_share(f->answers[i], answers));
    screen_put(s, INK_PLAIN, "  cache hits %.0f %%", top_share(f->cache_hits, f->cache_hits + f->cache_misses));
    screen_line(s);
}

static void draw_processes(struct screen *s, const struct top *t, int64_t mono_ms) {
    screen_put(s, INK_PLAIN, "programs");
    for (int r = 0; r < ROLE_COUNT; r++) {
        const struct board_process *p = &t->board->process[r];
        enum shown_life life = shown_life(p, mono_ms);
        static const char *const words[] = {"not running", "ended", "runs", "hangs"};
        screen_put(s, INK_PLAIN, "  %s ", shown_role((enum board_role)r));
        screen_put(s, life == SHOWN_BEATING ? INK_GOOD : life == SHOWN_STILL ? INK_BAD : INK_DIM, "%s", words[life]);
        uint64_t died = board_get(&p->restarts_died), hung = board_get(&p->restarts_hung);
        if (died + hung > 0)
            screen_put(s, INK_WARN, " (replaced %" PRIu64 ")", died + hung);
    }
    screen_line(s);
}

static void draw_workers(struct screen *s, const struct top *t, int64_t mono_ms) {
    uint64_t workers = board_get(&t->board->worker_count);
    screen_put(s, INK_HEAD, "%-8s %10s %9s %10s %9s %7s %8s %9s", "worker", "quest/s", "SERVFAIL", "lag p99",
               "heartbeat", "busy", "drops/s", "replaced");
    screen_line(s);
    for (uint64_t i = 0; i < workers && i < LIMIT_WORKERS && screen_left(s) > 2; i++) {
        const struct top_worker *w = &t->between->worker[i];
        const struct board_worker *b = &t->board->worker[i];
        double age_s = shown_age_s(board_get(&b->heartbeat_ms), mono_ms);
        char age[32], lag[32];
        bool fresh = age_s >= 0 && age_s * 1000 < SHOWN_FRESH_MS;
        screen_put(s, INK_PLAIN, "%-8" PRIu64 " %10.0f %7.2f %% %10s ", i, top_rate(t->between, w->queries),
                   top_share(w->servfail, w->queries), milliseconds(lag, top_percentile_us(w->lag, 0.99)));
        screen_put(s, fresh ? INK_GOOD : INK_BAD, "%9s", age_s < 0 ? "none" : out_age(age, age_s));
        screen_put(s, INK_PLAIN, " %5.1f %% %8.0f %9" PRIu64, top_share(w->busy_ns, w->busy_ns + w->idle_ns),
                   top_rate(t->between, w->drops), board_get(&b->restarts_died) + board_get(&b->restarts_hung));
        screen_line(s);
    }
}

/* What the health port says of it; "": nothing. */
static const char *upstream_status(const struct top *t, const char *address) {
    json_t *list = json_object_get(json_object_get(t->health, "checks"), "upstream:answers"), *check;
    size_t i;
    json_array_foreach(list, i, check) if (strcmp(ask_text(check, "componentId"), address) ==
                                           0) return ask_text(check, "status");
    return "";
}

static void draw_upstreams(struct screen *s, const struct top *t) {
    struct addr list[LIMIT_UPSTREAMS];
    size_t count = conf_upstreams(t->conf, list, LIMIT_UPSTREAMS);
    if (count == 0 || screen_left(s) < 4)
        return;
    screen_put(s, INK_HEAD, "%-32s %-8s %10s %10s %10s %10s", "upstream", "state", "answers/s", "failed/s", "p50",
               "p99");
    screen_line(s);
    for (size_t u = 0; u < count && u < LIMIT_UPSTREAMS && screen_left(s) > 2; u++) {
        const struct top_upstream *f = &t->between->upstream[u];
        char where[ADDR_TEXT_MAX], p50[32], p99[32], text[OUT_CELL_MAX];
        const char *status = upstream_status(t, addr_text(&list[u], where));
        screen_put(s, INK_PLAIN, "%-32s ", where);
        screen_put(s, ink_of_word(status), "%-8.8s", status[0] != '\0' ? clean(text, status) : "-");
        screen_put(s, INK_PLAIN, " %10.0f ", top_rate(t->between, f->good));
        screen_put(s, f->bad > 0 ? INK_WARN : INK_PLAIN, "%10.0f", top_rate(t->between, f->bad));
        screen_put(s, INK_PLAIN, " %10s %10s", milliseconds(p50, top_percentile_us(f->latency, 0.5)),
                   milliseconds(p99, top_percentile_us(f->latency, 0.99)));
        screen_line(s);
    }
}

struct zone_line {
    size_t at;
    uint64_t state, serial, entries, changed_wall_s, asked;
    char name[BOARD_NAME_MAX];
};

static _Thread_local enum top_order order_now; /* qsort has no context */

static int compare(const void *one, const void *other) {
    const struct zone_line *a = one, *b = other;
    uint64_t x = 0, y = 0;
    if (order_now == TOP_BY_QUESTIONS)
        x = a->asked, y = b->asked;
    else if (order_now == TOP_BY_ENTRIES)
        x = a->entries, y = b->entries;
    else if (order_now == TOP_BY_CHANGE)
        x = a->changed_wall_s, y = b->changed_wall_s;
    return x != y ? (x < y ? 1 : -1) : strcasecmp(a->name, b->name);
}

static size_t read_zones(const struct top *t, struct zone_line *to) {
    uint64_t count = board_get(&t->board->zone_count);
    size_t n = 0;
    for (size_t i = 0; i < count && i < LIMIT_ZONES; i++) {
        struct board_zone z;
        (void)board_zone_read(&t->board->zone[i], &z);
        z.name[sizeof z.name - 1] = '\0';
        if (z.name[0] == '\0')
            continue;
        to[n] = (struct zone_line){i, z.state, z.serial, z.entries, z.last_change_wall_s, t->between->asked[i], ""};
        memcpy(to[n++].name, z.name, sizeof z.name);
    }
    return n;
}

static void draw_zone(struct screen *s, const struct top *t, const struct zone_line *z, int64_t wall_ms) {
    static const char *const states[] = {"loading", "ok", "refused", "bad source", "expired", "error", "not stored"};
    char entries[32], age[32];
    double age_s = z->changed_wall_s != 0 ? (double)wall_ms / 1000 - (double)z->changed_wall_s : -1;
    screen_put(s, INK_PLAIN, "%-24.24s ", z->name);
    screen_put(s,
               z->state == ZONE_OK        ? INK_GOOD
               : z->state == ZONE_LOADING ? INK_UNKNOWN
                                          : INK_WARN,
               "%-10s", states[z->state < ZONE_STATES ? z->state : ZONE_ERROR]);
    screen_put(s, INK_PLAIN, " %10.0f %12s %11" PRIu64 " %9s", top_rate(t->between, z->asked),
               out_count(entries, z->entries), z->serial,
               age_s < 0 && z->changed_wall_s != 0 ? "0 s" : out_age(age, age_s));
    screen_line(s);
}

static void draw_zones(struct screen *s, struct top *t, int64_t wall_ms, unsigned keep_free) {
    static const char *const orders[TOP_ORDERS] = {"by questions", "by name", "by entries", "by last change"};
    struct zone_line *list = calloc(LIMIT_ZONES, sizeof *list);
    size_t n = list != NULL ? read_zones(t, list) : 0;
    char head[64];
    unsigned room = screen_left(s) > keep_free + 2 ? screen_left(s) - keep_free - 2 : 0;
    if (n == 0 || room == 0) {
        free(list);
        return;
    }
    order_now = t->order;
    qsort(list, n, sizeof *list, compare);
    if (t->first_zone + 1 > n)
        t->first_zone = n - 1;
    (void)snprintf(head, sizeof head, "%zu zone%s %s", n, n == 1 ? "" : "s", orders[t->order]);
    screen_put(s, INK_HEAD, "%-24s %-10s %10s %12s %11s %9s", head, "state", "quest/s", "entries", "serial", "changed");
    if (t->first_zone > 0)
        screen_put(s, INK_DIM, " from %zu", t->first_zone + 1);
    screen_line(s);
    for (size_t i = t->first_zone; i < n && i < t->first_zone + room; i++)
        draw_zone(s, t, &list[i], wall_ms);
    free(list);
}

static size_t transitions(const struct top *t) {
    size_t n = json_array_size(json_object_get(t->history, "scopes"));
    return n < TRANSITIONS_SHOWN ? n : TRANSITIONS_SHOWN;
}

static void draw_transitions(struct screen *s, const struct top *t) {
    const json_t *list = json_object_get(t->history, "scopes");
    size_t n = transitions(t);
    if (n == 0)
        return;
    screen_put(s, INK_HEAD, "%-10s %-12s %-8s %-8s %s", "at (UTC)", "scope", "from", "to", "cause");
    screen_line(s);
    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_array_get(list, i);
        const char *at = ask_text(e, "time"), *to = ask_text(e, "to");
        char text[OUT_CELL_MAX];
        screen_put(s, INK_PLAIN, "%-10.8s ", strlen(at) >= 19 ? clean(text, at + 11) : "");
        screen_put(s, INK_PLAIN, "%-12.12s ", clean(text, ask_text(e, "scope")));
        screen_put(s, INK_PLAIN, "%-8.8s ", clean(text, ask_text(e, "from")));
        screen_put(s, ink_of_word(to), "%-8.8s ", clean(text, to));
        screen_put(s, INK_PLAIN, "%s", clean(text, ask_text(e, "cause")));
        screen_line(s);
    }
}

void top_draw(struct screen *s, struct top *t, int64_t mono_ms, int64_t wall_ms) {
    screen_begin(s);
    draw_verdict(s, t, wall_ms);
    draw_scopes(s, t);
    draw_troubles(s, t);
    draw_traffic(s, t);
    draw_processes(s, t, mono_ms);
    draw_workers(s, t, mono_ms);
    draw_upstreams(s, t);
    unsigned below = transitions(t) > 0 ? (unsigned)transitions(t) + 2 : 1;
    if (screen_left(s) < below + ZONES_LEAST)
        below = 1; /* zones before the past */
    draw_zones(s, t, wall_ms, below);
    if (below > 1)
        draw_transitions(s, t);
    if (s->live)
        screen_put(s, INK_DIM, "q ends, left and right sort the zones, up and down scroll");
}
