/* What a publisher sends: TSIG is read without a read beyond the end and never found right without the secret; an
 * UPDATE ends with an RCODE or with entries that the store may hold, and adding twice is adding once.
 * Input: an octet that says what the zone lists, then a message. */
#include <stdlib.h>

#include "rbl/keep/view.h"
#include "rbl/update/run.h"
#include "resolver/dns/tsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES = 256, NOW = 1700000000 };

/* A store that keeps what it is given; the fuzzer's own in place of rbl/keep's. */
struct keep_batch {
    struct keep_entry e[ENTRIES];
    unsigned count, edits;
};
static struct keep_batch store;

static void must(bool holds) {
    if (!holds)
        abort();
}

static bool same_place(const struct keep_entry *a, const struct keep_entry *b) {
    if (a->kind != b->kind || a->bits != b->bits)
        return false;
    if (a->kind == KEEP_NAME)
        return a->name.size == b->name.size && memcmp(a->name.wire, b->name.wire, a->name.size) == 0;
    return memcmp(a->addr, b->addr, sizeof a->addr) == 0;
}

static bool same_value(const struct value *a, const struct value *b) {
    return a->kind == b->kind && a->type == b->type && memcmp(a->a, b->a, 4) == 0 && a->has_txt == b->has_txt &&
           a->ttl == b->ttl && a->txt_size == b->txt_size && memcmp(a->txt, b->txt, a->txt_size) == 0;
}

/* What every entry must be. */
static void check_entry(const struct keep_entry *e) {
    const struct value *v = &e->value;
    must(!e->excluded && v->ttl >= 1 && v->ttl <= INT32_MAX);
    must(v->kind == VALUE_RR ? v->txt_size <= VALUE_BYTES : v->kind == VALUE_LISTED && v->a[0] == 127);
    must(v->kind == VALUE_RR || v->txt_size <= UPDATE_TXT);
    must(v->kind == VALUE_LISTED || e->kind == KEEP_NAME);
    if (e->kind == KEEP_NAME) {
        struct name low = e->name;
        name_lower(&low);
        must(e->bits <= 1 && low.size >= 1 && low.wire[low.size - 1] == 0 &&
             memcmp(low.wire, e->name.wire, low.size) == 0);
        return;
    }
    must(e->bits >= 1 && e->bits <= (e->kind == KEEP_4 ? 32 : 128));
    for (unsigned bit = e->bits; bit < 128; bit++)
        must((e->addr[bit / 8] >> (7 - bit % 8) & 1) == 0);
}

const struct view_apex *keep_batch_apex(const struct keep_batch *b) {
    static struct view_apex apex;
    apex.serial = 8;
    apex.ns_count = 1;
    apex.ns[0] = apex.soa.primary = apex.soa.contact = (struct name){.size = 1};
    return b->count % 2 == 0 ? &apex : NULL;
}

int keep_batch_at(struct keep_batch *b, const struct keep_entry *at, struct keep_entry *found, unsigned cap,
                  unsigned *count, struct err *err) {
    (void)err;
    *count = 0;
    for (unsigned i = 0; i < b->count; i++)
        if (same_place(&b->e[i], at)) {
            if (*count < cap)
                found[*count] = b->e[i];
            ++*count;
        }
    return 0;
}

int keep_batch_add(struct keep_batch *b, const struct keep_entry *e, struct err *err) {
    check_entry(e);
    b->edits++;
    if (b->count == ENTRIES)
        return err_set(err, E_FULL, "full");
    b->e[b->count++] = *e;
    return 0;
}

int keep_batch_remove(struct keep_batch *b, const struct keep_entry *e, bool any_value, struct err *err) {
    (void)err;
    b->edits++;
    for (unsigned i = b->count; i-- > 0;)
        if (same_place(&b->e[i], e) && (any_value || same_value(&b->e[i].value, &e->value)))
            b->e[i] = b->e[--b->count];
    return 0;
}

/* Adds alone: the same once more changes nothing. */
static bool adds_alone(const uint8_t *msg, size_t size) {
    struct dns_reader r;
    struct dns_rr rr;
    if (dns_reader_open(&r, msg, size, NULL, NULL, NULL) != 0 || r.header.an != 0)
        return false;
    for (unsigned i = 0; i < r.header.ns; i++)
        if (dns_reader_next(&r, &rr) != 0 || rr.klass != CLASS_IN)
            return false;
    return true;
}

static void run(unsigned kinds, const uint8_t *msg, size_t size, const struct name *apex) {
    static const enum conf_dataset_type types[] = {DATASET_IP4TRIE, DATASET_IP6TRIE, DATASET_DNSET, DATASET_ACL};
    struct conf_dataset data[4];
    struct conf_zone conf = {.name = "list.example.", .data = data};
    struct records_zone z;
    struct update_result r;
    for (unsigned i = 0; i < 4; i++)
        if (kinds >> i & 1)
            data[conf.data_count++].type = types[i];
    must(records_zone_make(&z, &conf, NULL) == 0);
    z.apex = *apex;
    name_lower(&z.apex);
    store.count = store.edits = 0;
    int rc = update_run(&z, msg, size, &store, &r, NULL);
    must(rc == 0 ? r.rcode == RCODE_NOERROR : r.rcode != RCODE_NOERROR && r.rcode <= RCODE_NOTZONE);
    if (rc != 0)
        return;
    store.edits = 0;
    rc = update_run(&z, msg, size, &store, &r, NULL);
    must(rc != 0 || !adds_alone(msg, size) || store.edits == 0);
}

static void signature(const uint8_t *msg, size_t size) {
    static struct tsig_keys *keys;
    static uint8_t reply[LIMIT_MESSAGE];
    const struct conf_key conf[] = {{"key.", "hmac-sha256", "AAECAwQFBgcICQoLDA0ODw==", ""},
                                    {"k.", "hmac-sha1", "AAECAwQFBgcICQoLDA0ODw==", ""}};
    struct tsig t;
    if (keys == NULL)
        must(tsig_keys_open(&keys, conf, 2, NULL) == 0);
    int rcode = tsig_check(&t, keys, msg, size, NOW);
    must(rcode == 0 || rcode == RCODE_NOTAUTH || rcode == RCODE_FORMERR);
    must(t.key == NULL && (rcode != 0 || !t.present)); /* nobody guesses a MAC */
    memcpy(reply, msg, DNS_HEADER);
    memset(reply + 4, 0, DNS_HEADER - 4);
    int n = tsig_reply(&t, reply, DNS_HEADER, sizeof reply, NOW);
    must(n == (int)(DNS_HEADER + tsig_size(&t)));
    struct tsig again;
    if (t.present)
        must(tsig_check(&again, keys, reply, (size_t)n, NOW) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dns_query q;
    if (size < 1 || size > LIMIT_MESSAGE)
        return 0;
    const uint8_t *msg = data + 1;
    size--;
    if (dns_query_read(&q, msg, size) != 0)
        return 0;
    signature(msg, size);
    if (q.header.opcode == OPCODE_UPDATE)
        run(data[0], msg, size, &q.qname);
    return 0;
}
