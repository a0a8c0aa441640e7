/* Writing a catalog of this node's own zones: RRs into a zone of the keep, which is given away like any other. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>
#include <stdlib.h>

#include "rbl/catalog/impl.h"
#include "resolver/base/log.h"
#include "resolver/dns/const.h"

enum { TXT_STRING = 255, PRODUCED_RRS = 64 * LIMIT_ZONES };

/* RRs, one behind the other in an arena; the order is that of the zones' places. */
struct line {
    struct line *next;
    struct records_rr rr;
    uint8_t rdata[];
};
struct produced {
    struct catalog *k;
    struct arena arena;
    struct name apex;
    struct line *first, **last;
    XXH3_state_t hash;
    const struct conf_zone *zone;
    uint32_t ttl;
    int code;
};

/* Stable for a zone of the file, whatever else changes; of one that was added by command, another one each time. */
void catalog_label(char to[MEMBERS_LABEL_MAX], const char *zone, uint64_t made) {
    (void)snprintf(to, MEMBERS_LABEL_MAX, "z%016llx",
                   (unsigned long long)XXH3_64bits_withSeed(zone, strlen(zone), made));
}

static void put(struct produced *p, const struct name *owner, uint16_t type, const uint8_t *rdata, size_t size) {
    struct line *l = p->code == 0 ? arena_alloc(&p->arena, sizeof *l + size) : NULL;
    if (l == NULL) {
        p->code = E_NOMEM;
        return;
    }
    memcpy(l->rdata, rdata, size);
    l->rr = (struct records_rr){.owner = *owner, .type = type, .ttl = p->ttl, .rdata = {l->rdata, size}};
    l->next = NULL;
    *p->last = l;
    p->last = &l->next;
    (void)XXH3_64bits_update(&p->hash, owner->wire, owner->size);
    (void)XXH3_64bits_update(&p->hash, &type, sizeof type);
    (void)XXH3_64bits_update(&p->hash, rdata, size);
}

/* The owner: labels in front of the apex, the last one outermost. */
static bool owner_of(struct produced *p, const char *const *label, size_t count, struct name *owner) {
    *owner = p->apex;
    for (size_t i = count; i > 0; i--)
        if (name_prepend(owner, label[i - 1]) < 0)
            p->code = p->code == 0 ? E_RANGE : p->code;
    return p->code == 0;
}

static void put_text(struct produced *p, const char *const *label, size_t count, const char *text) {
    uint8_t rdata[1 + TXT_STRING];
    struct name owner;
    size_t size = strlen(text);
    if (size > TXT_STRING || !owner_of(p, label, count, &owner))
        return;
    rdata[0] = (uint8_t)size;
    memcpy(rdata + 1, text, size); /* NOLINT(bugprone-not-null-terminated-result): its length is in front */
    put(p, &owner, TYPE_TXT, rdata, size + 1);
}

static void put_apex(struct produced *p) {
    static const char *const version[] = {"version"};
    static const uint8_t invalid[] = "\7invalid";
    const struct conf_soa *soa = &p->zone->soa;
    uint8_t rdata[2 * LIMIT_NAME_WIRE + 20] = {0};
    /* RFC 9432 section 4: nobody resolves these names. The serial is the keep's. */
    size_t at = 2 * sizeof invalid;
    memcpy(rdata, invalid, sizeof invalid);
    memcpy(rdata + sizeof invalid, invalid, sizeof invalid);
    put_u32(rdata + at, 0);
    put_u32(rdata + at + 4, soa->refresh_s);
    put_u32(rdata + at + 8, soa->retry_s);
    put_u32(rdata + at + 12, soa->expire_s);
    put_u32(rdata + at + 16, soa->minimum_s);
    put(p, &p->apex, TYPE_SOA, rdata, at + 20);
    put(p, &p->apex, TYPE_NS, invalid, sizeof invalid);
    put_text(p, version, 1, "2");
}

static void put_member(struct produced *p, const struct conf_zone *z, const char *label, const char *group) {
    const char *const member[] = {label, "zones"}, *const in_group[] = {"group", label, "zones"},
                      *const options[] = {"candor", "ext", label, "zones"};
    struct catalog_texts said = {.count = 0};
    struct name owner, target;
    if (name_from_text(&target, z->name, NULL) < 0 || !owner_of(p, member, 2, &owner))
        return;
    put(p, &owner, TYPE_PTR, target.wire, target.size);
    if (group[0] != '\0')
        put_text(p, in_group, 3, group);
    if (options_to_say(&p->arena, z, &p->k->all->plain->rbl.zones[0], &said) < 0)
        p->code = E_NOMEM;
    for (unsigned i = 0; i < said.count; i++)
        put_text(p, options, 4, said.at[i]);
}

/* Options of nodes, in parts of two strings (remote.h). */
static void put_part(struct produced *p, size_t index, const char *text, size_t size) {
    char number[24];
    const char *const owner[] = {number, "config", "candor", "ext"};
    uint8_t rdata[REMOTE_PART + 2];
    struct name name;
    size_t first = size < REMOTE_STRING ? size : REMOTE_STRING, second = size - first;
    (void)snprintf(number, sizeof number, "%zu", index);
    if (!owner_of(p, owner, 4, &name))
        return;
    rdata[0] = (uint8_t)first;
    memcpy(rdata + 1, text, first);
    rdata[1 + first] = (uint8_t)second;
    memcpy(rdata + 2 + first, text + first, second);
    put(p, &name, TYPE_TXT, rdata, 1 + first + (second > 0 ? 1 + second : 0));
}

