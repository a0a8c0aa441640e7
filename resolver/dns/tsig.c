/* One request and its reply. */
#include "resolver/dns/tsig.h"

#include "resolver/dns/tsig_impl.h"

static void put_u48(uint8_t *p, uint64_t v) {
    put_u16(p, (uint16_t)(v >> 32));
    put_u32(p + 2, (uint32_t)v);
}

static int refuse(struct tsig *t, enum tsig_error error) {
    t->error = error;
    return RCODE_NOTAUTH;
}

static int mac_of(const struct tsig_key *key, struct bytes prior, const struct tsig_rr *rr, const uint8_t *msg,
                  size_t end, bool has_tsig, uint8_t mac[TSIG_MAC_MAX]) {
    EVP_MAC_CTX *c = key->mac;
    int rc = tsig_mac_begin(c, prior);
    if (rc == 0)
        rc = tsig_mac_message(c, msg, end, rr->id, has_tsig);
    return rc == 0 ? tsig_mac_end(c, rr, false, mac) : rc;
}

static int judge(struct tsig *t, const struct tsig_keys *keys, const struct tsig_rr *rr, const uint8_t *msg,
                 int64_t now_s) {
    uint8_t mac[TSIG_MAC_MAX];
    const struct tsig_key *key = tsig_keys_find(keys, &rr->name);
    if (key == NULL || !name_equal(&key->algorithm, &rr->algorithm))
        return refuse(t, TSIG_BADKEY);
    if (tsig_mac_size_wrong(rr, key))
        return RCODE_FORMERR;
    if (mac_of(key, (struct bytes){NULL, 0}, rr, msg, rr->at, true, mac) < 0)
        return RCODE_SERVFAIL;
    if (!tsig_mac_equal(rr, mac))
        return refuse(t, TSIG_BADSIG);
    t->key = key;
    if (!tsig_time_right(rr, now_s))
        return refuse(t, TSIG_BADTIME);
    return rr->mac.size < TSIG_MAC_LEAST ? refuse(t, TSIG_BADTRUNC) : 0;
}

int tsig_check(struct tsig *t, const struct tsig_keys *keys, const uint8_t *msg, size_t size, int64_t now_s) {
    struct tsig_rr rr;
    t->present = false;
    t->key = NULL;
    t->error = TSIG_NOERROR;
    t->mac_size = 0;
    int rc = tsig_rr_read(&rr, msg, size);
    if (rc < 0)
        return rc == E_NOTFOUND ? 0 : RCODE_FORMERR;
    if (rr.mac.size > TSIG_MAC_MAX)
        return RCODE_FORMERR;
    t->id = rr.id;
    t->fudge = rr.fudge;
    t->time_s = rr.time_s;
    t->name = rr.name;
    t->algorithm = rr.algorithm;
    t->mac_size = (uint8_t)rr.mac.size;
    if (rr.mac.size > 0)
        memcpy(t->mac, rr.mac.at, rr.mac.size);
    rc = judge(t, keys, &rr, msg, now_s);
    t->present = rc == 0 || rc == RCODE_NOTAUTH;
    return rc;
}

size_t tsig_size(const struct tsig *t) {
    if (!t->present)
        return 0;
    return tsig_rr_size(&t->name, &t->algorithm, t->key != NULL ? t->key->mac_size : 0,
                        t->error == TSIG_BADTIME ? TSIG_OTHER_MAX : 0);
}

