/* Replies without RRs, and who may. */
#include "rbl/update/update.h"

#include "resolver/base/clock.h"

enum { UDP_PLAIN = 512 };

size_t update_limit(const struct client *c, const struct dns_query *q, size_t cap) {
    size_t limit = cap;
    if (c->proto == PROTO_UDP)
        limit = q->edns.present && q->edns.udp_size >= UPDATES_REPLY ? UPDATES_REPLY
                : q->edns.present                                    ? q->edns.udp_size
                                                                     : UDP_PLAIN;
    return limit < cap ? limit : cap;
}

bool update_allowed(const struct conf_rules *rules, const struct addr *peer, const struct tsig_key *key) {
    for (size_t i = 0; i < rules->count; i++) {
        const struct conf_peer_rule *r = &rules->at[i];
        if (r->has_address && !prefix_has(&r->network, peer))
            continue;
        if (r->key[0] != '\0' && (key == NULL || strcmp(r->key, tsig_key_text(key)) != 0))
            continue;
        return r->has_address || r->key[0] != '\0';
    }
    return false;
}

static int write_reply(const struct dns_query *q, unsigned rcode, int ede, const char *text, bool question,
                       uint8_t *reply, size_t limit) {
    struct dns_writer w;
    dns_writer_open(&w, reply, limit, q->header.id, 0, q->header.opcode);
    if (question)
        dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    if (q->edns.present) {
        struct dns_opt opt = {
            .udp_size = UPDATES_REPLY, .rcode = (uint16_t)rcode, .ede = ede, .ede_text = text, .keepalive = -1};
        dns_writer_opt(&w, &opt);
    }
    return dns_writer_end(&w, (uint16_t)(FLAG_QR | (q->header.flags & FLAG_RD)), rcode);
}

size_t update_reply(const struct dns_query *q, const struct tsig *t, unsigned rcode, int ede, const char *text,
                    uint8_t *reply, size_t limit) {
    size_t tsig = tsig_size(t);
    bool question = q->question_end != 0;
    if (text != NULL && text[0] == '\0')
        text = NULL;
    for (int i = 0; i < 2 && tsig < limit; i++, question = false, text = NULL) {
        int size = write_reply(q, rcode, ede, text, question, reply, limit - tsig);
        if (size > 0)
            size = tsig_reply(t, reply, (size_t)size, limit, clock_wall_s());
        if (size > 0)
            return (size_t)size;
    }
    return 0;
}
