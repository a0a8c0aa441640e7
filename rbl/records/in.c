#include <inttypes.h>
#include <stdlib.h>

#include "rbl/records/edit_impl.h"
#include "rbl/records/text.h"

enum {
    LOOPBACK_OCTET = 127,
    STEPS_AN_ENTRY = 256, /* names that an entry can come as: a /9, /17, /25 has half as many */
    ENTRIES_LEAST = 1 << 16
};

struct records_in {
    struct records_zone zone;
    const struct conf_zone *conf;
    struct data d;
    bool opened, has_soa, has_ttl;
    struct records_told told;
    struct group g;
    struct records_key marked[2]; /* the last places that were marked, by family */
    uint32_t value;               /* the last one */
    struct value last;
    struct zonemd *zonemd;
    bool data_rrs; /* others than the apex's were there */
};

int records_in_open(struct records_in **out, const struct conf_zone *zone, struct err *err) {
    struct records_in *in = calloc(1, sizeof *in);
    *out = NULL;
    if (in == NULL)
        return err_set(err, E_NOMEM, "zone %s: no memory for a transfer", zone->name);
    in->conf = zone;
    int rc = records_zone_make(&in->zone, zone, err);
    if (rc == 0 && data_open(&in->d) < 0)
        rc = err_set(err, E_NOMEM, "zone %s: no memory for a transfer", zone->name);
    in->opened = rc == 0;
    if (rc < 0) {
        records_in_close(in);
        return rc;
    }
    *out = in;
    return 0;
}

int records_in_open_part(struct records_in **out, const struct conf_zone *zone, uint32_t ttl, struct err *err) {
    int rc = records_in_open(out, zone, err);
    if (rc < 0 || *out == NULL)
        return rc;
    (*out)->d.ttl = ttl;
    (*out)->has_soa = (*out)->has_ttl = true;
    return 0;
}

struct data *records_in_part(struct records_in *in) {
    return &in->d;
}

int records_in_collect(struct records_in *in) { return in->zonemd != NULL ? 0 : zonemd_open(&in->zonemd); }

void records_in_close(struct records_in *in) {
    if (in == NULL)
        return;
    if (in->opened)
        data_free(&in->d);
    zonemd_close(in->zonemd);
    free(in);
}

void records_in_told(const struct records_in *in, struct records_told *told) { *told = in->told; }

/* --- values --- */

static int value_id(struct records_in *in, const struct value *v, uint32_t *id) {
    if (in->value != 0 && value_same(&in->last, v)) {
        *id = in->value;
        return 0;
    }
    int rc = data_value(&in->d, v, id);
    if (rc == 0) {
        in->value = *id;
        value_copy(&in->last, v);
    }
    return rc;
}

static uint32_t ttl_kept(const struct records_in *in, uint32_t ttl) {
    if (ttl == 0)
        return 1; /* 0 in the store means "the zone's" */
    return ttl == in->d.ttl ? 0 : ttl;
}

static int add_as_name(struct records_in *in, const struct name *n, bool wildcard, uint32_t id) {
    struct name base;
    if (!wildcard)
        return data_add_name(&in->d, DATASET_LOCAL, n, false, id);
    name_strip(&base, n, 1);
    return data_add_name(&in->d, DATASET_LOCAL, &base, true, id);
}

static int add_key(struct records_in *in, const struct records_key *k, uint32_t id) {
    if (k->kind == KEEP_6)
        return data_add6(&in->d, DATASET_LOCAL, k->addr, k->bits, id);
    uint32_t first = get_u32(k->addr),
             last = k->bits == 0 ? UINT32_MAX : first | (uint32_t)((1ULL << (32 - k->bits)) - 1);
    return data_add4(&in->d, DATASET_LOCAL, first, last, id);
}

