/* DNS cookies, the server's side (RFC 7873), in the form in which servers of any make behind one address understand
 * each other's (RFC 9018): version 1, three zero octets, the time, SipHash-2-4 over all that, the client's cookie and
 * its address. Pure functions; where secrets come from and when they change is the caller's business. */
#ifndef CANDOR_DNS_COOKIE_H
#define CANDOR_DNS_COOKIE_H

#include "resolver/base/addr.h"
#include "resolver/base/bytes.h"

enum {
    COOKIE_CLIENT = 8,
    COOKIE_WHOLE = 24, /* the client's and the server's */
    COOKIE_SECRET = 16,
    COOKIE_SECRETS = 3, /* at most: the first makes cookies, all are believed (RFC 9018 section 5) */
    COOKIE_LIFE_S = 3600,
    COOKIE_RENEW_S = 1800, /* older, and the client gets a new one */
    COOKIE_AHEAD_S = 300,  /* clocks of nodes differ */
};

struct cookie_secrets {
    uint8_t at[COOKIE_SECRETS][COOKIE_SECRET];
    unsigned count;
};

enum cookie_verdict {
    COOKIE_FIRST, /* the client's alone: it has none of ours yet */
    COOKIE_BAD,   /* not ours, not this client's, or too old */
    COOKIE_GOOD,
};

/* What the option `asked` (8, or 16 to 40 octets, as dns_edns has it) is worth at `now_s` (seconds of the epoch), and
 * in `answer` the option to answer with: the same one while it is young, else a new one. */
enum cookie_verdict cookie_judge(struct bytes asked, const struct addr *client, const struct cookie_secrets *secrets,
                                 uint32_t now_s, uint8_t answer[COOKIE_WHOLE]);

#endif
