#include "health/command/export_bind.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1 << 16, FIRST = 4096 };

void answer_drop(struct answer *a, unsigned dataset, bool exclusions_too) {
    unsigned kept = 0;
    for (unsigned i = 0; i < a->count; i++)
        if (a->hit[i].dataset != dataset || (a->hit[i].value == 0 && !exclusions_too))
            a->hit[kept++] = a->hit[i];
    a->count = kept;
}

void answer_add(struct answer *a, struct hit h) {
    if (a->count < HITS)
        a->hit[a->count++] = h;
}

void answer_final(const struct answer *a, struct answer *to) {
    int silenced = -1;
    uint64_t excluded = 0;
    to->count = 0;
    for (unsigned i = 0; i < a->count; i++) {
        const struct hit *h = &a->hit[i];
        if (h->value == 0 && h->dataset == DATASET_LOCAL)
            silenced = h->specific > silenced ? h->specific : silenced;
        else if (h->value == 0)
            excluded |= 1ULL << h->dataset;
    }
    for (unsigned i = 0; i < a->count; i++) {
        const struct hit *h = &a->hit[i];
        /* What was added by hand stands beside an exclusion by hand of the same place: that is for the files. */
        int least = h->dataset == DATASET_LOCAL ? silenced : silenced + 1;
        if (h->value != 0 && h->specific >= least && (excluded >> h->dataset & 1) == 0)
            answer_add(to, *h);
    }
}

static void put_string(FILE *to, const char *text, size_t size) {
    fputc('"', to);
    for (size_t i = 0; i < size; i++) {
        size_t run = i;
        while (run < size && text[run] >= ' ' && text[run] <= '~' && text[run] != '"' && text[run] != '\\')
            run++;
        fwrite(text + i, 1, run - i, to);
        if (run < size && (text[run] == '"' || text[run] == '\\'))
            fprintf(to, "\\%c", text[run]);
        else if (run < size)
            fprintf(to, "\\%03u", (unsigned char)text[run]);
        i = run;
    }
    fputc('"', to);
}

/* The template with what was asked in the place of '$'; rbldnsd cuts at 255 octets, too. */
static size_t substitute(char to[LIMIT_TXT], const struct value *v, const char *subject) {
    size_t size = 0;
    for (size_t i = 0; i < v->txt_size && size < LIMIT_TXT; i++) {
        if (v->txt[i] != '$') {
            to[size++] = v->txt[i] != '\0' ? v->txt[i] : '$';
            continue;
        }
        for (const char *c = subject; *c != '\0' && size < LIMIT_TXT; c++)
            to[size++] = *c;
    }
    return size;
}

static const struct value *value_of(const struct bind *b, const struct hit *h) { return b->value[h->value - 1].v; }

static uint32_t ttl_of(const struct bind *b, const struct hit *h) {
    uint32_t ttl = h->dataset < b->x->datasets ? b->x->dataset[h->dataset].ttl : 0;
    return ttl != 0 ? ttl : b->x->apex->ttl;
}

/* RRs of one set have one TTL: that of all A, or of all TXT. */
static uint32_t lowest_ttl(const struct bind *b, const struct answer *a, bool txt) {
    uint32_t ttl = UINT32_MAX;
    for (unsigned i = 0; i < a->count; i++) {
        const struct value *v = value_of(b, &a->hit[i]);
        if (v->kind == VALUE_LISTED && (!txt || v->has_txt) && ttl_of(b, &a->hit[i]) < ttl)
            ttl = ttl_of(b, &a->hit[i]);
    }
    return ttl;
}

static void listed(struct bind *b, const char *owner, const struct answer *a, unsigned i, const char *txt,
                   size_t size) {
    const struct value *v = value_of(b, &a->hit[i]);
    bool again = false;
    for (unsigned k = 0; k < i && !again; k++)
        again = value_of(b, &a->hit[k])->kind == VALUE_LISTED && memcmp(value_of(b, &a->hit[k])->a, v->a, 4) == 0;
    if (!again)
        fprintf(b->x->to, "%s %u A %u.%u.%u.%u\n", owner, lowest_ttl(b, a, false), v->a[0], v->a[1], v->a[2], v->a[3]);
    if (!v->has_txt)
        return;
    fprintf(b->x->to, "%s %u TXT ", owner, lowest_ttl(b, a, true));
    put_string(b->x->to, txt, size);
    fputc('\n', b->x->to);
}

