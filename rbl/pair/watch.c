/* What the other one of the pair says, and what follows from it. */
#include <stdio.h>

#include "rbl/pair/impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/dns/writer.h"

enum { ASK_UDP_SIZE = 1232 };

/* --- what follows */

/* Where the other one's line leaves ours: the beginning of the first epoch behind ours that it knows. */
static bool find_fork(const struct said *s, uint32_t epoch, uint32_t *serial) {
    bool found = false;
    uint32_t first = 0;
    for (unsigned i = 0; i < s->forks; i++)
        if (s->fork[i].epoch > epoch && (!found || s->fork[i].epoch < first)) {
            found = true;
            first = s->fork[i].epoch;
            *serial = s->fork[i].serial;
        }
    return found;
}

/* A later epoch: whoever is active does not write any more from here on. */
static void follow_epoch(struct pair_zone *z, const struct said *s) {
    struct err err = {0};
    struct role_file next = z->role;
    next.active = false;
    next.epoch = s->epoch;
    memcpy(next.fork, s->fork, sizeof next.fork);
    next.forks = s->forks;
    z->lost_known = find_fork(s, z->role.epoch, &z->lost_from);
    if (z->role.active)
        LOG(LEVEL_ERROR, "another primary was promoted: this one steps down", KS("zone", z->conf->name),
            KS("other", s->name), KU("epoch", s->epoch), KU("ours", z->role.epoch));
    if (turn_start(z, z->role.active ? TURN_STEP_DOWN : TURN_NOTE, &next, NULL, &err) < 0 && err.code != E_AGAIN)
        text_copy(z->trouble, sizeof z->trouble, err.text); /* tried again with its next word */
}

void watch_hear(struct pair_zone *z, const struct said *s) {
    bool before = z->conflict;
    z->other = *s;
    z->heard = true;
    z->failed = false;
    z->heard_ms = loop_now_ms(z->p->c.loop);
    z->trouble[0] = '\0';
    bool both = z->both = z->role.active && s->active && s->epoch == z->role.epoch;
    /* The first by name goes on; of two that bear the same name neither does. */
    z->conflict = both && strcmp(z->p->c.conf->node.name, s->name) >= 0;
    if (both)
        (void)snprintf(z->trouble, sizeof z->trouble,
                       "%.63s is active in epoch %u as well: %s; candor demote the zone at one of the two", s->name,
                       s->epoch, z->conflict ? "it goes on, here updates are refused" : "this node goes on");
    if (both && z->conflict && !before)
        LOG(LEVEL_ERROR, "two active primaries", KS("zone", z->conf->name), KS("other", s->name),
            KU("epoch", s->epoch));
    if (s->epoch > z->role.epoch && z->turn == TURN_NONE)
        follow_epoch(z, s);
    zone_role_show(z);
}

/* --- asking */

static void failed(struct pair_zone *z, const char *why) {
    int64_t now = loop_now_ms(z->p->c.loop);
    z->failed = true;
    text_copy(z->trouble, sizeof z->trouble, why);
    if (!zone_heard(z))
        z->conflict = z->both = false;
    zone_role_show(z);
    if (z->logged_ms != 0 && now - z->logged_ms < PAIR_LOG_MS)
        return;
    z->logged_ms = now;
    LOG(LEVEL_WARN, "the other primary of the pair does not answer", KS("zone", z->conf->name), KS("why", why));
}

static int read_answer(struct bytes msg, struct said *s) {
    struct dns_reader r;
    struct dns_rr rr;
    struct dns_edns e;
    struct name qname;
    uint16_t type, klass;
    if (dns_reader_open(&r, msg.at, msg.size, &qname, &type, &klass) != 0)
        return E_INVALID;
    while (dns_reader_next(&r, &rr) == 0) {
        struct bytes rest, option;
        if (rr.type != TYPE_OPT || dns_edns_read(&e, &rr, msg.at, msg.size) != 0)
            continue;
        rest = e.options;
        if (dns_option_next(&rest, PAIR_OPTION, &option) == 0)
            return said_read(s, option);
    }
    return E_NOTFOUND;
}

static void answered(void *ctx, struct bytes msg, const struct err *why) {
    struct pair_zone *z = ctx;
    char text[BOARD_TEXT_MAX], rcode[16];
    struct said s;
    z->asking = false;
    if (msg.at == NULL) {
        failed(z, why->text);
        return;
    }
    if (read_answer(msg, &s) == 0) {
        watch_hear(z, &s);
        return;
    }
    (void)snprintf(text, sizeof text, "%s: answers %s and says nothing of this pair: is it configured there?",
                   mate_text(z->mate), dns_rcode_text(msg.at[3] & 0x0f, rcode));
    failed(z, text);
}

