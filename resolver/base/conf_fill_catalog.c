/* rbl.catalogs: zones that list zones (RFC 9432). */
#include <stdio.h>
#include <string.h>

#include "resolver/base/conf_fill.h"
#include "resolver/base/conf_raw_rbl.h"

enum { GRACE_MAX_S = 365 * 86400, OPTION_KEY_MAX = 96 };
static const double GROWS_FREELY = 1e6;

/* Text that is written into `to` as far as there is room; `size` goes on counting. */
struct out {
    char *to;
    size_t cap, size;
};

static void put(struct out *o, char c) {
    if (o->size < o->cap)
        o->to[o->size] = c;
    o->size++;
}

static void put_text(struct out *o, const char *text) {
    put(o, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            put(o, '\\');
        put(o, *text);
    }
    put(o, '"');
}

/* The node as YAML in one line. Its depth is bounded by who read it (LIMIT_CONF_DEPTH). */
static void put_node(struct out *o, const struct conf_tree *node) {
    if (node->null) {
        put(o, '~');
        return;
    }
    if (node->kind == CONF_TEXT) {
        put_text(o, node->text);
        return;
    }
    bool map = node->kind == CONF_MAPPING;
    put(o, map ? '{' : '[');
    for (const struct conf_tree *c = node->first; c != NULL; c = c->next) {
        if (map) {
            put_text(o, c->key);
            put(o, ':');
            put(o, ' ');
        }
        put_node(o, c);
        if (c->next != NULL)
            put(o, ',');
    }
    put(o, map ? '}' : ']');
}

static const char *node_text(struct conf_reader *r, const struct conf_tree *node) {
    struct out o = {0};
    put_node(&o, node);
    char *text = conf_array(r, o.size + 1, 1);
    if (text == NULL)
        return "";
    o = (struct out){.to = text, .cap = o.size};
    put_node(&o, node);
    return text;
}

static const char *key_text(struct conf_reader *r, const char *section, const char *key) {
    char *text = conf_array(r, OPTION_KEY_MAX, 1);
    if (text != NULL)
        (void)snprintf(text, OPTION_KEY_MAX, "%s%s%s", section, section[0] != '\0' ? "." : "", key);
    return text != NULL ? text : "";
}

/* Keys of sections are told one by one, so that a member may have a part of them otherwise. */
static void take_options(struct conf_reader *r, const struct conf_tree *node, const char *section,
                         struct conf_options *out) {
    for (const struct conf_tree *c = node->first; c != NULL && r->rc == E_OK; c = c->next) {
        if (c->null || (section[0] == '\0' && strcmp(c->key, "name") == 0))
            continue;
        if (c->kind == CONF_MAPPING && section[0] == '\0')
            take_options(r, c, c->key, out);
        else
            out->at[out->count++] = (struct conf_option){key_text(r, section, c->key), node_text(r, c)};
    }
}

static size_t count_options(const struct conf_tree *node) {
    size_t n = 0;
    for (const struct conf_tree *c = node->first; c != NULL; c = c->next)
        n += c->kind == CONF_MAPPING ? c->count : 1;
    return n;
}

/* Looked at as a zone of its own would be, so that what is wrong is said at start and with its line. */
static void group(struct conf_reader *r, struct conf_raw_zone *in, struct conf_catalog_group *out) {
    static char stand_in[] = "group.invalid.";
    const struct conf_tree *node = r->at[r->depth - 1].node;
    struct conf_raw_zone raw = *in;
    struct conf_zone zone = {.name = ""};
    out->name = conf_take_text(r, "name", in->name, "");
    raw.name = stand_in;
    conf_fill_zone(r, &raw, &zone);
    if (zone.data_count > 0)
        conf_fail(r, E_INVALID, "data", "options: the zones of a catalog come from primaries");
    if (zone.pair.count > 0)
        conf_fail(r, E_INVALID, "pair", "options: the zones of a catalog come from primaries");
    if (node == NULL || r->rc != E_OK)
        return;
    out->options.at = conf_array(r, count_options(node), sizeof(*out->options.at));
    if (out->options.at != NULL)
        take_options(r, node, "", &out->options);
}

