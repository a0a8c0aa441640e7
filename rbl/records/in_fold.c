/* Prefixes and addresses as DNS has them, with what every owner hides of the wildcards above it, become prefixes as a
 * list has them.
 *
 * Every name that is there ends the wildcards above (RFC 4592), an empty non-terminal too: what has no wildcard of its
 * own is excluded from the network around it. A wildcard that says what the network around says anyway, and stands
 * there because of what lies beneath, is that network told again, and goes. Networks and addresses side by side that
 * are listed alike become one, as long as it would be told as the same names: /25 to /32, /17 to /24 and so on. */
#include <stdlib.h>

#include "rbl/keep/read.h"
#include "rbl/model/impl.h"
#include "rbl/records/in_impl.h"

enum { LABELS_MOST = 33 + 1, DIGITS = 10 };
static const uint32_t GONE = UINT32_MAX; /* a value that none is (LIMIT_VALUES) */

/* Entries of either family. */
struct flat {
    struct data *d;
    bool is4;
    unsigned step, all;
    size_t count;
};

bool told_ids_same(const struct told_ids *a, const struct told_ids *b) {
    return a->count == b->count && memcmp(a->id, b->id, a->count * sizeof a->id[0]) == 0;
}

void told_ids_add(struct told_ids *to, uint32_t id) {
    unsigned i = to->count;
    while (i > 0 && to->id[i - 1] > id)
        i--;
    if ((i > 0 && to->id[i - 1] == id) || to->count == IDS)
        return;
    memmove(&to->id[i + 1], &to->id[i], (to->count - i) * sizeof to->id[0]);
    to->id[i] = id;
    to->count++;
}

static struct read_item get(const struct flat *f, size_t i) {
    if (f->is4) {
        const struct entry4 *e = &f->d->e4[i];
        return (struct read_item){(read_addr)e->addr << 96, e->value, e->bits};
    }
    const struct entry6 *e = &f->d->e6[i];
    return (struct read_item){read_addr_of(e->addr, 16), e->value, e->bits};
}

static void set(struct flat *f, size_t i, read_addr addr, unsigned bits, uint32_t value) {
    if (f->is4) {
        f->d->e4[i] = (struct entry4){
            .addr = (uint32_t)(addr >> 96), .value = value, .dataset = DATASET_LOCAL, .bits = (uint8_t)bits};
        return;
    }
    struct entry6 e = {.value = value, .dataset = DATASET_LOCAL, .bits = (uint8_t)bits};
    read_addr_put(addr, e.addr);
    f->d->e6[i] = e;
}

/* The values of the place that begins at `i`; returns where the next one begins. */
static size_t place_at(const struct flat *f, size_t i, struct read_item *at, struct told_ids *ids) {
    *at = get(f, i);
    ids->count = 0;
    for (; i < f->count; i++) {
        struct read_item one = get(f, i);
        if (one.addr != at->addr || one.bits != at->bits)
            break;
        if (one.value != VALUE_EXCLUDED)
            told_ids_add(ids, one.value);
    }
    return i;
}

/* --- wildcards and what hides them --- */

struct fold_frame {
    read_addr addr;
    uint8_t labels;
    struct told_ids says; /* of all beneath that has nothing more specific */
};
struct fold {
    struct flat f;
    struct fold_frame frame[LABELS_MOST];
    unsigned frames;
    size_t out;
    struct read_item *more; /* exclusions of places without an owner */
    size_t mores, cap;
};

static bool holds(const struct fold *x, const struct fold_frame *a, read_addr addr) {
    return (addr & read_mask(a->labels * x->f.step)) == a->addr;
}

