/* Reports and acknowledgements: nothing is read beyond their end, and what was read, written again, is read the same.
 * Input: the data of one option. */
#include <stdlib.h>

#include "health/report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

static void report(struct bytes in) {
    uint8_t again[REPORT_OPTION_MAX];
    struct report r, back;
    if (report_read(&r, in) != 0)
        return;
    must(r.overall < VERDICT_STATES && strnlen(r.node, REPORT_NODE) < REPORT_NODE);
    must(strnlen(r.cause, REPORT_WORDS) < REPORT_WORDS);
    int n = report_write(&r, again, sizeof again);
    must(n > 0 && report_read(&back, (struct bytes){again, (size_t)n}) == 0);
    must(memcmp(&r, &back, sizeof r) == 0);
}

static void ack(struct bytes in) {
    uint8_t again[REPORT_OPTION_MAX];
    struct report_ack a;
    if (report_ack_read(&a, in) != 0)
        return;
    int n = report_ack_write(&a, again, sizeof again);
    must(n == (int)in.size && memcmp(again, in.at, in.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    report((struct bytes){data, size});
    ack((struct bytes){data, size});
    return 0;
}
