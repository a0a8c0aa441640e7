/* Between config.c (what is done about another version) and config_say.c (what is said of it). */
#ifndef CANDOR_PROBE_CONFIG_IMPL_H
#define CANDOR_PROBE_CONFIG_IMPL_H

#include "health/probe/config.h"
#include "health/probe/impl.h"

struct config_job;

struct config_probe {
    struct task task;
    struct prober *p;
    size_t version_check, applied_check;
    struct remote_now now;
    struct remote_version offered, refused; /* `offered` with its text */
    struct config_job *job;
    struct remote_view view;
    uint64_t epoch;
    bool looked, again, ran;
    struct remote_version next; /* that is tried at next_ms: not by all nodes of a fleet at once */
    int64_t next_ms, rest_ms;   /* rest_ms: before this nothing is begun, the disk has just refused */
    int64_t other_ms;           /* since when something else is offered than holds; 0: it is not */
};

/* Both checks. */
void config_say(struct config_probe *c, int64_t now);

#endif
