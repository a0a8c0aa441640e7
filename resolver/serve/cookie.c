/* What a client's cookie changes in the reply to it (RFC 7873 section 5.2). */
#include "resolver/base/clock.h"
#include "resolver/serve/impl.h"

static void judge(struct ask *a) {
    struct reply_cookie *c = &a->cookie;
    c->given = true;
    c->verdict =
        (uint8_t)cookie_judge(a->q->edns.cookie, &a->client->peer, &a->s->secrets, (uint32_t)clock_wall_s(), c->at);
}

/* Section 5.4: no question but for the cookie. */
static size_t reply_to_cookie_alone(const struct ask *a) {
    return reply_error(a, a->cookie.verdict == COOKIE_BAD ? RCODE_BADCOOKIE : RCODE_NOERROR, EDE_NONE, NULL);
}

/* Who shows a cookie that is not good can ask again with the one in this reply; who shows none can ask by TCP. */
static size_t require(const struct ask *a) {
    if (a->client->proto != PROTO_UDP || (a->cookie.given && a->cookie.verdict == COOKIE_GOOD) ||
        local_may_know(a->s, a->client))
        return 0;
    return a->cookie.given ? reply_error(a, RCODE_BADCOOKIE, EDE_NONE, NULL) : reply_truncated(a, RCODE_NOERROR);
}

size_t cookie_take(struct ask *a, unsigned rcode) {
    const struct dns_query *q = a->q;
    if (a->s->config.cookies == NULL || a->s->secrets.count == 0)
        return 0;
    if (q->edns.cookie.size > 0) {
        judge(a);
        if (q->header.qd == 0 && rcode == RCODE_FORMERR)
            return reply_to_cookie_alone(a);
    }
    return rcode == 0 && a->s->config.conf->resolver.cookies.require ? require(a) : 0;
}
