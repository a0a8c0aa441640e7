/* The keeper (keeper.h) for those who replicate: states, commits and readers of zones, and zones that come and go while
 * it works. On the loop's thread. Included by keeper.h. */
#ifndef CANDOR_RBL_PUBLISH_KEEPER_ZONES_H
#define CANDOR_RBL_PUBLISH_KEEPER_ZONES_H

#include "rbl/keep/edit.h"
#include "resolver/base/conf.h"

struct keeper;
struct view_apex;

/* --- for transfers; on the loop --- */
/* What was committed last, as far as the loop knows; E_NOTFOUND: nothing yet, or not opened yet. *apex (may be NULL)
 * stays until the loop turns. */
int keeper_state(const struct keeper *k, int zone, struct keep_state *st, const struct view_apex **apex) MUST_USE;
/* Called after each commit that changed something, and when a zone was opened, on the loop, before who caused it is
 * answered. One hook. */
typedef void (*keeper_commit_fn)(void *ctx, int zone, const struct keep_state *st);
void keeper_on_commit(struct keeper *k, keeper_commit_fn fn, void *ctx);
/* A reader of its own on the zone's live generation (keep_share), to be used on a thread of the pool. Closed with
 * keep_close, before keeper_close. E_NOTFOUND. */
int keeper_share(const struct keeper *k, int zone, struct keep **reading, struct err *err) MUST_USE;
/* For what is filled beside the zone's jobs and committed by one (stream_in_*): the zone's keep, E_NOTFOUND until it is
 * opened. It stays until keeper_give_back, which is owed for each that was got, or keeper_close. */
int keeper_keep(const struct keeper *k, int zone, struct keep **keep, struct err *err) MUST_USE;
void keeper_give_back(struct keeper *k, int zone);

/* --- zones that come and go at run time (conf_members.h); on the loop --- */
/* Takes in a zone at a free place, or gives the zone that is there other options, once nothing works on it. `conf`
 * stays readable until keeper_close or until `keeper_holds` says no. */
int keeper_zone_put(struct keeper *k, size_t place, const struct conf_zone *conf, struct err *err) MUST_USE;
/* Lets go of it: nothing is submitted any more (E_CLOSED), and once nothing works on it its files are set aside, `gone`
 * is called, and they are deleted when nobody reads them. Until then the place is taken. */
typedef void (*keeper_gone_fn)(void *ctx, size_t place);
int keeper_zone_remove(struct keeper *k, size_t place, keeper_gone_fn gone, void *ctx, struct err *err) MUST_USE;
bool keeper_zone_free(const struct keeper *k, size_t place);
bool keeper_holds(const struct keeper *k, const struct conf_zone *conf);
/* Called when a zone came, changed, or is about to go (its name is "" then): who holds something of it lets go of it.
 * One hook. */
typedef void (*keeper_zone_fn)(void *ctx, int zone);
void keeper_on_zone(struct keeper *k, keeper_zone_fn fn, void *ctx);

/* Another node is its source now: its files are not read. False again: they are, from the next look on. */
void keeper_follow(struct keeper *k, int zone, bool follows);

#endif
