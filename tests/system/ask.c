/* Asks a DNS server many questions and writes down every answer: the tests' client. It shares no code with what it
 * tests (messages are built and read by ldns).
 *
 *   ask -s ADDRESS@PORT [-t] [-w WINDOW | -r RATE -d SECONDS] [-n SOCKETS] [-W TIMEOUT_MS] < QUESTIONS > ANSWERS
 *
 * QUESTIONS: lines "NAME TYPE". -w: each once, WINDOW in flight (closed loop). -r -d: RATE a second for SECONDS, round
 * robin over the questions, whether answers come or not (open loop). -t: TCP, pipelined, WINDOW in flight over SOCKETS
 * connections. ANSWERS: one line a question sent, tab separated: index, sent_us, took_us (-1: lost), rcode, flags, SOA
 * serial (0: none), answers "TYPE TTL RDATA" sorted and joined by " | ". Times are CLOCK_REALTIME microseconds. The
 * last line on stderr is "sent N answered N lost N". */
#include <arpa/inet.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS_MAX = 256, MESSAGE_MAX = 65535, RRS_MAX = 512 };

struct question {
    uint8_t *wire;
    size_t size;
};

struct sent {
    uint32_t question;
    int64_t at_us, took_us;
    uint8_t *answer;
    size_t size;
};

struct connection {
    int fd;
    uint16_t next_id;
    uint32_t *by_id; /* 65536: index + 1 into sent[] */
    uint8_t in[2 + MESSAGE_MAX];
    size_t got;
};

static struct question *questions;
static size_t question_count;
static struct sent *sent;
static size_t sent_count, sent_cap, answered, in_flight, oldest;
static struct connection *conn;
static size_t conn_count = 16;
static bool tcp;
static int timeout_ms = 3000;

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what) {
    perror(what);
    exit(2);
}

static void read_questions(void) {
    char line[1400], name[1100], type[32];
    size_t cap = 0;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "%1099s %31s", name, type) != 2)
            continue;
        if (question_count == cap) {
            cap = cap == 0 ? 1024 : cap * 2;
            questions = realloc(questions, cap * sizeof *questions);
            if (questions == NULL)
                die("realloc");
        }
        ldns_rdf *owner = ldns_dname_new_frm_str(name);
        ldns_rr_type rr_type = ldns_get_rr_type_by_name(type);
        if (owner == NULL) {
            fprintf(stderr, "ask: bad name %s\n", name);
            exit(2);
        }
        ldns_pkt *p = ldns_pkt_query_new(owner, rr_type, LDNS_RR_CLASS_IN, LDNS_RD);
        ldns_pkt_set_edns_udp_size(p, 1232);
        struct question *q = &questions[question_count++];
        if (p == NULL || ldns_pkt2wire(&q->wire, p, &q->size) != LDNS_STATUS_OK)
            die("ldns_pkt2wire");
        ldns_pkt_free(p);
    }
}

static void open_connection(struct connection *c, const char *server) {
    char host[128];
    snprintf(host, sizeof host, "%s", server);
    char *at = strchr(host, '@');
    int port = at != NULL ? atoi(at + 1) : 53;
    if (at != NULL)
        *at = '\0';
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool v6 = strchr(host, ':') != NULL;
    if ((v6 ? inet_pton(AF_INET6, host, &in6.sin6_addr) : inet_pton(AF_INET, host, &in.sin_addr)) != 1) {
        fprintf(stderr, "ask: not an address: %s\n", host);
        exit(2);
    }
    c->fd = socket(v6 ? AF_INET6 : AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
    if (c->fd < 0)
        die("socket");
    int size = 4 << 20, one = 1;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (tcp)
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in, v6 ? sizeof in6 : sizeof in) < 0)
        die("connect");
    c->got = 0;
    if (c->by_id == NULL)
        c->by_id = calloc(65536, sizeof *c->by_id);
    if (c->by_id == NULL)
        die("calloc");
    c->next_id = (uint16_t)((uint64_t)now_us() * 2654435761u >> 7);
}

