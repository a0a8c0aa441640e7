/* What every answer of the sync port is made of: replies without RRs, how much a client takes, and who may. */
#ifndef CANDOR_RBL_REPLY_H
#define CANDOR_RBL_REPLY_H

#include "resolver/base/conf.h"
#include "resolver/dns/message.h"
#include "resolver/dns/tsig.h"
#include "resolver/net/server.h"

enum { REPLY_UDP = 1232 /* octets of a datagram that we send or ask for */ };

/* Who asks: where from, over which connection, signed by which key (NULL: not signed, or wrongly). */
struct reply_who {
    const struct client *client;
    const struct tsig_key *key;
    const struct server *server; /* NULL: nobody is known by a certificate */
};
/* One of the rules holds wholly: its address, its key and its tls-name, as far as it names them. A rule names one key;
 * while keys are changed, two rules with two keys both hold. A rule that names nothing holds for nobody. */
bool reply_allowed(const struct conf_rules *rules, const struct reply_who *who);

/* A reply without RRs: the question again (left out when there is no room), EDNS when the request had it, TSIG.
 * `limit`: octets that the client takes. Size, or 0 when nothing can be sent. */
size_t reply_bare(const struct dns_query *q, const struct tsig *t, unsigned rcode, int ede, const char *text,
                  uint8_t *reply, size_t limit);
/* The same for an answer that did not fit: NOERROR with TC. */
size_t reply_cut(const struct dns_query *q, const struct tsig *t, uint8_t *reply, size_t limit);
/* Octets that this client takes, at most `cap`. */
size_t reply_limit(const struct client *c, const struct dns_query *q, size_t cap);

#endif
