#include <string.h>

#include "health/command/export.h"
#include "resolver/base/bytes.h"

enum { DEFAULT_TTL_S = 2100, ACL_PREFIX = 5 };

struct rbldnsd {
    struct export *x;
    struct locals local;
    bool combined;
    int dataset;     /* whose section is open; -1: none yet */
    bool four_words; /* an ip6tset: its networks have no length behind them */
    bool acl_apart;  /* entries of an acl as comments: it can not stand beside data */
    enum keep_kind kind;
    struct value held; /* what the default line says; `has` 0: there is none yet */
    bool has, once;    /* once: `last` was written with its entry, and becomes the default when it comes again */
    struct value last;
    char text[VALUE_TEXT_MAX];
};

static bool same_value(const struct value *a, const struct value *b) {
    return a->kind == b->kind && a->act == b->act && memcmp(a->a, b->a, 4) == 0 && a->has_txt == b->has_txt &&
           a->txt_size == b->txt_size && memcmp(a->txt, b->txt, a->txt_size) == 0;
}

static const char *name_of(const struct name *n, char text[NAME_TEXT_MAX]) {
    (void)name_text(n, text);
    size_t size = strlen(text);
    if (size > 1)
        text[size - 1] = '\0'; /* names are absolute there without a final dot, too */
    return text;
}

static void put_head(struct rbldnsd *r) {
    const struct view_apex *p = r->x->apex;
    FILE *to = r->x->to;
    char primary[NAME_TEXT_MAX], contact[NAME_TEXT_MAX];
    fprintf(to, "# zone %s serial %u, for rbldnsd: %s:%s:FILE\n", r->x->zone, r->x->serial, r->x->zone,
            r->combined ? "combined" : export_type(r->x, 0));
    if (p->expires_wall_s > 0) {
        char time[ZONE_TIME_MAX];
        fprintf(to, "# expires %s\n", zone_time(p->expires_wall_s, time));
    }
    if (!r->combined && r->x->datasets > 0 && r->x->dataset[0].type == DATASET_ACL)
        return;
    fprintf(to, "$SOA %u %s %s %u %u %u %u %u\n", p->soa_ttl, name_of(&p->soa.primary, primary),
            name_of(&p->soa.contact, contact), r->x->serial, p->soa.refresh, p->soa.retry, p->soa.expire,
            p->soa.minimum);
    if (p->ns_count > 0)
        fprintf(to, "$NS %u", p->ns_ttl);
    for (unsigned i = 0; i < p->ns_count; i++)
        fprintf(to, " %s", name_of(&p->ns[i], primary));
    fprintf(to, "%s$TTL %u\n", p->ns_count > 0 ? "\n" : "", p->ttl);
}

/* A line that begins with a sign of the format begins with its number instead. */
static void put_entry(FILE *to, const char *entry, bool is_name) {
    if (is_name && strchr("#;:!$", entry[0]) != NULL)
        fprintf(to, "\\%03u%s", (unsigned char)entry[0], entry + 1);
    else
        fputs(entry, to);
}

/* Exclusions by hand stand in front of each section of their kind: there an equal entry behind them does not count, and
 * wider ones are narrowed by them. Among what was added by hand itself an equal entry does count. */
static void put_exclusions(struct rbldnsd *r, enum keep_kind kind, bool among_hand) {
    for (size_t i = 0; i < r->local.count; i++) {
        const struct local *l = &r->local.at[i];
        if (!l->excluded || l->kind != kind || (kind == KEEP_NAME && l->entry[0] == '@'))
            continue;
        if (among_hand && i + 1 < r->local.count && local_same_place(l, l + 1))
            continue;
        fputc('!', r->x->to);
        put_entry(r->x->to, l->entry, kind == KEEP_NAME);
        fputc('\n', r->x->to);
    }
}

