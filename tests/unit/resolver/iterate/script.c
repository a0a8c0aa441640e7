#include "tests/unit/resolver/iterate/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void *script_send(void *self, const struct sender_query *q) {
    struct script *s = self;
    if (s->refuse > 0) {
        s->refuse--;
        return NULL;
    }
    assert_true(s->count < SCRIPT_SENDS && q->size <= sizeof s->sent[0].msg && q->timeout_ms > 0);
    struct sent *x = &s->sent[s->count++];
    *x = (struct sent){.open = true,
                       .server = q->server,
                       .tcp = q->tcp,
                       .tls_name = q->tls_name,
                       .tls_ca = q->tls_ca,
                       .size = q->size,
                       .timeout_ms = q->timeout_ms,
                       .at_ms = s->now_ms,
                       .done = q->done,
                       .ctx = q->ctx};
    memcpy(x->msg, q->msg, q->size);
    return x;
}

static void script_cancel(void *self, void *token) {
    struct sent *x = token;
    assert_true(x->open);
    x->open = false;
    ((struct script *)self)->cancelled++;
}

static int64_t script_now(void *self) { return ((struct script *)self)->now_ms; }

struct sender script_sender(struct script *s) {
    static const struct sender_ops ops = {script_send, script_cancel, script_now};
    return (struct sender){&ops, s};
}

struct sent *script_last(struct script *s) {
    assert_true(s->count > 0);
    assert_true(s->sent[s->count - 1].open);
    return &s->sent[s->count - 1];
}

unsigned script_open(const struct script *s) {
    unsigned n = 0;
    for (unsigned i = 0; i < s->count; i++)
        n += s->sent[i].open;
    return n;
}

static void end(struct script *s, struct sent *x, struct sender_reply *r, int64_t took_ms) {
    assert_true(x->open);
    x->open = false;
    if (x->at_ms + took_ms > s->now_ms)
        s->now_ms = x->at_ms + took_ms;
    r->took_us = took_ms * 1000;
    x->done(x->ctx, r);
}

void script_reply(struct script *s, struct sent *x, const uint8_t *msg, size_t size, int64_t took_ms) {
    struct sender_reply r = {.answer = {msg, size}};
    end(s, x, &r, took_ms);
}

void script_fail(struct script *s, struct sent *x, int code) {
    struct sender_reply r = {.code = code};
    end(s, x, &r, code == E_TIMEOUT ? x->timeout_ms : 0);
}

void script_begin(struct dns_writer *w, const struct sent *x, uint8_t *buf, size_t cap) {
    struct dns_reader r;
    struct name qname;
    uint16_t qtype, qclass;
    assert_int_equal(dns_reader_open(&r, x->msg, x->size, &qname, &qtype, &qclass), 0);
    dns_writer_open(w, buf, cap, r.header.id, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(w, &qname, qtype, qclass);
}

void script_end(struct script *s, struct sent *x, struct dns_writer *w, uint16_t flags, unsigned rcode,
                int64_t took_ms) {
    int size = dns_writer_end(w, (uint16_t)(FLAG_QR | flags), rcode);
    assert_true(size > 0);
    script_reply(s, x, w->buf, (size_t)size, took_ms);
}

void script_answer_a(struct script *s, struct sent *x, uint32_t ttl, int64_t took_ms) {
    uint8_t buf[512];
    struct dns_writer w;
    struct name qname;
    size_t next;
    assert_int_equal(name_read(&qname, x->msg, x->size, DNS_HEADER, &next), 0);
    script_begin(&w, x, buf, sizeof buf);
    dns_writer_a(&w, SECTION_ANSWER, &qname, ttl, (const uint8_t[]){192, 0, 2, 1});
    script_end(s, x, &w, FLAG_RA, RCODE_NOERROR, took_ms);
}

void script_rcode(struct script *s, struct sent *x, unsigned rcode, int64_t took_ms) {
    uint8_t buf[512];
    struct dns_writer w;
    script_begin(&w, x, buf, sizeof buf);
    script_end(s, x, &w, FLAG_RA, rcode, took_ms);
}

struct conf *script_conf(const char *yaml) {
    struct conf *conf;
    struct err err = {0};
    if (conf_read_text(&conf, yaml, strlen(yaml), "/", "test", &err) != 0)
        fail_msg("%s", err.text);
    return conf;
}

struct name script_name(const char *text) {
    struct name n;
    assert_int_equal(name_from_text(&n, text, NULL), 0);
    return n;
}
