/* RRs of a place as values (run.h says how), and changes of them. */
#include <arpa/inet.h>

#include "rbl/update/impl.h"

enum { LOOPBACK_OCTET = 127, STRING_MAX = 255 };

static bool listing(const struct update_value *v) { return v->v.kind == VALUE_LISTED; }

static bool is_rr(const struct update_value *v, uint16_t type) { return v->v.kind == VALUE_RR && v->v.type == type; }

/* What '$' stands for where nothing but the entry itself can be asked; a prefix or wildcard keeps its '$'. */
static size_t asked(const struct update_place *p, bool is_name, char to[NAME_TEXT_MAX]) {
    if (is_name) {
        if (p->as_name.bits != 0)
            return text_copy(to, NAME_TEXT_MAX, "$");
        size_t n = strlen(name_text(&p->name, to));
        return n > 1 ? n - 1 : n; /* without the final dot */
    }
    bool whole = p->address.bits == (p->address.kind == KEEP_4 ? 32 : 128);
    int family = p->address.kind == KEEP_4 ? AF_INET : AF_INET6;
    if (!whole || inet_ntop(family, p->address.addr, to, NAME_TEXT_MAX) == NULL)
        return text_copy(to, NAME_TEXT_MAX, "$");
    return strlen(to);
}

/* The template as one character-string, cut as the answer is. */
static struct bytes expand(const struct update_place *p, const struct update_value *v, uint8_t *to) {
    char text[NAME_TEXT_MAX];
    size_t n = asked(p, v->is_name, text), size = 0;
    for (unsigned i = 0; i < v->v.txt_size && size < UPDATE_TXT; i++) {
        char c = v->v.txt[i];
        if (c != '$') {
            to[1 + size++] = (uint8_t)(c != '\0' ? c : '$');
            continue;
        }
        for (size_t k = 0; k < n && size < UPDATE_TXT; k++)
            to[1 + size++] = (uint8_t)text[k];
    }
    to[0] = (uint8_t)size;
    return (struct bytes){to, size + 1};
}

struct bytes update_value_rdata(const struct update_place *p, unsigned i, uint16_t type, uint8_t to[VALUE_BYTES + 1]) {
    const struct update_value *v = p->value[i];
    if (is_rr(v, type))
        return (struct bytes){(const uint8_t *)v->v.txt, v->v.txt_size};
    if (listing(v) && type == TYPE_A)
        return (struct bytes){v->v.a, 4};
    if (listing(v) && type == TYPE_TXT && v->v.has_txt)
        return expand(p, v, to);
    return (struct bytes){NULL, 0};
}

bool update_has(const struct update_place *p, uint16_t type) {
    for (unsigned i = 0; i < p->count; i++) {
        const struct update_value *v = p->value[i];
        if (type == TYPE_ANY || is_rr(v, type) ||
            (listing(v) && (type == TYPE_A || (type == TYPE_TXT && v->v.has_txt))))
            return true;
    }
    return false;
}

bool update_has_rdata(const struct update_place *p, uint16_t type, struct bytes rdata) {
    uint8_t room[VALUE_BYTES + 1];
    for (unsigned i = 0; i < p->count; i++) {
        struct bytes mine = update_value_rdata(p, i, type, room);
        bool there = mine.size > 0 || is_rr(p->value[i], type);
        if (there && records_rdata_same(type, mine, rdata))
            return true;
    }
    return false;
}

/* --- changes */

static void drop(struct update_place *p, unsigned i) {
    p->value[i] = p->value[--p->count];
    p->touched = true;
}

static bool has_twin(const struct update_place *p, unsigned at) {
    for (unsigned i = 0; i < p->count; i++)
        if (i != at && listing(p->value[i]) && memcmp(p->value[i]->v.a, p->value[at]->v.a, 4) == 0)
            return true;
    return false;
}

/* A listing that lost its text and says no more than another one. */
static void drop_twins(struct update_place *p) {
    for (unsigned i = p->count; i-- > 0;)
        if (listing(p->value[i]) && !p->value[i]->v.has_txt && has_twin(p, i))
            drop(p, i);
}

