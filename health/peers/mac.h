/* The keys of other nodes, and the code that proves a view: HMAC-SHA256 (RFC 2104) over the whole document, which
 * repeats the nonce of the request, so that yesterday's view proves nothing. Keys are those of rbl.keys by their name;
 * only the secret is used, whatever the key's own algorithm is. Read-only behind peers_keys_open: any thread may ask.
 */
#ifndef CANDOR_PEERS_MAC_H
#define CANDOR_PEERS_MAC_H

#include "resolver/base/bytes.h"
#include "resolver/base/conf.h"
#include "resolver/base/mac.h"

enum { PEERS_MAC_TEXT = MAC_TEXT };
#define PEERS_MAC_HEADER "Candor-MAC"

struct peers_keys;

/* Those of `count` nodes (health.peers, health.monitor.nodes), in their order; conf outlives it. A secret that cannot
 * be read leaves its node without one: peers_keys_state says so. E_NOMEM. */
int peers_keys_open(struct peers_keys **out, const struct conf *conf, const struct conf_peer *nodes, size_t count,
                    struct err *err) MUST_USE;
/* Those that this node's reports are proved by. */
int peers_keys_of_reports(struct peers_keys **out, const struct conf *conf, struct err *err) MUST_USE;
void peers_keys_close(struct peers_keys *k); /* NULL is allowed */
/* Of node `at`: 0: there is a secret; E_NOTFOUND: none is configured; E_INVALID: it cannot be read. */
int peers_keys_state(const struct peers_keys *k, size_t at);
/* The first that has this key; -1: none has. */
int peers_keys_find(const struct peers_keys *k, const char *key);
/* Index in health.peers; -1: there is none of that name. */
int peers_find(const struct conf *conf, const char *name);
/* 0, E_NOTFOUND, E_INVALID, E_SYSTEM. */
int peers_mac(const struct peers_keys *k, size_t at, const struct bytes *parts, size_t count,
              char to[PEERS_MAC_TEXT]) MUST_USE;
/* Whether `body` came with the right code: 0, also when no key is configured for it; E_DENIED. */
int peers_proved(const struct peers_keys *k, size_t at, const char *given, const struct bytes *body,
                 struct err *err) MUST_USE;
/* In a time that tells nothing of how much was right. */
bool peers_mac_same(const char *given, const char right[PEERS_MAC_TEXT]);

#endif
