/* Changes that share one commit, and entries whose time is up. On the thread pool. */
#include "rbl/publish/keeper_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "resolver/base/clock.h"

/* A group under way, tried in parts when the guards refuse the whole. */
struct group {
    struct keep *keep;
    struct job *next; /* the first that has no code yet */
    unsigned left;    /* jobs from `next` on */
    unsigned tries;
    unsigned tried; /* jobs in the last attempt */
};

/* One attempt: the jobs whose edits are in the batch. */
struct part {
    struct keep_batch *batch;
    unsigned jobs;    /* looked at, from g->next on */
    unsigned edited;  /* of them in the batch */
    bool same_source; /* all who edited are one */
    const char *source;
    uint32_t serial;   /* the newest that was asked for */
    const char *force; /* of the one job in it */
};

/* RFC 1982 */
static bool newer(uint32_t a, uint32_t b) { return b == 0 || (a != b && (int32_t)(a - b) > 0); }

static void part_note_source(struct part *p, const char *source) {
    p->same_source = p->edited == 0 || (p->same_source && strcmp(p->source, source) == 0);
    p->source = source;
}

/* Lets up to `limit` jobs make their edits. A job that does not fit into what is left of the batch ends the part, and
 * so does one that is forced: nobody else goes past the limits with it. */
static void part_fill(struct part *p, struct job *j, unsigned limit) {
    for (; p->jobs < limit && p->force == NULL; j = j->next, p->jobs++) {
        if (j->force != NULL && p->edited > 0)
            return;
        size_t mark = keep_batch_mark(p->batch);
        const char *source = j->change_source != NULL ? j->change_source : "change";
        keep_batch_source(p->batch, source);
        j->err.text[0] = '\0';
        j->serial_hint = 0;
        j->code = j->change(j->ctx, p->batch, &j->err);
        j->failed_itself = j->code != 0;
        j->edited = j->code == 0;
        if (j->edited) {
            part_note_source(p, source);
            p->force = j->force;
            if (j->serial_hint != 0 && newer(j->serial_hint, p->serial))
                p->serial = j->serial_hint;
            p->edited++;
            continue;
        }
        keep_batch_rewind(p->batch, mark);
        if (j->code == E_FULL && p->edited > 0)
            return; /* its turn comes with an empty batch */
    }
}

static int part_commit(struct part *p, struct keep_result *r, struct err *err) {
    char source[64];
    text_copy(source, sizeof source, p->source);
    if (!p->same_source)
        (void)snprintf(source, sizeof source, "%u changes", p->edited);
    struct keep_commit c = {.source = source, .reason = p->force, .force = p->force != NULL, .serial_hint = p->serial};
    return keep_batch_commit(p->batch, &c, r, err);
}

/* Gives the jobs of the part their result and moves on behind them. */
static void group_settle(struct group *g, const struct part *p, int code, const struct keep_result *r,
                         const struct err *err) {
    for (unsigned i = 0; i < p->jobs && g->next != NULL; i++, g->next = g->next->next, g->left--) {
        struct job *j = g->next;
        keep_state(g->keep, &j->state);
        if (!j->edited)
            continue;
        j->edited = false;
        j->code = code;
        j->result = *r;
        if (code != 0)
            j->err = *err;
    }
}

/* Tries the first `limit` jobs. E_REFUSED: several edited and a guard said no, nothing is settled. */
static int group_try(struct group *g, unsigned limit) {
    struct part p = {.source = ""};
    struct keep_result r = {0};
    struct err err = {0};
    int rc = keep_batch_open(&p.batch, g->keep, &err);
    g->tries++;
    if (rc == 0) {
        part_fill(&p, g->next, limit);
        g->tried = p.jobs;
        if (p.edited > 0)
            rc = part_commit(&p, &r, &err);
        if (rc != E_REFUSED || p.edited == 1) {
            group_settle(g, &p, rc, &r, &err);
            rc = 0;
        }
        keep_batch_close(p.batch);
        return rc;
    }
    for (struct job *j = g->next; j != NULL; j = j->next)
        j->edited = true;
    p.jobs = g->left;
    group_settle(g, &p, rc, &r, &err);
    return 0;
}

/* What could not be tried within the bound: nobody knows whether the guards would have let it pass. */
static void group_give_up(struct group *g) {
    for (; g->left > 0; g->next = g->next->next, g->left--) {
        g->next->code = err_set(&g->next->err, E_AGAIN,
                                "not tried: too many of the changes that waited with it were refused; try again");
        keep_state(g->keep, &g->next->state);
    }
}

/* A refused part is halved until the bad one stands alone; behind each success the next part may be twice as large. */
void group_run(struct job *first) {
    struct group g = {.keep = first->zone->keep, .next = first};
    for (struct job *j = first; j != NULL; j = j->next)
        g.left++;
    unsigned size = g.left;
    while (g.left > 0 && g.tries < KEEPER_TRIES) {
        if (size > g.left)
            size = g.left;
        if (group_try(&g, size) == E_REFUSED)
            size = g.tried / 2;
        else if (size < KEEPER_GROUP)
            size *= 2;
    }
    group_give_up(&g);
}

/* Time that is up needs no guard against shrinking: the entries were made to go. */
static int expire_once(struct job *j, int64_t now, struct err *err) {
    struct keep_batch *b;
    struct keep_result r = {0};
    struct keep_commit c = {.source = "expired", .reason = "their time was up", .force = true};
    int rc = keep_batch_open(&b, j->zone->keep, err);
    if (rc < 0)
        return rc;
    keep_batch_source(b, "expired");
    size_t mark = keep_batch_mark(b);
    rc = keep_batch_expire(b, now, &j->expire_wall_s, err);
    if (rc == 0 && keep_batch_mark(b) != mark)
        rc = keep_batch_commit(b, &c, &r, err);
    keep_batch_close(b);
    if (rc == 0 && r.changed) {
        j->expired += r.removed;
        if (j->kind == JOB_EXPIRE)
            j->result = r;
    }
    return rc;
}

enum { EXPIRE_ROUNDS = 8 };

int group_expire(struct job *j, struct err *err) {
    int64_t now = clock_wall_s();
    int rc = 0;
    j->expire_wall_s = 0;
    if (!j->at_source)
        return 0;
    for (unsigned i = 0; i < EXPIRE_ROUNDS && rc == 0; i++) {
        rc = expire_once(j, now, err);
        if (j->expire_wall_s == 0 || j->expire_wall_s > now)
            break;
    }
    if (rc < 0 && j->expire_wall_s == 0)
        j->expire_wall_s = now; /* not known: look again */
    return rc;
}
