/* Between the files of this room that tell people: what the book says of others, as the machine of health/alert/alert.h
 * wants it, and as a dead man's switch does. */
#ifndef CANDOR_PROBE_ALERT_H
#define CANDOR_PROBE_ALERT_H

#include "health/alert/alert.h"
#include "health/alert/receivers.h"
#include "health/probe/impl.h"

struct alert_look {
    char cut_off[ALERT_WORDS]; /* why this monitor takes itself to be cut off; "": it does not */
    bool quorum_passes;
    char part[ALERT_WORDS]; /* of the monitor that does not do its work; "": none */
    size_t nodes, heard;    /* watched, and of whom a report came lately */
    size_t asked;           /* of whom it is known freshly whether they answer */
};
/* What a monitor knows of itself as one. */
void alert_look(const struct prober *p, int64_t mono_ms, struct alert_look *to);
/* One look for the machine: the nodes, the fleet, this node. */
bool alert_tell(const struct prober *p, struct alerts *a, const struct alert_look *l, int64_t mono_ms, int64_t wall_ms);

/* dead_man.c */
struct dead_men;
int dead_men_open(struct dead_men **out, struct prober *p, struct receiver_list *list) MUST_USE;
/* After each look: gives leave for three local intervals, or withholds it and says why. */
void dead_men_look(struct dead_men *d, const struct alert_look *l, int64_t mono_ms);
void dead_men_close(struct dead_men *d);

#endif
