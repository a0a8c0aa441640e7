#include "health/command/shown.h"

#include <string.h>

#include "health/command/out.h"

/* Whether the pid belongs to a program called candor*. */
static bool runs(uint64_t pid) {
    char path[64], name[32] = "";
    if (pid == 0 || pid > 1 << 30)
        return false;
    (void)snprintf(path, sizeof path, "/proc/%llu/comm", (unsigned long long)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool read = fgets(name, sizeof name, f) != NULL;
    (void)fclose(f);
    return read && strncmp(name, "candor", 6) == 0;
}

double shown_age_s(uint64_t heartbeat_ms, int64_t now_ms) {
    return heartbeat_ms == 0 || (int64_t)heartbeat_ms > now_ms ? -1 : (double)(now_ms - (int64_t)heartbeat_ms) / 1000;
}

enum shown_life shown_life(const struct board_process *p, int64_t now_ms) {
    if (board_get(&p->boot) == 0)
        return SHOWN_NEVER;
    if (!runs(board_get(&p->pid)))
        return SHOWN_GONE;
    double age_s = shown_age_s(board_get(&p->heartbeat_ms), now_ms);
    return age_s >= 0 && age_s * 1000 < SHOWN_FRESH_MS ? SHOWN_BEATING : SHOWN_STILL;
}

const char *shown_role(enum board_role role) {
    static const char *const names[ROLE_COUNT] = {"candor run", "candor-resolver", "candor-sync", "candor-health"};
    return role < ROLE_COUNT ? names[role] : "?";
}

void shown_processes(const struct board *b, int64_t now_ms, FILE *to) {
    static const char *const life[] = {"not running", "ended", "running", "hangs"};
    struct out_table *t = out_table_new(6);
    out_row(t, "process", "state", "pid", "heartbeat", "loop lag", "restarts died/hung");
    for (int r = 0; r < ROLE_COUNT; r++) {
        const struct board_process *p = &b->process[r];
        char pid[24], age[32], lag[32], restarts[64];
        (void)snprintf(pid, sizeof pid, "%llu", (unsigned long long)board_get(&p->pid));
        (void)snprintf(restarts, sizeof restarts, "%llu/%llu", (unsigned long long)board_get(&p->restarts_died),
                       (unsigned long long)board_get(&p->restarts_hung));
        double age_s = shown_age_s(board_get(&p->heartbeat_ms), now_ms);
        out_row(t, shown_role((enum board_role)r), life[shown_life(p, now_ms)], pid,
                age_s < 0 ? "none" : out_age(age, age_s), out_age(lag, (double)board_get(&p->loop_lag_us) / 1e6),
                restarts);
    }
    out_table_print(t, to, "  ");
}

void shown_workers(const struct board *b, int64_t now_ms, FILE *to) {
    struct out_table *t = out_table_new(7);
    uint64_t count = board_get(&b->worker_count);
    out_row(t, "worker", "pid", "heartbeat", "queries", "in flight", "TCP", "restarts died/hung");
    for (uint64_t i = 0; i < count && i < LIMIT_WORKERS; i++) {
        const struct board_worker *w = &b->worker[i];
        char number[24], pid[24], age[32], queries[32], flight[32], tcp[32], restarts[64];
        uint64_t sum = 0;
        for (int p = 0; p < PROTO_COUNT; p++)
            for (int f = 0; f < FAMILY_COUNT; f++)
                sum += board_get(&w->queries[p][f]);
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)i);
        (void)snprintf(pid, sizeof pid, "%llu", (unsigned long long)board_get(&w->pid));
        (void)snprintf(restarts, sizeof restarts, "%llu/%llu", (unsigned long long)board_get(&w->restarts_died),
                       (unsigned long long)board_get(&w->restarts_hung));
        double age_s = shown_age_s(board_get(&w->heartbeat_ms), now_ms);
        out_row(t, number, pid, age_s < 0 ? "none" : out_age(age, age_s), out_count(queries, sum),
                out_count(flight, board_get(&w->in_flight)), out_count(tcp, board_get(&w->tcp_connections)), restarts);
    }
    out_table_print(t, to, "  ");
}

