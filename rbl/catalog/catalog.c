#include "rbl/catalog/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rbl/catalog/impl.h"
#include "rbl/publish/command.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { STORE_AGAIN_MS = 1000, CLOSE_TURNS = 400, CLOSE_TURN_MS = 10 };

/* --- the file of members --- */

static void answer_waiting(struct catalogs *c) {
    struct waiting **at = &c->waiting;
    while (*at != NULL) {
        struct waiting *w = *at;
        bool failed = c->store_code < 0 || c->closing;
        if (w->change > c->durable && !failed) {
            at = &w->next;
            continue;
        }
        if (w->change <= c->durable)
            answer_json(w->call, json_pack("{s:b,s:s}", "ok", 1, "zone", w->zone));
        else
            answer_error(w->call, c->closing ? E_CLOSED : c->store_code,
                         c->closing ? "candor-sync is stopping" : c->store_err.text);
        *at = w->next;
        c->waits--;
        free(w);
    }
}

static void store_work(void *ctx) {
    struct catalogs *c = ctx;
    c->store_code = conf_members_store(c->c.conf, c->text, c->text_size, &c->store_err);
}

static void store(struct catalogs *c);

/* What a catalog says holds here once it is settled and durable: only then is its serial that of this node. */
static void tell_followed(const struct catalogs *c) {
    if (c->c.board == NULL || c->stale || c->storing || c->durable != c->changes)
        return;
    for (size_t i = 0; i < c->count; i++) {
        const struct catalog *k = &c->at[i];
        struct board_zone *slot = &c->c.board->zone[k->zone];
        board_set(&slot->refused_members, k->refused);
        if (k->serial == 0 ||
            (board_get(&slot->followed_serial) == k->serial && board_get(&slot->followed_wall_s) != 0))
            continue;
        board_set(&slot->followed_serial, k->serial);
        board_set(&slot->followed_wall_s, (uint64_t)clock_wall_s());
    }
}

static void stored(void *ctx) {
    struct catalogs *c = ctx;
    free(c->text);
    c->text = NULL;
    c->storing = false;
    c->working--;
    if (c->store_code == 0) {
        c->durable = c->text_change;
        if (c->c.board != NULL)
            board_add(&c->c.board->members_epoch, 1);
    } else {
        LOG(LEVEL_ERROR, "the list of members cannot be written", KS("why", c->store_err.text));
        c->store_after_ms = loop_now_ms(c->c.loop) + STORE_AGAIN_MS;
    }
    tell_followed(c);
    answer_waiting(c);
    store(c);
}

static void store(struct catalogs *c) {
    struct err err = {.text = ""};
    if (c->storing || c->closing || c->durable == c->changes || loop_now_ms(c->c.loop) < c->store_after_ms)
        return;
    int rc = conf_members_text(c->members, &c->text, &c->text_size, &err);
    if (rc == 0)
        rc = loop_work(c->c.loop, store_work, stored, c);
    if (rc < 0) {
        free(c->text);
        c->text = NULL;
        c->store_after_ms = loop_now_ms(c->c.loop) + STORE_AGAIN_MS;
        return;
    }
    c->text_change = c->changes;
    c->storing = true;
    c->working++;
}

void catalogs_changed(struct catalogs *c) {
    c->changes++;
    store(c);
}

/* --- open, timer, close --- */

static bool busy(void *ctx, const struct conf_zone *zone) {
    const struct catalogs *c = ctx;
    return keeper_holds(c->c.keeper, zone);
}

static void tick(void *ctx) {
    struct catalogs *c = ctx;
    if (c->closing)
        return;
    for (size_t i = 0; i < c->count; i++) {
        catalog_read(&c->at[i]);
        remote_offer(&c->at[i]);
    }
    catalogs_settle(c);
    conf_members_sweep(c->members, clock_mono_ms(), busy, c);
    store(c);
    tell_followed(c);
}

/* A list that cannot be read is set aside rather than written over: zones that were added by command are in it alone.
 */
static void set_damaged_aside(const struct catalogs *c) {
    char from[4096], to[4096];
    (void)snprintf(from, sizeof from, "%s/catalog/members", c->c.conf->node.state);
    (void)snprintf(to, sizeof to, "%s/catalog/members.damaged", c->c.conf->node.state);
    if (rename(from, to) == 0)
        LOG(LEVEL_ERROR, "the damaged list of members was set aside", KS("file", to));
}

