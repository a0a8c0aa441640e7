/* Duplicates, settled as rbldnsd settles them. A trie holds one value for a prefix: the first. A set holds all
 * different values of a prefix or name, except that an exclusion silences the others. */
#include <stdlib.h>

#include "rbl/model/impl.h"

enum { RUN_SHORT = 8 };

/* Which values a run had already: for a long run in a table by value, so that a hostile file that gives one address a
 * million values costs no more than any other. */
struct seen {
    uint32_t *by_value; /* number of the last run that had the value */
    uint32_t run;
};

static bool keeps_first(const struct data *d, unsigned dataset) {
    enum conf_dataset_type type = d->dataset[dataset].type;
    return type == DATASET_IP4TRIE || type == DATASET_IP6TRIE || type == DATASET_ACL;
}

static int seen_open(const struct data *d, struct seen *s) {
    if (s->by_value == NULL)
        s->by_value = calloc(d->value_count, sizeof *s->by_value);
    s->run++;
    return s->by_value == NULL ? E_NOMEM : 0;
}

/* The three kinds of entries differ in type and in what makes two the same, nothing else. `same` sees entries a and b.
 */
#define SETTLE(name, entry, same)                                                                                      \
    static bool name##_excluded(const entry *e, size_t n) {                                                            \
        for (size_t i = 0; i < n; i++)                                                                                 \
            if (e[i].value == VALUE_EXCLUDED)                                                                          \
                return true;                                                                                           \
        return false;                                                                                                  \
    }                                                                                                                  \
    static bool name##_had(const entry *e, size_t n, uint32_t value) {                                                 \
        for (size_t i = 0; i < n; i++)                                                                                 \
            if (e[i].value == value)                                                                                   \
                return true;                                                                                           \
        return false;                                                                                                  \
    }                                                                                                                  \
    /* Settles the run e[0..n) into to[], which may overlap its front; number kept or an error. */                     \
    static int64_t name##_run(const struct data *d, entry *to, const entry *e, size_t n, struct seen *s) {             \
        size_t kept = 0;                                                                                               \
        bool excluded = !keeps_first(d, e->dataset) && name##_excluded(e, n);                                          \
        if (n == 1 || excluded || keeps_first(d, e->dataset)) {                                                        \
            to[0] = e[0];                                                                                              \
            if (excluded)                                                                                              \
                to[0].value = VALUE_EXCLUDED;                                                                          \
            return 1;                                                                                                  \
        }                                                                                                              \
        if (n > RUN_SHORT && seen_open(d, s) < 0)                                                                      \
            return E_NOMEM;                                                                                            \
        for (size_t i = 0; i < n; i++) {                                                                               \
            entry one = e[i];                                                                                          \
            if (n > RUN_SHORT ? s->by_value[one.value] == s->run : name##_had(to, kept, one.value))                    \
                continue;                                                                                              \
            if (n > RUN_SHORT)                                                                                         \
                s->by_value[one.value] = s->run;                                                                       \
            to[kept++] = one;                                                                                          \
        }                                                                                                              \
        return (int64_t)kept;                                                                                          \
    }                                                                                                                  \
    static int name(const struct data *d, entry *e, size_t *n, struct seen *s) {                                       \
        size_t kept = 0;                                                                                               \
        for (size_t i = 0, end; i < *n; i = end) {                                                                     \
            const entry *a = &e[i];                                                                                    \
            if (a->value >= d->value_count)                                                                            \
                return E_RANGE;                                                                                        \
            for (end = i + 1; end < *n; end++) {                                                                       \
                const entry *b = &e[end];                                                                              \
                if (!(a->dataset == b->dataset && (same)))                                                             \
                    break;                                                                                             \
                if (b->value >= d->value_count)                                                                        \
                    return E_RANGE;                                                                                    \
            }                                                                                                          \
            int64_t run = name##_run(d, &e[kept], a, end - i, s);                                                      \
            if (run < 0)                                                                                               \
                return (int)run;                                                                                       \
            kept += (size_t)run;                                                                                       \
        }                                                                                                              \
        *n = kept;                                                                                                     \
        return 0;                                                                                                      \
    }

SETTLE(settle4, struct entry4, a->addr == b->addr && a->bits == b->bits)
SETTLE(settle6, struct entry6, a->bits == b->bits && memcmp(a->addr, b->addr, sizeof a->addr) == 0)
SETTLE(settle_name, struct entry_name,
       a->wildcard == b->wildcard && a->size == b->size && memcmp(a->name, b->name, a->size) == 0)

int data_settle(struct data *d, struct err *err) {
    struct seen s = {0};
    int rc = sort_entries4(d->e4, d->n4);
    if (rc == 0)
        rc = sort_entries6(d->e6, d->n6);
    if (rc == 0)
        rc = sort_entries_name(d->en, d->nn);
    if (rc == 0)
        rc = settle4(d, d->e4, &d->n4, &s);
    if (rc == 0)
        rc = settle6(d, d->e6, &d->n6, &s);
    if (rc == 0)
        rc = settle_name(d, d->en, &d->nn, &s);
    free(s.by_value);
    return rc == 0
               ? 0
               : err_set(err, rc, "%s among %llu entries", rc == E_RANGE ? "a value that is none" : "no memory to sort",
                         (unsigned long long)data_entries(d));
}