/* Of a time known to the second. */
static const char *ago(char to[32], uint64_t wall_s, int64_t now_wall_s) {
    int64_t age_s = wall_s == 0 ? -1 : now_wall_s - (int64_t)wall_s;
    return age_s == 0 || (age_s < 0 && wall_s != 0) ? "0 s" : out_age(to, (double)age_s);
}

/* The source's last, else that of a change that nothing has followed, else what is waited for. */
static const char *trouble(const struct board_zone *z) {
    if (z->error[0] != '\0')
        return z->error;
    return z->change_error[0] != '\0' ? z->change_error : z->waiting;
}

static void zone_row(struct out_table *t, const char *name, const struct board_zone *z, bool whole,
                     int64_t now_wall_s) {
    static const char *const states[] = {"loading", "ok", "refused", "bad source", "expired", "error", "not stored"};
    char serial[24], entries[32], hand[32], checked[32], changed[32];
    (void)snprintf(serial, sizeof serial, "%llu", (unsigned long long)z->serial);
    out_row(t, name, !whole ? "being written" : states[z->state < ZONE_STATES ? z->state : ZONE_ERROR], serial,
            out_count(entries, z->entries), out_count(hand, z->local_entries),
            ago(checked, z->last_check_wall_s, now_wall_s), ago(changed, z->last_change_wall_s, now_wall_s),
            trouble(z));
}

/* Those that need attention first; of the others the first few. */
void shown_zones(const struct board *b, const struct conf *conf, int64_t now_wall_s, FILE *to) {
    struct out_table *t = out_table_new(8);
    size_t well = 0;
    out_row(t, "zone", "state", "serial", "entries", "by hand", "checked", "changed", "last refusal");
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < conf->rbl.zone_count && i < LIMIT_ZONES; i++) {
            struct board_zone z;
            if (conf->rbl.zones[i].name[0] == '\0')
                continue;
            bool whole = board_zone_read(&b->zone[i], &z);
            bool good = whole && z.state == ZONE_OK && trouble(&z)[0] == '\0';
            if (good == (pass == 0) || (good && well++ >= SHOWN_ZONES_WELL))
                continue;
            zone_row(t, conf->rbl.zones[i].name, &z, whole, now_wall_s);
        }
    if (conf->rbl.zone_count > 0)
        out_table_print(t, to, "  ");
    else
        out_table_free(t);
    if (conf->rbl.zone_count == 0)
        fprintf(to, "  no zones configured\n");
    if (well > SHOWN_ZONES_WELL)
        fprintf(to, "  ... and %zu more that are well: candor top, or --json\n", well - SHOWN_ZONES_WELL);
}

void shown_upstreams(const struct board *b, const struct conf *conf, int64_t now_wall_s, FILE *to) {
    struct addr list[LIMIT_UPSTREAMS];
    size_t count = conf_upstreams(conf, list, LIMIT_UPSTREAMS);
    uint64_t workers = board_get(&b->worker_count);
    if (count == 0)
        return;
    struct out_table *t = out_table_new(6);
    out_row(t, "upstream", "answered", "timeout", "bad rcode", "other", "last success");
    for (size_t u = 0; u < count && u < LIMIT_UPSTREAMS; u++) {
        uint64_t sum[UPSTREAM_RESULT_COUNT] = {0}, last = 0;
        char where[ADDR_TEXT_MAX], ok[32], timeout[32], rcode[32], other[32], success[32];
        for (uint64_t w = 0; w < workers && w < LIMIT_WORKERS; w++) {
            for (int r = 0; r < UPSTREAM_RESULT_COUNT; r++)
                sum[r] += board_get(&b->worker[w].upstream[u].queries[0][r]) +
                          board_get(&b->worker[w].upstream[u].queries[1][r]);
            uint64_t at = board_get(&b->worker[w].upstream[u].last_success_wall_s);
            last = at > last ? at : last;
        }
        out_row(t, addr_text(&list[u], where), out_count(ok, sum[UPSTREAM_OK]),
                out_count(timeout, sum[UPSTREAM_TIMEOUT]), out_count(rcode, sum[UPSTREAM_ERROR_RCODE]),
                out_count(other, sum[UPSTREAM_MISMATCH] + sum[UPSTREAM_NETWORK]), ago(success, last, now_wall_s));
    }
    out_table_print(t, to, "  ");
}
