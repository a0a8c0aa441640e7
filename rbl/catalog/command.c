/* zone-add, zone-del, catalog: on the control socket. */
#include <stdlib.h>

#include "rbl/catalog/impl.h"
#include "rbl/publish/command.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

/* Lower-case, with its dot. */
static int zone_name(const json_t *doc, char to[NAME_TEXT_MAX], struct err *err) {
    const char *text = json_string_value(json_object_get(doc, "zone"));
    struct name n;
    if (text == NULL)
        return err_set(err, E_INVALID, "\"zone\": expected the name of a zone");
    int rc = name_from_text(&n, text, err);
    if (rc < 0)
        return rc;
    name_lower(&n);
    (void)name_text(&n, to);
    return strlen(to) <= LIMIT_NAME_WIRE ? 0 : err_set(err, E_RANGE, "the name of the zone is too long");
}

/* Answered when what was done is on the disk. */
static int wait_for_disk(struct catalogs *c, struct control_call *call, const char *zone, struct err *err) {
    struct waiting *w = c->waits < CATALOGS_CALLS ? calloc(1, sizeof *w) : NULL;
    if (w == NULL)
        return err_set(err, E_FULL, "too many changes of zones wait");
    w->call = call;
    w->change = c->changes + 1;
    text_copy(w->zone, sizeof w->zone, zone);
    w->next = c->waiting;
    c->waiting = w;
    c->waits++;
    return 0;
}

static void wait_no_more(struct catalogs *c) {
    struct waiting *w = c->waiting;
    c->waiting = w->next;
    c->waits--;
    free(w);
}

