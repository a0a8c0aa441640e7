/* Many nodes as one monitor sees them, in one process: signed datagrams, reports over HTTPS from a share of them, DNS
 * ports and health ports that answer. The protocols are the real ones, by the code of the nodes themselves.
 *
 *   fleet COUNT PUSH_MS SHARE DNS_PORT HEALTH_PORT MONITOR_DATAGRAM_PORT MONITOR_HTTPS_PORT CA NAME
 *
 * Node i is n0000 and so on at 127.10.x.y. SHARE percent of them post details and events. On standard input: `fail N`:
 * the first N say that they fail; `stop N`: they fall silent; `show`: one line: sent acknowledged posted refused asked
 * pulled. It ends with its input. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health/report/body.h"
#include "resolver/base/clock.h"
#include "resolver/base/mac.h"
#include "resolver/base/rand.h"

enum { NODES = 2048, POSTERS = 4, PER_LEG = 250, DETAIL = 65536, ZONES = 10, PROBES = 60, PEERS = 4 };

struct node {
    char name[16];
    uint64_t boot, sequence, posted, event;
    int64_t due_ms, post_ms;
    bool was_failing;
};

static struct node nodes[NODES];
static size_t count;
static int64_t push_ms;
static unsigned share, dns_port, health_port, https_port;
static const char *ca, *tls_name;
static struct sockaddr_in monitor;
static size_t failing, stopped;                             /* atomic: the first of them */
static uint64_t sent, acked, posts, refused, asked, pulled; /* atomic */
static bool ending;

static void add(uint64_t *n) { __atomic_fetch_add(n, 1, __ATOMIC_RELAXED); }
static size_t get(const size_t *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }

static void die(const char *what) {
    perror(what);
    exit(1);
}

static size_t node_at(uint32_t address) {
    uint32_t host = ntohl(address) - 0x7f0a0000U;
    size_t i = (size_t)(host >> 8) * PER_LEG + (host & 0xff) - 1;
    return i < count && (host & 0xff) != 0 ? i : SIZE_MAX;
}

static struct report report_of(struct node *n, uint64_t sequence) {
    struct report r = {.boot = n->boot, .sequence = sequence, .wall_ms = clock_wall_ms(), .revision = n->event};
    bool fails = (size_t)(n - nodes) < get(&failing);
    text_copy(r.node, sizeof r.node, n->name);
    text_copy(r.version, sizeof r.version, CANDOR_VERSION);
    memset(r.scope, REPORT_ABSENT, sizeof r.scope);
    r.scope[SCOPE_WORKER] = r.overall = fails ? VERDICT_FAIL : VERDICT_PASS;
    r.scope[SCOPE_ZONES] = VERDICT_PASS;
    r.ready = true;
    if (fails)
        text_copy(r.cause, sizeof r.cause, "worker:answers (worker 0): no answer");
    return r;
}

/* --- datagrams */

static void send_due(int fd, const struct tsig_key *key, int64_t now) {
    uint8_t msg[REPORT_MESSAGE];
    struct tsig signing;
    for (size_t i = get(&stopped); i < count; i++) {
        struct node *n = &nodes[i];
        bool fails = i < get(&failing);
        if (n->due_ms > now && fails == n->was_failing)
            continue;
        n->was_failing = fails;
        n->due_ms = now + push_ms;
        __atomic_store_n(&n->sequence, n->sequence + 1, __ATOMIC_RELAXED);
        struct report r = report_of(n, n->sequence);
        int size = report_message(&r, key, &signing, msg, sizeof msg, clock_wall_ms() / 1000);
        if (size > 0 && sendto(fd, msg, (size_t)size, 0, (struct sockaddr *)&monitor, sizeof monitor) == size)
            add(&sent);
    }
}

static void take_acks(int fd) {
    uint8_t msg[REPORT_MESSAGE];
    ssize_t n;
    while ((n = recv(fd, msg, sizeof msg, MSG_DONTWAIT)) > 0)
        if (n > 3 && (msg[3] & 15) == 0)
            add(&acked);
}

/* --- DNS ports: id.server. CH TXT, with an NSID that names the node */

