/* A client's message from packet to packet, over UDP and TCP. Input: one octet (1: TCP, 2: may not recurse), then the
 * message. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "resolver/serve/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

static void *no_socket(void *self, const struct sender_query *q) {
    (void)self;
    must(q->size >= DNS_HEADER && q->timeout_ms > 0);
    return NULL;
}
static void no_cancel(void *self, void *token) { (void)self, (void)token; }
static int64_t no_time(void *self) { return self == NULL; }

static void reply(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    (void)ctx, (void)msg;
    must(c->proto == PROTO_TCP && size == 0); /* nothing is ever late here */
}

static struct serve *start(void) {
    static const char yaml[] = "resolver: {allow: [127.0.0.0/8], forward: [{zone: ., to: [192.0.2.1@53]}],\n"
                               "  cookies: {require: true, secrets: [e5e973e5a6b2a43f48e7dc849e37bfcf]}}\n";
    static const struct sender_ops ops = {no_socket, no_cancel, no_time};
    static struct board_worker stats;
    struct conf *conf;
    struct cache *cache;
    struct resolve *resolve;
    struct serve *serve;
    struct cookies *cookies;
    struct cache_config cc = {.max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    must(conf_read_text(&conf, yaml, sizeof yaml - 1, "/", "fuzz", NULL) == 0);
    must(cache_open(&cache, &cc, NULL) == 0);
    struct resolve_config rc = {.conf = conf, .cache = cache, .sender = {&ops, NULL}, .stats = &stats};
    must(resolve_open(&resolve, &rc, NULL) == 0);
    must(cookies_open(&cookies, &conf->resolver.cookies, NULL) == 0);
    struct serve_config sc = {.conf = conf,
                              .cache = cache,
                              .resolve = resolve,
                              .cookies = cookies,
                              .stats = &stats,
                              .identity = "n/1/0",
                              .reply = reply};
    must(serve_open(&serve, &sc, NULL) == 0);
    return serve;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct serve *serve;
    static uint8_t out[LIMIT_MESSAGE];
    if (serve == NULL)
        serve = start();
    if (size < 1)
        return 0;
    struct client c = {.proto = data[0] & 1 ? PROTO_TCP : PROTO_UDP};
    c.peer.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(4000)};
    c.peer.in.sin_addr.s_addr = htonl(data[0] & 2 ? 0xc0000209 : 0x7f000001);
    c.local = c.peer;
    size_t cap = c.proto == PROTO_UDP ? LIMIT_UDP_QUERY : LIMIT_MESSAGE;
    size_t n = serve_handle(serve, &c, data + 1, size - 1, out, cap);
    if (n == 0)
        return 0;
    struct dns_reader r;
    struct dns_rr rr;
    int e;
    must(n >= DNS_HEADER && n <= cap && (c.proto == PROTO_TCP || n <= 1232));
    must(get_u16(out) == get_u16(data + 1) && (out[2] & 0x80));
    must(dns_reader_open(&r, out, n, NULL, NULL, NULL) == 0);
    while ((e = dns_reader_next(&r, &rr)) == 0)
        continue;
    must(e == E_NOTFOUND && r.at == n);
    return 0;
}
