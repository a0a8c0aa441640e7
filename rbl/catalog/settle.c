/* From what the catalogs say to the zones of this node. */
#include "rbl/catalog/impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { GRACE_OF_NOBODY_S = 86400 };

struct catalog *catalogs_find(const struct catalogs *c, const char *name) {
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->at[i].conf->name, name) == 0)
            return &c->at[i];
    return NULL;
}

/* Of a zone that was added by command: the longest of the catalogs that told of it. */
uint32_t catalogs_grace_s(const struct catalogs *c, const struct conf_member *m) {
    const struct catalog *k = catalogs_find(c, m->catalog);
    uint32_t most = 0;
    bool any = false;
    for (size_t i = 0; i < c->count && k == NULL; i++)
        if (c->at[i].conf->primaries.count == 0) {
            any = true;
            most = c->at[i].conf->grace_s > most ? c->at[i].conf->grace_s : most;
        }
    return k != NULL ? k->conf->grace_s : any ? most : GRACE_OF_NOBODY_S;
}

int catalogs_place(struct catalogs *c, struct err *err) {
    int place = conf_members_place(c->members, clock_wall_s(), err);
    if (place >= 0 && !keeper_zone_free(c->c.keeper, (size_t)place))
        return err_set(err, E_AGAIN, "the place of a zone that goes is not free yet");
    return place;
}

int catalogs_put(struct catalogs *c, const struct conf_member *m, struct err *err) {
    int rc = conf_members_put(c->members, m, err);
    if (rc < 0)
        return rc;
    const struct conf_member *now = conf_members_at(c->members, m->place);
    rc = keeper_zone_put(c->c.keeper, m->place, now->zone, err);
    if (rc < 0 && keeper_zone_free(c->c.keeper, m->place))
        conf_members_drop(c->members, m->place, clock_wall_s());
    else
        rc = 0;
    catalogs_changed(c);
    return rc;
}

static void gone(void *ctx, size_t place) {
    struct catalogs *c = ctx;
    c->going[place] = false;
    if (c->closing)
        return;
    conf_members_drop(c->members, place, clock_wall_s());
    c->stale = true;
    catalogs_changed(c);
    catalogs_settle(c);
}

void catalogs_remove(struct catalogs *c, size_t place) {
    const struct conf_member *m = conf_members_at(c->members, place);
    struct err err;
    if (m == NULL || c->going[place])
        return;
    c->going[place] = true;
    if (m->zone == NULL || keeper_zone_remove(c->c.keeper, place, gone, c, &err) < 0)
        gone(c, place);
}

/* The same member with something else about it. */
static void change(struct catalogs *c, const struct conf_member *m, const char *catalog, const char *label,
                   const char *options, int64_t left_wall_s) {
    struct err err = {.text = ""};
    struct conf_member new = {
        .place = m->place, .catalog = catalog, .label = label, .options = options, .left_wall_s = left_wall_s};
    if (catalogs_put(c, &new, &err) < 0)
        LOG(LEVEL_ERROR, "a zone of a catalog stays as it is", KS("zone", m->zone->name), KS("why", err.text));
}

/* --- a member that its catalog names --- */

struct want {
    struct catalogs *c;
    struct catalog *k;
    const struct catalog_entry *e;
    const char *options;
};

/* Said once for each version of the catalog. */
static void refuse(const struct want *w, const char *why) {
    w->k->refused++;
    if (!w->k->said)
        LOG(LEVEL_ERROR, "a member of a catalog is refused", KS("catalog", w->k->conf->name), KS("zone", w->e->name),
            KS("why", why));
}

/* Somebody else has the member. True: it is this catalog's from now on, its state with it. */
static bool takes_over(const struct want *w, const struct conf_member *m) {
    const struct catalog *owner = catalogs_find(w->c, m->catalog);
    const struct catalog_entry *there =
        owner != NULL && owner->known ? catalog_list_find(&owner->list, m->zone->name) : NULL;
    return there != NULL && there->coo != NULL && strcmp(there->coo, w->k->conf->name) == 0;
}

static bool is_left(const struct catalogs *c, const struct conf_member *m) {
    return m->left_wall_s != 0 || (catalogs_find(c, m->catalog) == NULL && !member_is_own(m));
}

static void add(const struct want *w) {
    struct err err = {.text = ""};
    int place = catalogs_place(w->c, &err);
    struct conf_member new = {
        .place = (size_t)place, .catalog = w->k->conf->name, .label = w->e->label, .options = w->options};
    int rc = place < 0 ? place : catalogs_put(w->c, &new, &err);
    if (rc == 0)
        LOG(LEVEL_INFO, "a zone came with its catalog", KS("zone", w->e->name), KS("catalog", w->k->conf->name));
    else if (rc != E_AGAIN)
        refuse(w, err.text);
    w->c->stale |= rc == E_AGAIN || rc == E_FULL; /* places become free */
}