static size_t dns_answer(const struct node *n, uint8_t *msg, size_t size) {
    char id[64];
    size_t at = 12;
    while (at < size && msg[at] != 0)
        at += (size_t)msg[at] + 1;
    at += 5;
    int len = snprintf(id, sizeof id, "%s/%016llx/0", n->name, (unsigned long long)n->boot);
    if (at > size)
        return 0;
    const uint8_t head[] = {0x84, 0, 0, 1, 0, 1, 0, 0, 0, 1}, txt[] = {0xc0, 12, 0, 16, 0, 3, 0, 0, 0, 0, 0, 2, 1, 'x'};
    const uint8_t opt[] = {0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, (uint8_t)(len + 4), 0, 3, 0, (uint8_t)len};
    memcpy(msg + 2, head, sizeof head);
    memcpy(msg + at, txt, sizeof txt);
    memcpy(msg + at + sizeof txt, opt, sizeof opt);
    memcpy(msg + at + sizeof txt + sizeof opt, id, (size_t)len);
    return at + sizeof txt + sizeof opt + (size_t)len;
}

static void answer_dns(int fd) {
    uint8_t msg[1232], control[128];
    for (;;) {
        struct sockaddr_in from;
        struct iovec io = {msg, 512};
        struct msghdr m = {.msg_name = &from,
                           .msg_namelen = sizeof from,
                           .msg_iov = &io,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
        ssize_t size = recvmsg(fd, &m, MSG_DONTWAIT);
        struct cmsghdr *c = size > 16 ? CMSG_FIRSTHDR(&m) : NULL;
        if (size <= 0)
            return;
        if (c == NULL || c->cmsg_type != IP_PKTINFO)
            continue;
        struct in_pktinfo *to = (struct in_pktinfo *)(void *)CMSG_DATA(c);
        size_t i = node_at(to->ipi_addr.s_addr);
        if (i == SIZE_MAX || i < get(&stopped))
            continue;
        add(&asked);
        to->ipi_spec_dst = to->ipi_addr;
        to->ipi_ifindex = 0;
        io.iov_len = dns_answer(&nodes[i], msg, (size_t)size);
        if (io.iov_len > 0)
            (void)sendmsg(fd, &m, 0);
    }
}

/* --- health ports: the view that peers fetch, proved by the key that all of them have */

static const struct bytes secret = {(const uint8_t *)"aaaaaaaaaaaaaaaa", 16};

static void answer_health(int listening) {
    char ask[2048], body[1024], all[2048], nonce[40] = "", mac[MAC_TEXT] = "";
    struct sockaddr_in at = {.sin_port = 0};
    socklen_t len = sizeof at;
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    size_t i = getsockname(fd, (struct sockaddr *)&at, &len) == 0 ? node_at(at.sin_addr.s_addr) : SIZE_MAX;
    ssize_t n = i != SIZE_MAX && i >= get(&stopped) ? recv(fd, ask, sizeof ask - 1, 0) : 0;
    ask[n > 0 ? n : 0] = '\0';
    const char *given = strstr(ask, "nonce=");
    if (given != NULL && sscanf(given, "nonce=%32[0-9a-f]", nonce) == 1) {
        bool fails = i < get(&failing);
        int size =
            snprintf(body, sizeof body,
                     "{\"nonce\":\"%s\",\"node\":\"%s\",\"boot\":\"%llx\",\"now\":%lld,\"stale\":false,\"age\":5,"
                     "\"sequence\":1,\"status\":\"%s\",\"ready\":true,\"cutOff\":false,\"score\":0,\"lag\":0,"
                     "\"cause\":\"\",\"peers\":{}}\n",
                     nonce, nodes[i].name, (unsigned long long)nodes[i].boot, (long long)clock_wall_ms(),
                     fails ? "fail" : "pass");
        const struct bytes whole = {(const uint8_t *)body, (size_t)size};
        size = mac_text(secret, &whole, 1, mac) < 0
                   ? 0
                   : snprintf(all, sizeof all, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\nCandor-MAC: %s\r\n\r\n%s",
                              size, mac, body);
        if (send(fd, all, (size_t)size, MSG_NOSIGNAL) > 0)
            add(&pulled);
    }
    (void)close(fd);
}

/* --- HTTPS */

static size_t put(char *to, size_t at, const char *text) {
    size_t n = strlen(text);
    memcpy(to + at, text, n + 1);
    return at + n;
}

static struct detail *detail_of(const struct node *n, const struct report *r) {
    static __thread char text[DETAIL];
    char line[512];
    size_t me = (size_t)(n - nodes), at;
    (void)snprintf(line, sizeof line,
                   "{\"v\":1,\"node\":\"%s\",\"boot\":\"%016llx\",\"sequence\":%llu,\"wallMs\":%lld,\"zones\":[",
                   n->name, (unsigned long long)r->boot, (unsigned long long)r->sequence, (long long)r->wall_ms);
    at = put(text, 0, line);
    for (int z = 0; z < ZONES; z++) {
        (void)snprintf(line, sizeof line,
                       "%s{\"zone\":\"bl%d.example.\",\"state\":\"serving\",\"serial\":7,\"sourceSerial\":7,"
                       "\"entries\":1000,\"checkedMs\":%lld,\"digest\":\"0123456789abcdef\"}",
                       z > 0 ? "," : "", z, (long long)r->wall_ms);
        at = put(text, at, line);
    }
    at = put(text, at, "],\"peers\":[");
    for (size_t p = 1; p <= PEERS; p++) {
        size_t peer = (me + p) % count;
        (void)snprintf(line, sizeof line, "%s{\"peer\":\"%s\",\"state\":\"%s\",\"sees\":{\"udp/ip4\":\"good\"}}",
                       p > 1 ? "," : "", nodes[peer].name, peer < get(&stopped) ? "gone" : "well");
        at = put(text, at, line);
    }
    at = put(text, at, "],\"probes\":[");
    for (int k = 0; k < PROBES; k++) {
        (void)snprintf(line, sizeof line,
                       "%s{\"scope\":\"worker\",\"check\":\"worker:answers\",\"id\":\"worker %d\",\"state\":\"pass\","
                       "\"sinceMs\":1,\"atMs\":%lld,\"value\":0.1,\"unit\":\"ms\",\"tookUs\":110,\"transitions\":0}",
                       k > 0 ? "," : "", k, (long long)r->wall_ms);
        at = put(text, at, line);
    }
    at = put(text, at, "]}");
    return detail_make(text, at);
}

static size_t ignore(char *data, size_t one, size_t n, void *ctx) {
    (void)data;
    (void)ctx;
    return one * n;
}

static struct curl_slist *signed_headers(const char *body) {
    char moment[24], mac[MAC_TEXT], line[160];
    (void)snprintf(moment, sizeof moment, "%lld", (long long)clock_wall_ms());
    const struct bytes parts[] = {
        {(const uint8_t *)moment, strlen(moment)}, {(const uint8_t *)"\n", 1}, {(const uint8_t *)body, strlen(body)}};
    if (mac_text(secret, parts, 3, mac) < 0)
        return NULL;
    struct curl_slist *h = curl_slist_append(NULL, "Candor-Key: n.");
    (void)snprintf(line, sizeof line, "Candor-Time: %s", moment);
    h = curl_slist_append(h, line);
    (void)snprintf(line, sizeof line, "Candor-MAC: %s", mac);
    return curl_slist_append(h, line);
}

static void post(struct node *n) {
    char url[128], to[160];
    struct report r = report_of(n, __atomic_load_n(&n->sequence, __ATOMIC_RELAXED));
    struct event e = {.sequence = n->event + 1,
                      .boot = n->boot,
                      .wall_ms = r.wall_ms,
                      .seen_wall_ms = r.wall_ms,
                      .kind = EVENT_SCOPE,
                      .scope = SCOPE_WORKER,
                      .to = r.overall,
                      .from = r.overall ^ VERDICT_FAIL};
    const struct event *list[] = {&e};
    bool changed = n->posted == 0 || (n->event & 1) != (uint64_t)(r.overall == VERDICT_FAIL);
    struct detail *d = detail_of(n, &r);
    struct notice notice = {.report = r.sequence > 0 ? &r : NULL, .event = list, .events = changed, .detail = d};
    char *body = body_notice(&notice, r.node);
    CURL *c = curl_easy_init();
    struct curl_slist *headers = body != NULL ? signed_headers(body) : NULL;
    long code = 0;
    (void)snprintf(url, sizeof url, "https://%s:%u/report", tls_name, https_port);
    (void)snprintf(to, sizeof to, "::127.0.0.1:%u", https_port);
    struct curl_slist *connect = curl_slist_append(NULL, to);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_CONNECT_TO, connect);
    curl_easy_setopt(c, CURLOPT_CAINFO, ca);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 10000L);
    if (curl_easy_perform(c) == CURLE_OK)
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
    add(code == 200 ? &posts : &refused);
    if (code == 200) {
        n->posted++;
        n->event += changed;
    }
    curl_slist_free_all(headers);
    curl_slist_free_all(connect);
    curl_easy_cleanup(c);
    free(body);
    detail_unref(d);
}

