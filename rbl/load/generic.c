/* Entries of a generic dataset: "name [ttl] [IN] type data", "@" being the apex. rbldnsd knows A, TXT and MX; here
 * AAAA, CNAME and NS are RRs too. Where rbldnsd gives up the whole file (a TTL or MX that is none), the line is
 * skipped. */
#include <arpa/inet.h>
#include <strings.h>

#include "rbl/load/impl.h"
#include "rbl/load/types.h"
#include "resolver/dns/const.h"

const char *generic_parse(const char *s, struct load_entry *e) {
    e->exact = true;
    e->wild = false;
    e->first = e->last = 0;
    if (s[0] == '@' && load_space(s[1])) {
        e->name = (struct name){.size = 1};
        e->rest = load_skip(s + 1);
        return NULL;
    }
    if (!load_name_word(&e->name, &s) || e->name.labels == 0)
        return "invalid domain name";
    e->rest = s;
    return NULL;
}

static void put_name(struct value *v, const struct name *n) {
    memcpy(v->txt + v->txt_size, n->wire, n->size);
    v->txt_size = (uint16_t)(v->txt_size + n->size);
}

/* "5" is 0.0.0.5 and "1.2" is 1.0.0.2, as inet_aton() has it; what follows is not looked at. */
static bool rdata_a(const char *s, struct value *v) {
    uint32_t addr;
    if (!load_ip4(&s, &addr))
        return false;
    put_u32((uint8_t *)v->txt, addr);
    v->txt_size = 4;
    return true;
}

static bool rdata_aaaa(const char *s, struct value *v) {
    v->txt_size = 16;
    return inet_pton(AF_INET6, s, v->txt) == 1;
}

/* All that is left of the line, in quotes or not; at most what one character-string holds. */
static bool rdata_txt(const char *s, struct value *v) {
    size_t size = strlen(s);
    if (size == 0)
        return false;
    if (size >= 2 && s[0] == '"' && s[size - 1] == '"') {
        s++;
        size -= 2;
    }
    if (size > LIMIT_TXT)
        size = LIMIT_TXT;
    v->txt[0] = (char)size;
    memcpy(v->txt + 1, s, size);
    v->txt_size = (uint16_t)(size + 1);
    return true;
}

static bool rdata_name(const char *s, struct value *v) {
    struct name n;
    if (!load_name_word(&n, &s) || *s != '\0')
        return false;
    put_name(v, &n);
    return true;
}

static bool rdata_mx(const char *s, struct value *v) {
    uint32_t preference = 0;
    if (!load_digit(*s))
        return false;
    for (; load_digit(*s); s++)
        if ((preference = preference * 10 + (uint32_t)(*s - '0')) > UINT16_MAX)
            return false;
    if (!load_space(*s))
        return false;
    put_u16((uint8_t *)v->txt, (uint16_t)preference);
    v->txt_size = 2;
    return rdata_name(load_skip(s), v);
}

static const struct {
    const char *word;
    uint16_t type;
    bool (*read)(const char *s, struct value *v);
} types[] = {
    {"A", TYPE_A, rdata_a},          {"TXT", TYPE_TXT, rdata_txt},      {"MX", TYPE_MX, rdata_mx},
    {"AAAA", TYPE_AAAA, rdata_aaaa}, {"CNAME", TYPE_CNAME, rdata_name}, {"NS", TYPE_NS, rdata_name},
};

/* Moves behind `word` and the blanks that must follow. */
static bool word_is(const char **s, const char *word) {
    size_t n = strlen(word);
    if (strncasecmp(*s, word, n) != 0 || !load_space((*s)[n]))
        return false;
    *s = load_skip(*s + n);
    return true;
}

const char *generic_value(struct load *l, const char *s, uint32_t base, uint32_t *id, int *rc) {
    struct value v;
    (void)base;
    memset(&v, 0, offsetof(struct value, txt));
    v.kind = VALUE_RR;
    if (load_digit(*s) && !load_ttl(l, &s, &v.ttl))
        return "invalid TTL";
    if (v.ttl == 0)
        v.ttl = load_preset_ttl(l);
    (void)word_is(&s, "IN");
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (!word_is(&s, types[i].word))
            continue;
        v.type = types[i].type;
        if (!types[i].read(s, &v))
            return "invalid data of the RR";
        *rc = data_value(l->d, &v, id);
        return NULL;
    }
    return "unknown type of RR";
}
