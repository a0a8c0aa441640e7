#include "health/command/why.h"

#include <string.h>

#include "health/command/lookup.h"
#include "health/command/zone.h"
#include "rbl/keep/walk.h"

static json_t *text_of(const char *text) {
    json_t *s = json_string(text);
    char clean[512];
    size_t n = 0;
    for (; s == NULL && text[n] != '\0' && n < sizeof clean; n++)
        clean[n] = text[n] >= ' ' && text[n] < 127 ? text[n] : '?';
    return s != NULL ? s : json_stringn(clean, n);
}

static json_t *match_json(const struct keep_match *m) {
    char value[VALUE_TEXT_MAX], time[ZONE_TIME_MAX];
    json_t *o = json_pack("{s:o,s:s,s:b,s:b,s:b}", "entry", text_of(m->entry), "type",
                          m->local ? "local" : conf_dataset_name(m->type), "excluded", (int)m->excluded, "local",
                          (int)m->local, "silenced", (int)m->silenced);
    if (o != NULL && !m->excluded)
        json_object_set_new(o, "value", text_of(value_text(&m->value, value)));
    if (o != NULL && m->until_wall_s > 0)
        json_object_set_new(o, "until", json_string(zone_time(m->until_wall_s, time)));
    if (o != NULL && m->journal_known) {
        json_object_set_new(o, "since_serial", json_integer(m->since_serial));
        json_object_set_new(o, "since", json_string(zone_time(m->since_wall_s, time)));
        json_object_set_new(o, "source", text_of(m->since_source));
    }
    return o;
}

static json_t *trouble(const struct err *err) {
    return json_pack("{s:b,s:s,s:o}", "ok", 0, "code", err_name(err->code), "error", text_of(err->text));
}

/* The name without the zone's own, when that is its end. */
static int relative(struct name *n, const char *zone, struct err *err) {
    struct name apex;
    int rc = name_from_text(&apex, zone, err);
    if (rc < 0 || !name_under(n, &apex))
        return rc;
    size_t size = (size_t)n->size - apex.size;
    n->wire[size] = 0;
    n->size = (uint8_t)(size + 1);
    n->labels = (uint8_t)(n->labels - apex.labels);
    return 0;
}

static int matches_of(struct keep *k, const char *zone, const struct lookup *l, struct keep_match *m, unsigned *count,
                      struct err *err) {
    if (l->kind != LOOKUP_NAMES)
        return keep_why_addr(k, &l->addr, m, WHY_MATCHES, count, err);
    struct name n = l->name;
    name_lower(&n);
    int rc = relative(&n, zone, err);
    return rc == 0 ? keep_why_name(k, &n, m, WHY_MATCHES, count, err) : rc;
}

/* NULL: nothing to say. */
static json_t *zone_json(const struct conf *conf, const struct conf_zone *zone, const struct lookup *l, bool always) {
    static struct keep_match match[WHY_MATCHES];
    struct err err = {0};
    struct keep *k = NULL;
    struct keep_state st = {0};
    unsigned count = 0;
    bool listed = false;
    int rc = keep_open_reading(&k, conf->node.state, zone, &err);
    if (rc == 0) {
        keep_state(k, &st);
        rc = matches_of(k, zone->name, l, match, &count, &err);
        keep_close(k);
    }
    if (rc == E_NOTFOUND && !always)
        return NULL; /* nothing was ever committed */
    if (rc < 0)
        return trouble(&err);
    json_t *list = json_array();
    for (unsigned i = 0; i < count && i < WHY_MATCHES; i++) {
        listed |= !match[i].excluded && !match[i].silenced;
        json_array_append_new(list, match_json(&match[i]));
    }
    if (count == 0 && !always) {
        json_decref(list);
        return NULL;
    }
    return json_pack("{s:b,s:b,s:I,s:o}", "ok", 1, "listed", (int)listed, "serial", (json_int_t)st.serial, "matches",
                     list);
}

json_t *why_read(const struct conf *conf, const char *zone, const char *what, struct err *err) {
    struct lookup l;
    const struct conf_zone *only = zone != NULL ? zone_find(conf, zone) : NULL;
    if (lookup_parse(&l, what, err) < 0)
        return NULL;
    if (zone != NULL && only == NULL) {
        (void)err_set(err, E_NOTFOUND, "zone %s is not in this node's configuration", zone);
        return NULL;
    }
    json_t *zones = json_array();
    for (size_t i = 0; i < conf->rbl.zone_count && zones != NULL; i++) {
        const struct conf_zone *z = &conf->rbl.zones[i];
        bool wanted = only == NULL ? conf_zone_is_served(z) : z == only;
        json_t *o = wanted ? zone_json(conf, z, &l, only != NULL) : NULL;
        if (o == NULL)
            continue;
        json_object_set_new(o, "zone", text_of(z->name));
        json_array_append_new(zones, o);
    }
    if (zones == NULL)
        (void)err_set(err, E_NOMEM, "no memory");
    return zones;
}
