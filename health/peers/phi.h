/* Suspicion that grows with silence: the phi accrual failure detector (Hayashibara et al. 2004).
 *
 * phi = -log10(P), P the chance that somebody who was heard at these intervals so far is heard only now or later and is
 * well all the same: at 1 one suspicion in ten would be wrong, at 8 one in a hundred million. Times between what is
 * heard are taken as normally distributed, with the mean and deviation of all that were seen (old ones weigh less by
 * and by); the deviation has a floor, because a peer that was punctual for an hour is not dead for being 3 ms late. */
#ifndef CANDOR_PEERS_PHI_H
#define CANDOR_PEERS_PHI_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PHI_WINDOW = 64, /* beyond so many samples each new one weighs 1/64: habits may change within minutes */
    PHI_DEAD = 8,    /* what is held against a peer, beside a count of failures and never alone */
    PHI_MOST = 330   /* the most that is told: double ends there */
};

struct phi {
    double mean_ms, variance; /* of the times between, so far */
    unsigned count;
    uint32_t floor_ms; /* of the deviation */
    int64_t last_ms;   /* heard last; 0: never */
};

/* expected_ms: the interval that is planned, the first guess at the mean; half of it is the floor of the deviation. */
void phi_open(struct phi *p, uint32_t expected_ms);
void phi_heard(struct phi *p, int64_t now_ms);
/* 0 for one that was never heard: nothing is known of it, and other means have to say so. */
double phi_now(const struct phi *p, int64_t now_ms);

#endif
