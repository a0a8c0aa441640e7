/* Reading a catalog whenever it has another version, on the pool; and the guard in front of following it. */
#include <stdio.h>

#include "rbl/catalog/impl.h"
#include "rbl/keep/stream.h"
#include "resolver/base/log.h"

void catalog_trouble(struct catalog *k, const char *text) {
    if (strcmp(k->error, text) == 0)
        return;
    if (text[0] != '\0')
        LOG(LEVEL_ERROR, "a catalog is not followed", KS("catalog", k->conf->name), KS("why", text));
    else
        LOG(LEVEL_INFO, "a catalog is followed again", KS("catalog", k->conf->name));
    text_copy(k->error, sizeof k->error, text);
    if (k->all->c.board == NULL)
        return;
    struct board_zone *slot = &k->all->c.board->zone[k->zone];
    board_zone_open(slot);
    text_copy(slot->waiting, sizeof slot->waiting, text);
    board_zone_close(slot);
}

/* How many of those that this node has from the catalog are not in the new one. */
static size_t leaving(const struct catalog *k, const struct catalog_list *next, size_t *had) {
    const struct conf_members *members = k->all->members;
    size_t gone = 0;
    *had = 0;
    for (size_t i = 0; i < LIMIT_ZONES; i++) {
        const struct conf_member *m = conf_members_at(members, i);
        if (m == NULL || m->zone == NULL || m->left_wall_s != 0 || strcmp(m->catalog, k->conf->name) != 0)
            continue;
        ++*had;
        gone += catalog_list_find(next, m->zone->name) == NULL;
    }
    return gone;
}

static void follow(struct catalog *k, struct catalog_list *next, uint32_t serial) {
    catalog_list_close(&k->list);
    catalog_list_close(&k->held);
    k->list = *next;
    *next = (struct catalog_list){.count = 0};
    k->known = true;
    k->is_held = k->said = k->offered = false;
    k->serial = serial;
    LOG(LEVEL_INFO, "a catalog says which zones there are", KS("catalog", k->conf->name), KU("serial", serial),
        KU("members", k->list.count));
    catalog_trouble(k, "");
    k->all->stale = true;
    catalogs_settle(k->all);
    remote_offer(k);
}

static void weigh(struct catalog *k) {
    char text[ERR_TEXT_MAX];
    size_t had, gone = leaving(k, &k->fresh, &had);
    if (had < CATALOGS_GUARD_FROM || (double)gone <= (double)had * k->conf->shrink) {
        follow(k, &k->fresh, k->fresh_serial);
        return;
    }
    catalog_list_close(&k->held);
    k->held = k->fresh;
    k->fresh = (struct catalog_list){.count = 0};
    k->is_held = true;
    (void)snprintf(text, sizeof text,
                   "serial %u would take away %zu of %zu zones: all stay until `candor catalog accept %s`",
                   k->fresh_serial, gone, had, k->conf->name);
    catalog_trouble(k, text);
}

int catalog_accept(struct catalog *k, struct err *err) {
    if (!k->is_held)
        return err_set(err, E_NOTFOUND, "catalog %s: nothing is held back", k->conf->name);
    struct catalog_list next = k->held;
    k->held = (struct catalog_list){.count = 0};
    follow(k, &next, k->fresh_serial);
    return 0;
}

static void read_work(void *ctx) {
    struct catalog *k = ctx;
    k->fresh_err.text[0] = '\0';
    k->fresh_code = catalog_list_read(&k->fresh, k->conf->name, k->share, &k->fresh_err);
    keep_close(k->share);
    k->share = NULL;
}

static void read_done(void *ctx) {
    struct catalog *k = ctx;
    char text[ERR_TEXT_MAX];
    k->reading = false;
    k->all->working--;
    if (k->all->closing) {
        catalog_list_close(&k->fresh);
        return;
    }
    if (k->fresh_code == 0) {
        weigh(k);
    } else {
        (void)snprintf(text, sizeof text, "serial %u: %.400s", k->fresh_serial, k->fresh_err.text);
        catalog_trouble(k, text);
        /* What the disk did not give, it may give later; a broken catalog waits for its next version. */
        k->dirty |= k->fresh_code != E_INVALID && k->fresh_code != E_FULL;
    }
    if (k->dirty && k->fresh_code == 0)
        catalog_read(k);
}

void catalog_read(struct catalog *k) {
    struct catalogs *c = k->all;
    struct keep_state st;
    struct err err;
    if (k->conf->primaries.count == 0 || !k->dirty || k->reading || c->closing)
        return;
    if (keeper_state(c->c.keeper, k->zone, &st, NULL) < 0 || keeper_share(c->c.keeper, k->zone, &k->share, &err) < 0)
        return; /* not there yet: its commit, or the clock, comes back to it */
    k->fresh_serial = st.serial;
    if (loop_work(c->c.loop, read_work, read_done, k) < 0) {
        keep_close(k->share);
        k->share = NULL;
        return;
    }
    k->dirty = false;
    k->reading = true;
    c->working++;
}
