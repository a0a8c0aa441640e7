/* Values: ":A:TXT" as written, and the templates that come of them when all of a dataset is known: $0..$9 and $= may be
 * set below the entries that use them. */
#include <stdlib.h>

#include "rbl/load/impl.h"

/* rbldnsd writes at most this much of a TXT, whatever it substitutes. */
enum { TXT_MAX = 254 };

static void set_text(struct value *v, const char *text) {
    size_t n = strlen(text);
    v->txt_size = (uint16_t)(n < LIMIT_TXT ? n : LIMIT_TXT);
    v->has_txt = n > 0;
    memcpy(v->txt, text, v->txt_size);
}

/* "2" is 127.0.0.2. */
static bool parse_a(const char **s, uint8_t a[4]) {
    uint32_t addr;
    const char *dot = *s;
    while (load_digit(*dot))
        dot++;
    if (!load_ip4(s, &addr) || addr == 0)
        return false;
    put_u32(a, *dot == '.' ? addr : addr | 0x7f000000);
    return true;
}

const char *load_template(const char *s, struct value *v) {
    if (*s == ':') {
        s++;
        if (!parse_a(&s, v->a))
            return "invalid A value";
        s = load_skip(s);
        if (*s == ':')
            set_text(v, load_skip(s + 1));
        else if (*s != '\0')
            return "unknown value";
    } else {
        set_text(v, s);
    }
    return NULL;
}

const char *load_value(struct load *l, const char *s, uint32_t base, uint32_t *id, int *rc) {
    struct value v;
    value_start(&v, &l->raw.value[base]);
    const char *wrong = load_template(s, &v);
    if (wrong == NULL)
        *rc = data_value(&l->raw, &v, id);
    return wrong;
}

/* The template being made: literal bytes, '$' for what was asked, NUL for a dollar. */
struct template {
    char text[TXT_MAX];
    size_t size;
};

static void put(struct template *t, char c) {
    if (t->size < sizeof t->text)
        t->text[t->size++] = c;
}

static void put_literal(struct template *t, const char *s) {
    for (; *s != '\0' && t->size < sizeof t->text; s++)
        put(t, *s == '$' ? '\0' : *s);
}

/* Everything behind a '$' in `s`; `own`: what "$=" stands for, NULL for what was asked. Returns how much was read. */
static size_t put_dollar(struct load *l, struct template *t, const char *s, const char *own) {
    if (*s == '$') {
        put(t, '\0');
        return 1;
    }
    if (load_digit(*s)) {
        const char *var = l->subst[*s - '0'];
        if (var != NULL) {
            put_literal(t, var);
        } else {
            put(t, '\0');
            put(t, *s);
        }
        return 1;
    }
    if (*s == '=') {
        if (own != NULL)
            put_literal(t, own);
        else
            put(t, '$');
        return 1;
    }
    put(t, '$');
    return 0;
}

static void resolve(struct load *l, const struct value *raw, struct value *v) {
    struct template t = {.size = 0};
    char text[LIMIT_TXT + 1];
    memcpy(text, raw->txt, raw->txt_size);
    text[raw->txt_size] = '\0';
    const char *s = text, *own = text;
    if (text[0] == '=') {
        own = ++s;
    } else if (l->subst[LOAD_BASE] != NULL) {
        s = l->subst[LOAD_BASE];
        own = text[0] != '\0' ? text : NULL;
    }
    while (*s != '\0' && t.size < sizeof t.text) {
        char c = *s++;
        if (c == '$')
            s += put_dollar(l, &t, s, own);
        else
            put(&t, c);
    }
    memcpy(v, raw, offsetof(struct value, txt));
    memcpy(v->txt, t.text, t.size);
    v->txt_size = (uint16_t)t.size;
    v->has_txt = t.size > 0;
}

static int final(struct load *l, uint32_t *map, uint32_t *value) {
    uint32_t raw = l->type->flags & LOAD_ONE_VALUE ? l->default_value : *value;
    if (*value == VALUE_EXCLUDED)
        return 0;
    if (map[raw] == 0) {
        struct value v;
        const struct value *from = &l->raw.value[raw];
        if (from->kind == VALUE_ACL && from->act != ACL_LISTED)
            value_start(&v, from);
        else
            resolve(l, from, &v);
        int rc = data_value(l->d, &v, &map[raw]);
        if (rc < 0)
            return rc;
    }
    *value = map[raw];
    return 0;
}

int load_resolve(struct load *l) {
    struct data *d = l->d;
    if (l->type == NULL || l->type->flags & LOAD_RRS)
        return 0;
    uint32_t *map = calloc(l->raw.value_count, sizeof *map);
    int rc = map != NULL ? 0 : E_NOMEM;
    for (size_t i = l->from4; i < d->n4 && rc == 0; i++)
        rc = final(l, map, &d->e4[i].value);
    for (size_t i = l->from6; i < d->n6 && rc == 0; i++)
        rc = final(l, map, &d->e6[i].value);
    for (size_t i = l->fromn; i < d->nn && rc == 0; i++)
        rc = final(l, map, &d->en[i].value);
    free(map);
    return rc == 0 ? 0 : err_set(l->err, rc, "%s: no room for the different values", l->file);
}
