/* Section `rbl`. */
#include <stdio.h>
#include <string.h>

#include "resolver/base/conf_fill.h"
#include "resolver/base/conf_raw_rbl.h"
#include "resolver/base/text.h"

enum { TRANSFER_PORT = 53, TTL_MAX_S = 0x7fffffff /* RFC 2181 section 8 */ };

static const struct conf_word dataset_words[] = {
    {"ip4set", DATASET_IP4SET},   {"ip4tset", DATASET_IP4TSET},
    {"ip4trie", DATASET_IP4TRIE}, {"ip6tset", DATASET_IP6TSET},
    {"ip6trie", DATASET_IP6TRIE}, {"dnset", DATASET_DNSET},
    {"generic", DATASET_GENERIC}, {"combined", DATASET_COMBINED},
    {"acl", DATASET_ACL},         {NULL, 0},
};
_Static_assert(sizeof(dataset_words) / sizeof(dataset_words[0]) == DATASET_TYPES + 1, "one word per type");

const char *conf_dataset_name(enum conf_dataset_type type) {
    return (unsigned)type < DATASET_TYPES ? dataset_words[type].word : "unknown";
}

/* RFC 8945 section 6, without MD5. */
static const char *algorithm(struct conf_reader *r, const char *raw) {
    static const struct conf_word words[] = {{"hmac-sha256", 0}, {"hmac-sha384", 1}, {"hmac-sha512", 2},
                                             {"hmac-sha224", 3}, {"hmac-sha1", 4},   {NULL, 0}};
    return words[conf_take_word(r, "algorithm", raw, 0, words)].word;
}

static void key(struct conf_reader *r, const struct conf_raw_key *in, struct conf_key *out) {
    out->name = conf_take_name(r, "name", in->name, ".");
    if (strcmp(out->name, ".") == 0)
        conf_fail(r, E_INVALID, "name", "the name of the key");
    out->algorithm = algorithm(r, in->algorithm);
    out->secret = conf_take_text(r, "secret", in->secret, "");
    out->secret_file = conf_take_path(r, "secret-file", in->secret_file, "");
    if ((out->secret[0] != '\0') == (out->secret_file[0] != '\0'))
        conf_fail(r, E_INVALID, NULL, "either secret or secret-file");
    if (out->secret[0] != '\0' && text_base64(NULL, LIMIT_CONF_TEXT, out->secret) < 1)
        conf_fail(r, E_INVALID, "secret", "base64 (RFC 4648), padded with = to a multiple of four characters");
}

static void keys(struct conf_reader *r, const struct conf_raw_rbl *in, struct conf_rbl *out) {
    out->keys = conf_array(r, in->key_count, sizeof(*out->keys));
    conf_enter(r, "keys");
    for (size_t i = 0; i < in->key_count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        key(r, &in->keys[i], &out->keys[i]);
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (strcmp(out->keys[i].name, out->keys[j].name) == 0)
                conf_fail(r, E_INVALID, "name", "each key name once (keys[%zu] has this one)", j);
        conf_leave(r);
        out->key_count++;
    }
    conf_leave(r);
}

/* A rule for who may come (`network`), or whom to go to (`address` with a port, which must be there). */
static void rules(struct conf_reader *r, const char *name, const struct conf_raw_rules *in, bool servers,
                  struct conf_rules *out) {
    out->at = conf_array(r, in->count, sizeof(*out->at));
    conf_enter(r, name);
    for (size_t i = 0; i < in->count && r->rc == E_OK; i++) {
        struct conf_peer_rule *rule = &out->at[i];
        conf_enter_at(r, i);
        rule->has_address = conf_given(r, "address");
        if (servers)
            conf_take_addr(r, "address", in->at[i].address, TRANSFER_PORT, &rule->address);
        else
            conf_take_prefix(r, "address", in->at[i].address, &rule->network);
        rule->key = conf_take_key_name(r, "key", in->at[i].key);
        rule->tls_name = conf_take_tls_name(r, "tls-name", in->at[i].tls_name);
        rule->ca = conf_take_path(r, "ca", in->at[i].ca, "");
        if (servers && !rule->has_address)
            conf_fail(r, E_INVALID, "address", "ADDRESS@PORT");
        else if (!rule->has_address && rule->key[0] == '\0' && rule->tls_name[0] == '\0')
            conf_fail(r, E_INVALID, NULL, "an address, a key, a tls-name or several of them");
        else if (servers && (rule->tls_name[0] != '\0') != (rule->ca[0] != '\0'))
            conf_fail(r, E_INVALID, NULL, "tls-name together with ca: whose certificates are believed");
        conf_leave(r);
        out->count++;
    }
    conf_leave(r);
}