static int add_rr(struct records_in *in, const struct name *n, bool wildcard, const struct group_rr *rr) {
    struct value v = {.kind = VALUE_RR};
    uint32_t id;
    v.type = rr->type;
    v.ttl = ttl_kept(in, rr->ttl);
    v.txt_size = rr->size;
    memcpy(v.txt, in->g.rdata + rr->at, rr->size);
    int rc = value_id(in, &v, &id);
    return rc == 0 ? add_as_name(in, n, wildcard, id) : rc;
}

/* --- places without an answer --- */

/* A place that is there, with or without an owner. */
static int mark(struct records_in *in, const struct records_key *k) {
    struct records_key *last = &in->marked[k->kind == KEEP_6];
    if (last->kind == k->kind && last->bits == k->bits && memcmp(last->addr, k->addr, sizeof k->addr) == 0)
        return 0;
    *last = *k;
    return add_key(in, k, VALUE_EXCLUDED);
}

/* The labels of a name from the right: it is a place of an address's tree as far as they are octets, or nibbles. */
static int mark_above(struct records_in *in, const struct name *n, bool is4) {
    struct records_key k = {.kind = is4 ? KEEP_4 : KEEP_6};
    unsigned most = is4 ? 4 : 32, step = is4 ? 8 : 4;
    const uint8_t *last = n->wire + name_label_at(n, n->labels - 1u);
    bool digits = last[1] >= '0' && last[1] <= '9', letters = !is4 && last[1] >= 'a' && last[1] <= 'f';
    if (last[0] > (is4 ? 3 : 1) || !(digits || letters))
        return 0; /* as nearly all */
    for (unsigned labels = n->labels < most ? n->labels : most; labels > 0; labels--) {
        struct name part;
        struct records_key found;
        /* the longest end of the name that is a place */
        name_strip(&part, n, n->labels - labels);
        if (!records_shape(&in->zone, &part, labels < most, true, &found) || found.kind != k.kind)
            continue;
        found.bits = (uint8_t)(labels * step);
        return mark(in, &found);
    }
    return 0;
}

static int mark_name(struct records_in *in, const struct name *n, bool wildcard) {
    struct name base = *n;
    if (wildcard)
        name_strip(&base, n, 1);
    if (base.labels == 0)
        return 0;
    int rc = in->zone.only6 ? 0 : mark_above(in, &base, true);
    return rc == 0 && in->zone.has6 ? mark_above(in, &base, false) : rc;
}

/* The first labels of an IPv6 place are octets below ten, perhaps: then it is beneath an IPv4 one. */
static int mark_digits(struct records_in *in, const struct records_key *k) {
    struct records_key four = {.kind = KEEP_4};
    unsigned labels = 0;
    if (in->zone.only6)
        return 0;
    for (; labels < 4 && labels * 4 < k->bits; labels++) {
        unsigned digit = labels % 2 == 0 ? k->addr[labels / 2] >> 4 : k->addr[labels / 2] & 15;
        if (digit > 9)
            break;
        four.addr[labels] = (uint8_t)digit;
    }
    four.bits = (uint8_t)(8 * labels);
    return labels > 0 ? mark(in, &four) : 0;
}

/* --- an owner --- */

static bool is_excluded(const struct records_in *in, const struct group_rr *rr) {
    static const uint8_t excluded[] = "\10excluded";
    return rr->type == TYPE_HINFO && rr->size == sizeof excluded &&
           memcmp(in->g.rdata + rr->at, excluded, sizeof excluded) == 0;
}

struct place {
    struct records_key key;
    bool has_address, wildcard;
    char own[NAME_TEXT_MAX];
    size_t own_size;
};

static void place_of(const struct records_in *in, const struct name *n, struct place *p) {
    struct name base;
    const struct name *shaped = n;
    p->wildcard = n->labels > 0 && n->wire[0] == 1 && n->wire[1] == '*';
    if (p->wildcard) {
        name_strip(&base, n, 1);
        shaped = &base;
    }
    p->has_address = records_shape(&in->zone, shaped, p->wildcard, true, &p->key);
    p->own_size = records_own_text(p->has_address ? &p->key : NULL, shaped, p->own);
}

