/* Replies without RRs, and who may. */
#include "rbl/replicate/reply.h"

#include "resolver/base/clock.h"
#include "resolver/dns/writer.h"

enum { UDP_PLAIN = 512 };

size_t reply_limit(const struct client *c, const struct dns_query *q, size_t cap) {
    size_t limit = cap;
    if (c->proto == PROTO_UDP)
        limit = q->edns.present && q->edns.udp_size >= REPLY_UDP ? REPLY_UDP
                : q->edns.present                                ? q->edns.udp_size
                                                                 : UDP_PLAIN;
    return limit < cap ? limit : cap;
}

static bool rule_holds(const struct conf_peer_rule *r, const struct reply_who *who) {
    bool names = r->has_address || r->key[0] != '\0' || r->tls_name[0] != '\0';
    if (r->has_address && !prefix_has(&r->network, &who->client->peer))
        return false;
    if (r->key[0] != '\0' && (who->key == NULL || strcmp(r->key, tsig_key_text(who->key)) != 0))
        return false;
    if (r->tls_name[0] != '\0' && (who->server == NULL || !server_client_is(who->server, who->client, r->tls_name)))
        return false;
    return names;
}

bool reply_allowed(const struct conf_rules *rules, const struct reply_who *who) {
    for (size_t i = 0; i < rules->count; i++)
        if (rule_holds(&rules->at[i], who))
            return true;
    return false;
}

/* What a reply says apart from what the question said. */
struct say {
    uint16_t flags;
    unsigned rcode;
    int ede;
    const char *text;
    bool question;
};

static int write_reply(const struct dns_query *q, const struct say *say, uint8_t *reply, size_t limit) {
    struct dns_writer w;
    dns_writer_open(&w, reply, limit, q->header.id, 0, q->header.opcode);
    if (say->question)
        dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    if (q->edns.present) {
        struct dns_opt opt = {.udp_size = REPLY_UDP,
                              .rcode = (uint16_t)say->rcode,
                              .ede = say->ede,
                              .ede_text = say->text,
                              .keepalive = -1};
        dns_writer_opt(&w, &opt);
    }
    return dns_writer_end(&w, (uint16_t)(FLAG_QR | say->flags | (q->header.flags & FLAG_RD)), say->rcode);
}

/* Once as it should be, and once more with the least that there is to say. */
static size_t reply_signed(const struct dns_query *q, const struct tsig *t, struct say say, uint8_t *reply,
                           size_t limit) {
    size_t tsig = tsig_size(t);
    say.question = q->question_end != 0;
    for (int i = 0; i < 2 && tsig < limit; i++, say.question = false, say.text = NULL) {
        int size = write_reply(q, &say, reply, limit - tsig);
        if (size > 0)
            size = tsig_reply(t, reply, (size_t)size, limit, clock_wall_s());
        if (size > 0)
            return (size_t)size;
    }
    return 0;
}

size_t reply_bare(const struct dns_query *q, const struct tsig *t, unsigned rcode, int ede, const char *text,
                  uint8_t *reply, size_t limit) {
    const char *words = text != NULL && text[0] != '\0' ? text : NULL;
    return reply_signed(q, t, (struct say){.rcode = rcode, .ede = ede, .text = words}, reply, limit);
}

size_t reply_cut(const struct dns_query *q, const struct tsig *t, uint8_t *reply, size_t limit) {
    return reply_signed(q, t, (struct say){.flags = FLAG_TC, .rcode = RCODE_NOERROR, .ede = EDE_NONE}, reply, limit);
}
