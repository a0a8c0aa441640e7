/* When this node was started lately, kept over its ends: a crash loop of the whole node shows only so.
 *
 * A small file in `state` (starts): one line of text each, the wall-clock second of a start, oldest first, at most
 * BOARD_STARTS. Written beside and renamed; what is damaged is started anew. */
#ifndef CANDOR_COMMAND_RESTARTS_H
#define CANDOR_COMMAND_RESTARTS_H

#include "resolver/base/board.h"

/* Notes a start at `now_s` in the file and writes all it knows on the board. An error leaves the board with this start
 * alone: a node starts whether this is written down or not. */
int restarts_note(struct board *b, const char *state, int64_t now_s, struct err *err) MUST_USE;

#endif