/* An ip4set knows no longest prefix, but the classes 32, 24, 16 and 8: an exclusion silences all of its class there. */
static void note_classes(const struct rbldnsd *r) {
    for (size_t i = 0; i < r->local.count; i++)
        if (r->local.at[i].excluded && r->local.at[i].kind == KEEP_4 && r->local.at[i].bits % 8 != 0)
            fprintf(
                r->x->to,
                "# !%s: in a set this silences what is listed inside of it, too, up to the next of /8 /16 /24 /32\n",
                r->local.at[i].entry);
}

/* Sets of single addresses have no exclusions, or few: with such by hand they are written as tries. */
static const char *type_of(const struct rbldnsd *r, unsigned dataset, enum keep_kind kind) {
    enum conf_dataset_type type = r->x->dataset[dataset].type;
    bool hand = false;
    for (size_t i = 0; i < r->local.count && !hand; i++)
        hand = r->local.at[i].excluded && r->local.at[i].kind == kind;
    if (hand && (type == DATASET_IP4TSET || type == DATASET_IP6TSET))
        type = type == DATASET_IP4TSET ? DATASET_IP4TRIE : DATASET_IP6TRIE;
    return conf_dataset_name(type);
}

static void open_section(struct rbldnsd *r, unsigned dataset, enum keep_kind kind) {
    const struct dataset *d = &r->x->dataset[dataset];
    char text[NAME_TEXT_MAX];
    r->dataset = (int)dataset;
    r->kind = kind;
    r->has = r->once = false;
    r->acl_apart = d->type == DATASET_ACL && r->combined;
    r->four_words = strcmp(type_of(r, dataset, kind), "ip6tset") == 0;
    if (r->acl_apart) {
        fprintf(r->x->to, "# an acl can not stand here; as a file of its own: sed -n 's/^#acl //p'\n");
        return;
    }
    if (r->combined) {
        fprintf(r->x->to, "$DATASET %s:%u", type_of(r, dataset, kind), dataset);
        for (unsigned i = 0; i < d->sub_count; i++)
            fprintf(r->x->to, " %s", d->sub[i].labels == 0 ? "@" : name_of(&d->sub[i], text));
        fprintf(r->x->to, "%s\n", d->sub_count == 0 ? " @" : "");
    }
    if (d->ttl != 0 || r->combined)
        fprintf(r->x->to, "$TTL %u\n", d->ttl != 0 ? d->ttl : r->x->apex->ttl);
    if (d->type == DATASET_IP4SET)
        note_classes(r);
    if (d->type != DATASET_GENERIC && d->type != DATASET_ACL)
        put_exclusions(r, kind, false);
}

/* Values stand with their entries until one comes twice in a row: then as a default line for those that follow. */
static void put_listed(struct rbldnsd *r, const struct keep_entry *e, const char *entry) {
    FILE *to = r->x->to;
    bool as_default = r->has && same_value(&r->held, &e->value);
    if (!as_default && (r->dataset >= 0 && (r->x->dataset[r->dataset].type == DATASET_IP4TSET ||
                                            r->x->dataset[r->dataset].type == DATASET_IP6TSET))) {
        r->once = true; /* these have one value for all, on a line of its own */
        r->last = e->value;
    }
    if (!as_default && r->once && same_value(&r->last, &e->value)) {
        r->held = e->value;
        r->has = as_default = true;
        fprintf(to, "%s\n", value_text(&e->value, r->text));
    }
    if (e->kind == KEEP_NAME)
        put_entry(to, entry, true);
    else
        fputs(entry, to);
    if (!as_default) {
        fputc(' ', to);
        fputs(value_text(&e->value, r->text), to);
        r->last = e->value;
        r->once = true;
    }
    fputc('\n', to);
}

