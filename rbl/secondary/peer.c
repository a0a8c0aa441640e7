/* Sessions with servers, and the questions on them. */
#include <stdlib.h>

#include "rbl/secondary/impl.h"
#include "resolver/base/log.h"
#include "resolver/base/rand.h"

/* --- questions */

static void question_free(struct question *q) {
    tsig_run_close(q->run);
    free(q);
}

static void unlink_question(struct question *q) {
    for (struct question **at = &q->peer->questions; *at != NULL; at = &(*at)->next)
        if (*at == q) {
            *at = q->next;
            q->peer->count--;
            break;
        }
    if (q->peer->count == 0)
        q->peer->idle_since_ms = loop_now_ms(q->peer->in->c.loop);
}

void question_close(struct question *q) {
    if (q == NULL || q->closed)
        return;
    unlink_question(q);
    q->closed = true;
    if (!q->busy)
        question_free(q);
}

/* The callback may close its question, or end the session. */
static void tell(struct question *q, struct bytes msg, bool is_signed, const struct err *why) {
    q->busy = true;
    enum question_end end = q->answer(q->ctx, msg, is_signed, why);
    q->busy = false;
    if (end == QUESTION_OVER && !q->closed) {
        unlink_question(q);
        q->closed = true;
    }
    if (q->closed)
        question_free(q);
}

/* All at once taken off the session: what the callbacks ask anew is another session's. */
static void fail_all(struct peer *p, const struct err *why) {
    struct question *list = p->questions;
    p->questions = NULL;
    p->count = 0;
    while (list != NULL) {
        struct question *q = list;
        list = q->next;
        q->next = NULL;
        if (q->busy) { /* its own callback ended the session */
            q->closed = true;
            continue;
        }
        q->closed = true;
        (void)q->answer(q->ctx, (struct bytes){NULL, 0}, false, why);
        question_free(q);
    }
}

void peer_fail(struct peer *p, const struct err *why) {
    struct session *s = p->session;
    p->session = NULL;
    p->pauses = 0;
    if (s != NULL)
        session_close(s);
    fail_all(p, why);
}

/* --- answers */

static unsigned tsig_kind(uint16_t error) {
    return error >= TSIG_BADSIG && error <= TSIG_BADTIME ? error - TSIG_BADSIG : BOARD_BADTRUNC;
}

/* What the server thinks of our signature, or we of its: counted by kind, and with BADTIME its clock is known. */
static void count_tsig(const struct question *q, uint16_t error, int64_t server_s) {
    struct board_link *k = q->link;
    if (k == NULL)
        return;
    board_add(&k->tsig_failures[error == 0 ? BOARD_BADSIG : tsig_kind(error)], 1);
    if (error != TSIG_BADTIME || server_s == 0)
        return;
    board_set(&k->clock_offset_ms, (uint64_t)(server_s * 1000 - clock_wall_ms()));
    board_set(&k->clock_known, 1);
}

static void say_tsig(const struct question *q, uint16_t error, int64_t server_s, struct err *err) {
    const char *key = q->peer->key != NULL ? tsig_key_text(q->peer->key) : "";
    if (error == TSIG_BADTIME && server_s != 0)
        (void)err_set(err, E_DENIED, "BADTIME: its clock is %+lld s from ours (key %s)",
                      (long long)(server_s - clock_wall_s()), key);
    else if (error == TSIG_BADKEY)
        (void)err_set(err, E_DENIED, "BADKEY: it does not know the key %s", key);
    else if (error == TSIG_BADSIG)
        (void)err_set(err, E_DENIED, "BADSIG: it has another secret for the key %s", key);
}

/* 0, or why the message is not believed. */
static int prove(struct question *q, const uint8_t *msg, size_t size, bool *is_signed, struct err *err) {
    uint16_t error = 0;
    int64_t server_s = 0;
    int rc;
    *is_signed = true;
    if (q->peer->key == NULL)
        return 0;
    tsig_said(msg, size, &error, &server_s);
    if (error != 0)
        rc = err_set(err, E_DENIED, "TSIG error %u", error);
    else if (q->many)
        rc = tsig_run_check(q->run, msg, size, clock_wall_s(), is_signed, err);
    else
        rc = tsig_answer(&q->tsig, msg, size, clock_wall_s(), &error, err);
    if (rc == 0)
        return 0;
    count_tsig(q, error, server_s);
    say_tsig(q, error, server_s, err);
    return rc;
}

