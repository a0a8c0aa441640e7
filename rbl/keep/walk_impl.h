/* Inside of the readers: what walk.c and delta.c share. */
#ifndef CANDOR_KEEP_WALK_IMPL_H
#define CANDOR_KEEP_WALK_IMPL_H

#include "rbl/keep/impl.h"
#include "rbl/keep/walk.h"

/* keep_ready of a handle that only reads: follows `current`, reads meta anew. */
int reading_ready(struct keep *k, struct err *err) MUST_USE;
/* Labels in reversed order, as keys have them, back to a name; E_CORRUPT when they are none. */
int name_of_reversed(struct name *n, const uint8_t *reversed, size_t size) MUST_USE;

#endif