static void data(struct conf_reader *r, const struct conf_raw_zone *in, struct conf_zone *out) {
    out->data = conf_array(r, in->data_count, sizeof(*out->data));
    conf_enter(r, "data");
    for (size_t i = 0; i < in->data_count && r->rc == E_OK; i++) {
        struct conf_dataset *d = &out->data[i];
        conf_enter_at(r, i);
        d->type = (enum conf_dataset_type)conf_take_word(r, "type", in->data[i].type, DATASET_IP4SET, dataset_words);
        if (!conf_given(r, "type"))
            conf_fail(r, E_INVALID, "type", "a type such as ip4set, ip4trie, ip6trie or dnset");
        d->files = conf_take_paths(r, "files", in->data[i].files, NULL);
        if (d->files.count == 0)
            conf_fail(r, E_INVALID, "files", "at least one file");
        for (size_t j = 0; j < d->files.count && r->rc == E_OK; j++)
            if (d->files.at[j][0] == '\0')
                conf_fail(r, E_INVALID, "files", "names of files, entry %zu is empty", j);
        conf_leave(r);
        out->data_count++;
    }
    conf_leave(r);
}

/* hostmaster.ZONE, unless that would be longer than a name may be. */
static const char *default_contact(struct conf_reader *r, const char *zone) {
    char name[LIMIT_NAME_WIRE + 16];
    int n = snprintf(name, sizeof(name), "hostmaster.%s", strcmp(zone, ".") == 0 ? "" : zone);
    return n > 0 && n < LIMIT_NAME_WIRE ? conf_take_text(r, NULL, name, "") : zone;
}

static void soa(struct conf_reader *r, const struct conf_raw_soa *in, struct conf_zone *out) {
    out->soa_set = conf_given(r, "soa");
    conf_enter(r, "soa");
    out->soa.primary = conf_take_name(r, "primary", in->primary, out->ns.count > 0 ? out->ns.at[0] : out->name);
    out->soa.contact = conf_take_name(r, "contact", in->contact, default_contact(r, out->name));
    out->soa.refresh_s = conf_take_s(r, "refresh", in->refresh, 300, 1, TTL_MAX_S);
    out->soa.retry_s = conf_take_s(r, "retry", in->retry, 60, 1, TTL_MAX_S);
    out->soa.expire_s = conf_take_s(r, "expire", in->expire, 86400, 1, TTL_MAX_S);
    out->soa.minimum_s = conf_take_s(r, "minimum", in->minimum, 300, 0, TTL_MAX_S);
    conf_leave(r);
}

/* An acl says who may ask, so there must be something to ask; alone it stands for all zones, and has no name. */
static void acls(struct conf_reader *r, const struct conf_zone *z) {
    bool root = strcmp(z->name, ".") == 0;
    size_t count = 0;
    for (size_t i = 0; i < z->data_count; i++)
        count += z->data[i].type == DATASET_ACL;
    if (root && (count == 0 || count < z->data_count))
        conf_fail(r, E_INVALID, "name", "the name of the zone (\".\": an acl alone, for all zones)");
    else if (count > 1)
        conf_fail(r, E_INVALID, "data", "one acl at most");
    else if (!root && count > 0 && count == z->data_count)
        conf_fail(r, E_INVALID, "data", "a dataset beside the acl (an acl for all zones is one of the zone \".\")");
}

static void ttls(struct conf_reader *r, const struct conf_raw_zone *in, struct conf_zone *out) {
    out->ttl_s = conf_take_s(r, "ttl", in->ttl, 35 * 60, 0, TTL_MAX_S);
    out->min_ttl_s = conf_take_s(r, "min-ttl", in->min_ttl, 0, 0, TTL_MAX_S);
    out->max_ttl_s = conf_take_s(r, "max-ttl", in->max_ttl, 0, 0, TTL_MAX_S);
    if (out->min_ttl_s > out->ttl_s)
        conf_fail(r, E_RANGE, "min-ttl", "a time not above ttl, %us", out->ttl_s);
    else if (out->max_ttl_s != 0 && out->max_ttl_s < out->ttl_s)
        conf_fail(r, E_RANGE, "max-ttl", "a time not below ttl, %us", out->ttl_s);
}

static void limits(struct conf_reader *r, const struct conf_raw_zone_limits *in, struct conf_zone *out) {
    enum { LOOPBACK, ANY };
    static const struct conf_word values[] = {{"loopback", LOOPBACK}, {"any", ANY}, {NULL, 0}};
    conf_enter(r, "limits");
    out->limits.shrink = conf_take_share(r, "shrink", in->shrink, 0.5, 1);
    out->limits.grow = conf_take_share(r, "grow", in->grow, 1, 1e6);
    out->limits.entries = conf_take_count(r, "entries", in->entries, 100000000, 1, LIMIT_LOAD_ENTRIES);
    out->limits.space = conf_take_share(r, "space", in->space, 0.5, 1);
    out->limits.tlds = conf_take_count(r, "tlds", in->tlds, 20, 0, 1000000);
    out->limits.loopback = conf_take_word(r, "values", in->values, LOOPBACK, values) == LOOPBACK;
    conf_leave(r);
}

