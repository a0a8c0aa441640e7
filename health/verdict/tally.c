#include "health/verdict/tally.h"

static const char *const probe_names[TALLY_PROBES] = {"worker",       "zone_serial", "zone_point", "cached",
                                                      "uncached",     "nxdomain",    "upstream",   "authority",
                                                      "canary_write", "large",       "signed",     "bogus"};
static const char *const result_names[TALLY_RESULTS] = {"pass", "fail", "timeout", "void"};

const char *tally_probe_name(enum tally_probe p) { return (unsigned)p < TALLY_PROBES ? probe_names[p] : "?"; }
const char *tally_result_name(enum tally_result r) { return (unsigned)r < TALLY_RESULTS ? result_names[r] : "?"; }

void tally_add(struct tally *t, enum tally_result r, int64_t took_us, int64_t wall_ms) {
    t->runs[r]++;
    if (r == TALLY_VOID)
        return;
    if (r != TALLY_TIMEOUT) {
        uint64_t us = took_us > 0 ? (uint64_t)took_us : 0;
        t->duration[board_latency_bucket(us)]++;
        t->duration_sum_us += us;
    }
    t->success = r == TALLY_PASS;
    t->consecutive_failures = t->success ? 0 : t->consecutive_failures + 1;
    if (t->success)
        t->last_success_wall_ms = wall_ms;
}
