/* From an owner name to a place of the zone, what is there, and what is to be there. */
#include "rbl/update/impl.h"

void update_place_shape(const struct records_zone *z, struct update_place *p) {
    struct records_place at;
    records_place_of(z, &p->name, false, &at);
    p->apex = at.apex;
    p->has_address = at.has_address;
    p->address = at.address;
    p->as_name = at.as_name;
}

/* What the store has at one of the two keys. */
static int load(struct update_run *u, struct update_place *p, const struct keep_entry *key) {
    unsigned count = 0;
    int rc = keep_batch_at(u->batch, key, u->found, UPDATE_VALUES, &count, u->err);
    if (rc < 0)
        return rc;
    if (count > UPDATE_VALUES - p->count)
        return update_refuse(u, RCODE_REFUSED, "more values at one place than an update can handle");
    for (unsigned i = 0; i < count; i++) {
        struct update_value *v = arena_alloc(&u->arena, sizeof *v);
        if (v == NULL)
            return err_set(u->err, E_NOMEM, "no memory for an update");
        v->v = u->found[i].value;
        v->is_name = key->kind == KEEP_NAME;
        v->local = u->found[i].dataset == DATASET_LOCAL;
        p->value[p->count++] = v;
    }
    return 0;
}

static int load_all(struct update_run *u, struct update_place *p) {
    int rc = p->has_address ? load(u, p, &p->address) : 0;
    if (rc == 0)
        rc = load(u, p, &p->as_name);
    if (rc < 0)
        return rc;
    p->had = arena_alloc(&u->arena, (p->count + 1) * sizeof *p->had);
    if (p->had == NULL)
        return err_set(u->err, E_NOMEM, "no memory for an update");
    for (unsigned i = 0; i < p->count; i++)
        p->had[i] = *p->value[i];
    p->had_count = p->count;
    return 0;
}

static uint32_t hash(const struct name *n) {
    uint32_t h = 2166136261u;
    for (unsigned i = 0; i < n->size; i++)
        h = (h ^ n->wire[i]) * 16777619u;
    return h;
}

int update_place_get(struct update_run *u, const struct name *name, struct update_place **out) {
    uint32_t h = hash(name);
    for (struct update_place *p = u->places; p != NULL; p = p->next)
        if (p->hash == h && p->name.size == name->size && memcmp(p->name.wire, name->wire, name->size) == 0) {
            *out = p;
            return 0;
        }
    struct update_place *p = arena_alloc(&u->arena, sizeof *p);
    if (p == NULL)
        return err_set(u->err, E_NOMEM, "no memory for an update");
    *p = (struct update_place){.next = u->places, .name = *name, .hash = h};
    update_place_shape(u->zone, p);
    int rc = load_all(u, p);
    if (rc < 0)
        return rc;
    u->places = *out = p;
    return 0;
}

static bool equal(const struct update_value *a, const struct update_value *b) {
    const struct value *x = &a->v, *y = &b->v;
    if (a->is_name != b->is_name || x->kind != y->kind || x->ttl != y->ttl || x->txt_size != y->txt_size ||
        memcmp(x->txt, y->txt, x->txt_size) != 0)
        return false;
    return x->kind == VALUE_RR ? x->type == y->type
                               : memcmp(x->a, y->a, sizeof x->a) == 0 && x->has_txt == y->has_txt && x->act == y->act;
}

static bool stays(const struct update_place *p, const struct update_value *had) {
    for (unsigned i = 0; i < p->count; i++)
        if (equal(p->value[i], had))
            return true;
    return false;
}

static bool was_there(const struct update_place *p, const struct update_value *v) {
    for (unsigned i = 0; i < p->had_count; i++)
        if (equal(&p->had[i], v))
            return true;
    return false;
}

static struct keep_entry entry_of(const struct update_place *p, const struct update_value *v) {
    struct keep_entry e = v->is_name ? p->as_name : p->address;
    e.value = v->v;
    e.dataset = DATASET_LOCAL;
    return e;
}

int update_place_put(struct update_run *u, struct update_place *p) {
    for (unsigned i = 0; i < p->had_count; i++) {
        if (stays(p, &p->had[i]))
            continue;
        struct keep_entry e = entry_of(p, &p->had[i]);
        int rc = keep_batch_remove(u->batch, &e, false, u->err);
        if (rc < 0)
            return rc;
        u->result->removed++;
    }
    for (unsigned i = 0; i < p->count; i++) {
        if (was_there(p, p->value[i]))
            continue;
        struct keep_entry e = entry_of(p, p->value[i]);
        int rc = keep_batch_add(u->batch, &e, u->err);
        if (rc == E_INVALID)
            return update_refuse(u, RCODE_REFUSED, "nothing that an entry can be");
        if (rc < 0)
            return rc;
        u->result->added++;
    }
    return 0;
}
