/* SipHash-2-4 (Aumasson, Bernstein): a keyed hash of short input whose value nobody can guess without the key. Here for
 * server cookies, which RFC 9018 section 4 builds on it. Our own, because OpenSSL's costs a lock, an allocation and ten
 * times the time for the 20 or 32 octets that a cookie hashes, and it is on the path of every question. */
#ifndef CANDOR_DNS_SIPHASH_H
#define CANDOR_DNS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY = 16 };

/* The number whose eight octets, lowest first, are the hash. */
uint64_t siphash24(const uint8_t key[SIPHASH_KEY], const uint8_t *octets, size_t size);

#endif
