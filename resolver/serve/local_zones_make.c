/* Compiling the local zones out of the configuration. */
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"
#include "resolver/serve/local_zones_impl.h"

enum { SOA_MAX = 2 * LIMIT_NAME_WIRE + 20 };

/* Makes room for `more` elements of `size` octets behind `count`. */
static int grow(void **at, uint32_t *cap, uint32_t count, uint32_t more, size_t size) {
    if (count + more <= *cap)
        return 0;
    uint32_t wanted = *cap > 0 ? 2 * *cap : 64;
    while (wanted < count + more)
        wanted *= 2;
    void *new = realloc(*at, wanted * size);
    if (new == NULL)
        return E_NOMEM;
    *at = new;
    *cap = wanted;
    return 0;
}

/* Offset of a copy of `from` in octets, or an error < 0. */
static int64_t octets_add(struct local_zones *z, const void *from, size_t size) {
    if (grow((void **)&z->octets, &z->octets_cap, z->octets_size, (uint32_t)size, 1) != 0 || z->octets == NULL)
        return E_NOMEM;
    uint32_t at = z->octets_size;
    memcpy(z->octets + at, from, size);
    z->octets_size += (uint32_t)size;
    return at;
}

static int table_grow(struct local_zones *z) {
    uint32_t slots = z->slots > 0 ? 2 * z->slots : 1024;
    uint32_t *slot = calloc(slots, sizeof *slot);
    if (slot == NULL)
        return E_NOMEM;
    free(z->slot);
    z->slot = slot;
    z->slots = slots;
    for (uint32_t i = 1; i < z->nodes; i++)
        z->slot[local_slot(z, z->node[i].parent, z->octets + z->node[i].label)] = i + 1;
    return 0;
}

static int64_t node_add(struct local_zones *z, uint32_t parent, const uint8_t *label) {
    if (z->nodes == LOCAL_NODES_MAX)
        return E_FULL;
    if (grow((void **)&z->node, &z->nodes_cap, z->nodes, 1, sizeof *z->node) != 0 ||
        (2 * (z->nodes + 1) >= z->slots && table_grow(z) != 0))
        return E_NOMEM;
    int64_t at = octets_add(z, label, label[0] + 1U);
    if (at < 0)
        return at;
    z->node[z->nodes] = (struct local_node){.parent = parent, .label = (uint32_t)at};
    if (z->nodes > 0) /* the root is in no table */
        z->slot[local_slot(z, parent, label)] = z->nodes + 1;
    return z->nodes++;
}

/* The node of a name, made with all above it when it is not there; or an error < 0. */
static int64_t node_of(struct local_zones *z, const struct name *name) {
    struct name n = *name;
    int64_t at = 0;
    name_lower(&n);
    for (unsigned i = n.labels; i > 0; i--) {
        const uint8_t *label = n.wire + name_label_at(&n, i - 1);
        uint32_t child = local_child(z, (uint32_t)at, label);
        at = child != LOCAL_NOT_FOUND ? child : node_add(z, (uint32_t)at, label);
        if (at < 0)
            return at;
    }
    return at;
}

/* --- RRs */

static int rr_add(struct local_zones *z, const struct name *owner, uint16_t type, uint32_t ttl, struct bytes rdata) {
    int64_t node = node_of(z, owner);
    int64_t at = node >= 0 ? octets_add(z, rdata.at, rdata.size) : node;
    if (at < 0)
        return (int)at;
    if (grow((void **)&z->rr, &z->rrs_cap, z->rrs, 1, sizeof *z->rr) != 0)
        return E_NOMEM;
    z->rr[z->rrs++] = (struct local_rr){
        .node = (uint32_t)node, .ttl = ttl, .at = (uint32_t)at, .size = (uint16_t)rdata.size, .type = type};
    return 0;
}

/* Types that are no data, or that would have to be followed (DNAME). */
static bool is_refused(ldns_rr_type type) {
    return type == 0 || type == LDNS_RR_TYPE_OPT || type == LDNS_RR_TYPE_DNAME || (type >= 128 && type <= 255);
}