static void *poster(void *arg) {
    size_t of = (size_t)(uintptr_t)arg;
    while (!__atomic_load_n(&ending, __ATOMIC_RELAXED)) {
        int64_t now = clock_mono_ms();
        for (size_t i = of; i < count; i += POSTERS) {
            struct node *n = &nodes[i];
            bool fails = i < get(&failing), told = (n->event & 1) == (uint64_t)fails;
            if (i % 100 >= share || i < get(&stopped) || (n->post_ms > now && told))
                continue;
            n->post_ms = now + push_ms;
            post(n);
        }
        (void)poll(NULL, 0, 20);
    }
    return NULL;
}

static int bound(int kind, unsigned port) {
    int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0), on = 1, room = 4 << 20;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
        die("bind");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (kind == SOCK_DGRAM)
        (void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    else if (listen(fd, 1024) != 0)
        die("listen");
    return fd;
}

/* False: the input has ended. */
static bool obey(void) {
    char line[64];
    size_t n;
    if (fgets(line, sizeof line, stdin) == NULL)
        return false;
    if (sscanf(line, "fail %zu", &n) == 1)
        __atomic_store_n(&failing, n, __ATOMIC_RELAXED);
    else if (sscanf(line, "stop %zu", &n) == 1)
        __atomic_store_n(&stopped, n, __ATOMIC_RELAXED);
    else
        printf("%llu %llu %llu %llu %llu %llu\n", (unsigned long long)sent, (unsigned long long)acked,
               (unsigned long long)posts, (unsigned long long)refused, (unsigned long long)asked,
               (unsigned long long)pulled);
    (void)fflush(stdout);
    return true;
}

