#include "health/report/sender.h"

#include <stdio.h>
#include <stdlib.h>

#include "resolver/base/clock.h"
#include "resolver/dns/message.h"
#include "resolver/net/exchange.h"

struct target {
    struct sender *s;
    struct sender_target shown;
    struct addr addr;
    const struct tsig_key *key;
    struct exchange *exchange; /* NULL: nothing is under way */
    struct report report;
    struct tsig signing;
    unsigned tries;
    int64_t sent_wall_ms;
};

struct sender {
    struct loop *loop;
    struct tsig_keys *keys;
    uint32_t try_ms;
    size_t count;
    struct target at[LIMIT_PEERS];
};

const char *sender_result_name(enum sender_result r) {
    static const char *const names[SENDER_RESULTS] = {"acknowledged", "silent", "refused"};
    return r < SENDER_RESULTS ? names[r] : "?";
}

static void try_send(struct target *t);

static void ended(struct target *t, enum sender_result r, const char *why) {
    t->shown.results[r]++;
    text_copy(t->shown.trouble, sizeof t->shown.trouble, why);
}

static void heard(struct target *t, const struct report_ack *a) {
    int64_t now_wall = clock_wall_ms();
    struct sender_target *k = &t->shown;
    k->acked_mono_ms = clock_mono_ms();
    k->acked_wall_ms = now_wall;
    k->sequence = a->sequence;
    if (a->asked_ago_ms >= 0)
        k->asked_mono_ms = k->acked_mono_ms - a->asked_ago_ms;
    /* Half of the way there and back is the other's reading's age. */
    k->clock_offset_ms = a->wall_ms - (t->sent_wall_ms + (now_wall - t->sent_wall_ms) / 2);
    text_copy(k->monitor, sizeof k->monitor, a->monitor);
    ended(t, SENDER_ACKNOWLEDGED, "");
}

/* What an unsigned or wrongly signed answer says may be anybody's word: shown, and nothing else. */
static void take_answer(struct target *t, const uint8_t *msg, size_t size) {
    struct err err = {.text = ""};
    struct report_ack a = {.boot = 0};
    struct bytes data = {NULL, 0};
    uint16_t error = 0;
    struct dns_reader r;
    char rcode[16];
    int rc = tsig_answer(&t->signing, msg, size, clock_wall_ms() / 1000, &error, &err);
    if (rc == 0)
        rc = dns_reader_open(&r, msg, size, NULL, NULL, NULL);
    if (rc == 0 && r.header.rcode != RCODE_NOERROR)
        rc = err_set(&err, E_DENIED, "%s", dns_rcode_text(r.header.rcode, rcode));
    if (rc == 0)
        rc = report_option(&data, msg, size);
    if (rc == 0)
        rc = report_ack_read(&a, data);
    if (rc == 0 && (a.boot != t->report.boot || a.sequence != t->report.sequence))
        rc = err_set(&err, E_INVALID, "it acknowledges another report");
    if (rc < 0)
        ended(t, SENDER_REFUSED, err.text[0] != '\0' ? err.text : "the answer is no acknowledgement");
    else
        heard(t, &a);
}

static void on_answer(void *ctx, const struct exchange_result *r) {
    struct target *t = ctx;
    char text[96];
    t->exchange = NULL;
    if (r->code == 0) {
        take_answer(t, r->answer.at, r->answer.size);
        return;
    }
    if (t->tries < SENDER_TRIES) {
        try_send(t);
        return;
    }
    snprintf(text, sizeof text, "%u tries: %s", t->tries,
             r->sys_errno != 0 ? strerror(r->sys_errno) : "no acknowledgement");
    ended(t, SENDER_SILENT, text);
}

static void try_send(struct target *t) {
    uint8_t msg[REPORT_MESSAGE];
    struct err err = {.text = "the report cannot be written"};
    t->tries++;
    t->sent_wall_ms = clock_wall_ms();
    int size = report_message(&t->report, t->key, &t->signing, msg, sizeof msg, t->sent_wall_ms / 1000);
    struct exchange_plan plan = {.server = t->addr,
                                 .query = msg,
                                 .size = size > 0 ? (size_t)size : 0,
                                 .timeout_ms = t->s->try_ms,
                                 .done = on_answer,
                                 .ctx = t};
    t->exchange = size > 0 ? exchange_start(t->s->loop, &plan, &err) : NULL;
    if (t->exchange == NULL)
        ended(t, SENDER_SILENT, err.text);
}

void sender_send(struct sender *s, const struct report *r) {
    for (size_t i = 0; i < s->count; i++) {
        struct target *t = &s->at[i];
        if (t->exchange != NULL) {
            exchange_cancel(t->exchange);
            t->exchange = NULL;
            ended(t, SENDER_SILENT, "no acknowledgement before the next report");
        }
        t->report = *r;
        t->tries = 0;
        try_send(t);
    }
}

static int target_open(struct sender *s, const struct conf_sink *sink, struct err *err) {
    struct target *t = &s->at[s->count];
    struct name name;
    t->s = s;
    t->addr = sink->address;
    addr_text(&t->addr, t->shown.address);
    if (sink->key[0] == '\0')
        return err_set(err, E_INVALID, "health.report.datagram %s: a report is signed, so it wants a key of rbl.keys",
                       t->shown.address);
    int rc = name_from_text(&name, sink->key, err);
    t->key = rc == 0 ? tsig_keys_find(s->keys, &name) : NULL;
    if (t->key == NULL)
        return err_set(err, E_NOTFOUND, "health.report.datagram %s: rbl.keys has no key %s", t->shown.address,
                       sink->key);
    s->count++;
    return 0;
}

int sender_open(struct sender **out, struct loop *l, const struct conf *conf, struct err *err) {
    struct sender *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL)
        return err_set(err, E_NOMEM, "no memory for reports");
    s->loop = l;
    s->try_ms = conf->health.interval.push_ms / 5;
    s->try_ms = s->try_ms < SENDER_TRY_MS ? s->try_ms : SENDER_TRY_MS;
    int rc = tsig_keys_open(&s->keys, conf->rbl.keys, conf->rbl.key_count, err);
    for (size_t i = 0; rc == 0 && i < conf->health.datagram_count && i < LIMIT_PEERS; i++)
        rc = target_open(s, &conf->health.datagram[i], err);
    if (rc < 0) {
        sender_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void sender_close(struct sender *s) {
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        if (s->at[i].exchange != NULL)
            exchange_cancel(s->at[i].exchange);
    tsig_keys_close(s->keys);
    free(s);
}

size_t sender_count(const struct sender *s) { return s->count; }
const struct sender_target *sender_target(const struct sender *s, size_t i) { return &s->at[i].shown; }
