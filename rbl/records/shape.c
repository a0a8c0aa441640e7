#include "rbl/records/shape.h"

enum { OCTETS4 = 4, NIBBLES6 = 32, NIBBLES_LEAST = 4 };

int records_zone_make(struct records_zone *z, const struct conf_zone *conf, struct err *err) {
    bool has4 = false, any = false;
    *z = (struct records_zone){.addresses = false};
    for (size_t i = 0; i < conf->data_count; i++) {
        enum conf_dataset_type t = conf->data[i].type;
        has4 = has4 || t == DATASET_IP4SET || t == DATASET_IP4TSET || t == DATASET_IP4TRIE || t == DATASET_COMBINED;
        z->has6 = z->has6 || t == DATASET_IP6TSET || t == DATASET_IP6TRIE || t == DATASET_COMBINED;
        any = any || t != DATASET_ACL;
    }
    if (!any)
        has4 = z->has6 = true;
    z->addresses = has4 || z->has6;
    z->only6 = z->has6 && !has4;
    int rc = name_from_text(&z->apex, conf->name, err);
    name_lower(&z->apex);
    return rc;
}

int records_octet(const uint8_t *label, bool exact) {
    int value = 0;
    if (label[0] < 1 || label[0] > 3 || (exact && label[0] > 1 && label[1] == '0'))
        return -1;
    for (int i = 1; i <= label[0]; i++) {
        if (label[i] < '0' || label[i] > '9')
            return -1;
        value = value * 10 + label[i] - '0';
    }
    return value <= 255 ? value : -1;
}

int records_nibble(const uint8_t *label) {
    uint8_t c = label[1];
    if (label[0] != 1)
        return -1;
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool octets(const uint8_t *wire, unsigned labels, bool exact, uint8_t addr[16]) {
    memset(addr, 0, 16);
    for (unsigned i = labels; i-- > 0; wire += wire[0] + 1) {
        int value = records_octet(wire, exact);
        if (value < 0)
            return false;
        addr[i] = (uint8_t)value;
    }
    return true;
}

static bool nibbles(const uint8_t *wire, unsigned labels, uint8_t addr[16]) {
    memset(addr, 0, 16);
    for (unsigned i = labels; i-- > 0; wire += 2) {
        int value = records_nibble(wire);
        if (value < 0)
            return false;
        addr[i / 2] |= (uint8_t)(i % 2 ? value : value << 4);
    }
    return true;
}

/* A prefix of `labels` octets or nibbles, or with all of them an address. */
bool records_shape(const struct records_zone *z, const struct name *n, bool wildcard, bool exact,
                   struct records_key *k) {
    unsigned labels = n->labels;
    if (!z->addresses || labels == 0)
        return false;
    if (wildcard ? labels < OCTETS4 && !z->only6 : labels == OCTETS4) {
        k->kind = KEEP_4;
        k->bits = (uint8_t)(8 * labels);
        if (octets(n->wire, labels, exact, k->addr))
            return true;
    }
    unsigned least = z->only6 ? 1 : NIBBLES_LEAST;
    if (wildcard ? labels >= least && labels < NIBBLES6 && z->has6 : labels == NIBBLES6) {
        k->kind = KEEP_6;
        k->bits = (uint8_t)(4 * labels);
        return nibbles(n->wire, labels, k->addr);
    }
    return false;
}

void records_place_of(const struct records_zone *z, const struct name *n, bool exact, struct records_place *p) {
    bool wildcard = n->labels > 0 && n->wire[0] == 1 && n->wire[1] == '*';
    struct records_key k = {.kind = KEEP_4};
    p->apex = n->labels == 0;
    p->as_name = (struct keep_entry){.kind = KEEP_NAME, .bits = wildcard, .name = *n};
    if (wildcard)
        name_strip(&p->as_name.name, n, 1);
    p->has_address = records_shape(z, &p->as_name.name, wildcard, exact, &k);
    p->address = (struct keep_entry){.kind = k.kind, .bits = k.bits};
    memcpy(p->address.addr, k.addr, sizeof k.addr);
}

bool records_relative(const struct name *owner, const struct name *apex, struct name *to) {
    if (!name_under(owner, apex))
        return false;
    size_t own = (size_t)owner->size - apex->size;
    memcpy(to->wire, owner->wire, own);
    to->wire[own] = 0;
    to->size = (uint8_t)(own + 1);
    to->labels = (uint8_t)(owner->labels - apex->labels);
    name_lower(to);
    return true;
}