static int add_listing(struct records_in *in, const struct place *p, const struct group_rr *a,
                       const struct group_rr *txt) {
    struct value v;
    uint32_t id;
    memset(&v, 0, offsetof(struct value, txt));
    memcpy(v.a, in->g.rdata + a->at, sizeof v.a);
    uint32_t ttl = a->ttl;
    if (txt != NULL) {
        records_template(&v, (struct bytes){in->g.rdata + txt->at, txt->size}, p->own, p->own_size);
        ttl = txt->ttl < ttl ? txt->ttl : ttl;
    }
    v.ttl = ttl_kept(in, ttl);
    int rc = value_id(in, &v, &id);
    if (rc < 0)
        return rc;
    return p->has_address ? add_key(in, &p->key, id) : add_as_name(in, &in->g.owner, p->wildcard, id);
}

static bool is_listing(const struct records_in *in, const struct group_rr *rr) {
    return rr->type == TYPE_A && in->g.rdata[rr->at] == LOOPBACK_OCTET;
}

static bool is_text(const struct records_in *in, const struct group_rr *rr) {
    return rr->type == TYPE_TXT && records_is_plain((struct bytes){in->g.rdata + rr->at, rr->size});
}

/* The n-th A and the n-th TXT are one listing; what is over of either goes with the last of the others. */
static int add_listings(struct records_in *in, const struct place *p, unsigned *listings) {
    const struct group_rr *a[RECORDS_VALUES], *txt[RECORDS_VALUES];
    unsigned as = 0, txts = 0;
    int rc = 0;
    for (unsigned i = 0; i < in->g.rrs; i++) {
        if (is_listing(in, &in->g.rr[i]))
            a[as++] = &in->g.rr[i];
        else if (is_text(in, &in->g.rr[i]))
            txt[txts++] = &in->g.rr[i];
    }
    *listings = as;
    for (unsigned i = 0; as > 0 && (i < as || i < txts) && rc == 0; i++)
        rc = add_listing(in, p, a[i < as ? i : as - 1], i < txts ? txt[i] : NULL);
    return rc;
}

static int flush(struct records_in *in) {
    struct group *g = &in->g;
    struct place p;
    unsigned listings = 0;
    int rc = 0;
    if (!g->held || g->owner.labels == 0)
        p = (struct place){.has_address = false};
    else
        place_of(in, &g->owner, &p);
    bool apex = g->owner.labels == 0, excluded = g->rrs == 1 && is_excluded(in, &g->rr[0]);
    if (g->held && !apex)
        rc = add_listings(in, &p, &listings);
    for (unsigned i = 0; g->held && i < g->rrs && rc == 0 && !excluded; i++) {
        const struct group_rr *rr = &g->rr[i];
        if (apex || (!is_listing(in, rr) && (listings == 0 || !is_text(in, rr))))
            rc = add_rr(in, &g->owner, p.wildcard, rr);
    }
    if (g->held && !apex && rc == 0) {
        if (p.has_address)
            rc = listings == 0 ? mark(in, &p.key) : 0;
        else
            rc = mark_name(in, &g->owner, p.wildcard);
        if (rc == 0 && p.has_address && p.key.kind == KEEP_6)
            rc = mark_digits(in, &p.key);
        if (rc == 0 && excluded && !p.has_address)
            rc = add_as_name(in, &g->owner, p.wildcard, VALUE_EXCLUDED);
    }
    g->held = false;
    g->rrs = 0;
    g->size = 0;
    return rc;
}

/* --- RRs --- */

bool records_rdata_right(uint16_t type, struct bytes r) {
    return !((type == TYPE_A && r.size != 4) || (type == TYPE_AAAA && r.size != 16) ||
             (type == TYPE_TXT && !records_strings_right(r)) || r.size > VALUE_BYTES || r.size == 0);
}

