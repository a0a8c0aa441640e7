/* Clients that wait: what is kept of a question until resolving has an answer to it, or the patience of its client has
 * an end and the cache a stale one. */
#include <stdlib.h>

#include "resolver/base/clock.h"
#include "resolver/base/own_label.h"
#include "resolver/iterate/guard.h"
#include "resolver/serve/impl.h"

/* Where the reply goes when resolving ends within resolve_ask: into the handler's own buffer. */
struct at_once {
    uint8_t *reply;
    size_t cap, size;
    enum board_source source;
    bool done;
};

struct pending {
    struct resolve_waiter waiter;
    struct serve *s;
    struct client client;
    struct dns_query q; /* its views point nowhere any more */
    struct reply_cookie cookie;
    struct board_client *who;
    struct fair_place place;
    bool allowed;
    bool answered; /* with another answer: resolving goes on for the cache alone */
    bool patient;  /* is in the list s->patient[patience] */
    enum patience patience;
    int list;                /* remote list it is about; -1: none */
    struct at_once *at_once; /* NULL: the handler has returned */
    struct pending *next, *previous;
    int64_t due_ms; /* when that is */
};

static void count_pending(struct serve *s, int by) {
    s->pending += (unsigned)by;
    if (s->config.stats != NULL)
        board_set(&s->config.stats->in_flight, s->pending);
}

/* --- those who get another answer when theirs does not come in time, in the order in which they get it */

static unsigned wait_ms(const struct pending *p) {
    int64_t left = p->due_ms - clock_mono_ms();
    return left > 0 ? (unsigned)left : 0;
}

/* Whoever is next, of both lists. */
static void wake_next(struct serve *s) {
    const struct pending *next = NULL;
    for (int i = 0; i < PATIENCES; i++) {
        const struct pending *p = s->patient[i].first;
        if (p != NULL && (next == NULL || p->due_ms < next->due_ms))
            next = p;
    }
    if (next != NULL)
        s->config.wake(s->config.reply_ctx, wait_ms(next) > 0 ? wait_ms(next) : 1);
}

static bool may_be_stale(const struct serve *s) {
    return s->config.cache != NULL && s->config.conf->resolver.cache.stale_max_age_s > 0;
}

static void patient_add(struct pending *p) {
    struct serve *s = p->s;
    if (s->config.wake == NULL || (p->list < 0 && !may_be_stale(s)))
        return;
    p->patience = p->list >= 0 ? PATIENCE_LIST : PATIENCE_STALE;
    p->due_ms = p->client.arrived_ns / NS_PER_MS +
                (p->list >= 0 ? GUARD_ANSWER_MS : s->config.conf->resolver.cache.stale_answer_after_ms);
    p->patient = true;
    p->next = NULL;
    p->previous = s->patient[p->patience].last;
    *(p->previous != NULL ? &p->previous->next : &s->patient[p->patience].first) = p;
    s->patient[p->patience].last = p;
    if (p->previous == NULL)
        wake_next(s);
}

static void patient_remove(struct pending *p) {
    struct serve *s = p->s;
    if (!p->patient)
        return;
    p->patient = false;
    *(p->previous != NULL ? &p->previous->next : &s->patient[p->patience].first) = p->next;
    *(p->next != NULL ? &p->next->previous : &s->patient[p->patience].last) = p->previous;
}

/* --- replies */

static struct ask ask_of(struct pending *p) {
    struct serve *s = p->s;
    struct ask a = {.s = s,
                    .client = &p->client,
                    .q = &p->q,
                    .reply = p->at_once != NULL ? p->at_once->reply : s->late,
                    .cap = p->at_once != NULL ? p->at_once->cap : sizeof s->late,
                    .allowed = p->allowed,
                    .cookie = p->cookie,
                    .who = p->who,
                    .source = SOURCE_UPSTREAM,
                    .list = p->list};
    a.limit = reply_limit(s, &p->client, &p->q, a.cap);
    return a;
}

static void reply_late(struct ask *a, size_t size) {
    struct serve *s = a->s;
    if (s->limit != NULL && size > 0) {
        struct board_client *who = a->who;
        size = limited_reply(a, size, clock_ns(CLOCK_KIND_MONO));
        if (a->who != who)
            board_add(&who->answered, 1); /* its question has been counted already */
    }
    if (size == 0)
        return;
    count_late(a, s->late, size);
    s->config.reply(s->config.reply_ctx, a->client, s->late, size);
}

