/* Clients that wait: what is kept of a question until resolving has an answer to it. */
#include <stdlib.h>

#include "resolver/base/own_label.h"
#include "resolver/serve/impl.h"

/* Where the reply goes when resolving ends within resolve_ask: into the handler's own buffer. */
struct at_once {
    uint8_t *reply;
    size_t cap, size;
    bool done;
};

struct pending {
    struct resolve_waiter waiter;
    struct serve *s;
    struct client client;
    struct dns_query q; /* its views point nowhere any more */
    struct reply_cookie cookie;
    struct board_client *who;
    bool allowed;
    struct at_once *at_once; /* NULL: the handler has returned */
};

static void count_pending(struct serve *s, int by) {
    s->pending += (unsigned)by;
    if (s->config.stats != NULL)
        board_set(&s->config.stats->in_flight, s->pending);
}

static size_t write_reply(const struct ask *a, const struct resolve_result *r) {
    if (r->msg == NULL)
        return reply_error(a, r->rcode, r->ede, r->ede_text);
    if (r->size > a->cap)
        return reply_truncated(a, r->rcode);
    memcpy(a->reply, r->msg, r->size);
    return reply_message(a, r->size);
}

static void resolved(struct resolve_waiter *w, const struct resolve_result *r) {
    struct pending *p = CONTAINER_OF(w, struct pending, waiter);
    struct serve *s = p->s;
    struct ask a = {.s = s,
                    .client = &p->client,
                    .q = &p->q,
                    .reply = p->at_once != NULL ? p->at_once->reply : s->late,
                    .cap = p->at_once != NULL ? p->at_once->cap : sizeof s->late,
                    .allowed = p->allowed,
                    .cookie = p->cookie,
                    .source = SOURCE_UPSTREAM};
    a.limit = reply_limit(s, &p->client, &p->q, a.cap);
    size_t size = r->closing ? 0 : write_reply(&a, r);
    count_pending(s, -1);
    if (p->at_once != NULL) {
        p->at_once->done = true;
        p->at_once->size = size;
    } else if (!r->closing) {
        count_late(s, &p->client, p->who, s->late, size);
        s->config.reply(s->config.reply_ctx, &p->client, s->late, size);
    }
    free(p);
}

size_t pending_ask(struct ask *a) {
    struct serve *s = a->s;
    struct pending *p = s->pending < SERVE_PENDING_MAX ? malloc(sizeof *p) : NULL;
    struct at_once now = {.reply = a->reply, .cap = a->cap};
    if (s->config.board != NULL && a->q->qname.size > 1)
        own_label_look(s->config.board, a->q->qname.wire);
    if (p == NULL)
        return reply_error(a, RCODE_SERVFAIL, EDE_OTHER, "too many questions are under way");
    *p = (struct pending){.waiter = {.done = resolved},
                          .s = s,
                          .client = *a->client,
                          .q = *a->q,
                          .cookie = a->cookie,
                          .who = a->who,
                          .allowed = a->allowed,
                          .at_once = &now};
    struct resolve_question q = {.qname = a->q->qname,
                                 .qtype = a->q->qtype,
                                 .qclass = a->q->qclass,
                                 .dnssec_ok = a->q->edns.dnssec_ok,
                                 .checking_disabled = a->q->header.flags & FLAG_CD};
    count_pending(s, 1);
    int e = resolve_ask(s->config.resolve, &q, &p->waiter);
    if (e == 0) {
        if (now.done)
            return now.size;
        p->at_once = NULL;
        a->waits = true;
        return 0;
    }
    count_pending(s, -1);
    free(p);
    if (e == E_AGAIN) { /* its answer is on its way: asking again will find it in the cache */
        count_drop(s, DROP_FULL);
        return 0;
    }
    return reply_error(a, RCODE_SERVFAIL, EDE_OTHER, "too many questions are under way");
}