int records_read_soa(struct bytes rdata, struct dns_soa *soa) {
    size_t at = 0;
    if (name_read(&soa->primary, rdata.at, rdata.size, 0, &at) != 0 ||
        name_read(&soa->contact, rdata.at, rdata.size, at, &at) != 0 || rdata.size - at != 20)
        return E_INVALID;
    uint32_t *const numbers[] = {&soa->serial, &soa->refresh, &soa->retry, &soa->expire, &soa->minimum};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        *numbers[i] = get_u32(rdata.at + at + 4 * i);
    return 0;
}

/* SOA, NS and ZONEMD of the apex: 1: taken. */
static int take_apex(struct records_in *in, const struct records_rr *rr, struct err *err) {
    struct data *d = &in->d;
    size_t end;
    if (rr->type == TYPE_SOA) {
        if (in->has_soa)
            return 1;
        in->has_soa = d->has_soa = true;
        d->soa_ttl = rr->ttl;
        return records_read_soa(rr->rdata, &d->soa) < 0 ? err_set(err, E_INVALID, "an SOA that is none") : 1;
    }
    if (rr->type == TYPE_ZONEMD) {
        if (in->zonemd != NULL)
            return 1;
        if (in->data_rrs)
            return err_set(err, E_AGAIN, "the zone has a digest, told too late: fetch it once more, all RRs collected");
        return 1;
    }
    if (rr->type != TYPE_NS)
        return 0;
    if (d->ns_count == DATA_NS)
        return err_set(err, E_FULL, "more than %d name servers", DATA_NS);
    if (name_read(&d->ns[d->ns_count], rr->rdata.at, rr->rdata.size, 0, &end) != 0 || end != rr->rdata.size)
        return err_set(err, E_INVALID, "an NS that is none");
    name_lower(&d->ns[d->ns_count]);
    for (unsigned i = 0; i < d->ns_count; i++)
        if (name_equal(&d->ns[i], &d->ns[d->ns_count]))
            return 1;
    d->ns_count++;
    d->ns_ttl = rr->ttl;
    return 1;
}

/* The instant of the source's heartbeat: milliseconds of its wall clock, the first number in the text. */
static void take_heartbeat(struct records_in *in, const struct name *owner, const struct records_rr *rr) {
    static const uint8_t name[] = "\21_candor-heartbeat";
    int64_t ms = 0;
    if (rr->type != TYPE_TXT || owner->size != sizeof name || memcmp(owner->wire, name, sizeof name) != 0)
        return;
    for (size_t i = 1; i < rr->rdata.size && i <= 18; i++) {
        uint8_t c = rr->rdata.at[i];
        if (c >= '0' && c <= '9')
            ms = ms * 10 + c - '0';
        else if (ms > 0)
            break;
    }
    in->told.heartbeat_ms = ms;
}

static int take_rr(struct records_in *in, const struct name *owner, const struct records_rr *rr, struct err *err) {
    struct group *g = &in->g;
    int rc = 0;
    if (!g->held || g->owner.size != owner->size || memcmp(g->owner.wire, owner->wire, owner->size) != 0) {
        rc = flush(in);
        if (rc < 0)
            return err_set(err, rc, "RRs of a transfer: %s", err_name(rc));
        g->held = true;
        g->owner = *owner;
    }
    if (owner->labels > 0) {
        in->data_rrs = true;
        if (!in->has_ttl && rr->ttl != 0)
            in->d.ttl = rr->ttl;
        in->has_ttl |= rr->ttl != 0;
    }
    if (g->rrs == RECORDS_VALUES)
        return err_set(err, E_FULL, "more than %d RRs at one name", RECORDS_VALUES);
    g->rr[g->rrs++] = (struct group_rr){rr->type, (uint16_t)rr->rdata.size, rr->ttl, (uint32_t)g->size};
    memcpy(g->rdata + g->size, rr->rdata.at, rr->rdata.size);
    g->size += rr->rdata.size;
    return 0;
}

