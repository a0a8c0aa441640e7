/* NOTIFY (RFC 1996): whoever should ask is told until it says that it heard. At most one under way to each address;
 * commits that come meanwhile are one more. */
#include <stdlib.h>

#include "rbl/primary/out.h"
#include "rbl/replicate/reply.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/rand.h"
#include "resolver/net/exchange.h"

enum { NOTIFY_TRIES = 5, NOTIFY_FIRST_MS = 1000, NOTIFY_AT_ONCE = 64, NOTIFY_SIZE = 1024 };

struct notify {
    struct notify *next;
    struct primary *p;
    int zone;
    const struct conf_zone *conf; /* whose rule it is */
    struct addr to;
    const struct tsig_key *key;
    struct follower *peer; /* may be NULL */
    struct exchange *exchange;
    struct tsig tsig;
    bool wanted; /* something was committed that it was not told of */
    unsigned tries;
};

static void send_notify(struct notify *n);

/* Those that had to wait for others. */
static void next_notify(struct primary *p) {
    for (int i = 0; i < LIMIT_ZONES && p->notifies < NOTIFY_AT_ONCE; i++)
        for (struct notify *n = p->zone[i] != NULL ? p->zone[i]->notify : NULL; n != NULL; n = n->next)
            if (n->wanted && n->exchange == NULL && p->notifies < NOTIFY_AT_ONCE)
                send_notify(n);
}

static void heard(struct notify *n, int code, const char *why) {
    struct board_link *k = n->peer != NULL ? n->peer->link : NULL;
    if (k != NULL) {
        board_add(code == 0 ? &k->notify_answered : &k->notify_unanswered, 1);
        if (code == 0 || board_get(&k->held) == 0) /* who holds a question came by itself since: it is there */
            link_tried(k, code, why);
    }
    if (code == 0) {
        n->tries = 0;
        return;
    }
    char to[ADDR_TEXT_MAX];
    if (++n->tries < NOTIFY_TRIES) {
        n->wanted = true;
        return;
    }
    n->tries = 0;
    LOG(LEVEL_WARN, "a NOTIFY was not heard", KS("zone", n->conf->name), KS("to", addr_text(&n->to, to)),
        KS("why", why));
}

/* What came back: its signature, then its RCODE. */
static int judge(struct notify *n, const struct exchange_result *r, struct err *err) {
    char text[16];
    uint16_t error = 0;
    if (r->code == E_TIMEOUT)
        return err_set(err, E_TIMEOUT, "NOTIFY: no answer");
    if (r->code < 0)
        return err_set(err, E_SYSTEM, "NOTIFY: %s", r->sys_errno != 0 ? strerror(r->sys_errno) : err_name(r->code));
    int rc = n->key == NULL ? 0 : tsig_answer(&n->tsig, r->answer.at, r->answer.size, clock_wall_s(), &error, err);
    if (error >= TSIG_BADSIG && error <= TSIG_BADTIME && n->peer != NULL)
        board_add(&n->peer->link->tsig_failures[error - TSIG_BADSIG], 1);
    if (rc < 0) {
        err_prefix(err, "NOTIFY");
        return rc;
    }
    unsigned rcode = r->answer.size >= DNS_HEADER ? r->answer.at[3] & 15 : RCODE_FORMERR;
    if (rcode == RCODE_NOERROR)
        return 0;
    return err_set(err, rcode == RCODE_REFUSED || rcode == RCODE_NOTAUTH ? E_DENIED : E_INVALID, "NOTIFY: %s",
                   dns_rcode_text(rcode, text));
}

static void answered(void *ctx, const struct exchange_result *r) {
    struct notify *n = ctx;
    struct primary *p = n->p;
    struct err err = {.text = ""};
    n->exchange = NULL;
    p->notifies--;
    int rc = judge(n, r, &err);
    heard(n, rc, err.text);
    /* One that answered wrongly at once is not asked again at once: its next turn is the next commit. */
    if (rc != 0 && rc != E_TIMEOUT) {
        n->wanted = false;
        n->tries = 0;
    }
    if (n->wanted)
        send_notify(n);
    next_notify(p);
}

