/* Entries of name lists: "name", "*.name", ".name" for both. */
#include "rbl/load/impl.h"
#include "rbl/load/types.h"

/* \DDD of one to three digits, or the character itself; -1: over 255. */
static int escaped(const char **text, const char *end) {
    const char *s = *text;
    int c = (unsigned char)*s++;
    if (c >= '0' && c <= '9') {
        c -= '0';
        for (int i = 0; i < 2 && s < end && load_digit(*s); i++)
            c = c * 10 + (*s++ - '0');
    }
    *text = s;
    return c > 255 ? -1 : c;
}

bool load_name(struct name *n, const char *s, size_t size) {
    const char *end = s + size;
    unsigned label = 0, at = 1; /* where the label's length stands, where the next byte goes */
    n->labels = 0;
    while (s < end) {
        int c = (unsigned char)*s++;
        bool dot = c == '.';
        if (c == '\\') {
            if (s == end)
                break;
            c = escaped(&s, end);
            if (c < 0)
                return false;
        }
        if (dot && at == label + 1)
            continue; /* empty labels are passed over */
        if (dot) {
            n->wire[label] = (uint8_t)(at - label - 1);
            n->labels++;
            label = at++;
            continue;
        }
        if (at >= LIMIT_NAME_WIRE - 1 || at - label > 63)
            return false;
        n->wire[at++] = (uint8_t)c;
    }
    if (at > label + 1) {
        n->wire[label] = (uint8_t)(at - label - 1);
        n->labels++;
        label = at;
    }
    n->wire[label] = 0;
    n->size = (uint8_t)(label + 1);
    return true;
}

bool load_name_word(struct name *n, const char **s) {
    size_t size = 0;
    while ((*s)[size] != '\0' && !load_space((*s)[size]))
        size++;
    if (size == 0 || !load_name(n, *s, size))
        return false;
    *s = load_skip(*s + size);
    return true;
}

const char *dnset_parse(const char *s, struct load_entry *e) {
    e->exact = e->wild = true;
    if (s[0] == '.') {
        s++;
    } else if (s[0] == '*' && s[1] == '.') {
        e->exact = false;
        s += 2;
    } else {
        e->wild = false;
    }
    if (!load_name_word(&e->name, &s) || e->name.labels == 0)
        return "invalid domain name";
    e->rest = s;
    e->first = e->last = 0;
    return NULL;
}

int dnset_add(struct load *l, const struct load_entry *e, uint32_t value) {
    int rc = e->exact ? data_add_name(l->d, l->dataset, &e->name, false, value) : 0;
    if (rc == 0 && e->wild)
        rc = data_add_name(l->d, l->dataset, &e->name, true, value);
    return rc;
}

bool dnset_holds(const struct load_entry *e, const struct load_key *key) {
    return key->kind == LOAD_KEY_NAME && (key->bits == 1 ? e->wild : e->exact) && name_equal(&e->name, key->name);
}