static int ldns_take(struct local_zones *z, const ldns_rr *rr) {
    struct name owner;
    size_t end, size;
    uint8_t *whole = NULL;
    int e = E_INVALID;
    if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN || is_refused(ldns_rr_get_type(rr)) || ldns_rr_owner(rr) == NULL ||
        name_read(&owner, ldns_rdf_data(ldns_rr_owner(rr)), ldns_rdf_size(ldns_rr_owner(rr)), 0, &end) != 0 ||
        ldns_rr2wire(&whole, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK)
        return E_INVALID;
    size_t at = (size_t)owner.size + 10; /* type, class, TTL, length */
    if (size >= at && size - at <= UINT16_MAX)
        e = rr_add(z, &owner, (uint16_t)ldns_rr_get_type(rr), ldns_rr_ttl(rr), (struct bytes){whole + at, size - at});
    free(whole);
    return e;
}

static int text_take(struct local_zones *z, const char *text) {
    ldns_rr *rr = NULL;
    ldns_rdf *root = ldns_dname_new_frm_str(".");
    int e = root == NULL ? E_NOMEM : E_INVALID;
    if (root != NULL && ldns_rr_new_frm_str(&rr, text, LOCAL_DATA_TTL_S, root, NULL) == LDNS_STATUS_OK)
        e = ldns_take(z, rr);
    ldns_rr_free(rr);
    ldns_rdf_deep_free(root);
    return e;
}

static int rr_compare(const void *a, const void *b) {
    const struct local_rr *x = a, *y = b;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* RRs by node and type in the order they were given; an RRset has one TTL, the least (RFC 2181 section 5.2), and each
 * RR once. */
static void rrs_sort(struct local_zones *z) {
    uint32_t kept = 0, first = 0;
    for (uint32_t i = 0; i < z->nodes; i++)
        z->node[i].count = 0;
    if (z->rrs > 0)
        qsort(z->rr, z->rrs, sizeof *z->rr, rr_compare);
    for (uint32_t i = 0; i < z->rrs; i++) {
        const struct local_rr rr = z->rr[i];
        bool twice = false;
        if (kept == 0 || z->rr[first].node != rr.node || z->rr[first].type != rr.type)
            first = kept;
        for (uint32_t k = first; k < kept && !twice; k++)
            twice = z->rr[k].size == rr.size && memcmp(z->octets + z->rr[k].at, z->octets + rr.at, rr.size) == 0;
        if (twice)
            continue;
        z->rr[kept++] = rr;
        uint32_t least = z->rr[first].ttl < rr.ttl ? z->rr[first].ttl : rr.ttl;
        for (uint32_t k = first; k < kept; k++)
            z->rr[k].ttl = least;
    }
    z->rrs = kept;
    for (uint32_t i = kept; i-- > 0;) {
        z->node[z->rr[i].node].first = i;
        z->node[z->rr[i].node].count++;
    }
}

/* --- zones */

static int zone_set(struct local_zones *z, const char *text, enum conf_local kind, bool built_in, struct err *err) {
    struct name n;
    int e = name_from_text(&n, text, err);
    int64_t at = e == 0 ? node_of(z, &n) : e;
    if (at < 0)
        return err_set(err, (int)at, "local zone %s: %s", text, err_name((int)at));
    z->node[at].kind = (uint8_t)kind;
    z->node[at].built_in = built_in;
    z->node[at].negative_ttl = built_in || kind == LOCAL_STATIC ? LOCAL_SOA_TTL_S : LOCAL_OVERRIDE_TTL_S;
    return 0;
}

/* Zone number `index` of those that are asked for elsewhere: forward, stub and guard; NULL: no more. */
static const char *elsewhere(const struct conf_resolver *conf, size_t index) {
    if (index < conf->forward_count)
        return conf->forward[index].zone;
    index -= conf->forward_count;
    if (index < conf->stub_count)
        return conf->stub[index].zone;
    index -= conf->stub_count;
    return index < conf->guard_count ? conf->guard[index].zone : NULL;
}

/* Whether one of them, not the root, holds this name. */
static bool given_away(const struct conf_resolver *conf, const char *zone) {
    struct name n, of;
    const char *text;
    if (name_from_text(&n, zone, NULL) != 0)
        return false;
    for (size_t i = 0; (text = elsewhere(conf, i)) != NULL; i++)
        if (name_from_text(&of, text, NULL) == 0 && of.labels > 0 && name_under(&n, &of))
            return true;
    return false;
}

/* "@ SOA @ nobody.invalid. 1 3600 1200 604800 10800" and "@ NS @" (RFC 6303 section 3). */
static int soa_make(struct local_zones *z, uint32_t node, const struct name *owner, uint32_t ttl) {
    static const uint8_t contact[] = "\6nobody\7invalid";
    uint8_t rdata[SOA_MAX];
    const uint32_t numbers[] = {1, 3600, 1200, 604800, ttl};
    size_t size = owner->size;
    memcpy(rdata, owner->wire, size);
    memcpy(rdata + size, contact, sizeof contact);
    size += sizeof contact;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++, size += 4)
        put_u32(rdata + size, numbers[i]);
    int64_t at = octets_add(z, rdata, size);
    if (at < 0)
        return (int)at;
    z->node[node].soa = (uint32_t)at;
    z->node[node].soa_size = (uint16_t)size;
    return 0;
}