static void ask_one(uint32_t q) {
    struct connection *c = &conn[sent_count % conn_count];
    if (sent_count == sent_cap) {
        sent_cap = sent_cap == 0 ? 65536 : sent_cap * 2;
        sent = realloc(sent, sent_cap * sizeof *sent);
        if (sent == NULL)
            die("realloc");
    }
    uint16_t id = c->next_id++;
    uint8_t msg[1400];
    size_t head = tcp ? 2 : 0, size = questions[q].size;
    memcpy(msg + head, questions[q].wire, size);
    msg[head] = (uint8_t)(id >> 8);
    msg[head + 1] = (uint8_t)id;
    if (tcp) {
        msg[0] = (uint8_t)(size >> 8);
        msg[1] = (uint8_t)size;
    }
    sent[sent_count] = (struct sent){.question = q, .at_us = now_us(), .took_us = -1};
    c->by_id[id] = (uint32_t)++sent_count;
    in_flight++;
    if (send(c->fd, msg, head + size, MSG_NOSIGNAL) < 0 && tcp)
        die("send");
}

static void take(struct connection *c, const uint8_t *msg, size_t size) {
    if (size < 12)
        return;
    uint16_t id = (uint16_t)(msg[0] << 8 | msg[1]);
    uint32_t at = c->by_id[id];
    if (at == 0)
        return;
    struct sent *s = &sent[at - 1];
    c->by_id[id] = 0;
    if (s->took_us >= 0)
        return;
    s->took_us = now_us() - s->at_us;
    s->answer = malloc(size);
    if (s->answer == NULL)
        die("malloc");
    memcpy(s->answer, msg, size);
    s->size = size;
    answered++;
    if (in_flight > 0)
        in_flight--;
}

static void read_tcp(struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->got, sizeof c->in - c->got, MSG_DONTWAIT);
    if (n == 0) {
        fprintf(stderr, "ask: server closed the connection\n");
        exit(2);
    }
    if (n < 0)
        return;
    c->got += (size_t)n;
    size_t at = 0;
    while (c->got - at >= 2) {
        size_t size = (size_t)(c->in[at] << 8 | c->in[at + 1]);
        if (c->got - at - 2 < size)
            break;
        take(c, c->in + at + 2, size);
        at += 2 + size;
    }
    memmove(c->in, c->in + at, c->got - at);
    c->got -= at;
}

static void read_some(int wait_ms) {
    struct pollfd p[SOCKETS_MAX];
    for (size_t i = 0; i < conn_count; i++)
        p[i] = (struct pollfd){.fd = conn[i].fd, .events = POLLIN};
    if (poll(p, conn_count, wait_ms) <= 0)
        return;
    for (size_t i = 0; i < conn_count; i++) {
        if (p[i].revents == 0)
            continue;
        if (tcp) {
            read_tcp(&conn[i]);
            continue;
        }
        uint8_t msg[4096];
        for (int k = 0; k < 256; k++) {
            ssize_t n = recv(conn[i].fd, msg, sizeof msg, MSG_DONTWAIT);
            if (n < 0)
                break;
            take(&conn[i], msg, (size_t)n);
        }
    }
}

/* Closed loop: what is older than the timeout no longer counts as in flight. */
static void expire(void) {
    int64_t limit = now_us() - (int64_t)timeout_ms * 1000;
    while (oldest < sent_count && (sent[oldest].took_us >= 0 || sent[oldest].at_us < limit)) {
        if (sent[oldest].took_us < 0 && in_flight > 0)
            in_flight--;
        oldest++;
    }
}

static void run_window(size_t window) {
    size_t next = 0;
    while (next < question_count || (in_flight > 0 && oldest < sent_count)) {
        while (next < question_count && in_flight < window)
            ask_one((uint32_t)next++);
        read_some(20);
        expire();
    }
}

