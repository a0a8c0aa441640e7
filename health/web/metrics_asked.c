/* Questions by zone, over all workers. */
#include "health/web/asked.h"
#include "health/web/metrics.h"

void metrics_asked(struct metrics *m) {
    const struct conf_rbl *rbl = &m->from->conf->rbl;
    const struct board_asked *a;
    metric_family(m, METRIC_COUNTER, "zone_questions", "Questions below the apex that a zone answered.");
    for (size_t i = 0; i < rbl->zone_count; i++) {
        for (int listed = 1; (a = asked_of(m->from, i)) != NULL && listed >= 0; listed--) {
            metric_begin(m);
            metric_label(m, "zone", rbl->zones[i].name);
            metric_label(m, "result", listed ? "listed" : "unlisted");
            metric_value(m, (double)board_get(listed ? &a->listed : &a->unlisted));
        }
    }
    metric_family(m, METRIC_COUNTER, "zone_wrong_questions",
                  "Questions that its lists cannot answer: addresses written forward, names, addresses.");
    for (size_t i = 0; i < rbl->zone_count; i++) {
        for (int w = 0; (a = asked_of(m->from, i)) != NULL && w < WRONG_COUNT; w++) {
            metric_begin(m);
            metric_label(m, "zone", rbl->zones[i].name);
            metric_label(m, "kind", asked_wrong_name((enum board_wrong)w));
            metric_value(m, (double)board_get(&a->wrong[w]));
        }
    }
}