static void name_of_node(const struct local_zones *z, uint32_t node, struct name *n) {
    n->size = 0;
    n->labels = 0;
    for (; node != 0; node = z->node[node].parent) {
        const uint8_t *label = z->octets + z->node[node].label;
        memcpy(n->wire + n->size, label, label[0] + 1U);
        n->size = (uint8_t)(n->size + label[0] + 1);
        n->labels++;
    }
    n->wire[n->size++] = 0;
}

static bool has_type(const struct local_zones *z, uint32_t node, uint16_t type) {
    const struct local_node *n = &z->node[node];
    for (uint32_t i = n->first; z->rr != NULL && i < n->first + n->count; i++)
        if (z->rr[i].type == type)
            return true;
    return false;
}

/* What negative answers show: the SOA of local-data where there is one, else one that is made. */
static int soas_make(struct local_zones *z) {
    struct name n;
    int e = 0;
    for (uint32_t i = 0; i < z->nodes && e == 0; i++) {
        struct local_node *node = &z->node[i];
        if (node->kind == LOCAL_NONE && node->count == 0)
            continue;
        if (node->kind == LOCAL_NONE)
            node->negative_ttl = LOCAL_OVERRIDE_TTL_S;
        for (uint32_t k = node->first; k < node->first + node->count; k++)
            if (z->rr[k].type == TYPE_SOA) {
                node->soa = z->rr[k].at;
                node->soa_size = z->rr[k].size;
            }
        name_of_node(z, i, &n);
        if (node->soa_size == 0)
            e = soa_make(z, i, &n, node->negative_ttl);
    }
    return e;
}

/* Static zones have NS and SOA as data, too: they are zones to whoever asks. */
static int apexes_make(struct local_zones *z) {
    struct name n;
    int e = 0;
    for (uint32_t i = 0; i < z->nodes && e == 0; i++) {
        if (z->node[i].kind != LOCAL_STATIC)
            continue;
        name_of_node(z, i, &n);
        if (!has_type(z, i, TYPE_NS))
            e = rr_add(z, &n, TYPE_NS, LOCAL_SOA_TTL_S, (struct bytes){n.wire, n.size});
        if (e != 0 || has_type(z, i, TYPE_SOA) || (e = soa_make(z, i, &n, LOCAL_SOA_TTL_S)) != 0)
            continue;
        uint8_t rdata[SOA_MAX];
        memcpy(rdata, z->octets + z->node[i].soa, z->node[i].soa_size);
        e = rr_add(z, &n, TYPE_SOA, LOCAL_SOA_TTL_S, (struct bytes){rdata, z->node[i].soa_size});
    }
    return e;
}

