#include "health/verdict/flap.h"

#include <stdio.h>

#include "health/verdict/verdict.h"

static int64_t last_ms(const struct flap *f) { return f->at_ms[(f->changes - 1) % FLAP_CHANGES]; }

/* The oldest of the changes that are remembered. */
static int64_t first_ms(const struct flap *f) { return f->at_ms[f->changes % FLAP_CHANGES]; }

static uint8_t worse(uint8_t a, uint8_t b) {
    return (uint8_t)verdict_worse((enum verdict_state)a, (enum verdict_state)b);
}

static void hold(struct flap *f) {
    f->held = true;
    f->counted = FLAP_CHANGES;
    f->began_ms = first_ms(f);
    f->worst = f->state[0];
    for (unsigned i = 1; i < FLAP_CHANGES; i++)
        f->worst = worse(f->worst, f->state[i]);
}

void flap_change(struct flap *f, uint8_t from, uint8_t to, uint32_t interval_ms, int64_t mono_ms) {
    bool was = flap_held(f, interval_ms, mono_ms);
    f->at_ms[f->changes % FLAP_CHANGES] = mono_ms;
    f->state[f->changes % FLAP_CHANGES] = worse(from, to);
    f->changes++;
    if (was) {
        f->counted++;
        f->worst = worse(f->worst, to);
    } else if (f->changes >= FLAP_CHANGES && mono_ms - first_ms(f) <= (int64_t)FLAP_WINDOW * interval_ms) {
        hold(f);
    }
}

bool flap_held(struct flap *f, uint32_t interval_ms, int64_t mono_ms) {
    if (f->held && mono_ms - last_ms(f) > (int64_t)FLAP_STEADY * interval_ms)
        *f = (struct flap){0}; /* what made it so counts no second time */
    return f->held;
}

const char *flap_words(const struct flap *f, char *to, unsigned size) {
    int64_t ms = f->changes > 0 ? last_ms(f) - f->began_ms : 0;
    snprintf(to, size, "flapping: %u changes in %lld.%lld s", f->counted, (long long)(ms / 1000),
             (long long)(ms % 1000 / 100));
    return to;
}
