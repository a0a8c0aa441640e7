/* What is known of peers, as verdicts with their words. VERDICT_UNKNOWN: nothing is said yet. Behind peers_judge(). */
#ifndef CANDOR_PEERS_JUDGE_H
#define CANDOR_PEERS_JUDGE_H

#include "health/peers/known.h"

enum {
    PEERS_CLOCK_WARN_MS = 60000, /* TSIG fails at 300 s */
    PEERS_CLOCK_NOTED_MS = 2000
};

/* One address of a peer, as it answers this node. */
enum verdict_state judge_path(const struct peers_known *k, const struct peers_peer *p, const struct peers_path *path,
                              int64_t now_ms, char *came, size_t size);
/* Its health port, and what it says of itself: its faults are its own and never fail this node's scope. */
enum verdict_state judge_health(const struct peers_known *k, const struct peers_peer *p, int64_t now_ms, char *came,
                                size_t size);
/* What it gets from this node's addresses. */
enum verdict_state judge_sees_us(const struct peers_known *k, const struct peers_peer *p, int64_t now_ms, char *came,
                                 size_t size);
/* What this node says of itself (ready, or not and why) beside what the peer gets. Sets p->disagrees. */
enum verdict_state judge_agree(const struct peers_known *k, struct peers_peer *p, bool ready, const char *why,
                               int64_t now_ms, char *came, size_t size);
enum verdict_state judge_quorum_words(const struct peers_known *k, char *came, size_t size);
enum verdict_state judge_matrix(const struct peers_known *k, char *came, size_t size);
enum verdict_state judge_clocks(const struct peers_known *k, char *came, size_t size);

#endif