static int line(void *ctx, const struct keep_entry *e) {
    struct rbldnsd *r = ctx;
    char entry[ZONE_ENTRY_MAX];
    if (e->dataset == DATASET_LOCAL || e->dataset >= r->x->datasets)
        return 0; /* written behind the others */
    if (r->dataset != (int)e->dataset || (r->kind != e->kind && r->x->dataset[e->dataset].type != DATASET_ACL))
        open_section(r, e->dataset, e->kind);
    bool acl = r->x->dataset[e->dataset].type == DATASET_ACL;
    if (!acl && locals_exclude(&r->local, e))
        return 0;
    (void)zone_entry_text(e, entry);
    if (r->four_words && e->bits == 64)
        (void)snprintf(entry, sizeof entry, "%x:%x:%x:%x", get_u16(e->addr), get_u16(e->addr + 2), get_u16(e->addr + 4),
                       get_u16(e->addr + 6));
    if (r->acl_apart)
        fputs("#acl ", r->x->to);
    if (e->excluded)
        fprintf(r->x->to, "!%s\n", entry);
    else if (e->value.kind == VALUE_LISTED)
        put_listed(r, e, entry);
    else
        fprintf(r->x->to, "%s %s\n", entry, value_text(&e->value, r->text));
    return ferror(r->x->to) ? E_IO : 0;
}

/* --- what was added by hand: one section for each kind, and more of them where a place has several values, as a trie
 * has one a place --- */

static bool wanted(const struct local *l, enum keep_kind kind, bool rr) {
    return l->kind == kind && !l->excluded && l->rr == rr;
}

static size_t most_values(const struct locals *l, enum keep_kind kind, bool rr) {
    size_t most = 0, here = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (!wanted(&l->at[i], kind, rr))
            continue;
        bool again = i > 0 && local_same_place(&l->at[i - 1], &l->at[i]) && wanted(&l->at[i - 1], kind, rr);
        here = again ? here + 1 : 1;
        most = here > most ? here : most;
    }
    return most;
}

/* The value of number `turn` at each place; a place with fewer is excluded, for a wider one with more may hold it. */
static void put_turn(struct rbldnsd *r, enum keep_kind kind, size_t turn) {
    const struct locals *l = &r->local;
    for (size_t i = 0, end; i < l->count; i = end) {
        for (end = i + 1; end < l->count && local_same_place(&l->at[i], &l->at[end]); end++)
            ;
        i += l->at[i].excluded && i + 1 < end;
        if (!wanted(&l->at[i], kind, false))
            continue;
        if (i + turn < end)
            fprintf(r->x->to, "%s %s\n", l->at[i].entry, l->at[i + turn].value);
        else
            fprintf(r->x->to, "!%s\n", l->at[i].entry);
    }
}

static void put_names(struct rbldnsd *r, bool rr) {
    for (size_t i = 0; i < r->local.count; i++) {
        const struct local *l = &r->local.at[i];
        if (!wanted(l, KEEP_NAME, rr))
            continue;
        put_entry(r->x->to, l->entry, true);
        fprintf(r->x->to, " %s\n", l->value);
    }
}

static void put_local(struct rbldnsd *r) {
    static const struct {
        const char *type;
        enum keep_kind kind;
        bool rr;
    } parts[] = {{"ip4trie", KEEP_4, false},
                 {"ip6trie", KEEP_6, false},
                 {"dnset", KEEP_NAME, false},
                 {"generic", KEEP_NAME, true}};
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        bool names = parts[p].kind == KEEP_NAME;
        size_t turns = most_values(&r->local, parts[p].kind, parts[p].rr);
        for (size_t turn = 0; turn < (names && turns > 0 ? 1 : turns); turn++) {
            fprintf(r->x->to, "$DATASET %s:hand%zu @\n$TTL %u\n", parts[p].type, turn, r->x->apex->ttl);
            if (!parts[p].rr)
                put_exclusions(r, parts[p].kind, true);
            if (names)
                put_names(r, parts[p].rr);
            else
                put_turn(r, parts[p].kind, turn);
        }
    }
}

int export_rbldnsd(struct export *x, struct err *err) {
    struct rbldnsd r = {.x = x, .dataset = -1};
    int rc = locals_read(&r.local, x, err);
    r.combined = x->datasets != 1 || x->dataset[0].sub_count > 0 || r.local.count > 0;
    if (rc == 0) {
        put_head(&r);
        rc = keep_walk(x->keep, line, &r, err);
    }
    if (rc == 0)
        put_local(&r);
    locals_free(&r.local);
    return rc;
}