/* A value that is to change: the one in place.had stays as it was. */
static struct value *change(struct update_place *p, unsigned i) {
    p->value[i]->local = true;
    p->touched = true;
    return &p->value[i]->v;
}

static int new_value(struct update_run *u, struct update_place *p, bool is_name, struct value **out) {
    *out = NULL;
    if (p->count >= UPDATE_VALUES)
        return update_refuse(u, RCODE_REFUSED, "more values at one place than an update can handle");
    struct update_value *v = arena_alloc(&u->arena, sizeof *v);
    if (v == NULL)
        return err_set(u->err, E_NOMEM, "no memory for an update");
    *v = (struct update_value){.is_name = is_name, .local = true};
    p->value[p->count++] = v;
    p->touched = true;
    *out = &v->v;
    return 0;
}

static uint32_t ttl_kept(uint32_t ttl) { return ttl == 0 ? 1 : ttl; }

static void set_text(struct value *v, struct bytes txt) {
    v->has_txt = true;
    v->txt_size = (uint16_t)(txt.size - 1);
    for (unsigned i = 0; i < v->txt_size; i++)
        v->txt[i] = txt.at[i + 1] == '$' ? '\0' : (char)txt.at[i + 1];
    v->txt[v->txt_size] = '\0';
}

static int add_rr(struct update_run *u, struct update_place *p, uint16_t type, uint32_t ttl, struct bytes rdata) {
    struct value *v;
    if (rdata.size > VALUE_BYTES)
        return update_refuse(u, RCODE_REFUSED, "RDATA longer than 512 octets");
    int rc = new_value(u, p, true, &v);
    if (v == NULL)
        return rc;
    v->kind = VALUE_RR;
    v->type = type;
    v->ttl = ttl_kept(ttl);
    v->txt_size = (uint16_t)rdata.size;
    if (rdata.size > 0)
        memcpy(v->txt, rdata.at, rdata.size);
    return 0;
}

/* The RR is there already: its TTL is the new one (section 3.4.2.2), unless a file says it. */
static bool renew(struct update_place *p, uint16_t type, struct bytes rdata, uint32_t ttl) {
    uint8_t room[VALUE_BYTES + 1];
    bool there = false;
    for (unsigned i = 0; i < p->count; i++) {
        struct update_value *v = p->value[i];
        struct bytes mine = update_value_rdata(p, i, type, room);
        if ((mine.size == 0 && !is_rr(v, type)) || !records_rdata_same(type, mine, rdata))
            continue;
        there = true;
        if (v->local && v->v.ttl != ttl_kept(ttl))
            change(p, i)->ttl = ttl_kept(ttl);
    }
    return there;
}

static int add_a(struct update_run *u, struct update_place *p, uint32_t ttl, struct bytes rdata) {
    struct value *v;
    if (p->apex)
        return add_rr(u, p, TYPE_A, ttl, rdata);
    if (rdata.at[0] != LOOPBACK_OCTET)
        return p->has_address ? update_refuse(u, RCODE_REFUSED, "a listed address has an A in 127.0.0.0/8")
                              : add_rr(u, p, TYPE_A, ttl, rdata);
    if (!p->has_address && p->as_name.bits != 0 && p->as_name.name.labels == 0)
        return update_refuse(u, RCODE_REFUSED, "this would list everything");
    int rc = new_value(u, p, !p->has_address, &v);
    if (v == NULL)
        return rc;
    v->kind = VALUE_LISTED;
    v->ttl = ttl_kept(ttl);
    memcpy(v->a, rdata.at, 4);
    for (unsigned i = 0; i < p->count; i++) { /* a text that waits for it */
        struct value *w = &p->value[i]->v;
        struct bytes txt = {(const uint8_t *)w->txt, w->txt_size};
        if (is_rr(p->value[i], TYPE_TXT) && records_is_plain(txt)) {
            set_text(v, txt);
            drop(p, i);
            break;
        }
    }
    return 0;
}

