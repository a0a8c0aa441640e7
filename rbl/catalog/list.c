#include "rbl/catalog/list.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>
#include <stdlib.h>

#include "resolver/dns/const.h"

enum { DEPTH_MOST = 4 };

/* A label of a name, not closed. */
static struct bytes label_at(const struct name *n, unsigned index) {
    size_t at = name_label_at(n, index);
    return (struct bytes){n->wire + at + 1, n->wire[at]};
}

static bool label_is(const struct name *n, unsigned index, const char *text) {
    struct bytes l = label_at(n, index);
    return l.size == strlen(text) && memcmp(l.at, text, l.size) == 0;
}

static bool is_plain(struct bytes l) {
    for (size_t i = 0; i < l.size; i++) {
        uint8_t c = l.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return l.size > 0 && l.size < MEMBERS_LABEL_MAX;
}

/* Any octets may stand in a label (RFC 2181 section 11); it goes into a file and a log. */
static void label_text(char to[MEMBERS_LABEL_MAX], struct bytes l) {
    if (is_plain(l)) {
        memcpy(to, l.at, l.size);
        to[l.size] = '\0';
        return;
    }
    XXH128_hash_t h = XXH3_128bits(l.at, l.size);
    (void)snprintf(to, MEMBERS_LABEL_MAX, "hash-%016llx%016llx", (unsigned long long)h.high64,
                   (unsigned long long)h.low64);
}

int catalog_list_open(struct catalog_list *l, const char *name, struct err *err) {
    *l = (struct catalog_list){.arena.limit = 64 << 20};
    int rc = name_from_text(&l->apex, name, err);
    if (rc < 0)
        return rc;
    name_lower(&l->apex);
    l->at = calloc(LIMIT_ZONES, sizeof *l->at);
    return l->at != NULL ? 0 : err_set(err, E_NOMEM, "no memory for a catalog");
}

void catalog_list_close(struct catalog_list *l) {
    arena_free(&l->arena);
    free(l->at);
    *l = (struct catalog_list){.count = 0};
}

/* RRs of one member mostly come together. */
static struct catalog_entry *entry_of(struct catalog_list *l, struct bytes label, struct err *err) {
    char text[MEMBERS_LABEL_MAX];
    if (l->at == NULL) {
        (void)err_set(err, E_INVALID, "this list is closed");
        return NULL;
    }
    label_text(text, label);
    if (l->newest < l->count && strcmp(l->at[l->newest].label, text) == 0)
        return &l->at[l->newest];
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->at[i].label, text) == 0) {
            l->newest = i;
            return &l->at[i];
        }
    if (l->count >= LIMIT_ZONES) {
        (void)err_set(err, E_FULL, "more than %d members", LIMIT_ZONES);
        return NULL;
    }
    l->newest = l->count++;
    text_copy(l->at[l->newest].label, MEMBERS_LABEL_MAX, text);
    return &l->at[l->newest];
}

static const char *keep_text(struct catalog_list *l, const char *text, size_t size, struct err *err) {
    const char *copy = arena_text(&l->arena, text, size);
    if (copy == NULL)
        (void)err_set(err, E_NOMEM, "no memory for a catalog");
    return copy;
}

/* The one PTR that may stand there (sections 4.1 and 4.3.1). */
static int take_ptr(struct catalog_list *l, const struct records_rr *rr, const char **to, struct err *err) {
    char owner[NAME_TEXT_MAX], text[NAME_TEXT_MAX];
    struct name target;
    size_t next;
    if (name_read(&target, rr->rdata.at, rr->rdata.size, 0, &next) < 0 || next != rr->rdata.size)
        return err_set(err, E_INVALID, "%.300s: a PTR without a name", name_text(&rr->owner, owner));
    if (*to != NULL)
        return err_set(err, E_INVALID, "%.300s: more than one PTR", name_text(&rr->owner, owner));
    name_lower(&target);
    (void)name_text(&target, text);
    *to = keep_text(l, text, strlen(text), err);
    return *to != NULL ? 0 : E_NOMEM;
}

/* The strings of a TXT, each a text of its own; what is no printable ASCII is passed over. */
static int take_texts(struct catalog_list *l, struct bytes rdata, const char **to, unsigned *count, unsigned cap,
                      struct err *err) {
    for (size_t at = 0; at < rdata.size && at + 1 + rdata.at[at] <= rdata.size; at += (size_t)rdata.at[at] + 1) {
        const char *text = (const char *)rdata.at + at + 1;
        size_t size = rdata.at[at];
        bool fine = size > 0;
        for (size_t i = 0; i < size; i++)
            fine &= text[i] >= ' ' && text[i] <= '~';
        if (!fine)
            continue;
        if (*count >= cap)
            return E_FULL;
        to[*count] = keep_text(l, text, size, err);
        if (to[*count] == NULL)
            return E_NOMEM;
        ++*count;
    }
    return 0;
}