static void on_message(void *ctx, struct session *s, const uint8_t *msg, size_t size) {
    struct peer *p = ctx;
    struct err err = {0};
    bool is_signed;
    (void)s;
    struct question *q = p->questions;
    while (q != NULL && q->id != get_u16(msg))
        q = q->next;
    if (q == NULL)
        return; /* the rest of what nobody wants any more */
    q->deadline_ms = loop_now_ms(p->in->c.loop) + q->within_ms;
    if (prove(q, msg, size, &is_signed, &err) == 0) {
        tell(q, (struct bytes){msg, size}, is_signed, NULL);
        return;
    }
    unlink_question(q);
    q->closed = true;
    (void)q->answer(q->ctx, (struct bytes){NULL, 0}, false, &err);
    question_free(q);
}

static void on_down(void *ctx, struct session *s, const struct err *why) {
    struct peer *p = ctx;
    (void)s;
    p->session = NULL;
    p->pauses = 0;
    fail_all(p, why);
}

/* --- peers */

static bool same_text(const char *a, const char *b) { return strcmp(a, b) == 0; }

static int find_key(struct secondary *in, const char *text, const struct tsig_key **key, struct err *err) {
    struct name name;
    *key = NULL;
    if (text[0] == '\0')
        return 0;
    if (name_from_text(&name, text, err) == 0)
        *key = tsig_keys_find(in->c.keys, &name);
    return *key != NULL ? 0 : err_set(err, E_NOTFOUND, "key %s is not in rbl.keys", text);
}

/* One context for each CA file; they stay. */
static int tls_of(struct secondary *in, const char *ca, struct tls_context **tls, struct err *err) {
    const struct conf_tls *own = &in->c.conf->rbl.tls;
    struct tls_config c = {.certificate = own->certificate, .key = own->key, .ca = ca};
    for (unsigned i = 0; i < in->tls_count; i++)
        if (same_text(in->tls[i].ca, ca)) {
            *tls = in->tls[i].context;
            return 0;
        }
    if (in->tls_count == ARRAY_SIZE(in->tls))
        return err_set(err, E_FULL, "more than %zu files of certificates", ARRAY_SIZE(in->tls));
    int rc = tls_open(tls, &c, err);
    if (rc < 0)
        return rc;
    char *copy = strdup(ca);
    if (copy == NULL) {
        tls_close(*tls);
        return err_set(err, E_NOMEM, "no memory for TLS");
    }
    in->tls[in->tls_count].ca = copy;
    in->tls[in->tls_count++].context = *tls;
    return 0;
}

static struct peer *peer_new(struct secondary *in, const struct conf_peer_rule *rule, const struct tsig_key *key,
                             struct err *err) {
    struct peer *p = calloc(1, sizeof *p);
    if (p != NULL) {
        p->in = in;
        p->address = rule->address;
        p->key = key;
        p->tls_name = strdup(rule->tls_name);
        p->ca = strdup(rule->ca);
        p->idle_since_ms = loop_now_ms(in->c.loop);
    }
    if (p == NULL || p->tls_name == NULL || p->ca == NULL) {
        (void)err_set(err, E_NOMEM, "no memory for a session");
        if (p != NULL) {
            free(p->tls_name);
            free(p->ca);
            free(p);
        }
        return NULL;
    }
    p->next = in->peers;
    in->peers = p;
    return p;
}

struct peer *peer_get(struct secondary *in, const struct conf_peer_rule *rule, bool own, struct err *err) {
    const struct tsig_key *key;
    if (find_key(in, rule->key, &key, err) < 0)
        return NULL;
    struct peer *p = own ? NULL : in->peers;
    while (p != NULL && !(p->users > 0 && !p->own && p->key == key && addr_same(&p->address, &rule->address) &&
                          same_text(p->tls_name, rule->tls_name) && same_text(p->ca, rule->ca)))
        p = p->next;
    if (p == NULL)
        p = peer_new(in, rule, key, err);
    if (p == NULL)
        return NULL;
    p->own = own;
    p->users++;
    return p;
}

void peer_put(struct peer *p) {
    if (p != NULL && p->users > 0)
        p->users--; /* peers_tick frees it */
}

