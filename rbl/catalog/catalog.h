/* Catalog zones (RFC 9432), and the zones of this node that come and go at run time. The door of this room; used by
 * candor-sync's main, on the loop's thread.
 *
 *   a catalog with primaries   is fetched as any zone (rbl/secondary); each new version of it is read on the pool, and
 *                              says which members there are and what their options are
 *   a catalog without          is written by this node: of its own zones that match, of those that were added by
 * command candor zone-add, zone-del  zones of this node beside those of candor.yaml
 *
 * What comes of it stands in state/catalog/members (conf_members.h), durable before anybody is told, and from there in
 * every process. A zone that left its catalog is served until its grace is over; then its files go too. Nothing goes
 * because of a catalog that is broken, not there, or shrinks by more than its `shrink`: that waits for the operator.
 *
 * Who gets a name that several want: candor.yaml, then `zone-add`, then the catalog that has the member already (unless
 * its `coo` names the other one), then catalogs in the order of the configuration. Each that comes too late is named.
 */
#ifndef CANDOR_RBL_CATALOG_H
#define CANDOR_RBL_CATALOG_H

#include "rbl/publish/keeper.h"
#include "resolver/net/control.h"

enum {
    CATALOGS_TICK_MS = 500,
    CATALOGS_GUARD_FROM = 10, /* members, from which on `shrink` counts */
    CATALOGS_CALLS = 256      /* zone-add and zone-del that wait for the disk */
};

struct catalogs_config {
    const struct conf *conf; /* as conf_read made it */
    struct loop *loop;
    struct keeper *keeper;
    struct board *board;
};

struct catalogs;
/* Takes in the members that there were, and reads the catalogs as they come. After everybody who wants to hear of zones
 * (keeper_on_zone). */
int catalogs_open(struct catalogs **out, const struct catalogs_config *config, struct err *err) MUST_USE;
/* What keeper_on_commit tells. */
void catalogs_committed(struct catalogs *c, int zone);
/* {"command":"zone-add","zone":Z,"options":{KEY:TEXT...},"group":G}   options: keys as in candor.yaml, "limits.shrink";
 *                                                                     texts in YAML
 * {"command":"zone-del","zone":Z,"now":B}                             now: without its grace
 * {"command":"catalog"}                                               all of them, members and what is wrong
 * {"command":"catalog","accept":Z}                                    a change that was held back
 * {"command":"config-publish","catalog":Z,"text":T}   options of nodes into a catalog that is made here (remote.h)
 * {"command":"config-rollback","catalog":Z}           those that were published before, as a new version
 * False: another command; the call is not answered. */
bool catalogs_control(struct catalogs *c, struct control_call *call, const char *line, size_t size);
/* Ends what is under way; before loop_close. */
void catalogs_stop(struct catalogs *c);
/* After catalogs_stop and keeper_close: the keeper's zones are of its members. */
void catalogs_close(struct catalogs *c);

#endif
