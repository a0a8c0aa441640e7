/* Who is told: Alertmanager, webhooks, a command, mail relays (health.monitor.alert). Each is a courier. No name is
 * looked up for any of them (health/report/pinned.h). */
#ifndef CANDOR_ALERT_RECEIVERS_H
#define CANDOR_ALERT_RECEIVERS_H

#include "health/alert/courier.h"
#include "health/alert/dead_man.h"
#include "resolver/base/conf.h"

enum {
    RECEIVER_EVERY_MS = 5000,    /* Alertmanager is told again: its words become those of the newest look, and what it
                                    is not told within five minutes is over */
    RECEIVER_KNOCK_MS = 300000,  /* all others are tried without a word */
    RECEIVER_COMMAND_MS = 10000, /* a command that takes longer is ended */
    RECEIVER_PAGE = 128
};

/* What they all want to know. */
struct receiver_plan {
    const char *folder;       /* where marks are kept */
    const char *monitor;      /* this monitor's node name */
    char page[RECEIVER_PAGE]; /* URL of its page */
};

/* All of a monitor, for whoever shows them. */
struct receiver_list {
    size_t firing[ALERT_KINDS];
    size_t count, dead_men;
    struct {
        const char *kind, *address; /* "smtp"; as in the configuration */
        struct courier *courier;
    } at[3 * LIMIT_PEERS + 1];
    struct {
        const char *address;
        struct dead_man *dead_man;
    } dead_man[LIMIT_PEERS];
};

/* Is sent all that holds, each minute. */
int manager_open(struct courier **out, const struct receiver_plan *plan, const struct conf_sink *to,
                 struct err *err) MUST_USE;
int webhook_open(struct courier **out, const struct receiver_plan *plan, const struct conf_sink *to,
                 struct err *err) MUST_USE;
/* The webhook's JSON on standard input, one word: firing or resolved. */
int command_open(struct courier **out, const struct receiver_plan *plan, const char *command, struct err *err) MUST_USE;
int mail_open(struct courier **out, const struct receiver_plan *plan, const struct conf_smtp *to,
              struct err *err) MUST_USE;

#endif