static size_t write_reply(struct ask *a, const struct resolve_result *r) {
    size_t size;
    if (r->msg == NULL) {
        if (a->s->config.cache != NULL)
            cache_tick(a->s->config.cache);
        return stale_answer(a, &size) ? size : reply_error(a, r->rcode, r->ede, r->ede_text);
    }
    if (r->size > a->cap)
        return reply_truncated(a, r->rcode);
    memcpy(a->reply, r->msg, r->size);
    return reply_message(a, r->size, EDE_NONE);
}

static void resolved(struct resolve_waiter *w, const struct resolve_result *r) {
    struct pending *p = CONTAINER_OF(w, struct pending, waiter);
    struct serve *s = p->s;
    patient_remove(p);
    shared_place_back(s, &p->place);
    count_pending(s, -1);
    if (!p->answered && p->at_once != NULL) {
        struct ask a = ask_of(p);
        p->at_once->done = true;
        p->at_once->size = r->closing ? 0 : write_reply(&a, r);
        p->at_once->source = a.source;
    } else if (!p->answered && !r->closing) {
        struct ask a = ask_of(p);
        reply_late(&a, write_reply(&a, r));
    }
    free(p);
}

static void out_of_patience(struct pending *p) {
    struct ask a = ask_of(p);
    size_t size = 0;
    patient_remove(p);
    if (p->patience == PATIENCE_LIST)
        size = guard_late(&a);
    p->answered = p->patience == PATIENCE_LIST || stale_answer(&a, &size);
    if (p->answered)
        reply_late(&a, size);
}

void serve_wake(struct serve *s) {
    int64_t now_ms = clock_mono_ms();
    if (s->config.cache != NULL)
        cache_tick(s->config.cache);
    for (unsigned list = 0, n = 0; list < PATIENCES; list++) {
        struct pending *p = s->patient[list].first;
        for (; n < SERVE_STALE_AT_ONCE && p != NULL && p->due_ms <= now_ms; n++, p = s->patient[list].first)
            out_of_patience(p);
    }
    wake_next(s);
}

/* --- questions */

static size_t cannot_ask(struct ask *a, int e) {
    size_t size;
    if (stale_answer(a, &size))
        return size;
    if (e == E_AGAIN) { /* its answer is on its way: asking again will find it in the cache */
        count_drop(a->s, DROP_FULL);
        return 0;
    }
    return reply_error(a, RCODE_SERVFAIL, EDE_OTHER, "too many questions are under way");
}

/* Its client has as many questions under way as there are places left for all others. */
static size_t spared(struct ask *a) {
    size_t size;
    if (a->s->config.stats != NULL)
        board_add(&a->s->config.stats->pending_spared, 1);
    return stale_answer(a, &size)
               ? size
               : reply_error(a, RCODE_SERVFAIL, EDE_OTHER, "too many questions of this client are under way");
}

size_t pending_ask(struct ask *a) {
    struct serve *s = a->s;
    struct pending *p = s->pending < SERVE_PENDING_MAX ? malloc(sizeof *p) : NULL;
    struct at_once now = {.reply = a->reply, .cap = a->cap};
    if (s->config.board != NULL && a->q->qname.size > 1)
        own_label_look(s->config.board, a->q->qname.wire);
    if (p == NULL)
        return cannot_ask(a, E_FULL);
    *p = (struct pending){.waiter = {.done = resolved},
                          .s = s,
                          .client = *a->client,
                          .q = *a->q,
                          .cookie = a->cookie,
                          .who = a->who,
                          .allowed = a->allowed,
                          .list = a->list,
                          .at_once = &now};
    struct resolve_question q = ask_question(a);
    if (!shared_place(a, &p->place)) {
        free(p);
        return spared(a);
    }
    count_pending(s, 1);
    int e = resolve_ask(s->config.resolve, &q, &p->waiter);
    if (e == 0) {
        if (now.done) {
            a->source = now.source;
            return now.size;
        }
        p->at_once = NULL;
        patient_add(p);
        a->waits = true;
        return 0;
    }
    shared_place_back(s, &p->place);
    count_pending(s, -1);
    free(p);
    return cannot_ask(a, e);
}