static void take_in(void *ctx, size_t place) {
    struct catalogs *c = ctx;
    const struct conf_member *m = conf_members_at(c->members, place);
    struct err err = {.text = ""};
    if (m == NULL || m->zone == NULL)
        return;
    if (keeper_zone_put(c->c.keeper, place, m->zone, &err) < 0)
        LOG(LEVEL_ERROR, "a zone that was added at run time is not kept", KS("zone", m->zone->name),
            KS("why", err.text));
}

static int read_members(struct catalogs *c, struct err *err) {
    struct err words = {.text = ""};
    int rc = conf_members_open(&c->members, c->c.conf, err);
    if (rc < 0)
        return rc;
    rc = conf_members_read(c->members, take_in, c, &words);
    if (rc == E_CORRUPT || rc == E_INVALID) {
        LOG(LEVEL_ERROR,
            "the list of members is damaged: members come back with their catalogs, zones that were added "
            "by command have to be added again",
            KS("why", words.text));
        set_damaged_aside(c);
    } else if (rc < 0 && rc != E_NOTFOUND) {
        return err_set(err, rc, "%s", words.text);
    }
    /* It is written once at the start: members may have moved, and others have another list from before. */
    c->changes = rc == E_NOTFOUND ? 0 : 1;
    return conf_read_zone(&c->plain, c->c.conf, "{name: plain.invalid.}", "defaults", err);
}

/* What a process that was killed while it deleted has left. */
static void tidy_work(void *ctx) {
    const struct catalogs *c = ctx;
    keep_delete_aside(c->c.conf->node.state);
}

static void tidied(void *ctx) {
    struct catalogs *c = ctx;
    c->working--;
}

int catalogs_open(struct catalogs **out, const struct catalogs_config *config, struct err *err) {
    *out = NULL;
    struct catalogs *c = calloc(1, sizeof *c);
    const struct conf_rbl *rbl = &config->conf->rbl;
    if (c == NULL)
        return err_set(err, E_NOMEM, "no memory for catalogs");
    c->c = *config;
    c->at = calloc(rbl->catalog_count + 1, sizeof *c->at);
    if (c->at == NULL) {
        free(c);
        return err_set(err, E_NOMEM, "no memory for catalogs");
    }
    int rc = read_members(c, err);
    for (size_t i = 0; i < rbl->catalog_count && rc == 0; i++) {
        c->at[i] = (struct catalog){
            .all = c, .conf = &rbl->catalogs[i], .zone = (int)(rbl->catalogs[i].zone - rbl->zones), .dirty = true};
        remote_open(&c->at[i]);
        c->count++;
    }
    if (rc == 0 && (c->timer = loop_timer_start(c->c.loop, 0, CATALOGS_TICK_MS, tick, c)) == NULL)
        rc = err_set(err, E_NOMEM, "no memory for a timer");
    if (rc == 0 && loop_work(c->c.loop, tidy_work, tidied, c) == 0)
        c->working++;
    *out = c; /* also when it failed: the keeper has its zones */
    return rc;
}

void catalogs_committed(struct catalogs *c, int zone) {
    for (size_t i = 0; c != NULL && i < c->count; i++)
        if (c->at[i].zone == zone) {
            c->at[i].dirty = true;
            catalog_read(&c->at[i]);
        }
}

void catalogs_stop(struct catalogs *c) {
    if (c == NULL || c->closing)
        return;
    c->closing = true;
    if (c->timer != NULL)
        loop_timer_cancel(c->timer);
    for (int i = 0; i < CLOSE_TURNS && c->working > 0; i++)
        loop_turn(c->c.loop, CLOSE_TURN_MS);
    answer_waiting(c);
}

void catalogs_close(struct catalogs *c) {
    if (c == NULL || c->working > 0)
        return; /* a disk that does not answer: the process ends */
    for (size_t i = 0; i < c->count; i++) {
        catalog_list_close(&c->at[i].list);
        catalog_list_close(&c->at[i].held);
        remote_close(&c->at[i]);
    }
    free(c->at);
    conf_free(c->plain);
    conf_members_close(c->members);
    free(c);
}
