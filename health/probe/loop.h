/* Does a question of ours come back? The hash of a random label and how often it is sent stand on the board before it
 * is; a worker that has to ask somebody for a name with that label counts it (resolver/base/own_label.h). Through this
 * node each sending is seen once; sent to a forwarder directly, never. More is a forwarding loop: proof, not suspicion,
 * so one sighting is enough. */
#ifndef CANDOR_PROBE_LOOP_H
#define CANDOR_PROBE_LOOP_H

#include "health/probe/ask.h"

/* A label on the board. Sixteen places are used in turn: a label is known until 16 others were asked for. */
struct own_label {
    unsigned slot;
    uint64_t hash; /* 0: none */
};

void own_label_claim(struct prober *p, struct own_label *o, const struct name *qname);
/* What ask_plan.counted is to be when it is asked through this node. */
board_word *own_label_asked(struct prober *p, const struct own_label *o);
/* How often it came back beyond that; 0 also when its place is another label's by now. */
uint64_t own_label_back(const struct prober *p, const struct own_label *o);

/* For canary.c: the check upstream:loop of a forwarder asked directly. Judges what came back. */
int loop_add_upstream(struct prober *p, const char *address) MUST_USE;
void loop_judge_upstream(struct prober *p, size_t check, const struct own_label *o, const struct evidence *asked);

#endif
