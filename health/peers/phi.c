#include "health/peers/phi.h"

#include <math.h>

void phi_open(struct phi *p, uint32_t expected_ms) {
    *p = (struct phi){.mean_ms = expected_ms, .count = 1, .floor_ms = expected_ms / 2 > 0 ? expected_ms / 2 : 1};
}

void phi_heard(struct phi *p, int64_t now_ms) {
    int64_t between = now_ms - p->last_ms;
    bool first = p->last_ms == 0;
    if (!first && between < 0)
        return;
    p->last_ms = now_ms;
    if (first)
        return;
    p->count += p->count < PHI_WINDOW;
    double weight = 1.0 / p->count, off = (double)between - p->mean_ms;
    p->mean_ms += weight * off;
    p->variance = (1 - weight) * (p->variance + weight * off * off);
}

double phi_now(const struct phi *p, int64_t now_ms) {
    double deviation = sqrt(p->variance);
    if (p->last_ms == 0 || now_ms <= p->last_ms)
        return 0;
    deviation = deviation > p->floor_ms ? deviation : p->floor_ms;
    double y = ((double)(now_ms - p->last_ms) - p->mean_ms) / deviation;
    double tail = erfc(y * M_SQRT1_2) / 2; /* of the normal distribution; 0 where double ends */
    double phi = tail > 0 ? -log10(tail) : PHI_MOST;
    return phi > 0 ? phi : 0;
}
