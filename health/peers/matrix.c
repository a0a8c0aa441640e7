#include "health/peers/matrix.h"

#include <stdio.h>
#include <string.h>

bool spans_meet(struct span a, struct span b) { return a.last_ms > b.since_ms && b.last_ms > a.since_ms; }

void matrix_reset(struct matrix *m) {
    for (size_t i = 0; i < m->count; i++)
        memset(m->cell[i], 0, sizeof(m->cell[i]));
    m->count = 0;
}

int matrix_find(const struct matrix *m, const char *name) {
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->name[i], name) == 0)
            return (int)i;
    return -1;
}

int matrix_node(struct matrix *m, const char *name) {
    int at = matrix_find(m, name);
    if (at >= 0)
        return at;
    if (m->count == MATRIX_NODES)
        return -1;
    m->name[m->count] = name;
    return (int)m->count++;
}

void matrix_put(struct matrix *m, size_t from, size_t to, enum seen_by by, bool ip6, enum seen_state s,
                struct span span) {
    if (from >= m->count || to >= m->count || from == to || (unsigned)by >= SEEN_WAYS || (unsigned)s >= SEEN_STATES)
        return;
    struct matrix_cell *cell = &m->cell[from][to][by][ip6];
    /* Unknown, good, bad: in this order. Of several that are alike the one that was seen last. */
    if (s > cell->state || (s == cell->state && span.last_ms > cell->span.last_ms))
        *cell = (struct matrix_cell){.state = (uint8_t)s, .span = span};
}

enum seen_state matrix_get(const struct matrix *m, size_t from, size_t to, enum seen_by by, bool ip6) {
    return (enum seen_state)m->cell[from][to][by][ip6].state;
}

enum seen_state matrix_sees(const struct matrix *m, size_t from, size_t to) {
    uint8_t worst = SEEN_UNKNOWN;
    for (int by = 0; by < SEEN_WAYS; by++)
        for (int ip6 = 0; ip6 < MATRIX_FAMILIES; ip6++)
            if (m->cell[from][to][by][ip6].state > worst)
                worst = m->cell[from][to][by][ip6].state;
    return (enum seen_state)worst;
}

/* Somebody else who got through by the same way while it was closed to this one. */
static bool third_of(const struct matrix *m, struct matrix_fault *f) {
    for (size_t c = 0; c < m->count; c++)
        if (c != f->from && c != f->to && matrix_get(m, c, f->to, f->by, f->ip6) == SEEN_GOOD &&
            spans_meet(m->cell[c][f->to][f->by][f->ip6].span, m->cell[f->from][f->to][f->by][f->ip6].span)) {
            f->third = c;
            return true;
        }
    return false;
}

static bool closed(const struct matrix *m, size_t from, size_t to, struct matrix_fault *f) {
    for (int by = 0; by < SEEN_WAYS; by++)
        for (int ip6 = 0; ip6 < MATRIX_FAMILIES; ip6++) {
            *f = (struct matrix_fault){.from = from, .to = to, .by = (enum seen_by)by, .ip6 = ip6 != 0};
            if (matrix_get(m, from, to, f->by, f->ip6) != SEEN_BAD || !third_of(m, f))
                continue;
            f->back = matrix_get(m, to, from, f->by, f->ip6) == SEEN_GOOD;
            return true;
        }
    return false;
}

bool matrix_fault(const struct matrix *m, struct matrix_fault *f, size_t *count) {
    struct matrix_fault one;
    *count = 0;
    for (size_t from = 0; from < m->count; from++)
        for (size_t to = 0; to < m->count; to++) {
            if (from == to || !closed(m, from, to, &one))
                continue;
            bool ours = one.from == 0 || one.to == 0, better = ours && f->from != 0 && f->to != 0;
            if ((*count)++ == 0 || better)
                *f = one;
        }
    return *count > 0;
}

void matrix_words(const struct matrix *m, const struct matrix_fault *f, char *to, size_t size) {
    const char *a = m->name[f->from], *b = m->name[f->to];
    snprintf(to, size,
             "%.63s does not reach %.63s over %s on %s, %.63s does%s%.63s%s: the way between the two is closed", a, b,
             seen_by_name(f->by), f->ip6 ? "ip6" : "ip4", m->name[f->third], f->back ? ", and " : "", f->back ? b : "",
             f->back ? " gets back" : "");
}
