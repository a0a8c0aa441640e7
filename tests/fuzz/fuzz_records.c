/* What a primary sends: RRs of a transfer become entries that the store may hold, in bounded memory, whatever they are;
 * none is at two places, none beneath another that says the same without need, and taking them in twice is the same.
 * Input: an octet of choices, then RRs: owner labels, type, TTL, RDATA. */
#include <stdlib.h>

#include "rbl/records/records.h"
#include "resolver/dns/const.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static void must(bool holds) {
    if (!holds)
        abort();
}

static uint8_t take(struct input *in) {
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* Labels that meet: octets, nibbles, stars, letters, and raw ones. */
static void take_owner(struct input *in, struct name *n) {
    static const char *const labels[] = {
        "*", "0", "1", "2", "9", "10", "192", "255", "a", "f", "x", "com", "_candor-heartbeat"};
    unsigned count = take(in) % 36;
    uint8_t most = count > 5 ? 11 : 13;
    *n = (struct name){.size = 1};
    (void)!name_from_text(n, take(in) % 16 == 0 ? "elsewhere." : "example.", NULL);
    for (unsigned i = 0; i < count && in->left > 0; i++) {
        uint8_t which = take(in);
        char raw[3] = {(char)which, (char)take(in), '\0'};
        (void)!name_prepend(n, which < 200 ? labels[which % most] : raw);
    }
}

static void take_rr(struct input *in, struct records_rr *rr, uint8_t rdata[600]) {
    static const uint16_t types[] = {TYPE_A,     TYPE_TXT, TYPE_A,     TYPE_TXT, TYPE_MX,   TYPE_NS,
                                     TYPE_HINFO, TYPE_SOA, TYPE_RRSIG, 63,       TYPE_CNAME};
    take_owner(in, &rr->owner);
    uint8_t type = take(in);
    rr->type = type < 240 ? types[type % ARRAY_SIZE(types)] : (uint16_t)(take(in) << 8 | take(in));
    rr->ttl = take(in) % 4 * 300u;
    size_t size = take(in);
    if (rr->type == TYPE_A && size < 240) {
        memcpy(rdata, "\177\0\0", 3);
        rdata[3] = take(in) % 4;
        rr->rdata = (struct bytes){rdata, 4};
        return;
    }
    if (rr->type == TYPE_HINFO && size < 200) {
        memcpy(rdata, "\10excluded", 10);
        rr->rdata = (struct bytes){rdata, 10};
        return;
    }
    size = size == 255 ? 600 : size % 32;
    for (size_t i = 0; i < size; i++)
        rdata[i] = take(in);
    if (rr->type == TYPE_TXT && size > 0 && size < 200)
        rdata[0] = (uint8_t)(size - 1);
    rr->rdata = (struct bytes){rdata, size};
}

/* Sorted, each place once in what it says, host bits zero, values that are there. */
static void check_data(const struct data *d) {
    for (size_t i = 0; i < d->n4; i++) {
        const struct entry4 *e = &d->e4[i];
        must(e->dataset == DATASET_LOCAL && e->value < d->value_count && e->bits <= 32);
        must(e->bits == 32 || (e->addr & (UINT32_MAX >> e->bits)) == 0);
        must(i == 0 || e[-1].addr < e->addr ||
             (e[-1].addr == e->addr && (e[-1].bits < e->bits || (e[-1].bits == e->bits && e[-1].value != e->value))));
    }
    for (size_t i = 0; i < d->n6; i++)
        must(d->e6[i].dataset == DATASET_LOCAL && d->e6[i].value < d->value_count && d->e6[i].bits <= 128);
    for (size_t i = 0; i < d->nn; i++)
        must(d->en[i].dataset == DATASET_LOCAL && d->en[i].value < d->value_count);
    for (uint32_t v = VALUE_FIRST; v < d->value_count; v++) {
        const struct value *x = &d->value[v];
        must(x->kind == VALUE_RR ? x->txt_size > 0 && x->txt_size <= VALUE_BYTES
                                 : x->kind == VALUE_LISTED && x->a[0] == 127 && x->txt_size <= LIMIT_TXT);
    }
}

static struct digest taken(const uint8_t *data, size_t size, uint64_t *entries) {
    const struct conf_zone zone = {.name = "example."};
    struct input in = {data, size};
    struct digest sum = {0, 0};
    struct records_in *r;
    struct records_rr rr;
    struct err err;
    uint8_t rdata[600], soa[22] = {0};
    uint8_t how = take(&in);
    *entries = 0;
    if (records_in_open(&r, &zone, &err) < 0)
        return sum;
    int rc = how & 1 ? records_in_collect(r) : 0;
    if (rc == 0 && (how & 2) == 0) {
        rr = (struct records_rr){.type = TYPE_SOA, .ttl = 300, .rdata = {soa, sizeof soa}};
        must(name_from_text(&rr.owner, "example.", NULL) == 0);
        rc = records_in_add(r, &rr, &err);
    }
    while (rc == 0 && in.left > 0) {
        take_rr(&in, &rr, rdata);
        rc = records_in_add(r, &rr, &err);
    }
    struct data *d;
    if (rc == 0 && records_in_data(r, &d, &err) == 0) {
        check_data(d);
        *entries = data_entries(d);
        for (size_t i = 0; i < d->n4; i++)
            digest_plus(&sum, digest_entry4(d, &d->e4[i]));
        for (size_t i = 0; i < d->n6; i++)
            digest_plus(&sum, digest_entry6(d, &d->e6[i]));
        for (size_t i = 0; i < d->nn; i++)
            digest_plus(&sum, digest_entry_name(d, &d->en[i]));
    }
    records_in_close(r);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t entries, again;
    struct digest a = taken(data, size, &entries), b = taken(data, size, &again);
    must(entries == again && a.lo == b.lo && a.hi == b.hi);
    return 0;
}
