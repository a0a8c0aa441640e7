/* Certificates that servers on the way out show: known before they end. */
#include <stdio.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"

enum { CERTIFICATE_DAYS = 21, DAY_S = 86400 };

void certificate_judge(struct prober *p, size_t check, const char *address, int64_t not_after_wall_s) {
    int64_t left_s = not_after_wall_s - clock_wall_s();
    struct evidence e = {.wall_ms = clock_wall_ms(), .value = (double)left_s / DAY_S, .unit = "d"};
    (void)snprintf(e.asked, sizeof e.asked, "the certificate that %s shows", address);
    if (not_after_wall_s == 0) {
        text_copy(e.came, sizeof e.came, "none was seen yet");
        e.value = 0;
        (void)prober_result(p, check, VERDICT_WARN, &e);
        return;
    }
    (void)snprintf(e.came, sizeof e.came, left_s < 0 ? "it ended %lld days ago" : "it ends in %lld days",
                   (long long)(left_s < 0 ? -left_s : left_s) / DAY_S);
    (void)prober_result(p, check,
                        left_s < 0                          ? VERDICT_FAIL
                        : left_s < CERTIFICATE_DAYS * DAY_S ? VERDICT_WARN
                                                            : VERDICT_PASS,
                        &e);
}