/* --- the whole */

static int defaults_take(struct local_zones *z, const struct conf_resolver *conf, struct err *err) {
    const struct local_default *d;
    for (size_t i = 0; conf->local_zones && (d = local_default(i)) != NULL; i++) {
        if (given_away(conf, d->zone))
            continue;
        int e = zone_set(z, d->zone, d->kind, true, err);
        for (size_t k = 0; e == 0 && k < ARRAY_SIZE(d->rr) && d->rr[k] != NULL; k++)
            e = text_take(z, d->rr[k]) != 0 ? err_set(err, E_INVALID, "local zone %s", d->zone) : 0;
        if (e != 0)
            return e;
    }
    return 0;
}

static int zones_take(struct local_zones *z, const struct conf_resolver *conf, struct err *err) {
    int e = defaults_take(z, conf, err);
    const char *text;
    for (size_t i = 0; e == 0 && (text = elsewhere(conf, i)) != NULL; i++)
        if (strcmp(text, ".") != 0)
            e = zone_set(z, text, LOCAL_TRANSPARENT, false, err);
    for (size_t i = 0; i < conf->override_count && e == 0; i++)
        e = zone_set(z, conf->overrides[i].zone, conf->overrides[i].answer, false, err);
    return e;
}

static int data_take(struct local_zones *z, const struct conf_list_text *data, struct err *err) {
    for (size_t i = 0; i < data->count; i++)
        if (text_take(z, data->at[i]) != 0)
            return err_set(err, E_INVALID,
                           "resolver.local-data[%zu]: expected a record such as \"host.example. 300 A 192.0.2.1\", "
                           "got \"%.200s\"",
                           i, data->at[i]);
    return 0;
}

static int cnames_check(const struct local_zones *z, struct err *err) {
    char text[NAME_TEXT_MAX], to[NAME_TEXT_MAX];
    struct name owner, target;
    size_t end;
    for (uint32_t i = 0; i < z->rrs; i++) {
        const struct local_rr *rr = &z->rr[i];
        if (rr->type != TYPE_CNAME)
            continue;
        name_of_node(z, rr->node, &owner);
        name_text(&owner, text);
        if (z->node[rr->node].count > 1)
            return err_set(err, E_INVALID, "resolver.local-data: %.200s has a CNAME and other records", text);
        uint32_t at = name_read(&target, z->octets + rr->at, rr->size, 0, &end) == 0
                          ? local_find(z, &target, NULL, NULL)
                          : LOCAL_NOT_FOUND;
        if (at == LOCAL_NOT_FOUND || z->node[at].count == 0)
            return err_set(err, E_INVALID,
                           "resolver.local-data: %.200s is a CNAME to %.200s, which has no local-data: nobody would "
                           "follow it",
                           text, name_text(&target, to));
    }
    return 0;
}

static int compile(struct local_zones *z, const struct conf_resolver *conf, struct err *err) {
    if (node_add(z, 0, (const uint8_t *)"") != 0)
        return err_set(err, E_NOMEM, "local zones: no memory");
    int e = zones_take(z, conf, err);
    if (e != 0 || (e = data_take(z, &conf->local_data, err)) != 0)
        return e;
    rrs_sort(z);
    e = apexes_make(z);
    rrs_sort(z);
    if (e != 0 || (e = soas_make(z)) != 0)
        return err_set(err, e, "local zones: %s", err_name(e));
    return cnames_check(z, err);
}

int local_zones_open(struct local_zones **out, const struct conf *conf, struct err *err) {
    struct local_zones *z = calloc(1, sizeof *z);
    *out = NULL;
    if (z == NULL)
        return err_set(err, E_NOMEM, "local zones: no memory");
    int e = compile(z, &conf->resolver, err);
    if (e != 0)
        local_zones_close(z);
    else
        *out = z;
    return e;
}

void local_zones_close(struct local_zones *z) {
    if (z == NULL)
        return;
    free(z->node);
    free(z->slot);
    free(z->rr);
    free(z->octets);
    free(z);
}
