/* Remote lists: what they are marked as, and what of theirs did not go to clients. */
#include "health/web/metrics.h"

static const char *const reasons[WITHHELD_COUNT] = {"refused", "outside", "world", "silent", "late"};

static uint64_t mark_now(const struct metrics *m, size_t list) {
    const struct board *b = m->from->board;
    bool counts = (int64_t)board_get(&b->guard[list].until_ms) > m->mono_ms;
    return counts ? board_get(&b->guard[list].mark) : GUARD_MARK_NONE;
}

void metrics_guard(struct metrics *m) {
    const struct conf_resolver *conf = &m->from->conf->resolver;
    const struct board *b = m->from->board;
    size_t count = conf->guard_count < LIMIT_GUARDS ? conf->guard_count : LIMIT_GUARDS;
    if (count == 0)
        return;
    metric_family(m, METRIC_GAUGE, "guard_mark", "1: what the test points of a remote list say of it now.");
    for (size_t i = 0; i < count; i++)
        for (uint64_t mark = 0; mark < GUARD_MARKS; mark++) {
            metric_begin(m);
            metric_label(m, "list", conf->guard[i].name);
            metric_label(m, "mark", board_guard_mark_name(mark));
            metric_value(m, mark_now(m, i) == mark);
        }
    metric_family(m, METRIC_COUNTER, "guard_mark_changes", "How often a remote list became something else.");
    for (size_t i = 0; i < count; i++)
        metric_one(m, "list", conf->guard[i].name, (double)board_get(&b->guard[i].changes));
    metric_family(m, METRIC_COUNTER, "guard_withheld",
                  "Questions about a remote list that were answered with SERVFAIL for the sake of their clients.");
    for (size_t i = 0; i < count; i++)
        for (int why = 0; why < WITHHELD_COUNT; why++) {
            uint64_t n = 0;
            for (unsigned w = 0; w < LIMIT_WORKERS; w++)
                n += board_get(&b->worker[w].guard[i][why]);
            metric_begin(m);
            metric_label(m, "list", conf->guard[i].name);
            metric_label(m, "reason", reasons[why]);
            metric_value(m, (double)n);
        }
}
