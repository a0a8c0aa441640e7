/* A client's message to zones with every type of data, from packet to packet, once by TCP and once by UDP: what UDP
 * says is what TCP says, or TC. Input: one octet (the low four bits pick the client's address), then the message. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "rbl/answer.h"
#include "rbl/keep/keep.h"
#include "rbl/load/load.h"
#include "resolver/serve/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

static const char yaml[] =
    "resolver: { allow: [], refuse-any: false, cookies: { secrets: [e5e973e5a6b2a43f48e7dc849e37bfcf] } }\n"
    "rbl: { zones: [ { name: t, test: none, data: [ { type: ip4set, files: [x] }, { type: ip6trie, files: [x] },"
    "  { type: dnset, files: [x] }, { type: generic, files: [x] }, { type: combined, files: [x] }, { type: acl, files: "
    "[x] } ] }, { name: ., test: none, data: [ { type: acl, files: [x] } ] } ] }\n";
static const char *const texts[2][6] = {
    {":2:at $\n127.0.0.2\n10/8\n!10.1/16\n", "2001:db8::/32 :3:six $\n::ffff:0:0/96 :4:$\n",
     ".com\n!a.com\nb.org :5:$ $$\n",
     "@ MX 1 m\n@ A 127.0.0.1\nw A 127.0.0.1\nw 5 A 127.0.0.2\nw TXT t\nc CNAME x\nn NS ns.x\n",
     "$DATASET ip4trie s @\n0/0 :6\n$DATASET dnset a.s s\n*.x\n$DATASET generic s\n@ TXT q\n",
     "127.0.0.3 :ignore\n127.0.0.4 :refuse\n127.0.0.5 :empty\n127.0.0.6 :7:$\n"},
    {"127.0.0.7 :empty\n127.0.0.6 :8:all $\n127.0.0.8 :refuse\n"}};

static void commit(const struct conf *conf, unsigned zone, const char *dir) {
    static struct data d;
    const struct conf_zone *z = &conf->rbl.zones[zone];
    struct load_report report = {0};
    struct keep_commit how = {.source = "fuzz", .force = true, .serial_hint = 1};
    struct keep_result result;
    struct keep *k = NULL;
    struct err err;
    must(data_open(&d) == 0);
    for (unsigned i = 0; i < z->data_count; i++)
        must(load_text(&d, z->data[i].type, texts[zone][i], strlen(texts[zone][i]), "made", &report, &err) == 0);
    must(report.bad_lines == 0 && data_settle(&d, &err) == 0 && keep_open(&k, dir, z, &err) == 0);
    must(keep_replace(k, &d, &how, &result, &err) >= 0);
    keep_close(k);
    data_free(&d);
}

static void no_reply(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    (void)ctx, (void)msg;
    must(c->proto == PROTO_TCP && size == 0);
}

static struct serve *start(void) {
    static char dir[] = "/tmp/fuzz_zone.XXXXXX", text[2048];
    static struct source source;
    static struct board board;
    struct conf *conf = NULL;
    struct serve *serve;
    struct cookies *cookies = NULL;
    must(mkdtemp(dir) != NULL);
    int n = snprintf(text, sizeof text, "node: { state: %s, run: %s }\n%s", dir, dir, yaml);
    must(n > 0 && conf_read_text(&conf, text, (size_t)n, "/", "fuzz", NULL) == 0);
    for (unsigned i = 0; i < conf->rbl.zone_count; i++)
        commit(conf, i, dir);
    must(answer_open(&source, conf, NULL, NULL) == 0 && cookies_open(&cookies, &conf->resolver.cookies, NULL) == 0);
    answer_count_on(&source, &board);
    struct serve_config sc = {.conf = conf,
                              .source = &source,
                              .cookies = cookies,
                              .stats = &board.worker[0],
                              .identity = "n/1/0",
                              .reply = no_reply};
    must(serve_open(&serve, &sc, NULL) == 0);
    return serve;
}

struct seen {
    size_t size;
    unsigned count[3];
    bool cut;
};

static struct seen ask(struct serve *serve, struct client *c, const uint8_t *msg, size_t size) {
    static uint8_t out[LIMIT_MESSAGE];
    size_t cap = c->proto == PROTO_UDP ? LIMIT_UDP_QUERY : LIMIT_MESSAGE;
    struct seen s = {.size = serve_handle(serve, c, msg, size, out, cap)};
    struct dns_reader r;
    struct dns_rr rr;
    int e;
    if (s.size == 0)
        return s;
    must(s.size >= DNS_HEADER && s.size <= cap && get_u16(out) == get_u16(msg));
    must(dns_reader_open(&r, out, s.size, NULL, NULL, NULL) == 0);
    s.cut = r.header.flags & FLAG_TC;
    while ((e = dns_reader_next(&r, &rr)) == 0)
        s.count[rr.section]++;
    must(e == E_NOTFOUND && r.at == s.size);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct serve *serve;
    if (serve == NULL)
        serve = start();
    if (size < 1)
        return 0;
    struct client c = {.proto = PROTO_TCP};
    c.peer.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(4000)};
    c.peer.in.sin_addr.s_addr = htonl(0x7f000000u + (data[0] & 15));
    c.local = c.peer;
    struct seen tcp = ask(serve, &c, data + 1, size - 1);
    c.proto = PROTO_UDP;
    struct seen udp = ask(serve, &c, data + 1, size - 1);
    must((tcp.size == 0) == (udp.size == 0) && !tcp.cut);
    must(udp.cut || memcmp(udp.count, tcp.count, sizeof udp.count) == 0);
    return 0;
}
