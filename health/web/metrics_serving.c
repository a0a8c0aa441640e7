/* What held clients back, and what is told about them: the rate limit, fairness, dnstap. Summed over the workers. */
#include "health/web/metrics.h"

static double total(const struct board *b, const board_word *of_first) {
    size_t offset = (size_t)((const char *)of_first - (const char *)&b->worker[0]);
    uint64_t n = 0;
    for (unsigned w = 0; w < LIMIT_WORKERS; w++)
        n += board_get((const board_word *)((const char *)&b->worker[w] + offset));
    return (double)n;
}

static void put_costs(struct metrics *m) {
    const struct board *b = m->from->board;
    uint64_t hit_ns = 0, miss_ns = 0;
    for (unsigned w = 0; w < LIMIT_WORKERS; w++) {
        uint64_t hit = board_get(&b->worker[w].fair_hit_ns), miss = board_get(&b->worker[w].fair_miss_ns);
        hit_ns = hit > hit_ns ? hit : hit_ns;
        miss_ns = miss > miss_ns ? miss : miss_ns;
    }
    metric_family(m, METRIC_GAUGE, "query_cost_seconds",
                  "CPU that a question costs, as the slowest worker measures it; 0: not measured yet.");
    metric_one(m, "kind", "hit", (double)hit_ns / 1e9);
    metric_one(m, "kind", "miss", (double)miss_ns / 1e9);
}

void metrics_serving(struct metrics *m) {
    const struct board *b = m->from->board;
    const struct board_worker *w = &b->worker[0];
    const struct {
        const char *name, *help;
        const board_word *count;
    } counters[] = {
        {"responses_slipped", "Answers beyond the rate limit that were sent empty, with TC.", &w->slipped},
        {"fairness_turns", "Turns of workers' loops that left questions waiting.", &w->fair_turns},
        {"queries_spared", "Questions not asked upstream: their client had its share under way.", &w->pending_spared},
        {"private_records_dropped", "Records with private addresses taken out of answers from outside.",
         &w->private_dropped},
        {"dnstap_frames", "Messages told to the receiver of dnstap.", &w->tap_frames},
        {"dnstap_frames_dropped", "Messages of dnstap that found its queue full.", &w->tap_drops},
    };
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        metric_family(m, METRIC_COUNTER, counters[i].name, counters[i].help);
        metric_plain(m, total(b, counters[i].count));
    }
    put_costs(m);
}
