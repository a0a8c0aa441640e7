/* Two primaries for one zone, active and standby (`pair`, `role`), and UPDATEs that belong to another node.
 *
 *   active    carries out what publishers send; the standby and all secondaries get the zone from it
 *   standby   is a secondary of the active one, and hands it the UPDATEs that it gets (RFC 2136 section 6)
 *
 * Promotion is by command, never by itself. Each promotion begins an epoch: its number is one more, and the serial
 * jumps forward by PAIR_JUMP, so that whatever the former active one commits later is older for everybody. The two ask
 * each other once a second for role, epoch and the serials at which epochs began (a SOA question with the option below,
 * so that it needs nothing but the sync port). An active node that hears of a later epoch steps down by itself: what it
 * had acknowledged and the new active one never had is written to a file first (rescue.c), then it takes the new one's
 * contents. Two that are active in the same epoch: the one whose name is first goes on, the other refuses updates.
 *
 * A plain secondary hands on the UPDATEs that its `update` rules allow, to its first primary that can be reached.
 *
 * Role, epoch and the beginnings of epochs stand in STATE/pairs/ZONE.role, written before they count:
 *
 *   active 3          (or standby)
 *   from 3 262144     (epoch 3 began behind serial 262144; newest first, PAIR_FORKS of them)
 *
 * All on the loop's thread. */
#ifndef CANDOR_RBL_PAIR_H
#define CANDOR_RBL_PAIR_H

#include "rbl/publish/keeper.h"
#include "rbl/replicate/roles.h"
#include "resolver/dns/message.h"
#include "resolver/dns/tsig.h"
#include "resolver/net/control.h"
#include "resolver/net/server.h"

enum {
    PAIR_OPTION = 65314,      /* of EDNS, for local use: what one of a pair says to the other */
    PAIR_HOPS_OPTION = 65315, /* an UPDATE that was handed on, how often */
    PAIR_HOPS = 4,
    PAIR_ASK_MS = 1000,       /* between two questions */
    PAIR_ANSWER_MS = 3000,    /* for each, and for an UPDATE that was handed on */
    PAIR_BELIEVED_MS = 10000, /* so long what the other said counts */
    PAIR_START_MS = 4000,     /* an active one that starts waits so long for the other's word before it writes */
    PAIR_JUMP = 1 << 20,      /* serials, at each promotion */
    PAIR_FORKS = 8,
    PAIR_IN_FLIGHT = 4096, /* UPDATEs that were handed on and not answered; then SERVFAIL */
    PAIR_MATES = 128,      /* other nodes */
    PAIR_LOG_MS = 10000
};

struct pair;
struct pair_config {
    const struct conf *conf;
    struct loop *loop;
    struct keeper *keeper;
    const struct tsig_keys *keys;
    struct board *board; /* may be NULL */
    /* The zone's primaries are these from now on, NULL: this node is its source (secondary_set_primaries). NULL when
     * nobody fetches zones. */
    int (*follow)(void *ctx, int zone, const struct conf_rules *primaries, struct err *err);
    void *follow_ctx;
    struct server *server; /* of the sync port: late answers leave by it */
    struct roles *roles;   /* is filled here */
};
/* Reads what roles the state folder knows; standbys begin to follow. */
int pair_open(struct pair **out, const struct pair_config *c, struct err *err) MUST_USE;
/* UPDATEs under way elsewhere are not answered any more. Before the keeper is closed. NULL is none. */
void pair_close(struct pair *p);

uint32_t pair_epoch(const struct pair *p, int zone);
/* Whether changes of the zone may be made here now. E_DENIED: it is a standby, the text names the active one's address;
 * E_AGAIN: not now, the text says why. 0 for zones of no pair. */
int pair_writable(const struct pair *p, int zone, struct err *err) MUST_USE;

/* For updates_config.elsewhere: an UPDATE by somebody who may send it. False: it is to be carried out here. True: it
 * was taken; *n is the size of a reply written at once, or 0. */
bool pair_update(void *ctx, int zone, const struct client *c, const struct dns_query *q, const struct tsig *t,
                 const uint8_t *msg, size_t size, uint8_t *reply, size_t cap, size_t *n);
/* A SOA question that bears PAIR_OPTION: the other one asks. */
bool pair_is_asked(const struct dns_query *q);
size_t pair_answer(struct pair *p, int zone, const struct client *c, const struct dns_query *q, const struct tsig *t,
                   uint8_t *reply, size_t cap);

/* {"command":"promote","zone":Z,"force":REASON|null}, {"command":"demote","zone":Z}; the answer: {"ok":true,"role":R,
 * "epoch":N,"serial":N}, when it is durable. False: the line is for somebody else. */
bool pair_control(struct pair *p, struct control_call *call, const char *line, size_t size);

#endif
