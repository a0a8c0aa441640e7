#include "rbl/pair/pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "rbl/pair/impl.h"
#include "resolver/base/log.h"

struct board_zone *pair_slot(const struct pair *p, int zone) {
    return p->c.board != NULL ? &p->c.board->zone[zone] : NULL;
}

/* --- what a zone is */

bool zone_heard(const struct pair_zone *z) {
    return z->heard && !z->failed && loop_now_ms(z->p->c.loop) - z->heard_ms < PAIR_BELIEVED_MS;
}

void zone_said(const struct pair_zone *z, struct said *s) {
    struct keep_state st;
    *s = (struct said){.active = z->role.active, .epoch = z->role.epoch, .forks = z->role.forks};
    memcpy(s->fork, z->role.fork, sizeof s->fork);
    text_copy(s->name, sizeof s->name, z->p->c.conf->node.name);
    if (keeper_state(z->p->c.keeper, z->zone, &st, NULL) == 0) {
        s->have = true;
        s->serial = st.serial;
    }
}

void zone_role_show(struct pair_zone *z) {
    struct board_zone *slot = pair_slot(z->p, z->zone);
    struct role *r = &z->p->c.roles->at[z->zone];
    r->is = z->role.active ? ROLE_ACTIVE : ROLE_STANDBY;
    r->epoch = z->role.epoch;
    if (slot == NULL)
        return;
    board_set(&slot->role, r->is);
    board_set(&slot->epoch, r->epoch);
    bool person = z->rescued[0] != '\0' || z->conflict || z->both || z->mate == NULL;
    board_set(&slot->pair_trouble, person ? 2 : z->trouble[0] != '\0');
    const char *wrong = z->rescued[0] != '\0' ? z->rescued : z->trouble;
    if (strncmp(slot->pair_error, wrong, sizeof slot->pair_error - 1) == 0)
        return;
    board_zone_open(slot);
    text_copy(slot->pair_error, sizeof slot->pair_error, wrong);
    board_zone_close(slot);
}

void zone_role_set(struct pair_zone *z) {
    struct err err = {0};
    zone_role_show(z);
    keeper_follow(z->p->c.keeper, z->zone, !z->role.active);
    if (z->p->c.follow == NULL)
        return;
    const struct conf_rules *from = z->role.active ? NULL : &z->conf->pair;
    if (z->p->c.follow(z->p->c.follow_ctx, z->zone, from, &err) < 0)
        LOG(LEVEL_ERROR, "a standby cannot follow the active primary", KS("zone", z->conf->name), KS("why", err.text));
}

static bool starting(const struct pair_zone *z) {
    return !z->heard && z->mate != NULL && loop_now_ms(z->p->c.loop) - z->started_ms < PAIR_START_MS;
}

int pair_writable(const struct pair *p, int zone, struct err *err) {
    const struct pair_zone *z = p->zone[zone];
    char text[ADDR_TEXT_MAX];
    if (z == NULL)
        return 0;
    if (!z->role.active)
        return err_set(err, E_DENIED, "this node is the standby of zone %s: the active primary is %s", z->conf->name,
                       addr_text(&z->conf->pair.at[0].address, text));
    if (z->turn != TURN_NONE)
        return err_set(err, E_AGAIN, "zone %s: its role in the pair is being changed", z->conf->name);
    if (z->heard && z->other.epoch > z->role.epoch)
        return err_set(err, E_AGAIN, "zone %s: %s was promoted since, this node is about to step down", z->conf->name,
                       z->other.name);
    if (z->conflict)
        return err_set(err, E_AGAIN, "zone %s has two active primaries: %s goes on, here nothing is changed",
                       z->conf->name, z->other.name);
    if (starting(z))
        return err_set(err, E_AGAIN, "zone %s: waiting for the word of the other primary", z->conf->name);
    return 0;
}

uint32_t pair_epoch(const struct pair *p, int zone) { return p->zone[zone] != NULL ? p->zone[zone]->role.epoch : 0; }

/* --- UPDATE */

static struct mate *primary_of(struct pair *p, const struct conf_zone *conf, struct err *err) {
    struct mate *first = NULL;
    for (size_t i = 0; i < conf->primaries.count; i++) {
        struct mate *m = mate_get(p, &conf->primaries.at[i], err);
        if (m != NULL && mate_may(m))
            return m;
        if (first == NULL)
            first = m;
    }
    return first;
}

