/* The verdicts of machine.h. */
#include <inttypes.h>
#include <stdio.h>

#include "health/probe/machine.h"
#include "resolver/base/bytes.h"

enum verdict_state fds_judge(const struct sys_process *p, uint64_t errors, struct evidence *e) {
    double percent = p->fds_max > 0 ? 100.0 * (double)p->fds / (double)p->fds_max : 0;
    bool close = percent >= FDS_WARN_PERCENT;
    int n = snprintf(e->came, sizeof(e->came), "%s%" PRIu64 " of %" PRIu64 " descriptors (%.1f%%)",
                     p->fds_bound ? "at most " : "", p->fds, p->fds_max, percent);
    e->value = percent;
    e->unit = "percent";
    if (p->fds_bound && close && n > 0 && (size_t)n < sizeof(e->came))
        n += snprintf(e->came + n, sizeof(e->came) - (size_t)n, ", they cannot be counted from here");
    if (errors > 0 && n > 0 && (size_t)n < sizeof(e->came))
        snprintf(e->came + n, sizeof(e->came) - (size_t)n,
                 "; %" PRIu64 " times none could be had since last looked (EMFILE, ENFILE)", errors);
    if (errors > 0 || (percent >= FDS_FAIL_PERCENT && !p->fds_bound))
        return VERDICT_FAIL;
    return close ? VERDICT_WARN : VERDICT_PASS;
}

enum verdict_state conntrack_judge(uint64_t count, uint64_t max, struct evidence *e) {
    double percent = max > 0 ? 100.0 * (double)count / (double)max : 0;
    snprintf(e->came, sizeof(e->came), "%" PRIu64 " of %" PRIu64 " connections are tracked (%.1f%%)%s", count, max,
             percent,
             percent >= CONNTRACK_FAIL_PERCENT ? ": new clients' packets are dropped, loopback's are not" : "");
    e->value = percent;
    e->unit = "percent";
    return percent >= CONNTRACK_FAIL_PERCENT   ? VERDICT_FAIL
           : percent >= CONNTRACK_WARN_PERCENT ? VERDICT_WARN
                                               : VERDICT_PASS;
}

enum verdict_state pressure_judge(const struct pressure_look *l, struct evidence *e) {
    bool stalls = l->some * 100 >= STALL_WARN_PERCENT || l->full * 100 >= STALL_FULL_WARN_PERCENT;
    bool faults = l->faults_per_s >= FAULTS_PER_S;
    int n = l->known ? snprintf(e->came, sizeof(e->came),
                                "some task waited for memory %.1f%% of the time, all of them %.1f%%", 100 * l->some,
                                100 * l->full)
                     : snprintf(e->came, sizeof(e->came), "this kernel does not tell of pressure");
    snprintf(e->came + n, sizeof(e->came) - (size_t)n, "; our processes read %.0f pages/s back from the disk%s%s%s",
             l->faults_per_s, faults ? ", most of them " : "", faults ? l->faults_of : "",
             l->late ? "; a worker's loop is late" : "");
    e->value = 100 * l->some;
    e->unit = "percent";
    if (stalls && (faults || l->late))
        return VERDICT_FAIL;
    return stalls || (faults && !l->known) ? VERDICT_WARN : VERDICT_PASS;
}

enum verdict_state pool_judge(const struct pool_look *l, struct evidence *e) {
    bool waits = l->asked_ms > 0;
    int64_t waited = waits ? l->now_ms - l->asked_ms : 0;
    int64_t still = l->beat_ms > l->asked_ms ? l->now_ms - l->beat_ms : waited; /* since when nothing came back */
    e->value = waits ? (double)waited / 1000 : (double)l->lag_us / 1e6;
    e->unit = "s";
    if (!waits && l->beat_ms == 0) {
        text_copy(e->came, sizeof(e->came), "its thread pool was never used");
        return VERDICT_PASS;
    }
    if (waited <= (int64_t)l->deadline_ms) {
        snprintf(e->came, sizeof(e->came), "the last canary came back within %.1f ms", (double)l->lag_us / 1000);
        return VERDICT_PASS;
    }
    bool works = l->cpu * 100 >= POOL_BUSY_PERCENT && waited <= POOL_BUSY_MS;
    if (still <= (int64_t)l->deadline_ms || works) {
        snprintf(e->came, sizeof(e->came),
                 "the canary has waited for %.1f s behind other work: the last of it came back %.1f s ago, %.0f%% of a "
                 "core is used",
                 (double)waited / 1000, (double)still / 1000, 100 * l->cpu);
        return VERDICT_WARN;
    }
    snprintf(e->came, sizeof(e->came),
             "the thread pool is starved: the canary has waited for %.1f s, nothing came back for %.1f s (the loop may "
             "turn all the same)",
             (double)waited / 1000, (double)still / 1000);
    return VERDICT_FAIL;
}