void bind_rrs(struct bind *b, const char *owner, const struct answer *final, bind_subject subject, void *ctx) {
    for (unsigned i = 0; i < final->count; i++) {
        const struct value *v = value_of(b, &final->hit[i]);
        char txt[LIMIT_TXT], text[VALUE_TEXT_MAX];
        if (v->kind == VALUE_LISTED) {
            bool asked = v->has_txt && memchr(v->txt, '$', v->txt_size) != NULL;
            size_t size = v->has_txt ? substitute(txt, v, asked ? subject(ctx, &final->hit[i]) : "") : 0;
            listed(b, owner, final, i, txt, size);
        } else if (v->kind == VALUE_RR && v->ttl != 0) {
            fprintf(b->x->to, "%s %s\n", owner, value_text(v, text));
        } else if (v->kind == VALUE_RR) {
            fprintf(b->x->to, "%s %u %s\n", owner, ttl_of(b, &final->hit[i]), value_text(v, text));
        }
    }
}

void bind_excluded(struct bind *b, const char *owner) {
    fprintf(b->x->to, "%s %u HINFO \"excluded\" \"\"\n", owner, b->x->apex->ttl);
}

/* --- reading --- */

static uint32_t hash_of(const struct value *v) {
    uint32_t h = 2166136261u ^ (uint32_t)(v->kind << 24 | v->type << 8 | v->has_txt) ^ v->ttl;
    for (unsigned i = 0; i < 4; i++)
        h = (h ^ v->a[i]) * 16777619u;
    for (unsigned i = 0; i < v->txt_size; i++)
        h = (h ^ (unsigned char)v->txt[i]) * 16777619u;
    return h;
}

static bool equal(const struct value *a, const struct value *b) {
    return a->kind == b->kind && a->type == b->type && a->ttl == b->ttl && a->has_txt == b->has_txt &&
           memcmp(a->a, b->a, 4) == 0 && a->txt_size == b->txt_size && memcmp(a->txt, b->txt, a->txt_size) == 0;
}

/* Index + 1 of the value, 0: no memory. */
static uint32_t intern(struct bind *b, const struct value *v) {
    if (b->last_value != 0 && equal(b->value[b->last_value - 1].v, v))
        return b->last_value;
    uint32_t hash = hash_of(v), *bucket = &b->bucket[hash % BUCKETS];
    for (uint32_t i = *bucket; i != 0; i = b->value[i - 1].next)
        if (b->value[i - 1].hash == hash && equal(b->value[i - 1].v, v))
            return b->last_value = i;
    if (b->values == b->value_cap) {
        size_t cap = b->value_cap > 0 ? 2 * b->value_cap : FIRST;
        struct bind_value *more = realloc(b->value, cap * sizeof *more);
        if (more == NULL)
            return 0;
        b->value = more;
        b->value_cap = cap;
    }
    size_t size = offsetof(struct value, txt) + v->txt_size + 1u;
    struct value *copy = arena_alloc(&b->arena, size);
    if (copy == NULL)
        return 0;
    memcpy(copy, v, size - 1);
    b->value[b->values] = (struct bind_value){hash, *bucket, copy};
    *bucket = (uint32_t)++b->values;
    return b->last_value = *bucket;
}

