#include "rbl/catalog/options.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Keys that a catalog may give. LIST: several values with commas; SERVERS: ADDRESS[@PORT][/KEY]. */
enum kind { PLAIN, LIST, SERVERS };
static const struct {
    const char *key;
    enum kind kind;
} known[] = {{"ttl", PLAIN},           {"min-ttl", PLAIN},     {"max-ttl", PLAIN},
             {"test", PLAIN},          {"on-expire", PLAIN},   {"journal", PLAIN},
             {"limits.shrink", PLAIN}, {"limits.grow", PLAIN}, {"limits.entries", PLAIN},
             {"limits.space", PLAIN},  {"limits.tlds", PLAIN}, {"limits.values", PLAIN},
             {"allow", LIST},          {"primaries", SERVERS}};

int options_set(struct options *o, const char *key, const char *value, struct err *err) {
    unsigned i = 0;
    while (i < o->count && strcmp(o->at[i].key, key) != 0)
        i++;
    if (i == OPTIONS_MOST)
        return err_set(err, E_FULL, "more than %d options", OPTIONS_MOST);
    const char *k = arena_text(&o->arena, key, strlen(key)), *v = arena_text(&o->arena, value, strlen(value));
    if (k == NULL || v == NULL)
        return err_set(err, E_NOMEM, "no memory for options");
    o->at[i] = (struct conf_option){k, v};
    o->count += i == o->count;
    return 0;
}

void options_free(struct options *o) {
    arena_free(&o->arena);
    o->count = 0;
}

/* A text that is put together piece by piece; what does not fit makes it too long. */
struct piece {
    char *to;
    size_t cap, size;
};

