/* The file of the cache under any damage: what comes back is what was put in, or nothing.
 * Input: edits of five octets each: an offset into the file (modulo its size), a value to xor. */
#include <stdlib.h>

#include "resolver/cache/layout.h"
#include "resolver/dns/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMES = 40, RRS = 3 };

static struct cache *cache;
static uint8_t *pristine;
static struct name names[NAMES];
static uint8_t msg[LIMIT_MESSAGE];

static void must(bool holds) {
    if (!holds)
        abort();
}

static void fill(void) {
    for (unsigned i = 0; i < NAMES; i++) {
        struct dns_writer w;
        uint8_t value[4] = {10, 0, 0, (uint8_t)i};
        names[i] = (struct name){.size = 11, .labels = 2};
        memcpy(names[i].wire, "\4n000\4test", 11);
        names[i].wire[3] = (uint8_t)('0' + i / 10);
        names[i].wire[4] = (uint8_t)('0' + i % 10);
        dns_writer_open(&w, msg, sizeof msg, 0, FLAG_QR, OPCODE_QUERY);
        dns_writer_question(&w, &names[i], TYPE_A, CLASS_IN);
        for (unsigned k = 0; k < RRS; k++)
            dns_writer_a(&w, SECTION_ANSWER, &names[i], 86400, value);
        int size = dns_writer_end(&w, FLAG_QR, RCODE_NOERROR);
        struct cache_key key = {.qname = &names[i], .qtype = TYPE_A, .qclass = CLASS_IN};
        must(size > 0 && cache_put(cache, &key, msg, (size_t)size) == 0);
    }
}

static void start(void) {
    struct cache_config config = {.max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    must(cache_open(&cache, &config, NULL) == 0);
    fill();
    pristine = malloc(cache->size);
    must(pristine != NULL);
    memcpy(pristine, cache->file, cache->size);
}

static void check(unsigned i) {
    struct cache_key key = {.qname = &names[i], .qtype = TYPE_A, .qclass = CLASS_IN};
    struct cache_hit hit;
    struct dns_reader r;
    struct dns_rr rr;
    if (cache_get(cache, &key, msg, sizeof msg, &hit) != 0)
        return;
    must(dns_reader_open(&r, msg, hit.size, NULL, NULL, NULL) == 0);
    for (unsigned k = 0; k < RRS; k++)
        must(dns_reader_next(&r, &rr) == 0 && rr.rdata_size == 4 && msg[rr.rdata + 3] == i);
    must(dns_reader_next(&r, &rr) == E_NOTFOUND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (cache == NULL)
        start();
    memcpy(cache->file, pristine, cache->size);
    for (size_t at = 0; at + 5 <= size; at += 5)
        ((uint8_t *)cache->file)[get_u32(data + at) % cache->size] ^= data[at + 4];
    cache_tick(cache);
    (void)cache_count(cache);
    for (unsigned i = 0; i < NAMES; i++)
        check(i);
    fill();
    return 0;
}