static int open_session(struct peer *p, struct err *err) {
    struct session_plan plan = {.server = p->address,
                                .tls_name = p->tls_name,
                                .connect_ms = SECONDARY_CONNECT_MS,
                                .dead_ms = SECONDARY_DEAD_MS,
                                .message = on_message,
                                .down = on_down,
                                .ctx = p};
    if (p->tls_name[0] != '\0') {
        int rc = tls_of(p->in, p->ca, &plan.tls, err);
        if (rc < 0)
            return rc;
    }
    return session_open(&p->session, p->in->c.loop, &plan, err);
}

static uint16_t free_id(const struct peer *p) {
    for (;;) { /* SECONDARY_QUESTIONS of 65,536 are taken at most */
        uint16_t id = rand_u16();
        const struct question *q = p->questions;
        while (q != NULL && q->id != id)
            q = q->next;
        if (q == NULL)
            return id;
    }
}

static int sign_and_send(struct peer *p, struct question *q, uint8_t *msg, size_t size, size_t cap, struct err *err) {
    put_u16(msg, q->id);
    int signed_size = (int)size;
    if (p->key != NULL)
        signed_size = tsig_request(&q->tsig, p->key, msg, size, cap, clock_wall_s());
    if (signed_size < 0)
        return err_set(err, signed_size, "the question cannot be signed");
    if (q->many && p->key != NULL && tsig_run_open(&q->run, &q->tsig) < 0)
        return err_set(err, E_NOMEM, "no memory for a question");
    if (p->session == NULL) {
        int rc = open_session(p, err);
        if (rc < 0)
            return rc;
    }
    int rc = session_send(p->session, msg, (size_t)signed_size);
    return rc < 0 ? err_set(err, rc, "the question cannot be sent: %s", err_name(rc)) : 0;
}

struct question *peer_ask(struct peer *p, uint8_t *msg, size_t size, size_t cap, const struct question_plan *plan,
                          struct err *err) {
    struct question *q = p->count < SECONDARY_QUESTIONS ? calloc(1, sizeof *q) : NULL;
    if (q == NULL) {
        (void)err_set(err, E_FULL, "no room for another question");
        return NULL;
    }
    q->peer = p;
    q->id = free_id(p);
    q->many = plan->many;
    q->within_ms = plan->within_ms;
    q->deadline_ms = loop_now_ms(p->in->c.loop) + plan->within_ms;
    q->answer = plan->answer;
    q->ctx = plan->ctx;
    q->link = plan->link;
    if (sign_and_send(p, q, msg, size, cap, err) < 0) {
        question_free(q);
        return NULL;
    }
    q->next = p->questions;
    p->questions = q;
    p->count++;
    return q;
}

void peer_pause(struct peer *p, bool pause) {
    if (p == NULL)
        return;
    if (!pause && p->pauses == 0)
        return; /* the session that was paused has ended */
    p->pauses += pause ? 1U : -1U;
    if (p->session != NULL)
        session_pause(p->session, p->pauses > 0);
}

/* --- time */

static const struct question *overdue(const struct peer *p, int64_t now_ms) {
    const struct question *q = p->questions;
    while (q != NULL && now_ms < q->deadline_ms)
        q = q->next;
    return q;
}

static void peer_free(struct peer *p) {
    struct err gone = {E_CLOSED, "nobody asks any more"};
    peer_fail(p, &gone);
    free(p->tls_name);
    free(p->ca);
    free(p);
}

void peers_tick(struct secondary *in, int64_t now_ms) {
    for (struct peer *p = in->peers, *next; p != NULL; p = next) {
        struct err why = {0};
        next = p->next; /* others that the callbacks make stand in front */
        const struct question *late = p->pauses == 0 ? overdue(p, now_ms) : NULL;
        if (late != NULL) {
            (void)err_set(&why, E_TIMEOUT, "no answer within %u s", late->within_ms / 1000);
            peer_fail(p, &why);
        }
        if (p->count == 0 && p->session != NULL && now_ms - p->idle_since_ms >= SECONDARY_IDLE_MS) {
            session_close(p->session);
            p->session = NULL;
        }
    }
    for (struct peer **at = &in->peers, *p; (p = *at) != NULL;) {
        if (p->users > 0 || p->count > 0) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        peer_free(p);
    }
}

void peers_close(struct secondary *in) {
    while (in->peers != NULL) {
        struct peer *p = in->peers;
        in->peers = p->next;
        peer_free(p);
    }
    for (unsigned i = 0; i < in->tls_count; i++) {
        tls_close(in->tls[i].context);
        free(in->tls[i].ca);
    }
    in->tls_count = 0;
}