static void run_rate(double rate, double seconds) {
    int64_t start = now_us(), end = start + (int64_t)(seconds * 1e6);
    size_t q = 0;
    for (int64_t now = start; now < end; now = now_us()) {
        size_t due = (size_t)((double)(now - start) * rate / 1e6);
        for (size_t burst = 0; sent_count < due && burst < 512; burst++)
            ask_one((uint32_t)(q++ % question_count));
        read_some(1);
    }
    int64_t stop = now_us() + (int64_t)timeout_ms * 1000;
    while (answered < sent_count && now_us() < stop)
        read_some(20);
}

static int compare_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void print_answers(const ldns_rr_list *list) {
    char *text[RRS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < ldns_rr_list_rr_count(list) && n < RRS_MAX; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);
        char *type = ldns_rr_type2str(ldns_rr_get_type(rr)), *line = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&line, &size);
        fprintf(f, "%s %u", type, ldns_rr_ttl(rr));
        for (size_t k = 0; k < ldns_rr_rd_count(rr); k++) {
            char *rd = ldns_rdf2str(ldns_rr_rdf(rr, k));
            fprintf(f, " %s", rd);
            free(rd);
        }
        fclose(f);
        free(type);
        text[n++] = line;
    }
    qsort(text, n, sizeof *text, compare_text);
    for (size_t i = 0; i < n; i++) {
        for (char *at = text[i]; *at != '\0'; at++)
            if ((unsigned char)*at < ' ') /* some types' text has tabs, which part our columns */
                *at = ' ';
        printf("%s%s", i > 0 ? " | " : "", text[i]);
        free(text[i]);
    }
}

static void print_sent(const struct sent *s) {
    printf("%u\t%lld\t%lld\t", s->question, (long long)s->at_us, (long long)s->took_us);
    if (s->took_us < 0) {
        printf("LOST\t-\t0\t\n");
        return;
    }
    ldns_pkt *p = NULL;
    if (ldns_wire2pkt(&p, s->answer, s->size) != LDNS_STATUS_OK) {
        printf("GARBLED\t-\t0\t\n");
        return;
    }
    char *rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(p));
    unsigned serial = 0;
    for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_authority(p)); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_authority(p), i);
        if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA)
            serial = ldns_rdf2native_int32(ldns_rr_rdf(rr, 2));
    }
    printf("%s\t%s%s%s\t%u\t", rcode, ldns_pkt_aa(p) ? "A" : "", ldns_pkt_tc(p) ? "T" : "", ldns_pkt_ra(p) ? "R" : "",
           serial);
    print_answers(ldns_pkt_answer(p));
    putchar('\n');
    free(rcode);
    ldns_pkt_free(p);
}

int main(int argc, char **argv) {
    const char *server = NULL;
    size_t window = 200;
    double rate = 0, seconds = 0;
    int c;
    while ((c = getopt(argc, argv, "s:tw:r:d:n:W:")) != -1) {
        switch (c) {
        case 's':
            server = optarg;
            break;
        case 't':
            tcp = true;
            break;
        case 'w':
            window = (size_t)atol(optarg);
            break;
        case 'r':
            rate = atof(optarg);
            break;
        case 'd':
            seconds = atof(optarg);
            break;
        case 'n':
            conn_count = (size_t)atol(optarg);
            break;
        case 'W':
            timeout_ms = atoi(optarg);
            break;
        default:
            return 2;
        }
    }
    if (server == NULL || conn_count == 0 || conn_count > SOCKETS_MAX || window == 0) {
        fprintf(stderr,
                "usage: ask -s ADDRESS@PORT [-t] [-w WINDOW | -r RATE -d SECONDS] [-n SOCKETS] [-W TIMEOUT_MS]\n");
        return 2;
    }
    read_questions();
    if (question_count == 0)
        return 2;
    conn = calloc(conn_count, sizeof *conn);
    if (conn == NULL)
        die("calloc");
    for (size_t i = 0; i < conn_count; i++)
        open_connection(&conn[i], server);
    if (rate > 0)
        run_rate(rate, seconds);
    else
        run_window(window);
    for (size_t i = 0; i < sent_count; i++)
        print_sent(&sent[i]);
    fprintf(stderr, "sent %zu answered %zu lost %zu\n", sent_count, answered, sent_count - answered);
    return 0;
}
