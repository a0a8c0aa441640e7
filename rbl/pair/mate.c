#include <stdlib.h>

#include "rbl/pair/impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/rand.h"

struct question {
    struct question *next;
    uint16_t id;
    int64_t deadline_ms;
    struct tsig tsig; /* key NULL: not signed */
    mate_done done;
    void *ctx;
};

struct mate {
    struct mate *next;
    struct pair *p;
    struct addr address;
    char text[ADDR_TEXT_MAX];
    const struct tsig_key *key;
    char *tls_name, *ca; /* "": none */
    struct tls_context *tls;
    struct session *session;
    struct question *questions;
    unsigned count;
    int64_t retry_ms, used_ms;
    struct err why; /* the session ended last */
};

const char *mate_text(const struct mate *m) { return m->text; }

const struct tsig_key *mate_key(const struct mate *m) { return m->key; }

bool mate_may(const struct mate *m) { return m->session != NULL || loop_now_ms(m->p->c.loop) >= m->retry_ms; }

/* --- making */

static void mate_free(struct mate *m) {
    session_close(m->session);
    for (struct question *q = m->questions; q != NULL;) {
        struct question *next = q->next;
        free(q);
        q = next;
    }
    tls_close(m->tls);
    free(m->tls_name);
    free(m->ca);
    free(m);
}

static int mate_fill(struct mate *m, const struct conf_peer_rule *rule, struct err *err) {
    const struct conf_tls *own = &m->p->c.conf->rbl.tls;
    struct name key;
    m->address = rule->address;
    addr_text(&m->address, m->text);
    m->tls_name = strdup(rule->tls_name);
    m->ca = strdup(rule->ca);
    if (m->tls_name == NULL || m->ca == NULL)
        return err_set(err, E_NOMEM, "no memory");
    if (rule->key[0] != '\0' &&
        (name_from_text(&key, rule->key, NULL) < 0 || (m->key = tsig_keys_find(m->p->c.keys, &key)) == NULL))
        return err_set(err, E_NOTFOUND, "no key %s", rule->key);
    if (m->tls_name[0] == '\0')
        return 0;
    struct tls_config c = {.certificate = own->certificate, .key = own->key, .ca = m->ca};
    return tls_open(&m->tls, &c, err);
}

static bool is_this(const struct mate *m, const struct conf_peer_rule *rule) {
    return addr_same(&m->address, &rule->address) &&
           strcmp(m->key != NULL ? tsig_key_text(m->key) : "", rule->key) == 0 &&
           strcmp(m->tls_name, rule->tls_name) == 0 && strcmp(m->ca, rule->ca) == 0;
}

struct mate *mate_get(struct pair *p, const struct conf_peer_rule *rule, struct err *err) {
    for (struct mate *m = p->mates; m != NULL; m = m->next)
        if (is_this(m, rule))
            return m;
    struct mate *m = p->mate_count < PAIR_MATES ? calloc(1, sizeof *m) : NULL;
    if (m == NULL) {
        (void)err_set(err, E_FULL, "more than %d other nodes, or no memory", PAIR_MATES);
        return NULL;
    }
    m->p = p;
    if (mate_fill(m, rule, err) < 0) {
        mate_free(m);
        return NULL;
    }
    m->next = p->mates;
    p->mates = m;
    p->mate_count++;
    return m;
}

/* --- answers */

static void take_off(struct mate *m, struct question *q) {
    struct question **at = &m->questions;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    m->count--;
}

static void finish(struct mate *m, struct question *q, struct bytes msg, const struct err *why) {
    take_off(m, q);
    q->done(q->ctx, msg, why);
    free(q);
}

static void on_message(void *ctx, struct session *s, const uint8_t *msg, size_t size) {
    struct mate *m = ctx;
    struct err why = {0};
    struct question *q = m->questions;
    (void)s;
    while (q != NULL && q->id != get_u16(msg))
        q = q->next;
    if (q == NULL || (get_u16(msg + 2) & FLAG_QR) == 0)
        return; /* its time is over, or it is none of ours */
    m->used_ms = loop_now_ms(m->p->c.loop);
    int rc = q->tsig.key != NULL ? tsig_answer(&q->tsig, msg, size, clock_wall_s(), NULL, &why) : 0;
    if (rc < 0)
        (void)err_prefix(&why, "%s", m->text);
    finish(m, q, rc < 0 ? (struct bytes){NULL, 0} : (struct bytes){msg, size}, &why);
}

