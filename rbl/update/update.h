/* UPDATE (RFC 2136): changing a zone by DNS message. The door of this room; it is used by the sync port (rbl/port.h).
 *
 *   port: question read, TSIG checked -> updates_take: zone, access, room -> a JOB_CHANGE of the zone's keeper
 *   thread of the pool: update_run (run.h): prerequisites, prescan, edits into the batch; commit, together with others
 *   loop: the reply, signed, goes out when the commit is durable
 *
 * A message is carried out whole or not at all. Who sends is told what came of it only after it is on disk: an
 * acknowledged change outlives kill -9. A datagram that is repeated while it is under way, or a little later, is the
 * same change: it is carried out once and answered with the same RCODE. (A signed message that a stranger repeats from
 * elsewhere within its fudge is carried out again: it can bring back what was taken away in these minutes. TSIG's time
 * window is the bound of that.)
 *
 * Everything here is called on the loop's thread. */
#ifndef CANDOR_RBL_UPDATE_H
#define CANDOR_RBL_UPDATE_H

#include "rbl/publish/keeper.h"
#include "resolver/base/conf.h"
#include "resolver/dns/message.h"
#include "resolver/dns/tsig.h"
#include "resolver/net/server.h"

enum {
    UPDATES_IN_FLIGHT = 16384,    /* then SERVFAIL at once */
    UPDATES_BYTES = 64 << 20,     /* of their messages */
    UPDATES_REMEMBERED = 1 << 15, /* datagrams whose outcome is remembered, a power of two */
    UPDATES_REMEMBER_MS = 30000,  /* for so long at most */
    UPDATES_LOG_MS = 1000         /* at most one line about refused ones in */
};

struct updates;
struct updates_config {
    const struct conf *conf;
    struct keeper *keeper;
    const struct tsig_keys *keys;
    void (*reply)(void *ctx, const struct client *c, const uint8_t *msg, size_t size); /* server_reply */
    void *reply_ctx;
    const struct server *server; /* knows names of certificates; NULL: none */
    /* Zones whose updates belong to another node (rbl/pair): asked when the sender may send. False: it is to be carried
     * out here. True: it was taken; *n is the size of a reply written at once, or 0: it comes by another way. NULL: a
     * zone with primaries takes no updates. */
    bool (*elsewhere)(void *ctx, int zone, const struct client *c, const struct dns_query *q, const struct tsig *t,
                      const uint8_t *msg, size_t size, uint8_t *reply, size_t cap, size_t *n);
    void *elsewhere_ctx;
};
int updates_open(struct updates **out, const struct updates_config *config, struct err *err) MUST_USE;
/* What is under way is still carried out, but not answered. Before keeper_close. */
/* The zone at this place came, changed or went at run time (keeper_on_zone). */
void updates_zone_changed(struct updates *u, int zone);
void updates_close(struct updates *u);

/* One message with opcode UPDATE whose question (the zone section) could be read; `t` as tsig_check left it, its result
 * being 0. `zone`: index in the configuration, -1 when the zone section names none of our zones. Returns the size of a
 * reply written at once, or 0: it comes later. */
size_t updates_take(struct updates *u, int zone, const struct client *c, const struct dns_query *q,
                    const struct tsig *t, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap);

#endif
