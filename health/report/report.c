#include "health/report/report.h"

#include "resolver/base/pack.h"
#include "resolver/base/rand.h"
#include "resolver/dns/writer.h"

enum { KIND_REPORT = 1, KIND_ACK = 2 };

void report_question(struct name *qname) {
    static const char text[] = "report.server.";
    if (name_from_text(qname, text, NULL) < 0)
        *qname = (struct name){.size = 1}; /* cannot be: the text is a name */
}

static void head(struct pack_out *o, unsigned kind) {
    pack_number(o, REPORT_VERSION, 1);
    pack_number(o, kind, 1);
}

int report_write(const struct report *r, uint8_t *to, size_t cap) {
    struct pack_out o = {.at = to, .cap = cap};
    head(&o, KIND_REPORT);
    pack_text(&o, r->node, sizeof r->node);
    pack_text(&o, r->version, sizeof r->version);
    pack_number(&o, r->boot, 8);
    pack_number(&o, r->sequence, 8);
    pack_number(&o, (uint64_t)r->wall_ms, 8);
    pack_number(&o, r->revision, 8);
    pack_number(&o, r->lag_ms, 4);
    pack_number(&o, r->ready, 1);
    pack_number(&o, r->overall, 1);
    pack_number(&o, SCOPE_COUNT, 1);
    pack_octets(&o, r->scope, SCOPE_COUNT);
    pack_text(&o, r->cause, sizeof r->cause);
    return o.error != 0 ? o.error : (int)o.size;
}

int report_ack_write(const struct report_ack *a, uint8_t *to, size_t cap) {
    struct pack_out o = {.at = to, .cap = cap};
    head(&o, KIND_ACK);
    pack_text(&o, a->monitor, sizeof a->monitor);
    pack_number(&o, a->boot, 8);
    pack_number(&o, a->sequence, 8);
    pack_number(&o, (uint64_t)a->wall_ms, 8);
    pack_number(&o, a->missed, 8);
    pack_number(&o, a->asked_ago_ms < 0 || a->asked_ago_ms >= UINT32_MAX ? UINT32_MAX : (uint64_t)a->asked_ago_ms, 4);
    return o.error != 0 ? o.error : (int)o.size;
}

/* 0 when what follows is of this version and kind. */
static int head_read(struct pack_in *i, unsigned kind) {
    unsigned version = (unsigned)unpack_number(i, 1), got = (unsigned)unpack_number(i, 1);
    if (i->bad)
        return E_INVALID;
    return version == REPORT_VERSION && got == kind ? 0 : E_UNSUPPORTED;
}

/* One more scope than are known here is passed over: a node may be newer than its monitor. */
static void scopes_read(struct pack_in *i, struct report *r) {
    unsigned count = (unsigned)unpack_number(i, 1);
    memset(r->scope, REPORT_ABSENT, sizeof r->scope);
    for (unsigned s = 0; s < count && !i->bad; s++) {
        uint8_t state = (uint8_t)unpack_number(i, 1);
        i->bad |= state > REPORT_ABSENT;
        if (s < SCOPE_COUNT)
            r->scope[s] = state;
    }
}

int report_read(struct report *r, struct bytes data) {
    struct pack_in i = {data.at, data.size, false};
    memset(r, 0, sizeof *r);
    int rc = head_read(&i, KIND_REPORT);
    if (rc < 0)
        return rc;
    unpack_name(&i, r->node, sizeof r->node);
    unpack_name(&i, r->version, sizeof r->version);
    r->boot = unpack_number(&i, 8);
    r->sequence = unpack_number(&i, 8);
    r->wall_ms = unpack_time_ms(&i);
    r->revision = unpack_number(&i, 8);
    r->lag_ms = (uint32_t)unpack_number(&i, 4);
    r->ready = unpack_number(&i, 1) == 1;
    r->overall = (uint8_t)unpack_number(&i, 1);
    scopes_read(&i, r);
    unpack_words(&i, r->cause, sizeof r->cause);
    return i.bad || i.left > 0 || r->overall >= VERDICT_STATES || r->node[0] == '\0' || r->boot == 0 ? E_INVALID : 0;
}

int report_ack_read(struct report_ack *a, struct bytes data) {
    struct pack_in i = {data.at, data.size, false};
    memset(a, 0, sizeof *a);
    int rc = head_read(&i, KIND_ACK);
    if (rc < 0)
        return rc;
    unpack_name(&i, a->monitor, sizeof a->monitor);
    a->boot = unpack_number(&i, 8);
    a->sequence = unpack_number(&i, 8);
    a->wall_ms = unpack_time_ms(&i);
    a->missed = unpack_number(&i, 8);
    a->asked_ago_ms = -1;
    if (i.left == 0)
        return i.bad ? E_INVALID : 0; /* of a monitor that does not say it yet */
    uint64_t ago = unpack_number(&i, 4);
    a->asked_ago_ms = ago < UINT32_MAX ? (int64_t)ago : -1;
    return i.bad || i.left > 0 ? E_INVALID : 0;
}

int report_message(const struct report *r, const struct tsig_key *key, struct tsig *signing, uint8_t *to, size_t cap,
                   int64_t now_s) {
    uint8_t data[REPORT_OPTION_MAX], option[REPORT_OPTION_MAX + DNS_OPTION_FIXED];
    struct dns_opt opt = DNS_OPT_INIT(REPORT_MESSAGE);
    struct name qname;
    int size = report_write(r, data, sizeof data);
    if (size >= 0)
        size = dns_option_put(option, 0, sizeof option, REPORT_OPTION, (struct bytes){data, (size_t)size});
    if (size < 0)
        return size;
    opt.options = (struct bytes){option, (size_t)size};
    report_question(&qname);
    size = dns_query_write(to, cap, rand_u16(), 0, &qname, TYPE_TXT, CLASS_CH, &opt);
    return size < 0 ? size : tsig_request(signing, key, to, (size_t)size, cap, now_s);
}

int report_option(struct bytes *data, const uint8_t *msg, size_t size) {
    struct dns_edns e;
    if (dns_edns_find(&e, msg, size) < 0)
        return E_NOTFOUND;
    struct bytes rest = e.options;
    return dns_option_next(&rest, REPORT_OPTION, data);
}