static void fail_all(struct mate *m, const struct err *why) {
    for (unsigned left = m->count; left > 0 && m->questions != NULL; left--)
        finish(m, m->questions, (struct bytes){NULL, 0}, why);
}

static void on_down(void *ctx, struct session *s, const struct err *why) {
    struct mate *m = ctx;
    (void)s;
    m->session = NULL;
    m->why = *why;
    m->retry_ms = why->code == E_CLOSED && m->count == 0 ? 0 : loop_now_ms(m->p->c.loop) + MATE_RETRY_MS;
    fail_all(m, why);
}

static int connect_to(struct mate *m, struct err *err) {
    struct session_plan plan = {.server = m->address,
                                .tls = m->tls,
                                .tls_name = m->tls_name,
                                .connect_ms = MATE_CONNECT_MS,
                                .dead_ms = MATE_DEAD_MS,
                                .message = on_message,
                                .down = on_down,
                                .ctx = m};
    if (!mate_may(m))
        return err_set(err, E_AGAIN, "the primary cannot be reached: %s", m->why.text);
    return session_open(&m->session, m->p->c.loop, &plan, err);
}

/* --- questions */

static bool id_taken(const struct mate *m, uint16_t id) {
    for (const struct question *q = m->questions; q != NULL; q = q->next)
        if (q->id == id)
            return true;
    return false;
}

/* One of those that nobody waits for; MATE_QUESTIONS is far below their number. */
static uint16_t new_id(const struct mate *m) {
    uint16_t id = (uint16_t)rand_u64();
    for (unsigned i = 0; i < MATE_QUESTIONS && id_taken(m, id); i++)
        id++;
    return id;
}

int mate_ask(struct mate *m, uint8_t *msg, size_t size, const struct tsig *as_it_is, mate_done done, void *ctx,
             struct err *err) {
    if (m->count >= MATE_QUESTIONS)
        return err_set(err, E_FULL, "%s: too many questions wait for an answer", m->text);
    int rc = m->session != NULL ? 0 : connect_to(m, err);
    struct question *q = rc == 0 ? calloc(1, sizeof *q) : NULL;
    if (q == NULL)
        return rc < 0 ? rc : err_set(err, E_NOMEM, "no memory");
    *q = (struct question){.id = new_id(m), .done = done, .ctx = ctx};
    put_u16(msg, q->id);
    if (as_it_is != NULL)
        q->tsig = *as_it_is;
    else if (m->key != NULL)
        rc = tsig_request(&q->tsig, m->key, msg, size, LIMIT_MESSAGE, clock_wall_s());
    if (rc > 0)
        size = (size_t)rc;
    if (rc >= 0)
        rc = session_send(m->session, msg, size);
    if (rc < 0) {
        free(q);
        return err_set(err, rc, "%s: cannot be asked: %s", m->text, err_name(rc));
    }
    m->used_ms = loop_now_ms(m->p->c.loop);
    q->deadline_ms = m->used_ms + PAIR_ANSWER_MS;
    q->next = m->questions;
    m->questions = q;
    m->count++;
    return 0;
}

static void tick(struct mate *m, int64_t now_ms) {
    struct err why = {0};
    (void)err_set(&why, E_TIMEOUT, "%s: no answer within %d ms", m->text, PAIR_ANSWER_MS);
    struct question *q = m->questions;
    for (unsigned left = m->count; left > 0 && q != NULL; left--) {
        struct question *next = q->next; /* new ones are put in front */
        if (now_ms >= q->deadline_ms)
            finish(m, q, (struct bytes){NULL, 0}, &why);
        q = next;
    }
    if (m->session != NULL && m->count == 0 && now_ms - m->used_ms >= MATE_IDLE_MS) {
        session_close(m->session);
        m->session = NULL;
    }
}

void mates_tick(struct pair *p, int64_t now_ms) {
    for (struct mate *m = p->mates; m != NULL; m = m->next)
        tick(m, now_ms);
}

void mates_close(struct pair *p) {
    while (p->mates != NULL) {
        struct mate *m = p->mates;
        p->mates = m->next;
        mate_free(m);
    }
    p->mate_count = 0;
}
