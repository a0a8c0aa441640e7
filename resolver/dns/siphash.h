/* SipHash-2-4 (Aumasson, Bernstein): a keyed hash of short input whose value nobody can guess without the key. Here for
 * server cookies, which RFC 9018 section 4 builds on it. Our own: these forty lines against an
 * EVP_MAC context of OpenSSL that has to be set up and asked four times for 20 or 32 octets, on the path of questions.
 */
#ifndef CANDOR_DNS_SIPHASH_H
#define CANDOR_DNS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY = 16 };

/* The number whose eight octets, lowest first, are the hash. */
uint64_t siphash24(const uint8_t key[SIPHASH_KEY], const uint8_t *octets, size_t size);

#endif
