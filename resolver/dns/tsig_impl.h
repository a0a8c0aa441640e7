/* Private to resolver/dns: what tsig*.c share.
 *
 *   tsig_key.c  keys of the configuration
 *   tsig_mac.c  what is hashed, the RR read and written
 *   tsig.c      one request and one answer
 *   tsig_run.c  many messages */
#ifndef CANDOR_DNS_TSIG_IMPL_H
#define CANDOR_DNS_TSIG_IMPL_H

#include <openssl/evp.h>

#include "resolver/dns/message.h"
#include "resolver/dns/tsig.h"

enum { TSIG_OTHER_MAX = 6 };

struct tsig_key {
    struct name name, algorithm; /* lower-case */
    char text[NAME_TEXT_MAX];
    size_t index;
    uint8_t mac_size;
    EVP_MAC_CTX *mac; /* keyed */
};

struct tsig_keys {
    size_t count;
    EVP_MAC *hmac;
    struct tsig_key *key;
};

/* The TSIG RR of a message, views into it. */
struct tsig_rr {
    struct name name, algorithm;
    size_t at; /* where the RR begins: what is signed ends there */
    uint64_t time_s;
    uint16_t fudge, id, error;
    struct bytes mac, other;
};

/* 0, E_NOTFOUND: the message has none, E_INVALID. */
int tsig_rr_read(struct tsig_rr *rr, const uint8_t *msg, size_t size) MUST_USE;
/* Adds the RR to the message and counts it. New size or E_FULL. */
int tsig_rr_write(const struct tsig_rr *rr, uint8_t *msg, size_t size, size_t cap) MUST_USE;
size_t tsig_rr_size(const struct name *name, const struct name *algorithm, size_t mac, size_t other);

/* MACs, in steps: begin (prior: the MAC before, size 0: none), messages, end. All return 0 or E_SYSTEM. */
int tsig_mac_begin(EVP_MAC_CTX *c, struct bytes prior) MUST_USE;
/* A message up to `end`, as it was before its TSIG came: with `id`, and one additional RR less when it `has_tsig`. */
int tsig_mac_message(EVP_MAC_CTX *c, const uint8_t *msg, size_t end, uint16_t id, bool has_tsig) MUST_USE;
/* Variables (or timers only: section 5.3.1) of `rr`, then the MAC. */
int tsig_mac_end(EVP_MAC_CTX *c, const struct tsig_rr *rr, bool timers_only, uint8_t mac[TSIG_MAC_MAX]) MUST_USE;

/* Whether the MAC in `rr` is the one that was computed, all or its beginning. */
bool tsig_mac_equal(const struct tsig_rr *rr, const uint8_t mac[TSIG_MAC_MAX]);
/* Section 5.2.2.1: a size that is no truncation of this key's. */
bool tsig_mac_size_wrong(const struct tsig_rr *rr, const struct tsig_key *key);
bool tsig_time_right(const struct tsig_rr *rr, int64_t now_s);

#endif
