/* An authoritative server's answer, taken apart and brought into the cache's form. Input: one octet (1: DO, 2: of a
 * forwarder, 4 and 8: the zone that was asked), then the message, of which the question is put right. */
#include <stdlib.h>
#include <string.h>

#include "resolver/dns/writer.h"
#include "resolver/iterate/bounds.h"
#include "resolver/iterate/sift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

/* As many RDATA as it says, each inside. */
static void whole(const struct rrset *r) {
    struct bytes rdata;
    size_t at = 0;
    unsigned n = 0;
    while (rrset_next(r, &at, &rdata) == 0)
        n++;
    must(n == (unsigned)r->count + r->sigs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct sift *sift;
    static uint8_t raw[LIMIT_MESSAGE], buf[RRSET_MAX];
    static const uint8_t question[] = "\3www\7example\0\0\1\0";
    static const uint8_t skip[] = {0, 4, 12, 4}, labels[] = {2, 1, 0, 1};
    if (sift == NULL)
        must((sift = sift_new()) != NULL);
    if (size < 1 + DNS_HEADER + sizeof question || size > sizeof raw)
        return 0;
    unsigned up = data[0] >> 2 & 3;
    struct sift_question q = {.qname = {.size = 13, .labels = 2},
                              .zone = {.size = (uint8_t)(13 - skip[up]), .labels = labels[up]},
                              .qtype = TYPE_A,
                              .qclass = CLASS_IN,
                              .dnssec_ok = data[0] & 1,
                              .forwarded = data[0] & 2};
    memcpy(q.qname.wire, question, 13);
    memcpy(q.zone.wire, question + skip[up], q.zone.size);
    size--;
    memcpy(raw, data + 1, size);
    raw[2] = 0x80 | (raw[2] & 6);
    put_u16(raw + 4, 1);
    memcpy(raw + DNS_HEADER, question, sizeof question);
    raw[DNS_HEADER + sizeof question - 1] = CLASS_IN;

    const struct sift_result *r = sift_read(sift, &q, (struct bytes){raw, size});
    must(r->kind <= SIFT_INVALID && r->count <= SIFT_RRSETS && r->chain <= BOUND_CHAIN);
    if (r->kind == SIFT_INVALID)
        return 0;
    must(r->kind != SIFT_REFERRAL || (name_under(&q.qname, &r->cut) && name_under(&r->cut, &q.zone)));
    struct rrset set;
    for (unsigned i = 0; i < r->count; i++) {
        must(name_under(&r->rrset[i].owner, &q.zone));
        if (sift_rrset(sift, i, &set, buf) == 0)
            whole(&set);
    }
    if (r->kind == SIFT_NODATA || r->kind == SIFT_NXDOMAIN)
        must(sift_denial(sift, &set, buf) != 0 || set.data.size > 0);
    return 0;
}
