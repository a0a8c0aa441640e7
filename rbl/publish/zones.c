/* Zones that come, change and go while the keeper works. */
#include <stdlib.h>

#include "rbl/publish/keeper_impl.h"
#include "resolver/base/log.h"

enum { DELETE_LOOK_MS = 500 };

const struct conf_zone keeper_no_zone = {.name = ""};

void keeper_on_zone(struct keeper *k, keeper_zone_fn fn, void *ctx) {
    k->on_zone = fn;
    k->on_zone_ctx = ctx;
}

static void tell(struct keeper_zone *z) {
    struct keeper *k = z->keeper;
    if (k->on_zone != NULL)
        k->on_zone(k->on_zone_ctx, (int)(z - k->zone));
}

bool keeper_zone_free(const struct keeper *k, size_t place) {
    return place < LIMIT_ZONES && k->zone[place].conf->name[0] == '\0' && k->zone[place].leaving == STAYS;
}

bool keeper_holds(const struct keeper *k, const struct conf_zone *conf) {
    for (size_t i = 0; i < k->zone_count; i++)
        if (k->zone[i].conf == conf || k->zone[i].next_conf == conf)
            return true;
    return false;
}

int keeper_zone_put(struct keeper *k, size_t place, const struct conf_zone *conf, struct err *err) {
    if (k->stopping)
        return err_set(err, E_CLOSED, "candor-sync is stopping");
    if (place >= LIMIT_ZONES || k->zone[place].leaving != STAYS)
        return err_set(err, E_FULL, "place %zu is taken", place);
    struct keeper_zone *z = &k->zone[place];
    if (z->conf->name[0] != '\0') {
        z->next_conf = conf;
        (void)zone_settle(z);
        return 0;
    }
    keeper_zone_open(k, place, conf);
    if (place >= k->zone_count)
        k->zone_count = place + 1;
    if (k->board != NULL)
        board_set(&k->board->zone_count, k->zone_count);
    zone_submit(z, JOB_OPEN);
    tell(z);
    return 0;
}

static void take_options(struct keeper_zone *z) {
    z->conf = z->next_conf;
    z->next_conf = NULL;
    if (z->keep != NULL)
        keep_set_zone(z->keep, z->conf);
    z->files.data = z->conf->data;
    z->files.count = z->conf->data_count;
    if (z->conf->data_count > 0) {
        files_forget(&z->files);
        zone_watch(z);
    }
    tell(z);
}

/* --- going: set aside, told, closed, deleted */

static void delete_work(void *ctx) {
    struct keeper_zone *z = ctx;
    keep_close(z->keep);
    z->keep = NULL;
    keep_delete_aside(z->keeper->conf->node.state);
}

/* Nobody may ask for it any more; what late workers still add is a handful. */
static void forget_asked(struct board *b, size_t place) {
    struct board_asked *a = &b->asked[place];
    board_set(&a->listed, 0);
    board_set(&a->unlisted, 0);
    for (int i = 0; i < WRONG_COUNT; i++)
        board_set(&a->wrong[i], 0);
}

static void deleted(void *ctx) {
    struct keeper_zone *z = ctx;
    struct keeper *k = z->keeper;
    k->running--;
    free(z->apex);
    if (k->board != NULL)
        forget_asked(k->board, (size_t)(z - k->zone));
    keeper_zone_open(k, (size_t)(z - k->zone), &keeper_no_zone);
}

static void delete_look(void *ctx) {
    struct keeper *k = ctx;
    bool more = false;
    for (size_t i = 0; i < k->zone_count && !k->stopping; i++) {
        struct keeper_zone *z = &k->zone[i];
        if (z->leaving == ASIDE && z->lent == 0 && loop_work(k->loop, delete_work, deleted, z) == 0) {
            k->running++;
            z->leaving = DELETING;
        }
        more |= z->leaving == ASIDE;
    }
    if (more)
        loop_timer_again(k->delete_timer, DELETE_LOOK_MS);
}

static void delete_later(struct keeper *k) {
    if (k->delete_timer == NULL)
        k->delete_timer = loop_timer_start(k->loop, 0, DELETE_LOOK_MS, delete_look, k);
    else
        loop_timer_again(k->delete_timer, 0);
}

static void aside_work(void *ctx) {
    struct keeper_zone *z = ctx;
    z->aside_code = keep_set_aside(z->keeper->conf->node.state, z->conf->name, &z->aside_err);
}

static void aside_done(void *ctx) {
    struct keeper_zone *z = ctx;
    struct keeper *k = z->keeper;
    k->running--;
    if (z->aside_code < 0)
        LOG(LEVEL_ERROR, "the files of a zone that is gone stay", KS("zone", z->conf->name),
            KS("why", z->aside_err.text));
    z->leaving = ASIDE;
    z->conf = &keeper_no_zone;
    if (z->slot != NULL)
        show_zone_end(z->slot);
    z->slot = NULL;
    tell(z);
    if (z->gone != NULL)
        z->gone(z->gone_ctx, (size_t)(z - k->zone));
    delete_later(k);
}

bool zone_settle(struct keeper_zone *z) {
    struct keeper *k = z->keeper;
    bool still = z->running == NULL && z->reading == NULL && z->places == 0;
    if (z->leaving == STAYS && z->next_conf != NULL && still && z->lent == 0)
        take_options(z);
    if (z->leaving == LEAVING && still && !k->stopping && loop_work(k->loop, aside_work, aside_done, z) == 0) {
        k->running++;
        z->leaving = SETTING_ASIDE;
    }
    return z->leaving == STAYS;
}

int keeper_zone_remove(struct keeper *k, size_t place, keeper_gone_fn gone, void *ctx, struct err *err) {
    if (place >= k->zone_count || k->zone[place].conf->name[0] == '\0' || k->zone[place].leaving != STAYS)
        return err_set(err, E_NOTFOUND, "there is no zone at place %zu", place);
    struct keeper_zone *z = &k->zone[place];
    z->gone = gone;
    z->gone_ctx = ctx;
    z->leaving = LEAVING;
    z->next_conf = NULL;
    zone_drop_waiting(z);
    (void)zone_settle(z);
    return 0;
}