static int write_notify(struct notify *n, uint8_t *msg, size_t cap) {
    struct dns_writer w;
    struct name apex;
    const struct view_apex *at;
    struct keep_state st;
    if (keeper_state(n->p->c.keeper, n->zone, &st, &at) < 0 || name_from_text(&apex, n->conf->name, NULL) < 0)
        return E_NOTFOUND;
    struct dns_soa soa = at->soa;
    soa.serial = st.serial;
    dns_writer_open(&w, msg, cap, (uint16_t)rand_u64(), FLAG_AA, OPCODE_NOTIFY);
    dns_writer_question(&w, &apex, TYPE_SOA, CLASS_IN);
    dns_writer_soa(&w, SECTION_ANSWER, &apex, at->soa_ttl, &soa);
    int size = dns_writer_end(&w, 0, RCODE_NOERROR);
    return size > 0 && n->key != NULL ? tsig_request(&n->tsig, n->key, msg, (size_t)size, cap, clock_wall_s()) : size;
}

static void send_notify(struct notify *n) {
    struct primary *p = n->p;
    uint8_t msg[NOTIFY_SIZE];
    struct err err = {.text = ""};
    if (n->exchange != NULL || p->notifies >= NOTIFY_AT_ONCE)
        return;
    n->wanted = false;
    int size = write_notify(n, msg, sizeof msg);
    if (size < 0)
        return;
    struct exchange_plan plan = {.server = n->to,
                                 .query = msg,
                                 .size = (size_t)size,
                                 .timeout_ms = (uint32_t)NOTIFY_FIRST_MS << n->tries,
                                 .done = answered,
                                 .ctx = n};
    n->exchange = exchange_start(p->c.loop, &plan, &err);
    if (n->exchange == NULL) {
        heard(n, E_SYSTEM, err.text);
        n->wanted = false;
        return;
    }
    p->notifies++;
    if (n->peer != NULL)
        board_add(&n->peer->link->notify_sent, 1);
}

static bool is_ourselves(const struct primary *p, const struct addr *to) {
    const struct conf_list_addr *listen = &p->c.conf->rbl.listen;
    for (size_t i = 0; i < listen->count; i++)
        if (addr_same(&listen->at[i], to))
            return true;
    return false;
}

static void drop(struct primary *p, struct primary_zone *z) {
    while (z->notify != NULL) {
        struct notify *n = z->notify;
        z->notify = n->next;
        if (n->exchange != NULL) {
            exchange_cancel(n->exchange);
            p->notifies--;
        }
        free(n);
    }
}

static const struct tsig_key *key_of(const struct primary *p, const char *text) {
    struct name name;
    return text[0] == '\0' || name_from_text(&name, text, NULL) < 0 ? NULL : tsig_keys_find(p->c.keys, &name);
}

/* The zone's rules as they are now. */
static void make(struct primary *p, struct primary_zone *z, int zone) {
    const struct conf_zone *conf = keeper_zone_conf(p->c.keeper, zone);
    if (z->notify != NULL && z->notify->conf == conf)
        return;
    drop(p, z);
    for (size_t i = 0; i < conf->notify.count; i++) {
        const struct conf_peer_rule *r = &conf->notify.at[i];
        struct notify *n = r->has_address && !is_ourselves(p, &r->address) ? calloc(1, sizeof *n) : NULL;
        if (n == NULL)
            continue;
        *n = (struct notify){.next = z->notify, .p = p, .zone = zone, .conf = conf, .to = r->address};
        n->key = key_of(p, r->key);
        n->peer = follow_notified(p, zone, &r->address);
        z->notify = n;
    }
}

/* Of nodes that share an address some may hold a run and others not. */
static bool has_run(const struct primary *p, const struct primary_zone *z, const struct notify *n) {
    unsigned here = 0;
    for (const struct notify *x = z->notify; x != NULL; x = x->next)
        here += addr_same_host(&x->to, &n->to);
    return runs_at(p, n->zone, &n->to) >= here;
}

void notify_zone(struct primary *p, int zone) {
    struct primary_zone *z = zone_of(p, zone);
    if (z == NULL)
        return;
    make(p, z, zone);
    for (struct notify *n = z->notify; n != NULL; n = n->next) {
        if (has_run(p, z, n))
            continue;
        n->wanted = true;
        n->tries = 0;
        send_notify(n);
    }
}

void notify_forget(struct primary *p, int zone) {
    if (p->zone[zone] != NULL)
        drop(p, p->zone[zone]);
}

void notify_close(struct primary *p) {
    for (int i = 0; i < LIMIT_ZONES; i++)
        if (p->zone[i] != NULL)
            drop(p, p->zone[i]);
}