static int check_room(const struct records_in *in, struct err *err) {
    uint64_t limit = in->conf->limits.entries, have = data_entries(&in->d);
    if (limit == 0 || have < ENTRIES_LEAST || have / STEPS_AN_ENTRY < limit)
        return 0;
    return err_set(err, E_FULL, "limits.entries is %" PRIu64 ", and this zone cannot be as small", limit);
}

int records_in_add(struct records_in *in, const struct records_rr *rr, struct err *err) {
    struct name owner;
    int rc = 0;
    in->told.rrs++;
    if (!records_relative(&rr->owner, &in->zone.apex, &owner)) {
        in->told.outside++;
        return 0;
    }
    if (in->zonemd != NULL && zonemd_add(in->zonemd, rr) < 0)
        return err_set(err, E_NOMEM, "no memory for the zone's digest");
    if (owner.labels == 0) {
        if (rr->type == TYPE_ZONEMD && in->zonemd == NULL && !in->data_rrs)
            return err_set(err, E_AGAIN, "the zone has a digest: fetch it once more, all RRs collected");
        rc = take_apex(in, rr, err);
    }
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (rr->type == TYPE_SOA || rr->type == TYPE_ZONEMD || records_is_dnssec(rr->type) || records_is_meta(rr->type) ||
        !records_rdata_right(rr->type, rr->rdata)) {
        in->told.passed_over++;
        return 0;
    }
    take_heartbeat(in, &owner, rr);
    rc = take_rr(in, &owner, rr, err);
    return rc == 0 ? check_room(in, err) : rc;
}

/* --- the whole --- */

/* Wildcards of names that addresses are beneath: each of those ends them. */
static bool over_addresses(const struct entry_name *e) {
    if (!e->wildcard || e->value == VALUE_EXCLUDED)
        return false;
    for (size_t at = 0; at < e->size; at += e->name[at] + 1u)
        for (unsigned i = 1; i <= e->name[at]; i++) {
            uint8_t c = e->name[at + i];
            if (e->name[at] > 3 || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
                return false;
        }
    return true;
}

static int mark_addresses(struct records_in *in) {
    struct data *d = &in->d;
    bool any = false;
    int rc = 0;
    struct name n;
    for (size_t i = 0; i < d->nn && !any; i++)
        any = over_addresses(&d->en[i]);
    for (size_t i = 0; any && i < d->n4 && rc == 0; i++) {
        records_name_of((read_addr)d->e4[i].addr << 96, d->e4[i].bits / 8, true, &n);
        rc = data_add_name(d, DATASET_LOCAL, &n, false, VALUE_EXCLUDED);
    }
    for (size_t i = 0; any && i < d->n6 && rc == 0; i++) {
        records_name_of(read_addr_of(d->e6[i].addr, 16), d->e6[i].bits / 4, false, &n);
        rc = data_add_name(d, DATASET_LOCAL, &n, false, VALUE_EXCLUDED);
    }
    return rc;
}

int records_in_data(struct records_in *in, struct data **out, struct err *err) {
    *out = NULL;
    if (!in->has_soa)
        return err_set(err, E_INVALID, "a zone without SOA");
    int rc = flush(in);
    if (rc == 0)
        rc = mark_addresses(in);
    if (rc == 0)
        rc = records_fold4(&in->d);
    if (rc == 0)
        rc = records_fold6(&in->d);
    if (rc == 0)
        rc = records_fold_names(&in->d);
    if (rc < 0)
        return err_set(err, rc, "entries of a transfer: %s", err_name(rc));
    if (in->zonemd != NULL) {
        rc = zonemd_check(in->zonemd, &in->zone.apex, err);
        zonemd_close(in->zonemd);
        in->zonemd = NULL;
        if (rc < 0)
            return rc;
        in->told.zonemd_checked = rc > 0;
    }
    rc = data_settle(&in->d, err);
    if (rc == 0)
        *out = &in->d;
    return rc;
}