static uint64_t count_ticks(const struct lag_look *l, uint64_t above_us) {
    uint64_t n = 0;
    for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        if (i == BOARD_LATENCY_BUCKETS - 1 || board_latency_us[i] > above_us)
            n += l->ticks[i];
    return n;
}

double lag_late_share(const struct lag_look *l) {
    uint64_t all = 0, late = count_ticks(l, LATE_US),
             due = l->elapsed_ms > 0 ? (uint64_t)l->elapsed_ms / BOARD_TICK_MS : 0;
    for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        all += l->ticks[i];
    uint64_t missing = due > all + 1 ? due - all - 1 : 0; /* one may fall behind the end of the interval */
    return all + missing > 0 ? (double)(late + missing) / (double)(all + missing) : 0;
}

/* The bound of the bucket in which the latest tick fell, in ms. */
static double worst_ms(const struct lag_look *l) {
    for (int i = BOARD_LATENCY_BUCKETS - 1; i >= 0; i--)
        if (l->ticks[i] > 0)
            return i == BOARD_LATENCY_BUCKETS - 1 ? board_latency_us[i - 1] / 1e3 : board_latency_us[i] / 1e3;
    return 0;
}

enum verdict_state lag_judge(const struct lag_look *l, struct evidence *e) {
    double late = lag_late_share(l);
    bool ours = l->own_late * 100 >= LATE_OWN_PERCENT;
    int n = snprintf(e->came, sizeof(e->came),
                     "%.0f%% of its ticks came more than %d ms late or not at all (p99 %.6g ms), loop busy %.0f%%",
                     100 * late, LATE_US / 1000, worst_ms(l), 100 * l->busy);
    if (l->cpu >= 0)
        n += snprintf(e->came + n, sizeof(e->came) - (size_t)n, ", %.0f%% of a core", 100 * l->cpu);
    if (l->slowest_us > 0)
        n += snprintf(e->came + n, sizeof(e->came) - (size_t)n, ", slowest answer to a probe %.1f ms",
                      (double)l->slowest_us / 1000);
    if (ours && late * 100 >= LATE_WARN_PERCENT)
        snprintf(e->came + n, sizeof(e->came) - (size_t)n, "; this judge was late itself: the machine is");
    e->value = 100 * late;
    e->unit = "percent";
    if (late * 100 >= LATE_FAIL_PERCENT && !ours)
        return VERDICT_FAIL;
    return late * 100 >= LATE_WARN_PERCENT ? VERDICT_WARN : VERDICT_PASS;
}

enum verdict_state drops_judge(uint64_t drops, uint64_t queries, uint64_t waiting_bytes, double over_s,
                               struct evidence *e) {
    double share = drops > 0 ? 100.0 * (double)drops / (double)(drops + queries) : 0;
    snprintf(e->came, sizeof(e->came),
             "%" PRIu64 " datagrams dropped by the kernel for want of room, beside %" PRIu64
             " taken in (%.2f%%), within %.0f s; %" PRIu64 " bytes wait",
             drops, queries, share, over_s, waiting_bytes);
    e->value = (double)drops;
    e->unit = "datagrams";
    if (share >= DROPS_FAIL_PERCENT && drops >= DROPS_FAIL_LEAST)
        return VERDICT_FAIL;
    return drops > 0 ? VERDICT_WARN : VERDICT_PASS;
}

bool starts_in_window(uint64_t at_s, int64_t now_s) {
    return at_s > 0 && at_s < INT64_MAX / 2 && now_s - (int64_t)at_s <= RESTARTS_WINDOW_S &&
           (int64_t)at_s - now_s <= RESTARTS_WINDOW_S;
}

enum verdict_state starts_judge(const uint64_t *times, size_t count, unsigned expected, int64_t now_s, int64_t fresh_s,
                                const char *what, struct evidence *e) {
    unsigned n = 0;
    int64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (!starts_in_window(times[i], now_s))
            continue;
        n++;
        last = (int64_t)times[i] > last ? (int64_t)times[i] : last;
    }
    unsigned unexpected = n > expected ? n - expected : 0;
    int at = snprintf(e->came, sizeof(e->came), "%u %s in %d min, %u unexpected", n, what, RESTARTS_WINDOW_S / 60,
                      unexpected);
    bool loop = unexpected >= RESTARTS_FAIL, fresh = now_s - last <= fresh_s;
    if (unexpected > 0)
        snprintf(e->came + at, sizeof(e->came) - (size_t)at, ", the last %" PRId64 " s ago%s", now_s - last,
                 !loop   ? ""
                 : fresh ? ": a crash loop"
                         : ": it was a crash loop");
    e->value = unexpected;
    e->unit = "starts";
    return loop && fresh ? VERDICT_FAIL : unexpected >= RESTARTS_WARN ? VERDICT_WARN : VERDICT_PASS;
}
