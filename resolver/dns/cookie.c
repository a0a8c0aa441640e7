#include "resolver/dns/cookie.h"

#include <string.h>

#include "resolver/dns/siphash.h"

enum { AT_TIME = 12, AT_HASH = 16, VERSION = 1 };

/* Fills in the hash behind the sixteen octets that stand in `cookie`. */
static void hash_put(uint8_t cookie[COOKIE_WHOLE], const struct addr *client, const uint8_t secret[COOKIE_SECRET]) {
    uint8_t input[AT_HASH + 16];
    size_t size = AT_HASH;
    memcpy(input, cookie, AT_HASH);
    if (addr_family(client) == AF_INET6) {
        memcpy(input + size, &client->in6.sin6_addr, 16);
        size += 16;
    } else {
        memcpy(input + size, &client->in.sin_addr, 4);
        size += 4;
    }
    uint64_t hash = siphash24(secret, input, size);
    for (unsigned i = 0; i < 8; i++)
        cookie[AT_HASH + i] = (uint8_t)(hash >> 8 * i);
}

/* In time that tells nothing of where they differ. */
static bool same(const uint8_t *a, const uint8_t *b, size_t size) {
    unsigned differ = 0;
    for (size_t i = 0; i < size; i++)
        differ |= a[i] ^ b[i];
    return differ == 0;
}

/* Which secret made it; -1: none. */
static int made_by(const uint8_t cookie[COOKIE_WHOLE], const struct addr *client,
                   const struct cookie_secrets *secrets) {
    uint8_t ours[COOKIE_WHOLE];
    memcpy(ours, cookie, AT_HASH);
    for (unsigned i = 0; i < secrets->count && i < COOKIE_SECRETS; i++) {
        hash_put(ours, client, secrets->at[i]);
        if (same(ours + AT_HASH, cookie + AT_HASH, COOKIE_WHOLE - AT_HASH))
            return (int)i;
    }
    return -1;
}

static void make(uint8_t cookie[COOKIE_WHOLE], const struct addr *client, const struct cookie_secrets *secrets,
                 uint32_t now_s) {
    memset(cookie + COOKIE_CLIENT, 0, COOKIE_WHOLE - COOKIE_CLIENT);
    cookie[COOKIE_CLIENT] = VERSION;
    put_u32(cookie + AT_TIME, now_s);
    hash_put(cookie, client, secrets->at[0]);
}

enum cookie_verdict cookie_judge(struct bytes asked, const struct addr *client, const struct cookie_secrets *secrets,
                                 uint32_t now_s, uint8_t answer[COOKIE_WHOLE]) {
    enum cookie_verdict verdict = asked.size == COOKIE_CLIENT ? COOKIE_FIRST : COOKIE_BAD;
    memcpy(answer, asked.at, COOKIE_CLIENT);
    if (asked.size == COOKIE_WHOLE && asked.at[COOKIE_CLIENT] == VERSION) {
        /* Serial number arithmetic: the 32 bits come round in 2106. */
        int32_t age_s = (int32_t)(now_s - get_u32(asked.at + AT_TIME));
        bool in_time = age_s <= COOKIE_LIFE_S && age_s >= -COOKIE_AHEAD_S;
        int secret = in_time ? made_by(asked.at, client, secrets) : -1;
        if (secret >= 0)
            verdict = COOKIE_GOOD;
        if (secret == 0 && age_s <= COOKIE_RENEW_S) {
            memcpy(answer, asked.at, COOKIE_WHOLE);
            return COOKIE_GOOD;
        }
    }
    make(answer, client, secrets, now_s);
    return verdict;
}
