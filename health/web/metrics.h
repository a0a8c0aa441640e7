/* Between the files that render metrics: families and samples in Prometheus text 0.0.4 or OpenMetrics 1.0. A family is
 * opened once, its samples follow at once. Every name gets the prefix candor_; counters are named without _total. */
#ifndef CANDOR_WEB_METRICS_H
#define CANDOR_WEB_METRICS_H

#include "health/web/snapshot.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM, METRIC_SUMMARY };

struct metrics {
    struct text *t;
    bool open; /* OpenMetrics */
    const struct snapshot_source *from;
    int64_t mono_ms, wall_ms;
    /* the family at hand */
    const char *name;
    enum metric_type type;
    unsigned labels;
};

void metric_family(struct metrics *m, enum metric_type type, const char *name, const char *help);
/* One sample: begin, labels, value. */
void metric_begin(struct metrics *m);
void metric_label(struct metrics *m, const char *key, const char *value);
void metric_value(struct metrics *m, double value);
/* The common cases. */
void metric_plain(struct metrics *m, double value);
void metric_one(struct metrics *m, const char *key, const char *label, double value);
/* A histogram of the board's latency buckets; labels: up to `count` pairs of key and value. sum_us < 0: none is known.
 */
struct metric_pair {
    const char *key, *value;
};
void metric_histogram(struct metrics *m, const struct metric_pair *labels, size_t count, const board_word *buckets,
                      double sum_us);

/* One with bounds of its own: `les` and the buckets, the last of which is +Inf. */
void metric_buckets(struct metrics *m, const char *key, const char *label, const board_word *buckets,
                    const char *const *les, unsigned count, double sum);
/* _sum and _count alone. */
void metric_summary(struct metrics *m, const struct metric_pair *labels, size_t count, double sum, double n);

void metrics_processes(struct metrics *m);
void metrics_workers(struct metrics *m);
void metrics_traffic(struct metrics *m);
void metrics_serving(struct metrics *m);
void metrics_guard(struct metrics *m);
void metrics_lived(struct metrics *m);
void metrics_clock(struct metrics *m);
void metrics_zones(struct metrics *m);
void metrics_replica(struct metrics *m);
void metrics_asked(struct metrics *m);
void metrics_system(struct metrics *m);
void metrics_report(struct metrics *m);
void metrics_alert(struct metrics *m);
void metrics_peers(struct metrics *m);
void metrics_catalog(struct metrics *m);
void metrics_drain(struct metrics *m);
void metrics_verdict(struct metrics *m);

#endif
