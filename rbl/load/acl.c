/* Entries of an acl: prefixes of askers, with what to do when they ask. */
#include <strings.h>

#include "rbl/load/impl.h"
#include "rbl/load/types.h"

const char *acl_parse(const char *s, struct load_entry *e) {
    e->six = false;
    if (ip4trie_parse(s, e) == NULL)
        return NULL;
    e->six = true;
    return ip6trie_parse(s, e);
}

static bool word_ends(char c) { return c == '\0' || load_space(c) || load_comment(c) || c == ':'; }

/* Keywords may be cut short, down to their first letter. */
static bool keyword(const char *s, uint8_t *act) {
    static const struct {
        const char *word;
        enum acl_act act;
    } words[] = {{"ignore", ACL_IGNORE},
                 {"blackhole", ACL_IGNORE},
                 {"refuse", ACL_REFUSE},
                 {"empty", ACL_EMPTY},
                 {"pass", ACL_PASS}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t n = 0;
        while (words[i].word[n] != '\0' && (s[n] | 0x20) == words[i].word[n])
            n++;
        if (n > 0 && word_ends(s[n])) {
            *act = (uint8_t)words[i].act;
            return true;
        }
    }
    return false;
}

/* ":refuse" or "=refuse"; else a template over the default, where an action is no A that it could take over. */
const char *acl_value(struct load *l, const char *s, uint32_t base, uint32_t *id, int *rc) {
    struct value v;
    value_start(&v, &l->raw.value[base]);
    if ((*s == ':' || *s == '=') && keyword(s + 1, &v.act)) {
        v.txt_size = 0;
    } else if (*s == '=') {
        return "unknown action";
    } else {
        if (v.act != ACL_LISTED)
            put_u32(v.a, 0x7f000002);
        v.act = ACL_LISTED;
        const char *wrong = load_template(s, &v);
        if (wrong != NULL)
            return wrong;
    }
    *rc = data_value(&l->raw, &v, id);
    return NULL;
}

int acl_add(struct load *l, const struct load_entry *e, uint32_t value) {
    return e->six ? ip6_add(l, e, value) : ip4_add(l, e, value);
}

bool acl_holds(const struct load_entry *e, const struct load_key *key) {
    return e->six ? ip6_holds(e, key) : ip4_holds(e, key);
}