static int take_options(struct catalog_list *l, const struct records_rr *rr, struct catalog_texts *to,
                        struct err *err) {
    char owner[NAME_TEXT_MAX];
    int rc = take_texts(l, rr->rdata, to->at, &to->count, CATALOG_OPTIONS, err);
    return rc != E_FULL
               ? rc
               : err_set(err, E_FULL, "%.300s: more than %d options", name_text(&rr->owner, owner), CATALOG_OPTIONS);
}

static int take_version(struct catalog_list *l, const struct records_rr *rr, struct err *err) {
    bool two = rr->rdata.size == 2 && rr->rdata.at[0] == 1 && rr->rdata.at[1] == '2';
    l->versions++;
    if (l->versions > 1)
        return err_set(err, E_INVALID, "more than one version");
    return two ? 0 : err_set(err, E_INVALID, "version is not \"2\": not a catalog of RFC 9432");
}

/* <label>.zones, group.<label>.zones, coo.<label>.zones, candor.ext.<label>.zones */
static int take_member(struct catalog_list *l, const struct records_rr *rr, unsigned depth, struct err *err) {
    const struct name *n = &rr->owner;
    bool txt = rr->type == TYPE_TXT, ptr = rr->type == TYPE_PTR;
    bool member = depth == 2 && ptr, coo = depth == 3 && ptr && label_is(n, 0, "coo");
    bool group = depth == 3 && txt && label_is(n, 0, "group");
    bool options = depth == 4 && txt && label_is(n, 0, "candor") && label_is(n, 1, "ext");
    if (!member && !coo && !group && !options)
        return 0; /* properties that we do not know (sections 4.5 and 5.1) */
    struct catalog_entry *e = entry_of(l, label_at(n, depth - 2), err);
    if (e == NULL)
        return E_FULL;
    if (member)
        return take_ptr(l, rr, &e->name, err);
    if (coo)
        return take_ptr(l, rr, &e->coo, err);
    if (options)
        return take_options(l, rr, &e->options, err);
    int rc = take_texts(l, rr->rdata, e->group, &e->groups, CATALOG_GROUPS, err);
    return rc == E_FULL ? 0 : rc;
}

int catalog_list_add(struct catalog_list *l, const struct records_rr *rr, struct err *err) {
    const struct name *n = &rr->owner;
    if (++l->rrs > CATALOG_RRS)
        return err_set(err, E_FULL, "more than %d records", CATALOG_RRS);
    if (!name_under(n, &l->apex) || n->labels == l->apex.labels)
        return 0;
    unsigned depth = (unsigned)n->labels - l->apex.labels;
    if (depth > DEPTH_MOST)
        return 0;
    if (depth == 1)
        return rr->type == TYPE_TXT && label_is(n, 0, "version") ? take_version(l, rr, err) : 0;
    if (label_is(n, depth - 1, "zones"))
        return take_member(l, rr, depth, err);
    if (rr->type == TYPE_TXT && depth >= 3 && label_is(n, depth - 1, "ext") && label_is(n, depth - 2, "candor") &&
        label_is(n, depth - 3, "config"))
        return catalog_remote_add(&l->remote, &l->arena, rr, depth, err);
    bool options = depth == 2 && rr->type == TYPE_TXT && label_is(n, 0, "candor") && label_is(n, 1, "ext");
    return options ? take_options(l, rr, &l->options, err) : 0;
}

static int by_name(const void *a, const void *b) {
    const struct catalog_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

int catalog_list_end(struct catalog_list *l, struct err *err) {
    size_t count = 0;
    if (l->versions != 1)
        return err_set(err, E_INVALID, "no version: not a catalog");
    for (size_t i = 0; i < l->count; i++)
        if (l->at[i].name != NULL)
            l->at[count++] = l->at[i];
    l->count = count;
    if (count > 0)
        qsort(l->at, count, sizeof *l->at, by_name);
    for (size_t i = 1; i < count; i++)
        if (strcmp(l->at[i - 1].name, l->at[i].name) == 0)
            return err_set(err, E_INVALID, "zone %.300s is listed twice", l->at[i].name);
    return 0;
}

const struct catalog_entry *catalog_list_find(const struct catalog_list *l, const char *name) {
    const struct catalog_entry key = {.name = name};
    return l->count > 0 ? bsearch(&key, l->at, l->count, sizeof *l->at, by_name) : NULL;
}

int catalog_list_read(struct catalog_list *l, const char *name, struct keep *reading, struct err *err) {
    struct records_walk *w = NULL;
    struct records_rr rr;
    int rc = catalog_list_open(l, name, err);
    if (rc == 0)
        rc = records_walk_open(&w, reading, err);
    while (rc == 0) {
        int more = records_walk_next(w, &rr, err);
        rc = more > 0 ? catalog_list_add(l, &rr, err) : more;
        if (more <= 0)
            break;
    }
    records_walk_close(w);
    if (rc == 0)
        rc = catalog_list_end(l, err);
    if (rc < 0)
        catalog_list_close(l);
    return rc;
}
