/* A scripted network for the tests of resolving: sendings are kept until the test says what becomes of them. */
#ifndef CANDOR_TEST_ITERATE_SCRIPT_H
#define CANDOR_TEST_ITERATE_SCRIPT_H

#include "resolver/base/conf.h"
#include "resolver/dns/writer.h"
#include "resolver/iterate/resolve.h"

enum { SCRIPT_SENDS = 512 };

struct sent {
    bool open; /* neither answered nor cancelled */
    struct addr server;
    bool tcp;
    const char *tls_name, *tls_ca;
    uint8_t msg[512];
    size_t size;
    uint32_t timeout_ms;
    int64_t at_ms;
    sender_done done;
    void *ctx;
};

struct script {
    struct sent sent[SCRIPT_SENDS];
    unsigned count;
    int64_t now_ms;
    unsigned refuse; /* so many sendings from now on get no socket */
    unsigned cancelled;
};

struct sender script_sender(struct script *s);
/* The newest sending; fails the test when it is not open. */
struct sent *script_last(struct script *s);
unsigned script_open(const struct script *s);
/* Ends a sending: time runs on by took_ms. */
void script_reply(struct script *s, struct sent *x, const uint8_t *msg, size_t size, int64_t took_ms);
/* It ends with nothing: E_TIMEOUT after its time-out, or another code at once. */
void script_fail(struct script *s, struct sent *x, int code);

/* A reply to what was sent: its header and question with `flags`, `rcode`; the test goes on writing and ends with
 * script_end. */
void script_begin(struct dns_writer *w, const struct sent *x, uint8_t *buf, size_t cap);
void script_end(struct script *s, struct sent *x, struct dns_writer *w, uint16_t flags, unsigned rcode,
                int64_t took_ms);
/* The usual one: A RR of the name asked for. */
void script_answer_a(struct script *s, struct sent *x, uint32_t ttl, int64_t took_ms);
void script_rcode(struct script *s, struct sent *x, unsigned rcode, int64_t took_ms);

struct conf *script_conf(const char *yaml);
struct name script_name(const char *text);

#endif
