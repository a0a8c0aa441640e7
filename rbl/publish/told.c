/* What transfers are told of a zone, and when. */
#include <stdlib.h>

#include "rbl/keep/stream.h"
#include "rbl/publish/keeper_impl.h"

void zone_tell(struct keeper_zone *z, struct job *j) {
    struct keeper *k = z->keeper;
    bool first = !z->opened && z->keep != NULL;
    z->opened |= z->keep != NULL;
    if (!z->opened)
        return;
    bool changed = j->state.commits != z->state.commits;
    z->state = j->state;
    if (j->apex != NULL) {
        free(z->apex);
        z->apex = j->apex;
        j->apex = NULL;
    }
    if ((first || changed) && !z->state.empty && k->on_commit != NULL)
        k->on_commit(k->on_commit_ctx, (int)(z - k->zone), &z->state);
}

int keeper_state(const struct keeper *k, int zone, struct keep_state *st, const struct view_apex **apex) {
    const struct keeper_zone *z = &k->zone[zone];
    if (!z->opened || z->state.empty || z->apex == NULL || z->leaving != STAYS)
        return E_NOTFOUND;
    *st = z->state;
    if (apex != NULL)
        *apex = z->apex;
    return 0;
}

void keeper_follow(struct keeper *k, int zone, bool follows) {
    struct keeper_zone *z = &k->zone[zone];
    if (z->follows && !follows)
        files_forget(&z->files); /* what they say counts again, whenever they changed */
    bool back = z->follows && !follows && z->opened;
    z->follows = follows;
    if (back)
        zone_submit(z, JOB_EXPIRE); /* and when the next one is due */
}

void keeper_on_commit(struct keeper *k, keeper_commit_fn fn, void *ctx) {
    k->on_commit = fn;
    k->on_commit_ctx = ctx;
}

int keeper_keep(const struct keeper *k, int zone, struct keep **keep, struct err *err) {
    const struct keeper_zone *z = &k->zone[zone];
    if (!z->opened || z->leaving != STAYS)
        return err_set(err, E_NOTFOUND, "zone %s is not open", z->conf->name);
    *keep = z->keep;
    k->zone[zone].lent++;
    return 0;
}

void keeper_give_back(struct keeper *k, int zone) {
    struct keeper_zone *z = &k->zone[zone];
    if (z->lent > 0)
        z->lent--;
}

int keeper_share(const struct keeper *k, int zone, struct keep **reading, struct err *err) {
    const struct keeper_zone *z = &k->zone[zone];
    if (!z->opened || z->leaving != STAYS)
        return err_set(err, E_NOTFOUND, "zone %s is not open", z->conf->name);
    return keep_share(z->keep, reading, err);
}
