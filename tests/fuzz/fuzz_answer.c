/* An upstream's answer on its way to a client: scrubbed, kept, looked up. Input: one octet (1: DO), then the message,
 * of which the question is put right so that the rest is looked at. */
#include <stdlib.h>

#include "resolver/cache/cache.h"
#include "resolver/dns/writer.h"
#include "resolver/iterate/scrub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

/* Every RR can be read; the count of octets and RRs is that of the header. */
static void well_formed(const uint8_t *msg, size_t size) {
    struct dns_reader r;
    struct dns_rr rr;
    int e;
    must(dns_reader_open(&r, msg, size, NULL, NULL, NULL) == 0);
    while ((e = dns_reader_next(&r, &rr)) == 0)
        must(rr.type != TYPE_OPT && rr.section != SECTION_ADDITIONAL && rr.klass == CLASS_IN);
    must(e == E_NOTFOUND && r.at == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct scrub *scrub;
    static struct cache *cache;
    static uint8_t raw[LIMIT_MESSAGE], out[LIMIT_MESSAGE], back[LIMIT_MESSAGE];
    static const uint8_t question[] = "\3www\7example\0\0\1\0";
    struct cache_config config = {.max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    if (scrub == NULL)
        must((scrub = scrub_new()) != NULL && cache_open(&cache, &config, NULL) == 0);
    if (size < 1 + DNS_HEADER + sizeof question || size > sizeof raw)
        return 0;
    struct resolve_question q = {
        .qname = {.size = 13, .labels = 2}, .qtype = TYPE_A, .qclass = CLASS_IN, .dnssec_ok = data[0] & 1};
    memcpy(q.qname.wire, question, 13);
    size--;
    memcpy(raw, data + 1, size);
    raw[2] = 0x80 | (raw[2] & 2);
    put_u16(raw + 4, 1);
    memcpy(raw + DNS_HEADER, question, sizeof question);
    raw[DNS_HEADER + sizeof question - 1] = CLASS_IN;

    struct scrub_result s;
    scrub_answer(scrub, &q, (struct bytes){raw, size}, out, sizeof out, &s);
    if (s.kind != SCRUB_ANSWER)
        return 0;
    well_formed(out, s.size);
    struct cache_key key = {
        .qname = &q.qname, .qtype = q.qtype, .qclass = q.qclass, .dnssec_ok = q.dnssec_ok, .checking_disabled = true};
    struct cache_hit hit;
    if (cache_put(cache, &key, out, s.size) != 0)
        return 0;
    well_formed(out, s.size);
    must(cache_get(cache, &key, back, sizeof back, &hit) == 0 && hit.size == s.size);
    must(memcmp(back + DNS_HEADER, out + DNS_HEADER, s.size - DNS_HEADER) == 0);
    return 0;
}