static int add_txt(struct update_run *u, struct update_place *p, uint32_t ttl, struct bytes rdata) {
    const struct update_value *first = NULL;
    if (p->apex || !records_is_plain(rdata))
        return add_rr(u, p, TYPE_TXT, ttl, rdata);
    for (unsigned i = 0; i < p->count; i++) {
        if (!listing(p->value[i]))
            continue;
        if (first == NULL)
            first = p->value[i];
        if (!p->value[i]->v.has_txt) {
            struct value *v = change(p, i);
            set_text(v, rdata);
            v->ttl = ttl_kept(ttl);
            return 0;
        }
    }
    if (first == NULL)
        return add_rr(u, p, TYPE_TXT, ttl, rdata);
    struct value *v;
    int rc = new_value(u, p, first->is_name, &v);
    if (v == NULL)
        return rc;
    v->kind = VALUE_LISTED;
    v->ttl = ttl_kept(ttl);
    memcpy(v->a, first->v.a, 4);
    set_text(v, rdata);
    return 0;
}

int update_add(struct update_run *u, struct update_place *p, const struct update_rr *rr) {
    bool alias = update_has(p, TYPE_CNAME);
    if (rr->type == TYPE_CNAME && p->count > 0 && !alias)
        return 0; /* section 3.4.2.2: ignored */
    if (rr->type != TYPE_CNAME && alias)
        return 0;
    if (renew(p, rr->type, rr->rdata, rr->ttl))
        return 0;
    if (rr->type == TYPE_CNAME && alias) {
        int rc = update_remove(u, p, TYPE_CNAME, NULL);
        if (rc < 0)
            return rc;
    }
    switch (rr->type) {
    case TYPE_A:
        return add_a(u, p, rr->ttl, rr->rdata);
    case TYPE_TXT:
        return add_txt(u, p, rr->ttl, rr->rdata);
    default:
        return add_rr(u, p, rr->type, rr->ttl, rr->rdata);
    }
}

static bool chosen(const struct update_place *p, unsigned i, uint16_t type, const struct bytes *rdata, uint8_t *room) {
    struct bytes mine = update_value_rdata(p, i, type, room);
    if (mine.size == 0 && !is_rr(p->value[i], type))
        return false;
    return rdata == NULL || records_rdata_same(type, mine, *rdata);
}

/* The listings with this A go; a text that they had and no one else has stays, as its RR was not to go. */
static int remove_a(struct update_run *u, struct update_place *p, const struct bytes *rdata) {
    struct bytes left[UPDATE_VALUES];
    uint32_t ttl[UPDATE_VALUES];
    uint8_t room[VALUE_BYTES + 1];
    unsigned count = 0;
    for (unsigned i = p->count; i-- > 0;) {
        if (!chosen(p, i, TYPE_A, rdata, room))
            continue;
        const struct update_value *v = p->value[i];
        if (listing(v) && v->v.has_txt) {
            struct bytes txt = expand(p, v, room);
            uint8_t *copy = arena_alloc(&u->arena, txt.size);
            if (copy == NULL)
                return err_set(u->err, E_NOMEM, "no memory for an update");
            memcpy(copy, txt.at, txt.size);
            left[count] = (struct bytes){copy, txt.size};
            ttl[count++] = v->v.ttl;
        }
        drop(p, i);
    }
    for (unsigned i = 0; i < count; i++) {
        int rc = update_has_rdata(p, TYPE_TXT, left[i]) ? 0 : add_txt(u, p, ttl[i], left[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int remove_type(struct update_run *u, struct update_place *p, uint16_t type, const struct bytes *rdata) {
    uint8_t room[VALUE_BYTES + 1];
    if (type == TYPE_A)
        return remove_a(u, p, rdata);
    for (unsigned i = p->count; i-- > 0;) {
        if (!chosen(p, i, type, rdata, room))
            continue;
        if (!listing(p->value[i])) {
            drop(p, i);
            continue;
        }
        struct value *v = change(p, i);
        v->has_txt = false;
        v->txt_size = 0;
    }
    if (type == TYPE_TXT)
        drop_twins(p);
    return 0;
}

int update_remove(struct update_run *u, struct update_place *p, uint16_t type, const struct bytes *rdata) {
    if (type != TYPE_ANY)
        return remove_type(u, p, type, rdata);
    if (p->count > 0)
        p->touched = true;
    p->count = 0;
    return 0;
}