static void groups(struct conf_reader *r, const struct conf_raw_catalog *in, struct conf_catalog *c) {
    c->groups = conf_array(r, in->group_count, sizeof(*c->groups));
    conf_enter(r, "groups");
    for (size_t i = 0; i < in->group_count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        group(r, &in->groups[i], &c->groups[i]);
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (strcmp(c->groups[i].name, c->groups[j].name) == 0)
                conf_fail(r, E_INVALID, "name", "each group once (groups[%zu] has this name)", j);
        conf_leave(r);
        c->group_count++;
    }
    conf_leave(r);
}

/* "*", or a name that may begin with "*.". */
static void patterns(struct conf_reader *r, const struct conf_raw_catalog *in, struct conf_catalog *c) {
    static const char *everything[] = {"*"};
    if (!conf_given(r, "zones")) {
        c->zones = (struct conf_list_text){.at = everything, .count = 1};
        return;
    }
    const char **at = conf_array(r, in->zones.count, sizeof(*at));
    conf_enter(r, "zones");
    for (size_t i = 0; i < in->zones.count && r->rc == E_OK; i++) {
        const char *text = in->zones.at[i];
        bool wild = text[0] == '*' && text[1] == '.';
        char pattern[LIMIT_CONF_TEXT + 2];
        conf_enter_at(r, i);
        if (strcmp(text, "*") == 0) {
            at[i] = "*";
        } else {
            const char *name = conf_take_name(r, NULL, wild ? text + 2 : text, ".");
            (void)snprintf(pattern, sizeof(pattern), "%s%s", wild ? "*." : "", name);
            at[i] = conf_take_text(r, NULL, pattern, "");
        }
        conf_leave(r);
        c->zones.count++;
    }
    conf_leave(r);
    c->zones.at = at;
}

/* The zone that the catalog itself is: records like any others, which no guard of lists fits. */
static void own_zone(struct conf_reader *r, const struct conf_raw_catalog *in, struct conf_catalog *c,
                     struct conf_zone *z) {
    struct conf_raw_zone raw = {
        .name = in->name, .primaries = in->primaries, .notify = in->notify, .transfer = in->transfer};
    conf_fill_zone(r, &raw, z);
    z->catalog = c;
    z->test = TEST_NONE;
    z->limits.shrink = 1;
    z->limits.grow = GROWS_FREELY;
    z->limits.loopback = false;
    c->zone = z;
    c->name = z->name;
    c->primaries = z->primaries;
    c->notify = z->notify;
    c->transfer = z->transfer;
}

static void catalog(struct conf_reader *r, const struct conf_raw_catalog *in, struct conf_rbl *out) {
    struct conf_catalog *c = &out->catalogs[out->catalog_count];
    if (out->zone_count >= LIMIT_ZONES) {
        conf_fail(r, E_FULL, NULL, "at most %d zones and catalogs", LIMIT_ZONES);
        return;
    }
    own_zone(r, in, c, &out->zones[out->zone_count]);
    if (strcmp(c->name, ".") == 0)
        conf_fail(r, E_INVALID, "name", "the name of the catalog zone");
    for (size_t j = 0; j < out->zone_count && r->rc == E_OK; j++) {
        bool of_file = out->zones[j].catalog == NULL;
        if (strcmp(c->name, out->zones[j].name) == 0)
            conf_fail(r, E_INVALID, "name", "each zone once (%s[%zu] has this name)", of_file ? "zones" : "catalogs",
                      of_file ? j : j - (out->zone_count - out->catalog_count));
    }
    if (c->primaries.count > 0 && conf_given(r, "zones"))
        conf_fail(r, E_INVALID, "zones", "either primaries, whose catalog it is, or zones that this node puts into it");
    patterns(r, in, c);
    groups(r, in, c);
    c->grace_s = conf_take_s(r, "grace", in->grace, 86400, 0, GRACE_MAX_S);
    c->shrink = conf_take_share(r, "shrink", in->shrink, 0.5, 1);
    out->zone_count++;
    out->catalog_count++;
}

void conf_fill_catalogs(struct conf_reader *r, const struct conf_raw_rbl *in, struct conf_rbl *out) {
    out->catalogs = conf_array(r, in->catalog_count, sizeof(*out->catalogs));
    conf_enter(r, "catalogs");
    for (size_t i = 0; i < in->catalog_count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        catalog(r, &in->catalogs[i], out);
        conf_leave(r);
    }
    conf_leave(r);
}