int main(int argc, char **argv) {
    struct conf_key conf = {
        .name = "n.", .algorithm = "hmac-sha256", .secret = "YWFhYWFhYWFhYWFhYWFhYQ==", .secret_file = ""};
    struct tsig_keys *keys;
    struct err err = {.text = ""};
    struct name name;
    pthread_t thread[POSTERS];
    if (argc != 10 || (count = strtoul(argv[1], NULL, 10)) > NODES || count == 0) {
        fprintf(stderr, "usage: fleet COUNT PUSH_MS SHARE DNS HEALTH DATAGRAM HTTPS CA NAME\n");
        return 2;
    }
    push_ms = strtol(argv[2], NULL, 10);
    share = (unsigned)strtoul(argv[3], NULL, 10);
    dns_port = (unsigned)strtoul(argv[4], NULL, 10);
    health_port = (unsigned)strtoul(argv[5], NULL, 10);
    monitor = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)strtoul(argv[6], NULL, 10)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    https_port = (unsigned)strtoul(argv[7], NULL, 10);
    ca = argv[8];
    tls_name = argv[9];
    int64_t now = clock_mono_ms();
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(nodes[i].name, sizeof nodes[i].name, "n%04zu", i);
        nodes[i].boot = 0x1000 + i;
        nodes[i].due_ms = nodes[i].post_ms = now + (int64_t)rand_below((uint32_t)push_ms);
    }
    if (tsig_keys_open(&keys, &conf, 1, &err) < 0 || name_from_text(&name, "n.", &err) < 0 ||
        curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        fprintf(stderr, "fleet: %s\n", err.text);
        return 1;
    }
    struct pollfd p[] = {{bound(SOCK_DGRAM, dns_port), POLLIN, 0},
                         {bound(SOCK_STREAM, health_port), POLLIN, 0},
                         {bound(SOCK_DGRAM, 0), POLLIN, 0},
                         {STDIN_FILENO, POLLIN, 0}};
    for (size_t t = 0; t < POSTERS; t++)
        if (pthread_create(&thread[t], NULL, poster, (void *)(uintptr_t)t) != 0)
            die("thread");
    for (bool on = true; on;) {
        (void)poll(p, 4, 10);
        answer_dns(p[0].fd);
        if (p[1].revents != 0)
            answer_health(p[1].fd);
        take_acks(p[2].fd);
        send_due(p[2].fd, tsig_keys_find(keys, &name), clock_mono_ms());
        if (p[3].revents != 0)
            on = obey();
    }
    __atomic_store_n(&ending, true, __ATOMIC_RELAXED);
    for (size_t t = 0; t < POSTERS; t++)
        (void)pthread_join(thread[t], NULL);
    tsig_keys_close(keys);
    return 0;
}
