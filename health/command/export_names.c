/* Names of a list as names of DNS: the tree of labels, with what wildcards above say told again where a name is. */
#include <stdlib.h>
#include <string.h>

#include "health/command/export_bind.h"

enum { EXACT = 128, OWNER_MAX = NAME_TEXT_MAX + 4 };

/* A name that is there, by an entry or because one is beneath it: what wildcards say of all beneath it. */
struct level {
    uint8_t size; /* octets of the reversed name */
    struct answer wild;
};

struct walk_names {
    struct bind *b;
    struct level level[LIMIT_LABELS + 2];
    unsigned depth; /* levels in use */
    const uint8_t *reversed;
    char subject[NAME_TEXT_MAX];
};

static int compare(const void *va, const void *vb) {
    const struct bind_name *a = va, *b = vb;
    size_t size = a->size < b->size ? a->size : b->size;
    int c = memcmp(a->reversed, b->reversed, size);
    if (c == 0)
        c = (int)a->size - (int)b->size;
    return c != 0 ? c : (int)a->dataset - (int)b->dataset;
}

void bind_sort_names(struct bind *b) {
    if (b->names > 0)
        qsort(b->name, b->names, sizeof *b->name, compare);
}

/* The first `size` octets of a reversed name as text, with a final dot. */
static const char *text_of(const uint8_t *reversed, size_t size, char text[NAME_TEXT_MAX]) {
    struct name n = {.size = (uint8_t)(size + 1)};
    size_t to = size;
    for (size_t at = 0; at < size; at += reversed[at] + 1u) {
        to -= reversed[at] + 1u;
        memcpy(n.wire + to, reversed + at, reversed[at] + 1u);
        n.labels++;
    }
    return name_text(&n, text);
}

/* '$' is the listed entry: the name itself, or the one under which the wildcard stands. */
static const char *subject(void *ctx, const struct hit *h) {
    struct walk_names *w = ctx;
    size_t size = 0;
    for (unsigned i = 0; i < h->specific && size < w->level[w->depth - 1].size; i++)
        size += w->reversed[size] + 1u;
    (void)text_of(w->reversed, size, w->subject);
    size_t end = strlen(w->subject);
    if (end > 1)
        w->subject[end - 1] = '\0';
    return w->subject;
}

static void put(struct walk_names *w, bool star, const struct answer *final, bool excluded) {
    char owner[OWNER_MAX], name[NAME_TEXT_MAX];
    size_t size = w->level[w->depth - 1].size;
    (void)text_of(w->reversed, size, name);
    if (size > 0)
        name[strlen(name) - 1] = '\0'; /* relative to the origin */
    (void)snprintf(owner, sizeof owner, "%s%s%s", star ? "*" : "", star && size > 0 ? "." : "",
                   size > 0 ? name
                   : star   ? ""
                            : "@");
    if (excluded)
        bind_excluded(w->b, owner);
    else
        bind_rrs(w->b, owner, final, subject, w);
}

/* Entries of the name, of one kind, over what the wildcards above say. */
static void overlay(const struct walk_names *w, struct answer *a, const struct bind_name *at, size_t count, bool wild,
                    unsigned specific) {
    uint64_t done = 0;
    for (size_t i = 0; i < count; i++) {
        const struct bind_name *n = &at[i];
        if (n->wildcard != wild || (w->b->attached >> n->dataset & 1) == 0)
            continue;
        bool local_exclusion = n->dataset == DATASET_LOCAL && n->value == 0;
        if ((done >> n->dataset & 1) == 0 && !local_exclusion) {
            answer_drop(a, n->dataset, n->dataset != DATASET_LOCAL);
            done |= 1ULL << n->dataset;
        }
        answer_add(a, (struct hit){n->value, n->dataset, (uint8_t)specific});
    }
}

/* A name of the tree: `count` entries of it, none when it is only on the way to one. */
static void level_put(struct walk_names *w, size_t size, const struct bind_name *at, size_t count) {
    static const struct answer none;
    const struct answer *above = w->depth > 0 ? &w->level[w->depth - 1].wild : &none;
    struct level *l = &w->level[w->depth];
    struct answer exact = *above, final, before;
    unsigned labels = w->depth;
    l->size = (uint8_t)size;
    l->wild = *above;
    w->depth++;
    overlay(w, &exact, at, count, false, EXACT);
    overlay(w, &l->wild, at, count, true, labels);
    answer_final(above, &before);
    answer_final(&exact, &final);
    if (final.count > 0)
        put(w, false, &final, false);
    else if (before.count > 0)
        put(w, false, &final, true);
    answer_final(&l->wild, &final);
    if (final.count > 0)
        put(w, true, &final, false);
}

void bind_names(struct bind *b) {
    struct walk_names *w = calloc(1, sizeof *w);
    if (w == NULL) {
        b->failed = true;
        return;
    }
    w->b = b;
    for (size_t i = 0, end; i < b->names; i = end) {
        const struct bind_name *n = &b->name[i];
        bool any = false;
        for (end = i;
             end < b->names && b->name[end].size == n->size && memcmp(b->name[end].reversed, n->reversed, n->size) == 0;
             end++)
            any |= (b->attached >> b->name[end].dataset & 1) != 0;
        if (!any)
            continue;
        /* Up to the last level that is above it, then down. */
        while (w->depth > 0 && (w->level[w->depth - 1].size >= n->size ||
                                memcmp(w->reversed, n->reversed, w->level[w->depth - 1].size) != 0))
            w->depth--;
        w->reversed = n->reversed;
        if (w->depth == 0 && n->size > 0)
            level_put(w, 0, NULL, 0);
        while (w->depth > 0 && w->level[w->depth - 1].size + 1u + n->reversed[w->level[w->depth - 1].size] < n->size)
            level_put(w, w->level[w->depth - 1].size + 1u + n->reversed[w->level[w->depth - 1].size], NULL, 0);
        level_put(w, n->size, &b->name[i], end - i);
    }
    free(w);
}