/* Whom to hand it to; NULL: nobody, `err` says why. */
static struct mate *whom(struct pair *p, int zone, const struct tsig *t, struct err *err) {
    const struct pair_zone *z = p->zone[zone];
    if (z == NULL)
        return primary_of(p, keeper_zone_conf(p->c.keeper, zone), err);
    if (z->role.active)
        return pair_writable(p, zone, err) == 0 ? z->mate : NULL;
    if (z->mate == NULL) {
        (void)err_set(err, E_INVALID, "%s", z->trouble);
    } else if (mate_key(z->mate) != NULL && t->key == mate_key(z->mate)) {
        (void)err_set(err, E_REFUSED, "handed on to this node, which is not the active one of the pair");
    } else if (zone_heard(z) && !z->other.active) {
        (void)err_set(err, E_REFUSED, "neither of the pair is active: candor promote one of them");
    } else {
        return z->mate;
    }
    return NULL;
}

bool pair_update(void *ctx, int zone, const struct client *c, const struct dns_query *q, const struct tsig *t,
                 const uint8_t *msg, size_t size, uint8_t *reply, size_t cap, size_t *n) {
    struct pair *p = ctx;
    struct err err = {0};
    bool elsewhere = keeper_zone_conf(p->c.keeper, zone)->primaries.count > 0;
    if (p->zone[zone] == NULL ? !elsewhere : pair_writable(p, zone, NULL) == 0)
        return false;
    struct mate *m = whom(p, zone, t, &err);
    if (m != NULL) {
        *n = forward_take(p, m, zone, c, q, t, msg, size, reply, cap);
        return true;
    }
    if (pair_slot(p, zone) != NULL)
        board_add(&pair_slot(p, zone)->forward_failed, 1);
    *n = reply_bare(q, t, RCODE_SERVFAIL, EDE_NOT_READY, err.text, reply, reply_limit(c, q, cap));
    return true;
}

/* --- beginning and end */

void pair_free(struct pair *p) {
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        free(p->zone[i]);
    free(p);
}

static int zone_open(struct pair *p, int zone, const struct conf_zone *conf, struct err *err) {
    struct err why = {0};
    struct pair_zone *z = p->zone[zone] = calloc(1, sizeof *z);
    if (z == NULL)
        return err_set(err, E_NOMEM, "no memory for a pair");
    z->p = p;
    z->zone = zone;
    z->conf = conf;
    z->started_ms = loop_now_ms(p->c.loop);
    int rc = role_path(z->path, p->c.conf->node.state, conf->name, ".role", err);
    if (rc == 0)
        rc = role_read(&z->role, z->path, err);
    if (rc == E_NOTFOUND)
        z->role = (struct role_file){.active = conf->active, .epoch = 1};
    else if (rc < 0)
        return rc;
    rescue_find(z);
    z->mate = mate_get(p, &conf->pair.at[0], &why);
    if (z->mate == NULL)
        text_copy(z->trouble, sizeof z->trouble, why.text);
    zone_role_set(z);
    return 0;
}

static void tick(void *ctx) {
    struct pair *p = ctx;
    int64_t now = loop_now_ms(p->c.loop);
    mates_tick(p, now);
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        if (p->zone[i] != NULL)
            watch_tick(p->zone[i], now);
}

static int make_folder(const char *state, struct err *err) {
    char path[PAIR_PATH];
    (void)snprintf(path, sizeof path, "%s/pairs", state);
    return mkdir(path, 0750) == 0 || errno == EEXIST ? 0 : err_errno(err, "%.300s", path);
}

int pair_open(struct pair **out, const struct pair_config *c, struct err *err) {
    *out = NULL;
    struct pair *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, E_NOMEM, "no memory for pairs");
    p->c = *c;
    int rc = 0;
    for (size_t i = 0; i < c->conf->rbl.zone_fixed && rc == 0; i++) {
        const struct conf_zone *conf = &c->conf->rbl.zones[i];
        if (conf->pair.count > 0 && (rc = make_folder(c->conf->node.state, err)) == 0)
            rc = zone_open(p, (int)i, conf, err);
    }
    if (rc == 0 && (p->timer = loop_timer_start(c->loop, 0, PAIR_TICK_MS, tick, p)) == NULL)
        rc = err_set(err, E_NOMEM, "no memory for the timer of pairs");
    if (rc < 0) {
        pair_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

void pair_close(struct pair *p) {
    if (p == NULL)
        return;
    if (p->timer != NULL)
        loop_timer_cancel(p->timer);
    p->timer = NULL;
    p->closed = true;
    mates_close(p);
    forwards_close(p);
    if (p->turns == 0)
        pair_free(p); /* else by the last of them */
}
