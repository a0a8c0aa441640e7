#include "health/peers/mac.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <strings.h>

#include "resolver/base/log.h"
#include "resolver/dns/tsig.h"

struct peers_key {
    const char *name; /* of the key; "": none is configured */
    int state;
    size_t size;
    uint8_t secret[TSIG_SECRET_MAX];
};

struct peers_keys {
    size_t count;
    struct peers_key at[];
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

static void key_open(struct peers_key *k, const struct conf *conf, const struct conf_peer *node) {
    struct err err = {.text = "there is no such key in rbl.keys"};
    k->state = E_NOTFOUND;
    k->name = node->key != NULL ? node->key : "";
    if (k->name[0] == '\0')
        return;
    const struct conf_key *from = find_key(conf, k->name);
    int size = from != NULL ? tsig_secret_read(k->secret, from, &err) : E_NOTFOUND;
    k->state = size > 0 ? 0 : E_INVALID;
    k->size = size > 0 ? (size_t)size : 0;
    if (size <= 0)
        LOG(LEVEL_ERROR, "the key of a node cannot be used: nothing is proved by it", KS("node", node->name),
            KS("why", err.text));
}

int peers_keys_open(struct peers_keys **out, const struct conf *conf, const struct conf_peer *nodes, size_t count,
                    struct err *err) {
    struct peers_keys *k = *out = calloc(1, sizeof *k + count * sizeof k->at[0]);
    if (k == NULL)
        return err_set(err, E_NOMEM, "no memory for the keys of nodes");
    k->count = count;
    for (size_t i = 0; i < count; i++)
        key_open(&k->at[i], conf, &nodes[i]);
    return 0;
}

int peers_keys_of_reports(struct peers_keys **out, const struct conf *conf, struct err *err) {
    const struct conf_health *h = &conf->health;
    struct conf_peer to[2 * LIMIT_PEERS];
    size_t n = 0;
    for (size_t i = 0; i < h->datagram_count && n < ARRAY_SIZE(to); i++)
        to[n++] = (struct conf_peer){.name = "health.report.datagram", .key = h->datagram[i].key};
    for (size_t i = 0; i < h->https_count && n < ARRAY_SIZE(to); i++)
        to[n++] = (struct conf_peer){.name = "health.report.https", .key = h->https[i].key};
    return peers_keys_open(out, conf, to, n, err);
}

void peers_keys_close(struct peers_keys *k) {
    if (k == NULL)
        return;
    OPENSSL_cleanse(k->at, k->count * sizeof k->at[0]);
    free(k);
}

int peers_keys_state(const struct peers_keys *k, size_t at) { return at < k->count ? k->at[at].state : E_NOTFOUND; }

int peers_keys_find(const struct peers_keys *k, const char *key) {
    for (size_t i = 0; i < k->count && key[0] != '\0'; i++)
        if (strcasecmp(k->at[i].name, key) == 0)
            return (int)i;
    return -1;
}

int peers_mac(const struct peers_keys *k, size_t at, const struct bytes *parts, size_t count, char to[PEERS_MAC_TEXT]) {
    int rc = peers_keys_state(k, at);
    to[0] = '\0';
    return rc < 0 ? rc : mac_text((struct bytes){k->at[at].secret, k->at[at].size}, parts, count, to);
}

int peers_proved(const struct peers_keys *k, size_t at, const char *given, const struct bytes *body, struct err *err) {
    char right[PEERS_MAC_TEXT];
    int state = peers_keys_state(k, at);
    if (state == E_NOTFOUND)
        return 0;
    if (state < 0)
        return err_set(err, E_DENIED, "the key cannot be read, so nothing it says is believed");
    if (given[0] == '\0')
        return err_set(err, E_DENIED, "no HMAC: it does not know this node, or has no key for it");
    if (peers_mac(k, at, body, 1, right) < 0 || !peers_mac_same(given, right))
        return err_set(err, E_DENIED, "the HMAC is wrong: another key, or changed on its way");
    return 0;
}

bool peers_mac_same(const char *given, const char right[PEERS_MAC_TEXT]) { return mac_same(given, right); }
