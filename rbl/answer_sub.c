/* Combined datasets: each part is attached at some subzones, and a name is asked of the parts at the longest subzone
 * that it is in, with that subzone stripped, as rbldnsd does; beside that, datasets that are part of nothing are asked
 * with the whole name. Of several combined datasets each has a longest subzone of its own. The apex is a subzone too:
 * whether an IPv6 address is looked up as the IPv4 address within is decided by what is attached at one place. */
#include <stdlib.h>

#include "rbl/answer_impl.h"

/* Longer names first, so that equal lengths stand together. */
static int compare(const void *a, const void *b) {
    const struct answer_sub *x = a, *y = b;
    if (x->size != y->size)
        return y->size - x->size;
    int c = memcmp(x->wire, y->wire, x->size);
    return c != 0 ? c : x->source - y->source;
}

void answer_subs_free(struct answer_zone *z) {
    free(z->sub);
    z->sub = NULL;
    z->subs = 0;
}

static void merge_equal(struct answer_zone *z) {
    unsigned kept = 0;
    qsort(z->sub, z->subs, sizeof *z->sub, compare);
    for (unsigned i = 0; i < z->subs; i++) {
        if (kept > 0 && compare(&z->sub[kept - 1], &z->sub[i]) == 0)
            z->sub[kept - 1].which |= z->sub[i].which;
        else
            z->sub[kept++] = z->sub[i];
    }
    z->subs = kept;
}

int answer_subs_make(struct answer_zone *z) {
    unsigned count, subs = 0;
    const struct dataset *d = view_datasets(z->view, &count);
    answer_subs_free(z);
    z->whole = VIEW_ALL;
    for (unsigned i = 0; i < count; i++)
        subs += d[i].sub_count;
    if (subs == 0)
        return 0;
    z->sub = calloc(subs, sizeof *z->sub);
    if (z->sub == NULL)
        return E_NOMEM;
    for (unsigned i = 0; i < count; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if (d[i].sub_count > 0)
            z->whole &= ~bit;
        for (unsigned n = 0; n < d[i].sub_count; n++) {
            struct answer_sub *s = &z->sub[z->subs++];
            *s = (struct answer_sub){
                .which = bit, .source = d[i].source & 63, .size = d[i].sub[n].size, .labels = d[i].sub[n].labels};
            memcpy(s->wire, d[i].sub[n].wire, s->size);
        }
    }
    merge_equal(z);
    return 0;
}

/* Whether the name (lower-case, relative, `size` octets with the root) is in the subzone. */
static bool is_in(const struct name *n, const struct answer_sub *s) {
    return s->size <= n->size && memcmp(n->wire + n->size - s->size, s->wire, s->size) == 0 &&
           name_label_at(n, (unsigned)(n->labels - s->labels)) == (size_t)(n->size - s->size);
}

static bool stands_above(const struct answer_zone *z, const struct name *n) {
    for (unsigned i = 0; i < z->subs; i++) {
        const struct answer_sub *s = &z->sub[i];
        if (s->size == n->size && memcmp(s->wire, n->wire, n->size) == 0)
            return true;
        if (s->size <= n->size)
            continue;
        struct name sub = {.size = s->size, .labels = s->labels};
        memcpy(sub.wire, s->wire, s->size);
        if (name_under(&sub, n))
            return true;
    }
    return false;
}

unsigned answer_places(const struct answer_zone *z, const struct name *qname, struct answer_place p[ANSWER_PLACES],
                       bool *within) {
    unsigned labels = (unsigned)(qname->labels - z->apex.labels), size = (unsigned)(qname->size - z->apex.size);
    p[0] = (struct answer_place){z->whole, (uint8_t)labels, (uint8_t)size};
    *within = false;
    if (z->subs == 0)
        return 1;
    struct name relative = {.size = (uint8_t)(size + 1), .labels = (uint8_t)labels};
    memcpy(relative.wire, qname->wire, size);
    relative.wire[size] = 0;
    name_lower(&relative);
    *within = stands_above(z, &relative);
    unsigned places = 1;
    uint64_t taken = 0; /* combined datasets that have their place already */
    for (unsigned i = 0; i < z->subs && places < ANSWER_PLACES; i++) {
        const struct answer_sub *s = &z->sub[i];
        if ((taken >> s->source & 1) != 0 || !is_in(&relative, s))
            continue;
        taken |= UINT64_C(1) << s->source;
        /* What is taken away by hand is so at the zone itself, "@" too. */
        p[places++] = (struct answer_place){s->which | (s->labels == 0 ? VIEW_LOCAL : 0), (uint8_t)(labels - s->labels),
                                            (uint8_t)(size + 1 - s->size)};
    }
    return places;
}