int tsig_reply(const struct tsig *t, uint8_t *msg, size_t size, size_t cap, int64_t now_s) {
    uint8_t mac[TSIG_MAC_MAX], other[TSIG_OTHER_MAX];
    if (!t->present)
        return (int)size;
    struct tsig_rr rr = {.name = t->name,
                         .algorithm = t->algorithm,
                         .time_s = (uint64_t)now_s,
                         .fudge = TSIG_FUDGE,
                         .id = get_u16(msg),
                         .error = t->error};
    if (t->error == TSIG_BADTIME) { /* section 5.2.3: the client's time, so that it can prove the reply; ours beside */
        rr.time_s = t->time_s;
        rr.fudge = t->fudge;
        put_u48(other, (uint64_t)now_s);
        rr.other = (struct bytes){other, sizeof other};
    }
    if (t->key != NULL) {
        int rc = mac_of(t->key, (struct bytes){t->mac, t->mac_size}, &rr, msg, size, false, mac);
        if (rc < 0)
            return rc;
        rr.mac = (struct bytes){mac, t->key->mac_size};
    }
    return tsig_rr_write(&rr, msg, size, cap);
}

int tsig_request(struct tsig *t, const struct tsig_key *key, uint8_t *msg, size_t size, size_t cap, int64_t now_s) {
    *t = (struct tsig){.present = true,
                       .key = key,
                       .id = get_u16(msg),
                       .fudge = TSIG_FUDGE,
                       .time_s = (uint64_t)now_s,
                       .mac_size = key->mac_size,
                       .name = key->name,
                       .algorithm = key->algorithm};
    struct tsig_rr rr = {
        .name = t->name, .algorithm = t->algorithm, .time_s = t->time_s, .fudge = t->fudge, .id = t->id};
    int rc = mac_of(key, (struct bytes){NULL, 0}, &rr, msg, size, false, t->mac);
    if (rc < 0)
        return rc;
    rr.mac = (struct bytes){t->mac, t->mac_size};
    return tsig_rr_write(&rr, msg, size, cap);
}

int tsig_answer(const struct tsig *request, const uint8_t *msg, size_t size, int64_t now_s, uint16_t *error,
                struct err *err) {
    struct tsig_rr rr;
    uint8_t mac[TSIG_MAC_MAX];
    const struct tsig_key *key = request->key;
    int rc = tsig_rr_read(&rr, msg, size);
    if (error != NULL)
        *error = rc == 0 ? rr.error : TSIG_NOERROR;
    if (rc == E_NOTFOUND)
        return err_set(err, E_DENIED, "the answer is not signed");
    if (rc < 0)
        return err_set(err, rc, "the answer is no DNS message with a TSIG at its end");
    if (!name_equal(&rr.name, &key->name) || !name_equal(&rr.algorithm, &key->algorithm))
        return err_set(err, E_DENIED, "the answer is signed with another key than %s", key->text);
    if (rr.mac.size < TSIG_MAC_LEAST || tsig_mac_size_wrong(&rr, key))
        return err_set(err, E_DENIED, "the answer has a MAC of %zu octets (TSIG error %u)", rr.mac.size, rr.error);
    rc = mac_of(key, (struct bytes){request->mac, request->mac_size}, &rr, msg, rr.at, true, mac);
    if (rc < 0)
        return err_set(err, rc, "OpenSSL gives no MAC");
    if (!tsig_mac_equal(&rr, mac))
        return err_set(err, E_DENIED, "the answer's MAC is wrong: another secret, or changed on its way");
    if (rr.error == TSIG_BADTIME)
        return err_set(err, E_DENIED, "the server's clock and ours differ too much");
    if (!tsig_time_right(&rr, now_s))
        return err_set(err, E_DENIED, "the answer was signed at another time (%llu)", (unsigned long long)rr.time_s);
    return 0;
}

void tsig_said(const uint8_t *msg, size_t size, uint16_t *error, int64_t *server_s) {
    struct tsig_rr rr;
    *error = TSIG_NOERROR;
    *server_s = 0;
    if (tsig_rr_read(&rr, msg, size) != 0)
        return;
    *error = rr.error;
    if (rr.error == TSIG_BADTIME && rr.other.size == TSIG_OTHER_MAX)
        *server_s = (int64_t)get_u16(rr.other.at) << 32 | get_u32(rr.other.at + 2);
}
