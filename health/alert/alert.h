/* From conditions that hold to alerts that people get: a state machine without a clock and without I/O.
 *
 *   look (who is ill now, well, or not known) -> subjects -> groups: what begins within `wait_ms` -> alerts -> a list
 *   with a number for each change -> couriers (courier.h), each of which knows up to which change it has told
 *
 * A subject is a node, the fleet as a whole (what zones come to on all nodes), or the monitor itself. What is known of
 * one node is one alert. A group of up to ALERT_SINGLY nodes gives an alert each, a larger one gives one for all of
 * them, and so does one that would make more than ALERT_SINGLES in all: however many fail, there is no storm. Who falls
 * ill later joins such an alert while more than ALERT_SINGLY of it are ill, and it says so, less and less often. An
 * alert ends when all that it is about have been well for `hold_ms`: what flaps keeps it up.
 *
 * What is not known changes nothing: it begins no alert and ends none. While the monitor is cut off there is one alert,
 * about that; for `settle_ms` after that nobody is accused. A group that would be more than half of all nodes waits
 * `doubt_ms`: most of them gone at once is the monitor's own trouble, and that is known a little later.
 *
 * All texts are fit to be shown anywhere: valid UTF-8 without control characters, but for the line breaks of a
 * description. Owner of `struct alerts`: one thread. */
#ifndef CANDOR_ALERT_H
#define CANDOR_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/err.h"
#include "resolver/base/limits.h"

enum {
    ALERT_SINGLY = 8,                 /* of a group that get an alert each */
    ALERT_SINGLES = 32,               /* alerts about one node that hold at a time */
    ALERT_TOGETHER = 4,               /* alerts about many nodes that hold at a time */
    ALERT_NAMED = 20,                 /* nodes that a text names */
    ALERT_ENDED = 64,                 /* that are remembered, the newest */
    ALERT_SUBJECTS = LIMIT_NODES + 2, /* the fleet and the monitor */
    ALERT_UPDATE_MS = 600000,         /* between two words of growth, at most */
    ALERT_NAME = 64,                  /* octets of a node's name */
    ALERT_WORDS = 256,                /* of one view of a subject */
    ALERT_SUMMARY = 256,              /* one line */
    ALERT_TEXT = 2048,                /* of a description */
    ALERT_MAX = ALERT_SINGLES + ALERT_TOGETHER + 3 + ALERT_ENDED
};

enum alert_kind {
    ALERT_NODE,    /* one node */
    ALERT_NODES,   /* many */
    ALERT_FLEET,   /* what nodes come to together */
    ALERT_MONITOR, /* this monitor as a node */
    ALERT_CUT_OFF, /* it hears of too few to say anything of them */
    ALERT_KINDS
};
const char *alert_kind_name(enum alert_kind k); /* "CandorNode": Alertmanager's alertname */
int alert_kind_find(const char *name);          /* -1: there is none */
bool alert_is_critical(enum alert_kind k);

enum alert_news { ALERT_BEGAN, ALERT_GREW, ALERT_AGAIN, ALERT_OVER, ALERT_NEWS };
const char *alert_news_name(enum alert_news n); /* "began" */
int alert_news_find(const char *name);

struct alert {
    uint64_t id;     /* never given twice */
    uint64_t change; /* of its newest news; grows with each, over all alerts */
    enum alert_kind kind;
    enum alert_news news;
    int64_t began_wall_ms, ended_wall_ms; /* ended 0: it holds */
    size_t ill, total;                    /* subjects that are ill now, that ever were */
    char node[ALERT_NAME];                /* of one node, and the monitor's own; "": of many */
    char summary[ALERT_SUMMARY], description[ALERT_TEXT];
    char *members; /* of one that holds: names of the subjects in it, each with a line break behind it */
};
/* Those that hold, oldest first, then those that ended, newest first. Immutable, counted by reference. */
struct alert_list {
    unsigned refs;   /* atomic */
    uint64_t change; /* the newest */
    char monitor[ALERT_NAME];
    size_t count;
    struct alert at[];
};
struct alert_list *alert_list_new(size_t count); /* zeros, one reference; NULL without memory */
struct alert_list *alert_list_ref(struct alert_list *l);
void alert_list_unref(struct alert_list *l); /* NULL is allowed */

struct alert_plan {
    const char *monitor; /* its node name; copied */
    uint32_t wait_ms, hold_ms, doubt_ms, settle_ms, again_ms;
};
struct alerts;
int alerts_open(struct alerts **out, const struct alert_plan *plan, struct err *err) MUST_USE;
void alerts_close(struct alerts *a);
/* What held when an earlier process ended: it holds until it is seen to be over. Before the first look, or at the
 * latest before one that begins something. */
void alerts_restore(struct alerts *a, const struct alert_list *past);

/* One look: begin, one word on each subject there is, end. What is not spoken of has gone. */
enum alert_state { ALERT_DARK, ALERT_WELL, ALERT_ILL };
struct alert_view {
    enum alert_kind kind; /* ALERT_NODE, ALERT_FLEET or ALERT_MONITOR */
    const char *name;     /* of the node; otherwise the monitor's own */
    enum alert_state state;
    const char *why;              /* the worst of it; of one that is not ill nothing is read */
    const char *own, *got, *seen; /* what it says of itself, what the monitor got, what others see; NULL: nothing */
};
/* `cut_off`: why, when it is; NULL: it is not. */
void alerts_begin(struct alerts *a, int64_t mono_ms, int64_t wall_ms, const char *cut_off);
void alerts_see(struct alerts *a, const struct alert_view *v);
/* Whether there is news. */
bool alerts_end(struct alerts *a);
/* What holds and what ended, with the words of the last look; a reference for the caller, NULL without memory. */
struct alert_list *alerts_list(const struct alerts *a);
size_t alerts_firing(const struct alerts *a, enum alert_kind k);

#endif
