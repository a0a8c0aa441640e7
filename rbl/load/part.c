/* The parts of a combined dataset: "$DATASET type[:name] sub sub @". Each becomes a dataset of its own. What is set in
 * front of the first one holds for all; what a part sets is gone with it, except $MAXRANGE4 (rbldnsd has it so). In a
 * second file directives go to the part that is still open, while entries must wait for a $DATASET. */
#include <stdio.h>

#include "rbl/load/impl.h"
#include "resolver/base/text.h"

static int refused(struct load *l, const char *what, const char *s, size_t size) {
    char shown[TEXT_SHOWN_MAX], word[64];
    snprintf(word, sizeof word, "%.*s", (int)(size < sizeof word ? size : sizeof word - 1), s);
    return err_set(l->err, E_INVALID, "%s:%u: %s: \"%s\"", l->file, l->line, what, text_shown(shown, word));
}

/* "type" or "type:name" of `size` bytes; DATASET_TYPES: none. */
static enum conf_dataset_type type_of(const char *s, size_t size) {
    const char *colon = memchr(s, ':', size);
    size_t n = colon != NULL ? (size_t)(colon - s) : size;
    for (unsigned t = 0; t < DATASET_TYPES; t++) {
        const char *word = conf_dataset_name((enum conf_dataset_type)t);
        if (strlen(word) == n && memcmp(word, s, n) == 0)
            return (enum conf_dataset_type)t;
    }
    return DATASET_TYPES;
}

static bool has(const struct name *sub, unsigned count, const struct name *n) {
    for (unsigned i = 0; i < count; i++)
        if (name_equal(&sub[i], n))
            return true;
    return false;
}

/* The words from `s` on, "@" being the apex. A word that is no name is noted and passed over. */
static int subzones(struct load *l, const char *s, struct name sub[DATASET_SUBS], unsigned *count) {
    *count = 0;
    while (*s != '\0') {
        struct name n;
        size_t size = strcspn(s, " \t");
        bool apex = size == 1 && *s == '@';
        if (!load_name(&n, s, apex ? 0 : size)) {
            load_note(l, "invalid name of a subzone", s);
        } else {
            name_lower(&n);
            if (!has(sub, *count, &n)) {
                if (*count == DATASET_SUBS)
                    return err_set(l->err, E_FULL, "%s:%u: more than %d subzones of one dataset", l->file, l->line,
                                   DATASET_SUBS);
                sub[(*count)++] = n;
            }
        }
        s = load_skip(s + size);
    }
    return 0;
}

/* The subzones of the dataset that just began. */
static int attach(struct load *l, const struct name *sub, unsigned count) {
    struct dataset *ds = &l->d->dataset[l->dataset];
    struct name *own = arena_alloc(&l->d->arena, count * sizeof *own);
    if (own == NULL)
        return err_set(l->err, E_NOMEM, "%s: no memory to read it", l->file);
    memcpy(own, sub, count * sizeof *own);
    ds->sub = own;
    ds->sub_count = count;
    return 0;
}

void load_drop_ignored(struct load *l) {
    if (l->ignored)
        l->d->dataset_count--;
    l->ignored = false;
}

int load_part(struct load *l, const char *s) {
    struct name sub[DATASET_SUBS];
    unsigned count;
    size_t size = strcspn(s, " \t");
    enum conf_dataset_type type = type_of(s, size);
    if (type == DATASET_TYPES || type == DATASET_COMBINED || type == DATASET_ACL)
        return refused(
            l, type == DATASET_TYPES ? "unknown dataset type" : "this type cannot be part of a combined dataset", s,
            size);
    int rc = subzones(l, load_skip(s + size), sub, &count);
    if (rc == 0)
        rc = load_resolve(l); /* the part before this one */
    if (rc < 0)
        return rc;
    if (l->type == NULL)
        memcpy(l->common.subst, l->subst, sizeof l->subst);
    else
        memcpy(l->subst, l->common.subst, sizeof l->subst);
    load_drop_ignored(l);
    l->outside = false;
    l->ignored = count == 0;
    if (l->ignored)
        load_note(l, "no subzones: what follows is ignored", s);
    rc = load_begin_dataset(l, type);
    if (rc == 0 && !l->ignored)
        rc = attach(l, sub, count);
    if (rc == 0)
        l->d->dataset[l->dataset].ttl = l->common.ttl;
    return rc;
}
