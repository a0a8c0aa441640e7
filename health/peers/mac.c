#include "health/peers/mac.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <strings.h>

#include "resolver/base/log.h"
#include "resolver/dns/tsig.h"

struct peers_key {
    int state;
    size_t size;
    uint8_t secret[TSIG_SECRET_MAX];
};

struct peers_keys {
    size_t count;
    struct peers_key at[LIMIT_PEERS];
};

int peers_find(const struct conf *conf, const char *name) {
    for (size_t i = 0; i < conf->health.peer_count && i < LIMIT_PEERS; i++)
        if (strcmp(conf->health.peers[i].name, name) == 0)
            return (int)i;
    return -1;
}

static const struct conf_key *find_key(const struct conf *conf, const char *name) {
    for (size_t i = 0; i < conf->rbl.key_count; i++)
        if (strcasecmp(conf->rbl.keys[i].name, name) == 0)
            return &conf->rbl.keys[i];
    return NULL;
}

static void key_open(struct peers_key *k, const struct conf *conf, const struct conf_peer *peer) {
    struct err err = {.text = "there is no such key in rbl.keys"};
    k->state = E_NOTFOUND;
    if (peer->key == NULL || peer->key[0] == '\0')
        return;
    const struct conf_key *from = find_key(conf, peer->key);
    int size = from != NULL ? tsig_secret_read(k->secret, from, &err) : E_NOTFOUND;
    k->state = size > 0 ? 0 : E_INVALID;
    k->size = size > 0 ? (size_t)size : 0;
    if (size <= 0)
        LOG(LEVEL_ERROR, "the key of a peer cannot be used: what it says is not believed", KS("peer", peer->name),
            KS("why", err.text));
}

int peers_keys_open(struct peers_keys **out, const struct conf *conf, struct err *err) {
    struct peers_keys *k = *out = calloc(1, sizeof(*k));
    if (k == NULL)
        return err_set(err, E_NOMEM, "no memory for the keys of peers");
    k->count = conf->health.peer_count < LIMIT_PEERS ? conf->health.peer_count : LIMIT_PEERS;
    for (size_t i = 0; i < k->count; i++)
        key_open(&k->at[i], conf, &conf->health.peers[i]);
    return 0;
}

void peers_keys_close(struct peers_keys *k) {
    if (k == NULL)
        return;
    OPENSSL_cleanse(k->at, sizeof(k->at));
    free(k);
}

int peers_keys_state(const struct peers_keys *k, size_t peer) {
    return peer < k->count ? k->at[peer].state : E_NOTFOUND;
}

int peers_mac(const struct peers_keys *k, size_t peer, const struct bytes *parts, size_t count,
              char to[PEERS_MAC_TEXT]) {
    int rc = peers_keys_state(k, peer);
    to[0] = '\0';
    return rc < 0 ? rc : mac_text((struct bytes){k->at[peer].secret, k->at[peer].size}, parts, count, to);
}

bool peers_mac_same(const char *given, const char right[PEERS_MAC_TEXT]) { return mac_same(given, right); }
