#include "tests/unit/rbl/records/set.h"

#include "rbl/keep/walk.h"

void set_free(struct set *s) {
    free(s->at);
    *s = (struct set){.count = 0};
}

static void from_rr(struct set_rr *to, const struct records_rr *rr) {
    memset(to, 0, sizeof *to);
    assert_true(rr->rdata.size <= sizeof to->rdata);
    to->owner.size = rr->owner.size;
    to->owner.labels = rr->owner.labels;
    memcpy(to->owner.wire, rr->owner.wire, rr->owner.size);
    to->type = rr->type;
    to->ttl = rr->ttl;
    to->size = (uint16_t)rr->rdata.size;
    memcpy(to->rdata, rr->rdata.at, rr->rdata.size);
}

void set_add(struct set *s, const struct records_rr *rr) {
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 64 : 2 * s->cap;
        s->at = realloc(s->at, s->cap * sizeof *s->at);
        assert_non_null(s->at);
    }
    from_rr(&s->at[s->count++], rr);
}

/* As names stand in RFC 4034, so that what is beneath a name stands behind it. */
int set_compare_rr(const struct set_rr *a, const struct set_rr *b) {
    int c = name_compare(&a->owner, &b->owner);
    if (c != 0)
        return c;
    if (a->type != b->type)
        return a->type - b->type;
    if (a->size != b->size)
        return a->size - b->size;
    c = memcmp(a->rdata, b->rdata, a->size);
    return c != 0 ? c : (a->ttl > b->ttl) - (a->ttl < b->ttl);
}

static int compare(const void *a, const void *b) { return set_compare_rr(a, b); }

void set_sort(struct set *s) {
    if (s->count > 1)
        qsort(s->at, s->count, sizeof *s->at, compare);
}

bool set_drop(struct set *s, const struct records_rr *rr) {
    struct set_rr one;
    from_rr(&one, rr);
    for (size_t i = 0; i < s->count; i++)
        if (set_compare_rr(&s->at[i], &one) == 0) {
            s->at[i] = s->at[--s->count];
            return true;
        }
    return false;
}

struct records_rr set_get(const struct set *s, size_t i) {
    const struct set_rr *rr = &s->at[i];
    return (struct records_rr){rr->owner, rr->type, rr->ttl, {rr->rdata, rr->size}};
}

const char *set_text(const struct set_rr *rr) {
    static char text[NAME_TEXT_MAX + 4 * VALUE_BYTES];
    char owner[NAME_TEXT_MAX];
    int at = snprintf(text, sizeof text, "%s %u TYPE%u ", name_text(&rr->owner, owner), rr->ttl, rr->type);
    for (unsigned i = 0; i < rr->size; i++) {
        bool plain = rr->rdata[i] > ' ' && rr->rdata[i] < 127 && rr->type == TYPE_TXT;
        at += snprintf(text + at, sizeof text - (size_t)at, plain ? "%c" : "%02x.", rr->rdata[i]);
    }
    return text;
}

static void show(const struct set *s, const struct name *near) {
    size_t shown = 0;
    for (size_t i = 0; i < s->count && shown < 40; i++)
        if (near == NULL || name_under(&s->at[i].owner, near)) {
            print_message("    %s\n", set_text(&s->at[i]));
            shown++;
        }
}

void set_same(const struct set *a, const struct set *b, const char *where) {
    size_t i = 0, k = 0;
    while (i < a->count || k < b->count) {
        int c = i == a->count ? 1 : k == b->count ? -1 : set_compare_rr(&a->at[i], &b->at[k]);
        if (c != 0) {
            const struct set_rr *rr = c < 0 ? &a->at[i] : &b->at[k];
            struct name parent;
            name_strip(&parent, &rr->owner, rr->owner.labels > 3 ? 2 : 0);
            print_message("first:\n");
            show(a, &parent);
            print_message("second:\n");
            show(b, &parent);
            fail_msg("%s: only in the %s: %s", where, c < 0 ? "first" : "second", set_text(rr));
        }
        i++;
        k++;
    }
}

void set_walk(struct set *s, const char *state, const struct conf_zone *z) {
    struct keep *k = NULL;
    struct records_walk *w = NULL;
    struct records_rr rr;
    struct err err = {.text = ""};
    int rc;
    *s = (struct set){.count = 0};
    if (keep_open_reading(&k, state, z, &err) < 0 || records_walk_open(&w, k, &err) < 0)
        fail_msg("walk: %s", err.text);
    while ((rc = records_walk_next(w, &rr, &err)) > 0)
        set_add(s, &rr);
    if (rc < 0)
        fail_msg("walk: %s", err.text);
    records_walk_close(w);
    keep_close(k);
    size_t owners = 0, again = 0;
    for (size_t i = 1; i < s->count; i++)
        owners += !name_equal(&s->at[i].owner, &s->at[i - 1].owner);
    for (size_t i = 1; i < s->count; i++) /* an RRset's RRs stand together */
        assert_true(!name_equal(&s->at[i].owner, &s->at[i - 1].owner) || s->at[i].type == s->at[i - 1].type || i < 2 ||
                    !name_equal(&s->at[i].owner, &s->at[i - 2].owner) || s->at[i].type != s->at[i - 2].type);
    set_sort(s);
    for (size_t i = 1; i < s->count; i++) {
        again += !name_equal(&s->at[i].owner, &s->at[i - 1].owner);
        if (set_compare_rr(&s->at[i], &s->at[i - 1]) == 0)
            fail_msg("twice: %s", set_text(&s->at[i]));
    }
    assert_int_equal(owners, again); /* each owner once */
}

/* The first RR whose owner is not before the name. */
static size_t lower(const struct set *s, const struct name *n) {
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (name_compare(&s->at[mid].owner, n) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static size_t at_owner(const struct set *s, const struct name *n, size_t found[64]) {
    size_t count = 0;
    for (size_t i = lower(s, n); i < s->count && name_equal(&s->at[i].owner, n) && count < 64; i++)
        found[count++] = i;
    return count;
}

static bool exists(const struct set *s, const struct name *n) {
    size_t i = lower(s, n);
    return i < s->count && name_under(&s->at[i].owner, n);
}

size_t set_ask(const struct set *s, const struct name *apex, const struct name *qname, size_t found[64]) {
    struct name encloser = *qname, star;
    if (exists(s, qname))
        return at_owner(s, qname, found);
    while (!exists(s, &encloser) && encloser.labels > apex->labels) {
        struct name up;
        name_strip(&up, &encloser, 1);
        encloser = up;
    }
    star = encloser;
    return name_prepend(&star, "*") == 0 ? at_owner(s, &star, found) : 0;
}
