/* Runs of messages: a transfer is signed as it goes, each MAC covering the one before and all that came since. */
#include <stdlib.h>

#include "resolver/dns/tsig_impl.h"

struct tsig_run {
    const struct tsig_key *key;
    EVP_MAC_CTX *mac; /* of its own: other messages of this key come in between */
    bool begun;       /* since the last MAC something was added */
    bool first;
    unsigned since; /* messages since the last signed one */
    uint16_t id;
    uint8_t prior_size, prior[TSIG_MAC_MAX];
};

int tsig_run_open(struct tsig_run **out, const struct tsig *request) {
    *out = NULL;
    if (request->key == NULL)
        return E_INVALID;
    struct tsig_run *r = calloc(1, sizeof *r);
    if (r == NULL)
        return E_NOMEM;
    r->key = request->key;
    r->first = true;
    r->id = request->id;
    r->prior_size = request->mac_size;
    memcpy(r->prior, request->mac, request->mac_size);
    r->mac = EVP_MAC_CTX_dup(request->key->mac);
    if (r->mac == NULL) {
        free(r);
        return E_NOMEM;
    }
    *out = r;
    return 0;
}

void tsig_run_close(struct tsig_run *r) {
    if (r == NULL)
        return;
    EVP_MAC_CTX_free(r->mac);
    free(r);
}

static int add(struct tsig_run *r, const uint8_t *msg, size_t end, uint16_t id, bool has_tsig) {
    int rc = r->begun ? 0 : tsig_mac_begin(r->mac, (struct bytes){r->prior, r->prior_size});
    r->begun = true;
    return rc == 0 ? tsig_mac_message(r->mac, msg, end, id, has_tsig) : rc;
}

/* The MAC over all since the last one becomes the prior of the next. */
static int end(struct tsig_run *r, const struct tsig_rr *rr, uint8_t mac[TSIG_MAC_MAX]) {
    int rc = tsig_mac_end(r->mac, rr, !r->first, mac);
    r->begun = r->first = false;
    r->since = 0;
    return rc;
}

size_t tsig_run_size(const struct tsig_run *r) {
    return tsig_rr_size(&r->key->name, &r->key->algorithm, r->key->mac_size, 0);
}

int tsig_run_sign(struct tsig_run *r, uint8_t *msg, size_t size, size_t cap, bool now, int64_t now_s) {
    int rc = add(r, msg, size, get_u16(msg), false);
    if (rc < 0)
        return rc;
    if (!r->first && !now && r->since < TSIG_UNSIGNED) {
        r->since++;
        return (int)size;
    }
    struct tsig_rr rr = {.name = r->key->name,
                         .algorithm = r->key->algorithm,
                         .time_s = (uint64_t)now_s,
                         .fudge = TSIG_FUDGE,
                         .id = get_u16(msg)};
    rc = end(r, &rr, r->prior);
    if (rc < 0)
        return rc;
    r->prior_size = r->key->mac_size;
    rr.mac = (struct bytes){r->prior, r->prior_size};
    return tsig_rr_write(&rr, msg, size, cap);
}

static int prove(struct tsig_run *r, const struct tsig_rr *rr, int64_t now_s, struct err *err) {
    uint8_t mac[TSIG_MAC_MAX];
    if (!name_equal(&rr->name, &r->key->name) || !name_equal(&rr->algorithm, &r->key->algorithm))
        return err_set(err, E_DENIED, "signed with another key than %s", r->key->text);
    if (rr->mac.size < TSIG_MAC_LEAST || tsig_mac_size_wrong(rr, r->key))
        return err_set(err, E_DENIED, "a MAC of %zu octets (TSIG error %u)", rr->mac.size, rr->error);
    int rc = end(r, rr, mac);
    if (rc < 0)
        return err_set(err, rc, "OpenSSL gives no MAC");
    if (!tsig_mac_equal(rr, mac))
        return err_set(err, E_DENIED, "the MAC is wrong: another secret, or changed on its way");
    if (!tsig_time_right(rr, now_s))
        return err_set(err, E_DENIED, "signed at another time (%llu)", (unsigned long long)rr->time_s);
    r->prior_size = (uint8_t)rr->mac.size;
    memcpy(r->prior, rr->mac.at, rr->mac.size);
    return 0;
}

int tsig_run_check(struct tsig_run *r, const uint8_t *msg, size_t size, int64_t now_s, bool *is_signed,
                   struct err *err) {
    struct tsig_rr rr;
    int rc = tsig_rr_read(&rr, msg, size);
    *is_signed = rc == 0;
    if (rc < 0 && rc != E_NOTFOUND)
        return err_set(err, rc, "no DNS message");
    if (!*is_signed && (r->first || r->since >= TSIG_UNSIGNED))
        return err_set(err, E_DENIED, r->first ? "the first message is not signed" : "%d messages without a MAC",
                       TSIG_UNSIGNED + 1);
    if (!*is_signed)
        r->since++;
    rc = add(r, msg, *is_signed ? rr.at : size, *is_signed ? rr.id : get_u16(msg), *is_signed);
    if (rc < 0)
        return err_set(err, rc, "OpenSSL gives no MAC");
    return *is_signed ? prove(r, &rr, now_s, err) : 0;
}