static void add(struct piece *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add(struct piece *p, const char *fmt, ...) {
    va_list args;
    if (p->size >= p->cap)
        return;
    va_start(args, fmt);
    int n = vsnprintf(p->to + p->size, p->cap - p->size, fmt, args);
    va_end(args);
    p->size = n < 0 ? p->cap : p->size + (size_t)n;
}

int options_set_rules(struct options *o, const char *key, const struct conf_rules *rules, struct err *err) {
    char *text = malloc(LIMIT_CONF_OPTIONS), address[ADDR_TEXT_MAX];
    if (text == NULL)
        return err_set(err, E_NOMEM, "no memory for options");
    struct piece p = {.to = text, .cap = LIMIT_CONF_OPTIONS};
    add(&p, "[");
    for (size_t i = 0; i < rules->count; i++) {
        const struct conf_peer_rule *r = &rules->at[i];
        add(&p, "%s{address: \"%s\"", i > 0 ? ", " : "", addr_text(&r->address, address));
        if (r->key[0] != '\0')
            add(&p, ", key: \"%s\"", r->key);
        if (r->tls_name[0] != '\0')
            add(&p, ", tls-name: \"%s\", ca: \"%s\"", r->tls_name, r->ca);
        add(&p, "}");
    }
    add(&p, "]");
    int rc = p.size < p.cap ? options_set(o, key, text, err) : err_set(err, E_FULL, "%s: too long", key);
    free(text);
    return rc;
}

/* Nothing that means something to YAML, a shell or a log. */
static bool is_harmless(const char *text) {
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:%@/_-";
    return text[0] != '\0' && text[strspn(text, fine)] == '\0';
}

static void add_server(struct piece *p, char *text) {
    char *key = strchr(text, '/');
    if (key != NULL)
        *key++ = '\0';
    add(p, "{address: \"%s\"", text);
    if (key != NULL)
        add(p, ", key: \"%s\"", key);
    add(p, "}");
}

static int set_list(struct options *o, const char *key, bool servers, char *value, struct err *err) {
    char text[1024], *rest = value, *one;
    struct piece p = {.to = text, .cap = sizeof text};
    add(&p, "[");
    while ((one = strsep(&rest, ",")) != NULL) {
        if (!is_harmless(one))
            return err_set(err, E_INVALID, "option %s: expected values with commas between them", key);
        add(&p, "%s", p.size > 1 ? ", " : "");
        if (servers)
            add_server(&p, one);
        else
            add(&p, "\"%s\"", one);
    }
    add(&p, "]");
    return p.size < p.cap ? options_set(o, key, text, err) : err_set(err, E_FULL, "option %s: too long", key);
}

int options_say(struct options *o, const char *said, struct err *err) {
    char text[256 + 8], quoted[256 + 8];
    size_t i = 0;
    if (strlen(said) >= 256)
        return err_set(err, E_INVALID, "an option is too long");
    text_copy(text, sizeof text, said);
    char *value = strchr(text, '=');
    if (value == NULL)
        return err_set(err, E_INVALID, "option %s: expected key=value", text);
    *value++ = '\0';
    while (i < ARRAY_SIZE(known) && strcmp(known[i].key, text) != 0)
        i++;
    if (i == ARRAY_SIZE(known))
        return err_set(err, E_INVALID, "option %s is not one that a catalog may give", text);
    if (known[i].kind != PLAIN)
        return set_list(o, text, known[i].kind == SERVERS, value, err);
    if (!is_harmless(value))
        return err_set(err, E_INVALID, "option %s: expected a plain value", text);
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", value);
    return options_set(o, text, quoted, err);
}

static bool in_section(const struct conf_option *o, const char *section, size_t size) {
    return strncmp(o->key, section, size) == 0 && o->key[size] == '.';
}

static void add_section(struct piece *p, const struct options *o, const char *section, size_t size) {
    bool first = true;
    add(p, ", %.*s: {", (int)size, section);
    for (unsigned i = 0; i < o->count; i++) {
        if (!in_section(&o->at[i], section, size))
            continue;
        add(p, "%s%s: %s", first ? "" : ", ", o->at[i].key + size + 1, o->at[i].value);
        first = false;
    }
    add(p, "}");
}

const char *options_text(struct options *o, const char *name) {
    char *text = arena_alloc(&o->arena, LIMIT_CONF_OPTIONS);
    if (text == NULL)
        return NULL;
    struct piece p = {.to = text, .cap = LIMIT_CONF_OPTIONS};
    add(&p, "{name: \"%s\"", name);
    for (unsigned i = 0; i < o->count; i++) {
        const char *key = o->at[i].key, *dot = strchr(key, '.');
        size_t size = dot != NULL ? (size_t)(dot - key) : 0;
        bool first = true;
        if (dot == NULL) {
            add(&p, ", %s: %s", key, o->at[i].value);
            continue;
        }
        for (unsigned j = 0; j < i; j++)
            first &= !in_section(&o->at[j], key, size);
        if (first)
            add_section(&p, o, key, size);
    }
    add(&p, "}");
    return p.size < p.cap ? text : NULL;
}

/* The member's groups in the order of the configuration; "" for one that is in none of them. */
static const struct conf_catalog_group *group_of(const struct conf_catalog *c, const struct catalog_entry *e) {
    const struct conf_catalog_group *others = NULL;
    for (size_t i = 0; i < c->group_count; i++) {
        if (c->groups[i].name[0] == '\0')
            others = &c->groups[i];
        for (unsigned j = 0; j < e->groups; j++)
            if (strcmp(c->groups[i].name, e->group[j]) == 0)
                return &c->groups[i];
    }
    return others;
}

int options_of_member(struct options *o, const struct conf_catalog *c, const struct catalog_list *l,
                      const struct catalog_entry *e, struct err *err) {
    const struct conf_catalog_group *g = group_of(c, e);
    int rc = options_set_rules(o, "primaries", &c->primaries, err);
    for (unsigned i = 0; i < l->options.count && rc == 0; i++)
        rc = options_say(o, l->options.at[i], err);
    for (unsigned i = 0; i < e->options.count && rc == 0; i++)
        rc = options_say(o, e->options.at[i], err);
    /* What this node's owner wrote down himself counts more than what the catalog says. */
    for (size_t i = 0; g != NULL && i < g->options.count && rc == 0; i++)
        rc = options_set(o, g->options.at[i].key, g->options.at[i].value, err);
    return rc;
}

/* --- the other way round */

static int say(struct arena *a, struct catalog_texts *out, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int say(struct arena *a, struct catalog_texts *out, const char *fmt, ...) {
    char text[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof text || out->count >= CATALOG_OPTIONS)
        return 0; /* longer than a string of a TXT: every node then has its own default */
    const char *copy = arena_text(a, text, (size_t)n);
    if (copy == NULL)
        return E_NOMEM;
    out->at[out->count++] = copy;
    return 0;
}

static int say_allow(struct arena *a, const struct conf_list_prefix *allow, struct catalog_texts *out) {
    char text[256] = "allow=", one[PREFIX_TEXT_MAX];
    struct piece p = {.to = text, .cap = sizeof text, .size = strlen(text)};
    for (size_t i = 0; i < allow->count; i++)
        add(&p, "%s%s", i > 0 ? "," : "", prefix_text(&allow->at[i], one));
    return p.size < p.cap && allow->count > 0 ? say(a, out, "%s", text) : 0;
}

static bool same_allow(const struct conf_list_prefix *a, const struct conf_list_prefix *b) {
    char x[ADDR_TEXT_MAX + 8], y[ADDR_TEXT_MAX + 8];
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (strcmp(prefix_text(&a->at[i], x), prefix_text(&b->at[i], y)) != 0)
            return false;
    return a->count == b->count;
}

static int say_limits(struct arena *a, const struct conf_zone *z, const struct conf_zone *p,
                      struct catalog_texts *out) {
    int rc = 0;
    if (z->limits.shrink != p->limits.shrink)
        rc = say(a, out, "limits.shrink=%g%%", z->limits.shrink * 100);
    if (rc == 0 && z->limits.grow != p->limits.grow)
        rc = say(a, out, "limits.grow=%g%%", z->limits.grow * 100);
    if (rc == 0 && z->limits.entries != p->limits.entries)
        rc = say(a, out, "limits.entries=%llu", (unsigned long long)z->limits.entries);
    if (rc == 0 && z->limits.space != p->limits.space)
        rc = say(a, out, "limits.space=%g%%", z->limits.space * 100);
    if (rc == 0 && z->limits.tlds != p->limits.tlds)
        rc = say(a, out, "limits.tlds=%llu", (unsigned long long)z->limits.tlds);
    if (rc == 0 && z->limits.loopback != p->limits.loopback)
        rc = say(a, out, "limits.values=%s", z->limits.loopback ? "loopback" : "any");
    return rc;
}

int options_to_say(struct arena *a, const struct conf_zone *z, const struct conf_zone *p, struct catalog_texts *out) {
    static const char *const tests[] = {[TEST_NONE] = "none",
                                        [TEST_RFC5782_IP4] = "rfc5782-ip4",
                                        [TEST_RFC5782_IP6] = "rfc5782-ip6",
                                        [TEST_RFC5782_DOMAIN] = "rfc5782-domain"};
    int rc = 0;
    if (z->ttl_s != p->ttl_s)
        rc = say(a, out, "ttl=%us", z->ttl_s);
    if (rc == 0 && z->min_ttl_s != p->min_ttl_s)
        rc = say(a, out, "min-ttl=%us", z->min_ttl_s);
    if (rc == 0 && z->max_ttl_s != p->max_ttl_s)
        rc = say(a, out, "max-ttl=%us", z->max_ttl_s);
    if (rc == 0 && z->test != TEST_UNSET)
        rc = say(a, out, "test=%s", tests[z->test]);
    if (rc == 0 && z->on_expire != p->on_expire)
        rc = say(a, out, "on-expire=%s", z->on_expire == EXPIRE_SERVE_STALE ? "serve-stale" : "servfail");
    if (rc == 0 && z->journal != p->journal)
        rc = say(a, out, "journal=%llu", (unsigned long long)z->journal);
    if (rc == 0)
        rc = say_limits(a, z, p, out);
    if (rc == 0 && !same_allow(&z->allow, &p->allow))
        rc = say_allow(a, &z->allow, out);
    return rc;
}