static int exclude(struct fold *x, read_addr addr, unsigned bits) {
    if (x->mores == x->cap) {
        size_t cap = x->cap == 0 ? 256 : 2 * x->cap;
        struct read_item *more = realloc(x->more, cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        x->more = more;
        x->cap = cap;
    }
    x->more[x->mores++] = (struct read_item){addr, VALUE_EXCLUDED, (uint8_t)bits};
    return 0;
}

static void push(struct fold *x, read_addr addr, unsigned labels, const struct told_ids *says) {
    struct fold_frame *f = &x->frame[x->frames++];
    f->addr = addr;
    f->labels = (uint8_t)labels;
    f->says.count = 0;
    if (says != NULL) {
        f->says.count = says->count;
        memcpy(f->says.id, says->id, says->count * sizeof says->id[0]);
    }
}

/* Places between the last owner above and this one: empty non-terminals. */
static int pass_between(struct fold *x, read_addr addr, unsigned labels) {
    int rc = 0;
    while (x->frames > 1 && !holds(x, &x->frame[x->frames - 1], addr))
        x->frames--;
    for (unsigned l = x->frame[x->frames - 1].labels + 1u; l < labels && rc == 0; l++) {
        if (x->frame[x->frames - 1].says.count == 0)
            return 0;
        read_addr at = addr & read_mask(l * x->f.step);
        rc = exclude(x, at, l * x->f.step);
        push(x, at, l, NULL);
    }
    return rc;
}

/* Is a name of the walk's because digits are spelled (walker.c)? */
static bool is_spelled(const struct fold *x, read_addr addr, unsigned labels) {
    if (!x->f.is4)
        return false;
    for (unsigned i = 0; i < labels; i++)
        if ((unsigned)(addr >> (120 - 8 * i)) % 256 >= DIGITS)
            return false;
    return x->frame[x->frames - 1].labels + 1u == labels;
}

static void keep(struct fold *x, const struct read_item *at, const struct told_ids *ids) {
    if (ids->count == 0)
        set(&x->f, x->out++, at->addr, at->bits, VALUE_EXCLUDED);
    for (unsigned i = 0; i < ids->count; i++)
        set(&x->f, x->out++, at->addr, at->bits, ids->id[i]);
}

static int fold_place(struct fold *x, const struct read_item *at, const struct told_ids *ids, bool beneath) {
    unsigned labels = at->bits / x->f.step;
    bool whole = at->bits == x->f.all;
    int rc = pass_between(x, at->addr, labels);
    if (rc < 0)
        return rc;
    const struct told_ids *above = &x->frame[x->frames - 1].says;
    bool again =
        ids->count > 0 && told_ids_same(ids, above) && ((beneath && !whole) || is_spelled(x, at->addr, labels));
    if (!again && (ids->count > 0 || above->count > 0))
        keep(x, at, ids);
    if (!whole && (ids->count > 0 || above->count > 0))
        push(x, at->addr, labels, ids);
    return 0;
}

static int fold_wildcards(struct fold *x) {
    struct told_ids ids;
    struct read_item at;
    int rc = 0;
    push(x, 0, 0, NULL);
    for (size_t i = 0, end; i < x->f.count && rc == 0; i = end) {
        end = place_at(&x->f, i, &at, &ids);
        bool beneath = end < x->f.count && (get(&x->f, end).addr & read_mask(at.bits)) == at.addr;
        rc = fold_place(x, &at, &ids, beneath);
    }
    return rc;
}

/* --- side by side --- */

struct sides {
    size_t at[129];  /* where the last place of so many bits stands */
    unsigned n[129]; /* and how many values it has; 0: none */
};

static bool same_values(const struct flat *f, size_t a, size_t b, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (get(f, a + i).value != get(f, b + i).value)
            return false;
    return true;
}

/* Whether a place and its neighbour on the left are one, and nothing is said of both together. */
static bool joins(const struct flat *f, const struct sides *s, const struct read_item *i, size_t first, unsigned n) {
    unsigned bits = i->bits;
    if (bits < 2 || (bits - 1) % f->step == 0)
        return false;
    read_addr bit = (read_addr)1 << (128 - bits);
    if ((i->addr & bit) == 0 || s->n[bits] != n || get(f, s->at[bits]).addr != (i->addr ^ bit) ||
        !same_values(f, s->at[bits], first, n))
        return false;
    return s->n[bits - 1] == 0 || get(f, s->at[bits - 1]).addr != (i->addr ^ bit);
}

/* The place that begins at `first` joins its neighbour, and both together theirs. */
static void join(struct flat *f, struct sides *s, size_t first, unsigned n) {
    struct read_item i = get(f, first);
    for (; joins(f, s, &i, first, n); i.bits--) {
        size_t left = s->at[i.bits];
        i.addr = get(f, left).addr;
        for (unsigned k = 0; k < n; k++) {
            set(f, first + k, i.addr, i.bits, GONE);
            set(f, left + k, i.addr, i.bits - 1u, get(f, left + k).value);
        }
        s->n[i.bits] = 0;
        first = left;
    }
    s->at[i.bits] = first;
    s->n[i.bits] = n;
}

static void join_sides(struct flat *f) {
    struct sides s = {.n = {0}};
    size_t out = 0;
    for (size_t i = 0, first; i < f->count;) {
        struct read_item at = get(f, first = i);
        for (; i < f->count; i++) {
            struct read_item one = get(f, i);
            if (one.addr != at.addr || one.bits != at.bits)
                break;
        }
        join(f, &s, first, (unsigned)(i - first));
    }
    for (size_t i = 0; i < f->count; i++) {
        struct read_item one = get(f, i);
        if (one.value != GONE)
            set(f, out++, one.addr, one.bits, one.value);
    }
    f->count = out;
}

static int sort(struct flat *f) {
    return f->is4 ? sort_entries4(f->d->e4, f->count) : sort_entries6(f->d->e6, f->count);
}

static int add_more(struct fold *x) {
    int rc = 0;
    for (size_t i = 0; i < x->mores && rc == 0; i++) {
        const struct read_item *m = &x->more[i];
        uint8_t addr[16];
        read_addr_put(m->addr, addr);
        uint32_t first = (uint32_t)(m->addr >> 96), last = first | (uint32_t)(~read_mask(m->bits) >> 96);
        rc = x->f.is4 ? data_add4(x->f.d, DATASET_LOCAL, first, last, VALUE_EXCLUDED)
                      : data_add6(x->f.d, DATASET_LOCAL, addr, m->bits, VALUE_EXCLUDED);
    }
    return rc;
}

static int fold(struct data *d, bool is4) {
    struct fold *x = calloc(1, sizeof *x);
    if (x == NULL)
        return E_NOMEM;
    size_t *count = is4 ? &d->n4 : &d->n6;
    x->f = (struct flat){.d = d, .is4 = is4, .step = is4 ? 8 : 4, .all = is4 ? 32 : 128, .count = *count};
    int rc = sort(&x->f);
    if (rc == 0)
        rc = fold_wildcards(x);
    if (rc == 0) {
        *count = x->out;
        rc = add_more(x);
        x->f.count = *count;
    }
    if (rc == 0 && x->mores > 0)
        rc = sort(&x->f);
    if (rc == 0) {
        join_sides(&x->f);
        *count = x->f.count;
    }
    free(x->more);
    free(x);
    return rc;
}

int records_fold4(struct data *d) { return fold(d, true); }

int records_fold6(struct data *d) { return fold(d, false); }
