#include <stdio.h>
#include <string.h>

#include "health/command/lookup.h"

enum { KIND_ALL = LOOKUP_IP4 | LOOKUP_IP6 | LOOKUP_NAMES };

static unsigned dataset_kinds(enum conf_dataset_type type) {
    switch (type) {
    case DATASET_IP4SET:
    case DATASET_IP4TSET:
    case DATASET_IP4TRIE:
        return LOOKUP_IP4;
    case DATASET_IP6TSET:
    case DATASET_IP6TRIE:
        return LOOKUP_IP6;
    case DATASET_DNSET:
        return LOOKUP_NAMES;
    default:
        return KIND_ALL;
    }
}

unsigned lookup_kinds(const struct conf_zone *z) {
    unsigned kinds = 0;
    for (size_t i = 0; i < z->data_count; i++)
        kinds |= dataset_kinds(z->data[i].type);
    if (kinds != 0)
        return kinds;
    switch (z->test) {
    case TEST_RFC5782_IP4:
        return LOOKUP_IP4;
    case TEST_RFC5782_IP6:
        return LOOKUP_IP6;
    case TEST_RFC5782_DOMAIN:
        return LOOKUP_NAMES;
    default:
        return KIND_ALL;
    }
}

int lookup_parse(struct lookup *l, const char *what, struct err *err) {
    memset(l, 0, sizeof *l);
    if (strchr(what, '@') != NULL)
        return err_set(err, E_INVALID, "'%s': expected an address without a port, or a name", what);
    if (addr_parse(&l->addr, what, 53, NULL) == 0) {
        l->kind = addr_family(&l->addr) == AF_INET ? LOOKUP_IP4 : LOOKUP_IP6;
        return 0;
    }
    l->kind = LOOKUP_NAMES;
    return name_from_text(&l->name, what, err);
}

static int address_below(const struct addr *a, struct name *n) {
    char label[8];
    if (addr_family(a) == AF_INET) {
        uint32_t ip = ntohl(a->in.sin_addr.s_addr);
        for (int shift = 24; shift >= 0; shift -= 8) {
            (void)snprintf(label, sizeof label, "%u", ip >> shift & 255);
            if (name_prepend(n, label) < 0)
                return E_RANGE;
        }
        return 0;
    }
    for (int i = 0; i < 32; i++) {
        uint8_t byte = a->in6.sin6_addr.s6_addr[i / 2];
        (void)snprintf(label, sizeof label, "%x", i % 2 == 0 ? byte >> 4 : byte & 15);
        if (name_prepend(n, label) < 0)
            return E_RANGE;
    }
    return 0;
}

int lookup_below(const struct lookup *l, const char *zone, struct name *qname) {
    struct name apex;
    int rc = name_from_text(&apex, zone, NULL);
    if (rc < 0)
        return rc;
    *qname = apex;
    if (l->kind != LOOKUP_NAMES)
        return address_below(&l->addr, qname);
    /* The labels of the name, then the zone instead of the root. */
    size_t front = (size_t)l->name.size - 1;
    if (front + apex.size > LIMIT_NAME_WIRE)
        return E_RANGE;
    memcpy(qname->wire, l->name.wire, front);
    memcpy(qname->wire + front, apex.wire, apex.size);
    qname->size = (uint8_t)(front + apex.size);
    qname->labels = (uint8_t)(l->name.labels + apex.labels);
    return 0;
}
