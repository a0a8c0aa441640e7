/* What the rate limit makes of a reply. */
#include "resolver/serve/impl.h"

/* Whose address cannot be forged: nobody else is hit by what it gets. */
static bool is_proven(const struct ask *a) {
    return a->client->proto != PROTO_UDP || (a->cookie.given && a->cookie.verdict == COOKIE_GOOD);
}

size_t limited_reply(struct ask *a, size_t n, int64_t now_ns) {
    struct serve *s = a->s;
    bool error = s->rcode != RCODE_NOERROR && s->rcode != RCODE_NXDOMAIN;
    enum limit_verdict v = is_proven(a) ? LIMIT_PASS : limit_take(s->limit, &a->client->peer, error, now_ns);
    if (v == LIMIT_PASS)
        return n;
    a->who = NULL; /* by the operator's will: nobody was failed */
    if (v == LIMIT_DROP) {
        count_drop(s, DROP_RATE);
        return 0;
    }
    if (s->config.stats != NULL)
        board_add(&s->config.stats->slipped, 1);
    return error ? n : reply_truncated(a, s->rcode);
}