static void ask(struct pair_zone *z) {
    uint8_t data[SAID_MAX], option[SAID_MAX + DNS_OPTION_FIXED];
    struct pair *p = z->p;
    struct err err = {0};
    struct dns_opt opt = DNS_OPT_INIT(ASK_UDP_SIZE);
    struct said own;
    struct name apex;
    zone_said(z, &own);
    size_t n = said_write(&own, data, sizeof data);
    int size = dns_option_put(option, 0, sizeof option, PAIR_OPTION, (struct bytes){data, n});
    if (size > 0 && name_from_text(&apex, z->conf->name, NULL) >= 0) {
        opt.options = (struct bytes){option, (size_t)size};
        size = dns_query_write(p->message, LIMIT_MESSAGE, 0, 0, &apex, TYPE_SOA, CLASS_IN, &opt);
    }
    if (size > 0 && mate_ask(z->mate, p->message, (size_t)size, NULL, answered, z, &err) == 0)
        z->asking = true;
    else
        failed(z, err.text);
}

void watch_tick(struct pair_zone *z, int64_t now_ms) {
    if (z->rescued[0] != '\0' && z->turn == TURN_NONE && now_ms - z->looked_ms >= PAIR_BELIEVED_MS) {
        z->looked_ms = now_ms;
        rescue_find(z); /* somebody has looked at it and put it away */
        zone_role_show(z);
    }
    if (z->mate == NULL || z->asking || now_ms < z->ask_ms)
        return;
    z->ask_ms = now_ms + PAIR_ASK_MS;
    if (mate_may(z->mate))
        ask(z);
}

/* --- being asked */

bool pair_is_asked(const struct dns_query *q) {
    struct bytes rest = q->edns.options, option;
    return q->edns.present && q->qtype == TYPE_SOA && dns_option_next(&rest, PAIR_OPTION, &option) == 0;
}

/* The pair's key, or without one its address. */
static bool is_other(const struct pair_zone *z, const struct client *c, const struct tsig *t) {
    struct conf_peer_rule rule = z->conf->pair.at[0];
    struct conf_rules rules = {.at = &rule, .count = 1};
    rule.has_address = rule.key[0] == '\0';
    rule.tls_name = "";
    return reply_allowed(&rules, &(struct reply_who){.client = c, .key = t->key});
}

static size_t write_answer(const struct pair_zone *z, const struct dns_query *q, const struct tsig *t, uint8_t *reply,
                           size_t limit) {
    uint8_t data[SAID_MAX], option[SAID_MAX + DNS_OPTION_FIXED];
    struct dns_opt opt = DNS_OPT_INIT(ASK_UDP_SIZE);
    struct dns_writer w;
    struct said own;
    size_t tsig = tsig_size(t);
    zone_said(z, &own);
    size_t n = said_write(&own, data, sizeof data);
    int size = dns_option_put(option, 0, sizeof option, PAIR_OPTION, (struct bytes){data, n});
    if (size < 0 || tsig >= limit)
        return 0;
    opt.options = (struct bytes){option, (size_t)size};
    dns_writer_open(&w, reply, limit - tsig, q->header.id, 0, q->header.opcode);
    dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    dns_writer_opt(&w, &opt);
    size = dns_writer_end(&w, FLAG_QR, RCODE_NOERROR);
    if (size > 0)
        size = tsig_reply(t, reply, (size_t)size, limit, clock_wall_s());
    return size > 0 ? (size_t)size : 0;
}

size_t pair_answer(struct pair *p, int zone, const struct client *c, const struct dns_query *q, const struct tsig *t,
                   uint8_t *reply, size_t cap) {
    size_t limit = reply_limit(c, q, cap);
    struct pair_zone *z = p->zone[zone];
    struct bytes rest = q->edns.options, option;
    struct said s;
    if (z == NULL)
        return reply_bare(q, t, RCODE_REFUSED, EDE_NOT_SUPPORTED, "the zone is of no pair here", reply, limit);
    if (!is_other(z, c, t))
        return reply_bare(q, t, RCODE_REFUSED, EDE_PROHIBITED, "not the other primary of the pair", reply, limit);
    if (dns_option_next(&rest, PAIR_OPTION, &option) < 0 || said_read(&s, option) < 0)
        return reply_bare(q, t, RCODE_FORMERR, EDE_OTHER, "the option of pairs cannot be read", reply, limit);
    watch_hear(z, &s);
    return write_answer(z, q, t, reply, limit);
}
