/* What candor-sync knows of one zone at one other node, written down on the board for who judges (board_link.h).
 * A link is made when it is first asked for, with all its counters at 0, and stays. On the loop's thread. */
#ifndef CANDOR_RBL_REPLICATE_LINKS_H
#define CANDOR_RBL_REPLICATE_LINKS_H

#include "rbl/replicate/native.h"
#include "resolver/base/board.h"

struct links;
/* `board` may be NULL: then links are kept in memory of their own. */
int links_open(struct links **out, struct board *board, struct err *err) MUST_USE;
void links_close(struct links *l);
/* Never NULL: when LIMIT_LINKS are in use, a link that stands for all others. `peer`: the other side's name as
 * configured under health.peers with this address, or else ADDRESS@PORT. */
struct board_link *links_get(struct links *l, int zone, enum board_link_way way, const char *peer);
/* Texts and what belongs together, under the link's sequence lock. */
void link_error(struct board_link *k, const char *text);              /* "": the last try went well */
void link_heard(struct board_link *k, const struct native_state *st); /* a message of the other side that is believed */
void link_serial(struct board_link *k, uint32_t serial);              /* all that a server of another make says */
/* A transfer that ended. */
void link_transfer(struct board_link *k, enum board_transfer kind, enum board_transfer_result result, uint64_t octets,
                   uint64_t micros);

#endif