static void meet(const struct want *w, const struct conf_member *m) {
    bool own = strcmp(m->catalog, w->k->conf->name) == 0, same = strcmp(m->label, w->e->label) == 0;
    if (w->c->going[m->place])
        return; /* added again when it is gone */
    if (!own && member_is_own(m) && m->left_wall_s == 0) {
        refuse(w, "this node has a zone of this name of its own");
        return;
    }
    if (!own && w->e->coo != NULL && strcmp(w->e->coo, m->catalog) == 0)
        return; /* handed over already */
    if (!own && !is_left(w->c, m) && !takes_over(w, m)) {
        refuse(w, "another catalog has a zone of this name");
        return;
    }
    /* Section 5.4: another label is another zone; section 4.3.1: so is one that changes hands without leave. */
    if (!same || (!own && !takes_over(w, m))) {
        LOG(LEVEL_INFO, "a zone begins anew: its catalog says that it is another one", KS("zone", w->e->name),
            KS("catalog", w->k->conf->name));
        catalogs_remove(w->c, m->place);
        return;
    }
    if (!own)
        LOG(LEVEL_INFO, "a zone changes over to another catalog", KS("zone", w->e->name),
            KS("catalog", w->k->conf->name));
    else if (m->left_wall_s != 0)
        LOG(LEVEL_INFO, "a zone is back in its catalog", KS("zone", w->e->name), KS("catalog", w->k->conf->name));
    if (!own || m->left_wall_s != 0 || strcmp(m->options, w->options) != 0)
        change(w->c, m, w->k->conf->name, w->e->label, w->options, 0);
}

static bool is_of_file(const struct catalogs *c, const char *name) {
    const struct conf_rbl *rbl = &c->c.conf->rbl;
    for (size_t i = 0; i < rbl->zone_fixed; i++)
        if (strcmp(rbl->zones[i].name, name) == 0)
            return true;
    return false;
}

static void want(struct catalogs *c, struct catalog *k, const struct catalog_entry *e) {
    struct options o = {.count = 0};
    struct err err = {.text = ""};
    struct want w = {.c = c, .k = k, .e = e};
    const struct conf_member *m = conf_members_find(c->members, e->name);
    if (is_of_file(c, e->name)) {
        refuse(&w, "the configuration has a zone of this name");
        return;
    }
    int rc = options_of_member(&o, k->conf, &k->list, e, &err);
    w.options = rc == 0 ? options_text(&o, e->name) : NULL;
    if (rc < 0)
        refuse(&w, err.text);
    if (w.options == NULL && m != NULL && strcmp(m->catalog, k->conf->name) == 0 && strcmp(m->label, e->label) == 0)
        w.options = m->options; /* a bad option holds back this change alone */
    if (w.options != NULL && m != NULL)
        meet(&w, m);
    else if (w.options != NULL)
        add(&w);
    options_free(&o);
}

/* --- members that nobody names --- */

static bool is_named(const struct catalogs *c, const struct conf_member *m) {
    const struct catalog *k = catalogs_find(c, m->catalog);
    if (member_is_own(m))
        return m->left_wall_s == 0;
    if (k == NULL || k->conf->primaries.count == 0)
        return false; /* the catalog left the configuration */
    return !k->known || catalog_list_find(&k->list, m->zone->name) != NULL;
}

/* With k->known false the list that was followed before counts: nothing leaves, and who is on the way goes on. */
static void look_after(struct catalogs *c, const struct conf_member *m, int64_t now_s) {
    uint32_t grace_s = catalogs_grace_s(c, m);
    if (m->zone == NULL || c->going[m->place] || (is_named(c, m) && m->left_wall_s == 0))
        return;
    if (m->left_wall_s == 0) {
        LOG(LEVEL_WARN, "a zone left its catalog: it is served until its grace is over", KS("zone", m->zone->name),
            KS("catalog", m->catalog), KU("grace_s", grace_s));
        change(c, m, m->catalog, m->label, m->options, now_s);
        return;
    }
    /* A clock that was set back does not make it longer than its grace. */
    if (now_s <= m->left_wall_s + grace_s && now_s >= m->left_wall_s)
        return;
    if (now_s < m->left_wall_s) {
        change(c, m, m->catalog, m->label, m->options, now_s);
        return;
    }
    LOG(LEVEL_WARN, "a zone is removed, its grace is over", KS("zone", m->zone->name), KS("catalog", m->catalog));
    catalogs_remove(c, m->place);
}

void catalogs_settle(struct catalogs *c) {
    int64_t now_s = clock_wall_s();
    if (c->closing || c->settling)
        return;
    c->settling = true; /* what goes at once comes back in here */
    bool stale = c->stale;
    c->stale = false;
    for (size_t i = 0; i < c->count && stale; i++) {
        struct catalog *k = &c->at[i];
        k->refused = 0;
        for (size_t j = 0; k->known && j < k->list.count; j++)
            want(c, k, &k->list.at[j]);
        k->said = k->known;
    }
    for (size_t i = 0; i < LIMIT_ZONES; i++) {
        const struct conf_member *m = conf_members_at(c->members, i);
        if (m != NULL)
            look_after(c, m, now_s);
    }
    c->settling = false;
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].conf->primaries.count == 0)
            catalog_produce(&c->at[i]);
}
