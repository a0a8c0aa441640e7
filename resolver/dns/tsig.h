/* TSIG (RFC 8945): messages signed with a shared secret. Own code over OpenSSL's EVP_MAC (design.md says why not ldns).
 *
 *   request  -> tsig_check   -> key, or an error -> the reply is written -> tsig_reply adds the TSIG that belongs to it
 *   question -> tsig_request -> sent; answer     -> tsig_answer
 *   many messages (a transfer): tsig_run_*
 *
 * HMAC with SHA-1, -224, -256, -384, -512; no MD5, no GSS. A key has one algorithm and signs with the whole MAC; a
 * truncated one is taken down to TSIG_MAC_LEAST octets and half its length. The order is that of section 5.2: key,
 * MAC (compared in constant time), time, truncation. Time is right within the message's fudge, of which TSIG_FUDGE_MOST
 * counts: that is how long a message can be replayed, no longer (the last time seen is not kept for each key:
 * publishers that share one would knock each other out; who serves makes a repeated message harmless).
 *
 * Keys are never logged, and wiped when freed. The MAC context of a key is used again and again: all calls with the
 * keys of one tsig_keys_open from one thread. Nothing allocates but tsig_keys_open and tsig_run_open. */
#ifndef CANDOR_DNS_TSIG_H
#define CANDOR_DNS_TSIG_H

#include "resolver/base/bytes.h"
#include "resolver/base/conf.h"
#include "resolver/dns/name.h"

enum {
    TSIG_FUDGE = 300,       /* what is sent (section 10) */
    TSIG_FUDGE_MOST = 3600, /* of a message's own fudge */
    TSIG_MAC_LEAST = 16,
    TSIG_MAC_MAX = 64,
    TSIG_KEYS_MAX = LIMIT_CONF_LIST,
    TSIG_FILE_MAX = 4096, /* bytes of a secret-file */
    TSIG_SECRET_MAX = 3 * TSIG_FILE_MAX / 4,
    TSIG_UNSIGNED = 99 /* messages of a run between two signed ones (section 5.3.1) */
};
enum tsig_error { TSIG_NOERROR = 0, TSIG_BADSIG = 16, TSIG_BADKEY = 17, TSIG_BADTIME = 18, TSIG_BADTRUNC = 22 };

struct tsig_key;
struct tsig_keys;

/* The keys of `rbl.keys`. A secret-file holds the secret in base64, blanks around it allowed; E_DENIED when others than
 * its owner and group may read or write it. */
int tsig_keys_open(struct tsig_keys **out, const struct conf_key *keys, size_t count, struct err *err) MUST_USE;
void tsig_keys_close(struct tsig_keys *k);
/* By name, any case; NULL: none. Lives as long as `k`. */
const struct tsig_key *tsig_keys_find(const struct tsig_keys *k, const struct name *name);
/* The secret of a key, for what is signed otherwise than with TSIG: its size, or an error as above. To be wiped. */
int tsig_secret_read(uint8_t secret[TSIG_SECRET_MAX], const struct conf_key *conf, struct err *err) MUST_USE;
/* As in the configuration: lower-case, final dot. */
const char *tsig_key_text(const struct tsig_key *key);
/* Its index in the configuration. */
size_t tsig_key_index(const struct tsig_key *key);

/* What the TSIG of one message said, and what was made of it; a plain value, to be kept until the reply is signed. */
struct tsig {
    bool present;
    const struct tsig_key *key; /* whose MAC was right; NULL: no TSIG, BADKEY, BADSIG */
    uint16_t error;             /* enum tsig_error */
    uint16_t id, fudge;
    uint64_t time_s;
    uint8_t mac_size, mac[TSIG_MAC_MAX];
    struct name name, algorithm; /* as they came */
};

/* A request as it was received. Returns 0 (right, or no TSIG at all: t->present) or the RCODE of the reply: NOTAUTH,
 * with t->error, or FORMERR, which goes out without a TSIG. With BADTIME and BADTRUNC t->key is set, as the MAC was
 * right; the request is to be refused all the same. */
int tsig_check(struct tsig *t, const struct tsig_keys *keys, const uint8_t *msg, size_t size, int64_t now_s) MUST_USE;
/* Octets that tsig_reply will add. */
size_t tsig_size(const struct tsig *t);
/* Adds to a whole reply in msg[0..size) the TSIG that the request wants: signed, unsigned for BADKEY and BADSIG, none
 * when the request had none. New size, or E_FULL, E_SYSTEM (nothing usable was written). */
int tsig_reply(const struct tsig *t, uint8_t *msg, size_t size, size_t cap, int64_t now_s) MUST_USE;

/* Signs a question of our own; `t` is what tsig_answer will need. New size, or an error as above. */
int tsig_request(struct tsig *t, const struct tsig_key *key, uint8_t *msg, size_t size, size_t cap,
                 int64_t now_s) MUST_USE;
/* The answer to it: 0; E_DENIED with a text when it is not signed, not by this key, wrongly or at another time;
 * E_INVALID when it is no message. *error (may be NULL) is the TSIG error that the server sent. */
int tsig_answer(const struct tsig *request, const uint8_t *msg, size_t size, int64_t now_s, uint16_t *error,
                struct err *err) MUST_USE;

/* What the TSIG of an answer says, proved or not: its error (0: none, or no TSIG), and with BADTIME the server's clock
 * (section 5.2.3), else 0. For people: nothing may hang on it. */
void tsig_said(const uint8_t *msg, size_t size, uint16_t *error, int64_t *server_s);

/* A run of messages that answer one request, over TCP: each MAC covers the one before (section 5.3.1). */
struct tsig_run;
/* `request` as tsig_check or tsig_request left it; the key must outlive the run. */
int tsig_run_open(struct tsig_run **out, const struct tsig *request) MUST_USE;
void tsig_run_close(struct tsig_run *r);
/* The next message to be sent. The first, each hundredth and those that are to be (`now`: the last, and whatever must
 * be believed as soon as it comes) are signed; the others count into the next MAC. The run goes on behind a signed one.
 * New size or an error. Apart from tsig_run_open a run may be used by any one thread at a time. */
int tsig_run_sign(struct tsig_run *r, uint8_t *msg, size_t size, size_t cap, bool now, int64_t now_s) MUST_USE;
/* Octets that a signature adds. */
size_t tsig_run_size(const struct tsig_run *r);
/* The next message received: 0, *is_signed says whether what came so far is proved by now; E_DENIED, E_INVALID. The
 * run is whole only when its last message was signed. */
int tsig_run_check(struct tsig_run *r, const uint8_t *msg, size_t size, int64_t now_s, bool *is_signed,
                   struct err *err) MUST_USE;

#endif
