/* What a loop owns: a list of all that must be closed before the loop can be freed. For this room only. */
#ifndef CANDOR_NET_LOOP_OWNED_H
#define CANDOR_NET_LOOP_OWNED_H

#include <stdbool.h>

#include "resolver/net/loop.h"

/* Objects (servers, exchanges, ...) hold handles (timers, watches, signals) and close those themselves, so that
 * loop_close() goes through the objects first. */
enum loop_owned_kind { LOOP_OBJECT, LOOP_HANDLE, LOOP_OWNED_KINDS };

struct loop_owned {
    enum loop_owned_kind kind;
    struct loop_owned *prev, *next;
    /* Closes and frees the object that holds this; takes itself off the list. */
    void (*close)(struct loop_owned *o);
};

void loop_own(struct loop *l, struct loop_owned *o, enum loop_owned_kind kind, void (*close)(struct loop_owned *o));
void loop_disown(struct loop *l, struct loop_owned *o);
/* Nothing may be started any more. */
bool loop_closing(struct loop *l);

/* LOOP_SCRATCH bytes that a callback may use until it returns; NULL when memory is out. */
enum { LOOP_SCRATCH = 65536 };
uint8_t *loop_scratch(struct loop *l);

/* Ends loop_beat. */
void loop_beat_stop(struct loop *l);

#endif
