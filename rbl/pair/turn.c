/* Roles change: one job of the zone, alone with its keep, that makes the change durable before it counts. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "rbl/keep/edit.h"
#include "rbl/pair/impl.h"
#include "resolver/base/log.h"

#define MARK_LABEL "_candor-epoch"

/* --- on a thread of the pool */

static int mark(struct keep *k, const struct pair_zone *z, bool there, struct keep_result *r, struct err *err) {
    struct keep_batch *b = NULL;
    struct keep_entry e = {.kind = KEEP_NAME};
    struct keep_state st;
    keep_state(k, &st);
    uint32_t jump = (st.serial / PAIR_JUMP + 1) * (uint32_t)PAIR_JUMP;
    struct keep_commit c = {.source = "promote",
                            .reason = "promotion",
                            .force = true,
                            .serial_hint = there ? jump != 0 ? jump : PAIR_JUMP : 0};
    int rc = name_from_text(&e.name, MARK_LABEL ".", err);
    if (rc >= 0)
        rc = keep_batch_open(&b, k, err);
    if (rc < 0)
        return rc;
    keep_batch_source(b, "promote");
    e.value = (struct value){.kind = VALUE_RR, .type = TYPE_TXT, .ttl = 1};
    int n = snprintf(e.value.txt + 1, 16, "%u", z->next.epoch);
    e.value.txt[0] = (char)n;
    e.value.txt_size = (uint16_t)(n + 1);
    rc = keep_batch_remove(b, &e, true, err);
    if (rc == 0 && there)
        rc = keep_batch_add(b, &e, err);
    if (rc == 0)
        rc = keep_batch_commit(b, &c, r, err);
    keep_batch_close(b);
    return rc;
}

/* The serial jumps: a mark comes with it and goes again, the contents stay as they were. */
static int jump(struct keep *k, const struct pair_zone *z, struct keep_result *r, struct err *err) {
    struct keep_state st;
    keep_state(k, &st);
    if (st.empty)
        return 0;
    int rc = mark(k, z, true, r, err);
    return rc == 0 ? mark(k, z, false, r, err) : rc;
}

/* Where the new epoch begins: the last thing that can be had in common. */
static void add_fork(struct role_file *r, uint32_t serial) {
    if (r->forks == PAIR_FORKS)
        r->forks--;
    memmove(r->fork + 1, r->fork, r->forks * sizeof r->fork[0]);
    r->fork[0] = (struct fork){r->epoch, serial};
    r->forks++;
}

static int change(void *ctx, struct keep *k, struct keep_result *r, struct err *err) {
    struct pair_zone *z = ctx;
    struct keep_state st;
    int rc = 0;
    keep_state(k, &st);
    if (z->turn == TURN_PROMOTE && !st.empty)
        add_fork(&z->next, st.serial);
    if (z->turn == TURN_STEP_DOWN || z->turn == TURN_NOTE)
        rc = rescue_write(z, k, err);
    if (rc == 0)
        rc = role_write(&z->next, z->path, err);
    if (rc == 0 && z->turn == TURN_PROMOTE)
        rc = jump(k, z, r, err);
    return rc;
}

/* A change that is none. */
static int nothing(void *ctx, struct keep_batch *b, struct err *err) {
    (void)ctx, (void)b, (void)err;
    return 0;
}

/* --- on the loop */

static void tell(struct pair_zone *z, const struct job *j) {
    json_t *doc = j->code == 0 ? json_pack("{s:b,s:s,s:I,s:I}", "ok", 1, "role", z->role.active ? "active" : "standby",
                                           "epoch", (json_int_t)z->role.epoch, "serial", (json_int_t)j->state.serial)
                               : json_pack("{s:b,s:s,s:s}", "ok", 0, "code", err_name(j->code), "error", j->err.text);
    char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    if (text != NULL)
        control_answer(z->call, text);
    else
        control_answer(z->call, "{\"ok\":false}");
    free(text);
    json_decref(doc);
}

static void log_turn(const struct pair_zone *z, const struct job *j) {
    if (j->code != 0) {
        LOG(LEVEL_ERROR, "the role of a pair stays as it was", KS("zone", z->conf->name), KS("why", j->err.text));
        return;
    }
    LOG(LEVEL_WARN, "role in the pair", KS("zone", z->conf->name), KS("role", z->role.active ? "active" : "standby"),
        KU("epoch", z->role.epoch), KU("serial", j->state.serial));
    if (z->lost > 0)
        LOG(LEVEL_ERROR, "acknowledged changes that the new primary does not have", KS("zone", z->conf->name),
            KS("why", z->rescued));
}

static void done(void *ctx, struct job *j) {
    struct pair_zone *z = ctx;
    struct pair *p = z->p;
    p->turns--;
    /* A role file that was written counts, whatever came behind it. */
    if (j->code == 0)
        z->role = z->next;
    if (j->code == 0 && z->lost > 0)
        (void)snprintf(z->rescued, sizeof z->rescued, "%llu changes that the new primary does not have: %.160s",
                       (unsigned long long)z->lost, z->lost_path);
    log_turn(z, j);
    if (z->call != NULL)
        tell(z, j);
    z->call = NULL;
    z->turn = TURN_NONE;
    z->conflict = z->both = false;
    if (!p->closed)
        zone_role_set(z);
    else if (p->turns == 0)
        pair_free(p);
}

static int submit(struct pair_zone *z, enum job_kind kind, void (*finished)(void *, struct job *), struct err *err) {
    struct job *j = job_new(kind);
    if (j == NULL)
        return err_set(err, E_NOMEM, "no memory");
    j->write = change;
    j->change = nothing;
    j->done = finished;
    j->ctx = z;
    j->change_source = "pair";
    int rc = keeper_submit(z->p->c.keeper, z->zone, j, err);
    if (rc < 0)
        job_free(j);
    return rc;
}

/* All changes that were taken before this turn are committed, and none has come since. */
static void drained(void *ctx, struct job *j) {
    struct pair_zone *z = ctx;
    int rc = submit(z, JOB_WRITE, done, &j->err);
    if (rc == 0)
        return;
    j->code = rc;
    done(z, j);
}

int turn_start(struct pair_zone *z, enum turn turn, const struct role_file *next, struct control_call *call,
               struct err *err) {
    if (z->turn != TURN_NONE)
        return err_set(err, E_AGAIN, "its role is being changed already");
    z->turn = turn;
    z->next = *next;
    z->call = call;
    z->lost = 0;
    /* Nothing of the former active one may be committed behind the jump. */
    int rc =
        turn == TURN_PROMOTE && z->p->c.follow != NULL ? z->p->c.follow(z->p->c.follow_ctx, z->zone, NULL, err) : 0;
    if (rc == 0)
        rc = submit(z, JOB_CHANGE, drained, err);
    if (rc < 0) {
        z->turn = TURN_NONE;
        z->call = NULL;
        zone_role_set(z);
        return rc;
    }
    z->p->turns++;
    return 0;
}