static int take_options(const json_t *doc, struct options *o, struct err *err) {
    json_t *options = json_object_get(doc, "options");
    const char *key;
    json_t *value;
    json_object_foreach(options, key, value) {
        const char *text = json_string_value(value);
        if (text == NULL || strcmp(key, "name") == 0 || strpbrk(key, " :,{}[]\"'\n") != NULL)
            return err_set(err, E_INVALID, "\"options\": expected keys of a zone, with texts");
        if (strcmp(key, "pair") == 0 || strcmp(key, "role") == 0)
            return err_set(err, E_UNSUPPORTED, "%s: zones with two primaries stand in candor.yaml", key);
        int rc = options_set(o, key, text, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ".", or with a group ".GROUP". */
static int take_group(const json_t *doc, char to[MEMBERS_LABEL_MAX], struct err *err) {
    const char *group = json_string_value(json_object_get(doc, "group"));
    to[0] = '.';
    to[1] = '\0';
    if (group == NULL)
        return 0;
    bool fine = group[strspn(group, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
    if (!fine || strlen(group) + 2 > MEMBERS_LABEL_MAX)
        return err_set(err, E_INVALID, "\"group\": expected letters, digits, - _ and .");
    text_copy(to + 1, MEMBERS_LABEL_MAX - 1, group);
    return 0;
}

static int put_zone(struct catalogs *c, const char *zone, const char *catalog, const char *options, struct err *err) {
    const struct conf_member *m = conf_members_find(c->members, zone);
    char label[MEMBERS_LABEL_MAX];
    struct conf_member new = {.catalog = catalog, .label = label, .options = options};
    if (m != NULL && (!member_is_own(m) || m->left_wall_s == 0 || c->going[m->place]))
        return err_set(err, E_EXISTS, "zone %s is there already", zone);
    catalog_label(label, zone, (uint64_t)clock_ns(CLOCK_KIND_WALL));
    if (m != NULL) { /* it is in its grace: back, as the zone that it was */
        new.label = m->label;
        new.place = m->place;
        return catalogs_put(c, &new, err);
    }
    int place = catalogs_place(c, err);
    if (place < 0)
        return place;
    new.place = (size_t)place;
    return catalogs_put(c, &new, err);
}

static int zone_add(struct catalogs *c, struct control_call *call, const json_t *doc, struct err *err) {
    char zone[NAME_TEXT_MAX], catalog[MEMBERS_LABEL_MAX];
    struct options o = {.count = 0};
    const char *text = NULL;
    int rc = zone_name(doc, zone, err);
    if (rc == 0)
        rc = take_group(doc, catalog, err);
    if (rc == 0)
        rc = take_options(doc, &o, err);
    if (rc == 0 && (text = options_text(&o, zone)) == NULL)
        rc = err_set(err, E_FULL, "the options are too long");
    if (rc == 0)
        rc = wait_for_disk(c, call, zone, err);
    if (rc == 0 && (rc = put_zone(c, zone, catalog, text, err)) < 0)
        wait_no_more(c);
    options_free(&o);
    if (rc == 0)
        LOG(LEVEL_INFO, "a zone was added by command", KS("zone", zone));
    return rc;
}

static int zone_del(struct catalogs *c, struct control_call *call, const json_t *doc, struct err *err) {
    char zone[NAME_TEXT_MAX];
    int rc = zone_name(doc, zone, err);
    if (rc < 0)
        return rc;
    const struct conf_member *m = conf_members_find(c->members, zone);
    bool now = json_is_true(json_object_get(doc, "now"));
    if (m == NULL || (!member_is_own(m) && m->left_wall_s == 0))
        return err_set(err, E_NOTFOUND, "zone %s was not added by command on this node", zone);
    if (m->left_wall_s != 0 && !now)
        return err_set(err, E_EXISTS, "zone %s is in its grace already", zone);
    int64_t left = clock_wall_s();
    if (now)
        left -= (int64_t)catalogs_grace_s(c, m) + 1;
    struct conf_member new = {.place = m->place,
                              .catalog = m->catalog,
                              .label = m->label,
                              .options = m->options,
                              .left_wall_s = left > 0 ? left : 1};
    if ((rc = wait_for_disk(c, call, zone, err)) < 0)
        return rc;
    if ((rc = catalogs_put(c, &new, err)) < 0)
        wait_no_more(c);
    else
        LOG(LEVEL_WARN, "a zone was taken away by command", KS("zone", zone), KU("grace_s", catalogs_grace_s(c, &new)));
    return rc;
}

static json_t *members_of(const struct catalogs *c, const char *catalog) {
    json_t *list = json_array();
    for (size_t i = 0; i < LIMIT_ZONES; i++) {
        const struct conf_member *m = conf_members_at(c->members, i);
        if (m == NULL || m->zone == NULL || (catalog != NULL ? strcmp(m->catalog, catalog) != 0 : !member_is_own(m)))
            continue;
        json_t *one =
            json_pack("{s:s,s:s,s:o}", "zone", m->zone->name, "label", m->label, "left", json_time(m->left_wall_s));
        if (catalog == NULL && m->catalog[1] != '\0')
            json_object_set_new(one, "group", json_text(m->catalog + 1));
        json_array_append_new(list, one);
    }
    return list;
}

static void show(const struct catalogs *c, struct control_call *call) {
    json_t *list = json_array();
    for (size_t i = 0; i < c->count; i++) {
        const struct catalog *k = &c->at[i];
        bool produced = k->conf->primaries.count == 0;
        json_t *one = json_pack("{s:s,s:b,s:I,s:b,s:o}", "catalog", k->conf->name, "produced", produced, "serial",
                                (json_int_t)k->serial, "held", k->is_held, "error", json_text(k->error));
        json_object_set_new(one, "members", produced ? json_array() : members_of(c, k->conf->name));
        json_array_append_new(list, one);
    }
    answer_json(call, json_pack("{s:b,s:o,s:o}", "ok", 1, "catalogs", list, "added", members_of(c, NULL)));
}

static int accept_held(struct catalogs *c, struct control_call *call, const char *name, struct err *err) {
    for (size_t i = 0; i < c->count; i++) {
        const char *have = c->at[i].conf->name;
        size_t n = strlen(name);
        if (strncmp(have, name, n) != 0 || (have[n] != '\0' && strcmp(have + n, ".") != 0))
            continue;
        int rc = catalog_accept(&c->at[i], err);
        if (rc == 0)
            answer_json(call, json_pack("{s:b,s:s}", "ok", 1, "catalog", have));
        return rc;
    }
    return err_set(err, E_NOTFOUND, "catalog %.300s is not in this node's configuration", name);
}

static bool take(struct catalogs *c, struct control_call *call, const json_t *doc) {
    const char *command = json_string_value(json_object_get(doc, "command"));
    const char *name = json_string_value(json_object_get(doc, "accept"));
    struct err err = {.text = ""};
    int rc = 0;
    if (command == NULL)
        return false;
    if (strcmp(command, "zone-add") == 0)
        rc = zone_add(c, call, doc, &err);
    else if (strcmp(command, "zone-del") == 0)
        rc = zone_del(c, call, doc, &err);
    else if (strcmp(command, "catalog") != 0)
        return false;
    else if (name != NULL)
        rc = accept_held(c, call, name, &err);
    else
        show(c, call);
    if (rc < 0)
        answer_error(call, rc, err.text);
    c->stale = true; /* a name may be free for a catalog, or taken */
    catalogs_settle(c);
    return true;
}

bool catalogs_control(struct catalogs *c, struct control_call *call, const char *line, size_t size) {
    json_t *doc = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    bool taken = json_is_object(doc) && (remote_control(c, call, doc) || take(c, call, doc));
    json_decref(doc);
    return taken;
}