static void put_config(struct produced *p) {
    const struct remote_version *v = &p->k->remote;
    static const char *const owner[] = {"config", "candor", "ext"};
    char text[5][96];
    uint8_t rdata[5 * 97];
    struct name name;
    size_t parts = (v->size + REMOTE_PART - 1) / REMOTE_PART, size = 0;
    if (v->number == 0 || v->text == NULL || !owner_of(p, owner, 3, &name))
        return;
    (void)snprintf(text[0], sizeof text[0], "version=%llu", (unsigned long long)v->number);
    (void)snprintf(text[1], sizeof text[1], "sha256=%s", v->digest);
    (void)snprintf(text[2], sizeof text[2], "size=%zu", v->size);
    (void)snprintf(text[3], sizeof text[3], "parts=%zu", parts);
    (void)snprintf(text[4], sizeof text[4], "at=%lld", (long long)v->wall_s);
    for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
        size_t n = strlen(text[i]);
        rdata[size] = (uint8_t)n;
        memcpy(rdata + size + 1, text[i], n); /* NOLINT(bugprone-not-null-terminated-result): its length is in front */
        size += n + 1;
    }
    put(p, &name, TYPE_TXT, rdata, size);
    for (size_t i = 0; i < parts; i++)
        put_part(p, i, v->text + i * REMOTE_PART, i + 1 < parts ? REMOTE_PART : v->size - i * REMOTE_PART);
}

static bool matches(const char *pattern, const char *name) {
    size_t n = strlen(name), m;
    if (strcmp(pattern, "*") == 0 || strcmp(pattern, name) == 0)
        return true;
    m = strlen(pattern);
    return pattern[0] == '*' && m > 1 && n > m - 1 && strcmp(name + n - (m - 1), pattern + 1) == 0;
}

static bool is_wanted(const struct conf_catalog *c, const char *name) {
    for (size_t i = 0; i < c->zones.count; i++)
        if (matches(c->zones.at[i], name))
            return true;
    return false;
}

static void put_members(struct produced *p) {
    const struct catalogs *c = p->k->all;
    const struct conf_rbl *rbl = &c->c.conf->rbl;
    char label[MEMBERS_LABEL_MAX];
    for (size_t i = 0; i < rbl->zone_count && p->code == 0; i++) {
        const struct conf_member *m = conf_members_at(c->members, i);
        const struct conf_zone *z = &rbl->zones[i];
        bool there = conf_zone_is_served(z) && is_wanted(p->k->conf, z->name);
        if (!there || (m != NULL && (!member_is_own(m) || m->left_wall_s != 0)))
            continue;
        if (m == NULL)
            catalog_label(label, z->name, 0);
        put_member(p, z, m != NULL ? m->label : label, m != NULL ? m->catalog + 1 : "");
    }
}

static struct produced *made(struct catalog *k) {
    struct produced *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->k = k;
    p->zone = k->conf->zone;
    p->ttl = p->zone->ttl_s;
    p->last = &p->first;
    (void)XXH3_64bits_reset(&p->hash);
    p->code = name_from_text(&p->apex, p->zone->name, NULL);
    put_apex(p);
    put_config(p);
    put_members(p);
    return p;
}

static void produced_free(struct produced *p) {
    arena_free(&p->arena);
    free(p);
}

/* On the pool, alone with the catalog's keep. */
static int write_catalog(void *ctx, struct keep *keep, struct keep_result *r, struct err *err) {
    const struct produced *p = ctx;
    const struct keep_commit commit = {.source = "catalog", .whole = true};
    struct records_in *in = NULL;
    struct data *d = NULL;
    int rc = records_in_open(&in, p->zone, err);
    for (const struct line *l = p->first; l != NULL && rc == 0; l = l->next)
        rc = records_in_add(in, &l->rr, err);
    if (rc == 0)
        rc = records_in_data(in, &d, err);
    if (rc == 0)
        rc = keep_replace(keep, d, &commit, r, err);
    records_in_close(in);
    return rc;
}

static void written(void *ctx, struct job *j) {
    struct produced *p = ctx;
    struct catalog *k = p->k;
    k->writing = false;
    k->all->working--;
    if (j->code == 0)
        k->serial = j->state.serial;
    else
        k->written = 0; /* again at the next tick */
    if (!k->all->closing)
        catalog_trouble(k, j->code == 0 ? "" : j->err.text);
    if (j->code == 0 && j->result.changed)
        LOG(LEVEL_INFO, "a catalog was written", KS("catalog", k->conf->name), KU("serial", j->state.serial));
    produced_free(p);
}

void catalog_produce(struct catalog *k) {
    struct err err;
    if (k->writing || k->all->closing || (k->written != 0 && k->made_of == k->all->changes))
        return;
    struct produced *p = made(k);
    k->made_of = k->all->changes;
    uint64_t hash = p != NULL ? XXH3_64bits_digest(&p->hash) | 1 : 0;
    if (p == NULL || p->code != 0 || hash == k->written) {
        k->made_of -= p == NULL || p->code != 0; /* again at the next tick */
        if (p != NULL)
            produced_free(p);
        return;
    }
    struct job *j = job_new(JOB_WRITE);
    if (j != NULL) {
        j->write = write_catalog;
        j->change_source = "catalog";
        j->done = written;
        j->ctx = p;
    }
    if (j == NULL || keeper_submit(k->all->c.keeper, k->zone, j, &err) < 0) {
        job_free(j);
        produced_free(p);
        k->written = 0;
        return;
    }
    k->written = hash;
    k->writing = true;
    k->all->working++;
}
