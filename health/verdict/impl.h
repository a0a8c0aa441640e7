/* Between the files of this room. */
#ifndef CANDOR_VERDICT_IMPL_H
#define CANDOR_VERDICT_IMPL_H

#include "health/verdict/verdict.h"

/* Turns a check unknown when its newest evidence is too old at `mono_ms`. */
void check_age(struct verdict_check *c, int64_t mono_ms);
/* What it is to be shown as: settled, and damped. */
enum verdict_state check_state(struct verdict_check *c, int64_t mono_ms);
/* The last moment at which its newest evidence counts. */
int64_t check_deadline(const struct verdict_check *c);

#endif
