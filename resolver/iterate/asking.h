/* One question to one server, until it has said something or is given up: what every server wants to be asked in
 * another way is settled here, so that recursion sees one call and one result.
 *
 *   UDP with EDNS (+ DO, + cookie, + mixed case) -> answer
 *      -> TC ............................................ TCP
 *      -> FORMERR, NOTIMP, BADVERS to EDNS .............. without EDNS, remembered (RFC 6891 section 6.2.2)
 *      -> BADCOOKIE ..................................... with the new cookie, then TCP (RFC 7873 section 5.3)
 *      -> without the cookie that it always sends ....... TCP: somebody else may have said that
 *      -> case not kept, and silence .................... TCP, remembered
 *      -> BOUND_MISMATCHES packets that do not fit ...... TCP, remembered for a while
 *      -> silence ....................................... the caller's: another server. One that never answered EDNS is
 *                                                         asked with 512 octets after one silence, without EDNS after
 *                                                         two, whoever asks it
 *
 * Counts in the server's entry (servers.h). `done` is called exactly once, never from inside asking_start. One thread.
 */
#ifndef CANDOR_ITERATE_ASKING_H
#define CANDOR_ITERATE_ASKING_H

#include "resolver/base/conf.h"
#include "resolver/dns/message.h"
#include "resolver/iterate/sender.h"
#include "resolver/iterate/servers.h"

struct asking;

struct asking_reply {
    int code; /* 0: an answer to this question, whatever its RCODE; E_TIMEOUT; E_SYSTEM: unreachable, refused;
                 E_INVALID: it cannot be spoken with */
    struct bytes answer; /* raw, bounded reader applied to header and question only; during the call */
    bool stream;         /* it came over TCP or TLS: TC in it is no reason to ask again */
    unsigned sends;      /* how many queries this took: they count against recursion.max-queries */
    int64_t took_us;     /* the last of them */
    uint32_t mismatches; /* packets that did not fit the last of them */
};
typedef void (*asking_done)(void *ctx, const struct asking_reply *r);

struct asking_plan {
    const struct addr *server;
    const struct name *qname; /* lower case, copied; sent in mixed case where configured */
    uint16_t qtype, qclass;
    bool recursion_desired, dnssec_ok, checking_disabled;
    const char *tls_name, *tls_ca; /* as of sender_query; over TLS there is no other manner but without EDNS */
    unsigned in_flight_max;        /* questions to this server at once; 0: BOUND_SERVER_IN_FLIGHT */
    unsigned sends_max;            /* at most this many queries */
    uint32_t wait_ms;              /* a try over UDP waits so long; 0: the server's rto. TCP and TLS wait longer */
    int64_t deadline_ms;           /* by ops->now_ms; nothing waits past this */
    /* A query got something that is not the result: it is asked again in another manner. NULL: who cares. */
    void (*retried)(void *ctx, const struct sender_reply *r, bool stream);
    asking_done done;
    void *ctx;
};

struct asking_config {
    const struct conf *conf;
    struct sender sender;
    struct servers *servers;
};

/* One per worker. */
struct askings;
int askings_open(struct askings **out, const struct asking_config *config, struct err *err) MUST_USE;
void askings_close(struct askings *a); /* cancels all that are left without calling done */

/* NULL: no memory or socket is to be had, the server is at its bound; done is not called. */
struct asking *asking_start(struct askings *a, const struct asking_plan *plan);
void asking_cancel(struct asking *q); /* without done; not from inside its own done */

#endif