/* Two primaries for one zone. */
static void pair(struct conf_reader *r, const struct conf_raw_zone *in, struct conf_zone *out) {
    enum { ACTIVE, STANDBY };
    static const struct conf_word roles[] = {{"active", ACTIVE}, {"standby", STANDBY}, {NULL, 0}};
    rules(r, "pair", &in->pair, true, &out->pair);
    out->active = conf_take_word(r, "role", in->role, STANDBY, roles) == ACTIVE;
    if (out->pair.count > 1)
        conf_fail(r, E_INVALID, "pair", "one { address: ADDRESS@PORT, key: NAME }: the other of the two");
    else if (out->pair.count == 1 && !conf_given(r, "role"))
        conf_fail(r, E_INVALID, "role", "active or standby: what this one of the pair begins as");
    else if (out->pair.count == 0 && conf_given(r, "role"))
        conf_fail(r, E_INVALID, "role", "a pair: the address of the other primary");
    else if (out->pair.count == 1 && out->primaries.count > 0)
        conf_fail(r, E_INVALID, "pair", "either pair or primaries: the active one of a pair is the source");
}

void conf_fill_zone(struct conf_reader *r, const struct conf_raw_zone *in, struct conf_zone *out) {
    static const char *const everybody[] = {"0.0.0.0/0", "::/0", NULL};
    static const struct conf_word expiries[] = {
        {"servfail", EXPIRE_SERVFAIL}, {"serve-stale", EXPIRE_SERVE_STALE}, {NULL, 0}};
    out->name = conf_take_name(r, "name", in->name, ".");
    if (!conf_given(r, "name"))
        conf_fail(r, E_INVALID, "name", "the name of the zone");
    data(r, in, out);
    out->host_bits = conf_take_bool(r, "host-bits", in->host_bits, false);
    if (r->rc == E_OK)
        acls(r, out);
    rules(r, "primaries", &in->primaries, true, &out->primaries);
    rules(r, "update", &in->update, false, &out->update);
    rules(r, "notify", &in->notify, true, &out->notify);
    rules(r, "transfer", &in->transfer, false, &out->transfer);
    if (out->primaries.count > 0 && out->data_count > 0) {
        conf_later(r, "primaries", "not used: the zone comes from its files");
        out->primaries.count = 0;
    }
    pair(r, in, out);
    out->heartbeat_s = conf_take_s(r, "heartbeat", in->heartbeat, 0, 0, 86400);
    out->allow = conf_take_prefixes(r, "allow", in->allow, everybody);
    out->ns = conf_take_names(r, "ns", in->ns);
    soa(r, CONF_RAW_OR_EMPTY(in->soa), out);
    ttls(r, in, out);
    out->test = conf_take_test(r, "test", in->test);
    limits(r, CONF_RAW_OR_EMPTY(in->limits), out);
    out->on_expire = (enum conf_on_expire)conf_take_word(r, "on-expire", in->on_expire, EXPIRE_SERVFAIL, expiries);
    out->journal = conf_take_size(r, "journal", in->journal, 256ULL << 20, 0, 1ULL << 40);
}

static void zones(struct conf_reader *r, const struct conf_raw_rbl *in, struct conf_rbl *out) {
    out->zones = conf_array(r, LIMIT_ZONES, sizeof(*out->zones));
    out->zone_places = LIMIT_ZONES;
    for (size_t i = 0; i < LIMIT_ZONES && r->rc == E_OK; i++)
        out->zones[i].name = "";
    conf_enter(r, "zones");
    for (size_t i = 0; i < in->zone_count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        conf_fill_zone(r, &in->zones[i], &out->zones[i]);
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (strcmp(out->zones[i].name, out->zones[j].name) == 0)
                conf_fail(r, E_INVALID, "name", "each zone once (zones[%zu] has this name)", j);
        conf_leave(r);
        out->zone_count++;
    }
    conf_leave(r);
}

static void transfers(struct conf_reader *r, const struct conf_raw_transfers *in, struct conf_rbl *out) {
    conf_enter(r, "transfers");
    out->transfers.out = conf_take_number(r, "out", in->out, 64, 1, 1024);
    out->transfers.out_per_peer = conf_take_number(r, "out-per-peer", in->out_per_peer, 8, 1, 1024);
    out->transfers.in = conf_take_number(r, "in", in->in, 16, 1, 1024);
    out->transfers.life_s = conf_take_s(r, "life", in->life, 60, 1, 3600);
    conf_leave(r);
}

void conf_fill_rbl(struct conf_reader *r, const struct conf_raw_rbl *in, struct conf_rbl *out) {
    static const char *const listen[] = {"127.0.0.1@5301", NULL};
    conf_enter(r, "rbl");
    keys(r, in, out);
    out->listen = conf_take_addrs(r, "listen", in->listen, 0, listen);
    conf_fill_tls(r, "tls", CONF_RAW_OR_EMPTY(in->tls), &out->tls);
    transfers(r, CONF_RAW_OR_EMPTY(in->transfers), out);
    zones(r, in, out);
    conf_fill_catalogs(r, in, out);
    out->zone_fixed = out->zone_count;
    conf_leave(r);
}
