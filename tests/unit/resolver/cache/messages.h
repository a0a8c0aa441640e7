/* Messages and keys for the tests of the cache. */
#ifndef CANDOR_TEST_CACHE_MESSAGES_H
#define CANDOR_TEST_CACHE_MESSAGES_H

#include "resolver/cache/cache.h"
#include "resolver/dns/writer.h"

struct name test_name(const char *text);
struct cache_key test_key(const struct name *qname, uint16_t qtype);
/* An answer with one A RR a TTL given; returns its size. */
size_t test_positive(uint8_t *msg, size_t cap, const struct name *qname, const uint32_t *ttls, unsigned count);
/* NXDOMAIN (or NODATA) with an SOA owned by example. */
size_t test_negative(uint8_t *msg, size_t cap, const struct name *qname, unsigned rcode, uint32_t ttl,
                     uint32_t minimum);
/* TTL of RR number `index`; fails the test when there is none. */
uint32_t test_ttl(const uint8_t *msg, size_t size, unsigned index);
/* The hands of all clocks. */
extern int64_t test_now_s;
void test_clock_on(void);
struct cache *test_cache(const char *path, uint64_t size);

#endif
