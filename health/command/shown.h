/* What the board of this node shows, as tables: processes, workers, zones, upstreams. Read only, and believed only as
 * far as the heartbeats are fresh. */
#ifndef CANDOR_COMMAND_SHOWN_H
#define CANDOR_COMMAND_SHOWN_H

#include <stdio.h>

#include "resolver/base/board.h"
#include "resolver/base/conf.h"

enum { SHOWN_FRESH_MS = 2000, SHOWN_ZONES_WELL = 50 /* zones without trouble that are listed */ };

enum shown_life {
    SHOWN_NEVER,   /* no process claims the slot */
    SHOWN_GONE,    /* it did, and is no more */
    SHOWN_BEATING, /* runs, heartbeat younger than SHOWN_FRESH_MS */
    SHOWN_STILL,   /* runs, heartbeat older: hangs, or is stopped */
};

/* The process is looked up in /proc by its pid: a number that now belongs to another program is not it. */
enum shown_life shown_life(const struct board_process *p, int64_t now_ms);

const char *shown_role(enum board_role role); /* "candor-sync" */

/* Age of a heartbeat in seconds, < 0: none, or from before this boot of the machine. */
double shown_age_s(uint64_t heartbeat_ms, int64_t now_ms);

void shown_processes(const struct board *b, int64_t now_ms, FILE *to);
void shown_workers(const struct board *b, int64_t now_ms, FILE *to);
void shown_zones(const struct board *b, const struct conf *conf, int64_t now_wall_s, FILE *to);
void shown_upstreams(const struct board *b, const struct conf *conf, int64_t now_wall_s, FILE *to);
/* One line: which version of the options that come from a catalog holds (config.c); none when none may come. */
void config_status_line(const struct conf *conf, FILE *to);
/* One line of how many zones are in step with other nodes; none when none is to be. */
void sync_status_line(const struct conf *conf, const struct board *b, FILE *to);

#endif