static int add_address(struct bind *b, const struct keep_entry *e, uint32_t value) {
    unsigned f = e->kind == KEEP_6;
    if (b->items[f] == b->item_cap[f]) {
        size_t cap = b->item_cap[f] > 0 ? b->item_cap[f] + b->item_cap[f] / 2 : FIRST;
        struct bind_item *more = realloc(b->item[f], cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        b->item[f] = more;
        b->item_cap[f] = cap;
    }
    struct bind_item *i = &b->item[f][b->items[f]++];
    *i = (struct bind_item){.value = value, .bits = e->bits, .dataset = (uint8_t)e->dataset};
    memcpy(i->key, e->addr, sizeof i->key);
    return 0;
}

static int add_name(struct bind *b, const struct keep_entry *e, uint32_t value) {
    uint8_t *reversed = arena_alloc(&b->arena, e->name.size);
    size_t size = e->name.size - 1u, at = size;
    if (b->names == b->name_cap) {
        size_t cap = b->name_cap > 0 ? 2 * b->name_cap : FIRST;
        struct bind_name *more = realloc(b->name, cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        b->name = more;
        b->name_cap = cap;
    }
    if (reversed == NULL)
        return E_NOMEM;
    for (size_t from = 0; from < size; from += e->name.wire[from] + 1u) {
        at -= e->name.wire[from] + 1u;
        memcpy(reversed + at, e->name.wire + from, e->name.wire[from] + 1u);
    }
    b->name[b->names++] = (struct bind_name){.reversed = reversed,
                                             .value = value,
                                             .size = (uint8_t)size,
                                             .labels = e->name.labels,
                                             .dataset = (uint8_t)e->dataset,
                                             .wildcard = e->bits != 0};
    return 0;
}

static int each(void *ctx, const struct keep_entry *e) {
    struct bind *b = ctx;
    uint32_t value = 0;
    if (!e->excluded && e->value.kind == VALUE_ACL)
        return 0;
    if (e->dataset < b->x->datasets && b->x->dataset[e->dataset].type == DATASET_ACL)
        return 0;
    if (!e->excluded && (value = intern(b, &e->value)) == 0)
        return err_set(b->err, E_NOMEM, "no memory for the values");
    int rc = e->kind == KEEP_NAME ? add_name(b, e, value) : add_address(b, e, value);
    return rc < 0 ? err_set(b->err, rc, "no memory for the entries") : 0;
}

/* --- writing --- */

static void put_top(struct bind *b) {
    const struct view_apex *p = b->x->apex;
    FILE *to = b->x->to;
    char primary[NAME_TEXT_MAX], contact[NAME_TEXT_MAX];
    fprintf(to, "; zone %s serial %u\n$ORIGIN %s\n$TTL %u\n", b->x->zone, b->x->serial, b->x->zone, p->ttl);
    fprintf(to, "@ %u SOA %s %s %u %u %u %u %u\n", p->soa_ttl, name_text(&p->soa.primary, primary),
            name_text(&p->soa.contact, contact), b->x->serial, p->soa.refresh, p->soa.retry, p->soa.expire,
            p->soa.minimum);
    for (unsigned i = 0; i < p->ns_count; i++)
        fprintf(to, "@ %u NS %s\n", p->ns_ttl, name_text(&p->ns[i], primary));
    if (p->ns_count == 0)
        fprintf(to, "; the zone names no server, and a master file must\n@ NS localhost.\n");
}

static void put_subzone(struct bind *b, const struct name *sub) {
    char text[NAME_TEXT_MAX];
    b->attached = 0;
    for (unsigned i = 0; i < b->x->datasets; i++)
        b->attached |= (uint64_t)export_attached(b->x, i, sub) << i;
    b->attached |= (uint64_t)export_attached(b->x, DATASET_LOCAL, sub) << DATASET_LOCAL;
    if (sub->labels > 0)
        fprintf(b->x->to, "$ORIGIN %s%s\n", name_text(sub, text), b->x->zone);
    bind_addresses(b, 0);
    bind_addresses(b, 1);
    bind_names(b);
}

static void put_subzones(struct bind *b) {
    struct name apex = {.size = 1};
    put_subzone(b, &apex);
    for (unsigned i = 0; i < b->x->datasets; i++)
        for (unsigned s = 0; s < b->x->dataset[i].sub_count; s++) {
            const struct name *sub = &b->x->dataset[i].sub[s];
            bool before = sub->labels == 0;
            for (unsigned k = 0; k < i && !before; k++)
                before = b->x->dataset[k].sub_count > 0 && export_attached(b->x, k, sub);
            if (!before)
                put_subzone(b, sub);
        }
}

int export_bind(struct export *x, struct err *err) {
    struct bind b = {.x = x, .err = err, .bucket = calloc(BUCKETS, sizeof(uint32_t))};
    int rc = b.bucket != NULL ? keep_walk(x->keep, each, &b, err) : err_set(err, E_NOMEM, "no memory");
    if (rc == 0) {
        bind_sort_addresses(&b, 0);
        bind_sort_addresses(&b, 1);
        bind_sort_names(&b);
        put_top(&b);
        put_subzones(&b);
        if (b.failed)
            rc = err_set(err, E_NOMEM, "no memory");
    }
    free(b.item[0]);
    free(b.item[1]);
    free(b.name);
    free(b.value);
    free(b.bucket);
    arena_free(&b.arena);
    return rc;
}
