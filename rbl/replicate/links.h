/* What candor-sync knows of one zone at one other node, written down on the board for who judges (board_link.h).
 * A link is made when it is first asked for, with all its counters at 0, and stays. On the loop's thread. */
#ifndef CANDOR_RBL_REPLICATE_LINKS_H
#define CANDOR_RBL_REPLICATE_LINKS_H

#include "rbl/replicate/native.h"
#include "resolver/base/board.h"

struct links;
/* `board` may be NULL: then links are kept in memory of their own. What a predecessor wrote of links that are asked for
 * again goes on, counters and all; the others are gone. */
int links_open(struct links **out, struct board *board, struct err *err) MUST_USE;
void links_close(struct links *l);
/* What a node at this address is called: its name under health.peers, or else ADDRESS@PORT (ADDRESS when port is 0). */
const char *links_name(const struct conf *conf, const struct addr *a, char to[BOARD_PEER_MAX]);
/* Never NULL: when LIMIT_LINKS are in use, a link that stands for all others. `peer`: what links_name says. Pointers
 * stay good until links_close or links_forget. */
struct board_link *links_get(struct links *l, int zone, enum board_link_way way, const char *peer);
/* The links of a zone that has gone; or, with a peer, that one link. */
void links_forget(struct links *l, int zone, const char *peer /* NULL: all */);
/* Texts and what belongs together, under the link's sequence lock.
 * The last try: 0 and "", or why it failed. E_TIMEOUT, E_CLOSED, E_SYSTEM: LINK_UNREACHABLE; E_DENIED: LINK_DENIED;
 * anything else: LINK_BROKEN. */
void link_tried(struct board_link *k, int code, const char *text);
void link_error(struct board_link *k, const char *text); /* link_tried for who knows no code; "": it went well */
void link_heard(struct board_link *k, const struct native_state *st); /* a message of the other side that is believed */
void link_serial(struct board_link *k, uint32_t serial);              /* all that a server of another make says */
/* A transfer that ended. */
void link_transfer(struct board_link *k, enum board_transfer kind, enum board_transfer_result result, uint64_t octets,
                   uint64_t micros);

#endif
