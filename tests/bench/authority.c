/* An authoritative server of constant cost, for measuring what resolvers spend: one thread, UDP in batches, no zone.
 *
 *   authority ADDRESS PORT ROLE [NEXT]
 *
 * ROLE root: refers every name to ns.bench. at NEXT, which it gives as glue (and says what the root's own server is,
 * ADDRESS). ROLE zone: every name below bench. has the address 192.0.2.1, of any other type nothing; bench. itself has
 * its NS and SOA. Says "ready" when it is bound; ends with the end of its standard input, with "questions N" on
 * standard output. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BATCH = 32,
    QUERY_MAX = 512,
    REPLY_MAX = 1232,
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_SOA = 6,
    TYPE_OPT = 41,
    FLAG_AA = 0x04
};

struct out {
    uint8_t data[REPLY_MAX];
    size_t size;
};

static bool is_root;
static uint8_t own[4], next[4];
static unsigned long long questions;

static void put(struct out *o, const void *data, size_t size) {
    memcpy(o->data + o->size, data, size);
    o->size += size;
}

static void put16(struct out *o, unsigned v) {
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    put(o, b, 2);
}

/* owner: wire form; a long TTL. */
static void put_record(struct out *o, const void *owner, size_t owner_size, unsigned type, const void *rdata,
                       size_t size) {
    put(o, owner, owner_size);
    put16(o, type);
    put16(o, 1);
    put(o, "\0\1\x51\x80", 4);
    put16(o, (unsigned)size);
    put(o, rdata, size);
}

static const uint8_t BENCH[] = "\5bench", NS_BENCH[] = "\2ns\5bench", NS_ROOT[] = "\1a\4root\7servers\3net";
static const uint8_t SOA[] = "\2ns\5bench\0\1h\5bench\0\0\0\0\1\0\0\x0e\x10\0\0\x02\x58\0\1\x51\x80\0\0\x0e\x10";

/* Names elsewhere are the root's own server's, or not there. */
static void answer_root(struct out *o, const uint8_t *qname, size_t qname_size, unsigned type) {
    uint8_t *count = o->data + 6;
    if (qname_size >= sizeof BENCH && memcmp(qname + qname_size - sizeof BENCH, BENCH, sizeof BENCH) == 0) {
        count[3] = count[5] = 1;
        put_record(o, BENCH, sizeof BENCH, TYPE_NS, NS_BENCH, sizeof NS_BENCH);
        put_record(o, NS_BENCH, sizeof NS_BENCH, TYPE_A, next, 4);
        return;
    }
    o->data[2] |= FLAG_AA;
    if (qname_size == 1 && type == TYPE_NS) {
        count[1] = count[5] = 1;
        put_record(o, "", 1, TYPE_NS, NS_ROOT, sizeof NS_ROOT);
        put_record(o, NS_ROOT, sizeof NS_ROOT, TYPE_A, own, 4);
    } else if (qname_size == sizeof NS_ROOT && type == TYPE_A) {
        count[1] = 1;
        put_record(o, "\xc0\x0c", 2, TYPE_A, own, 4);
    } else {
        count[3] = 1;
        put_record(o, "", 1, TYPE_SOA, SOA, sizeof SOA - 1);
    }
}

static void answer_zone(struct out *o, const uint8_t *qname, size_t qname_size, unsigned type) {
    uint8_t *count = o->data + 6;
    bool apex = qname_size == sizeof BENCH, ns = qname_size == sizeof NS_BENCH && memcmp(qname, NS_BENCH, 3) == 0;
    o->data[2] |= FLAG_AA;
    if (type == TYPE_A && !apex) {
        count[1] = 1;
        put_record(o, "\xc0\x0c", 2, TYPE_A, ns ? own : (const uint8_t *)"\xc0\0\2\1", 4);
    } else if (type == TYPE_NS && apex) {
        count[1] = 1;
        put_record(o, "\xc0\x0c", 2, TYPE_NS, NS_BENCH, sizeof NS_BENCH);
    } else {
        count[3] = 1;
        put_record(o, BENCH, sizeof BENCH, TYPE_SOA, SOA, sizeof SOA - 1);
    }
}

/* 0: not a question that it understands. */
static size_t reply(const uint8_t *q, size_t size, struct out *o) {
    if (size < 17 || q[2] & 0x80 || q[4] != 0 || q[5] != 1)
        return 0;
    size_t at = 12;
    while (at < size && q[at] != 0 && q[at] < 64)
        at += q[at] + 1U;
    if (at + 5 > size || q[at] != 0)
        return 0;
    size_t qname_size = at + 1 - 12;
    unsigned type = (unsigned)q[at + 1] << 8 | q[at + 2];
    bool edns = q[11] == 1;
    o->size = 0;
    put(o, q, at + 5);
    memset(o->data + 3, 0, 9);
    o->data[2] = 0x80;
    o->data[5] = 1;
    if (is_root)
        answer_root(o, q + 12, qname_size, type);
    else
        answer_zone(o, q + 12, qname_size, type);
    if (edns) {
        o->data[11]++;
        put(o, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
    }
    return o->size;
}

static void serve(int fd) {
    static uint8_t in[BATCH][QUERY_MAX];
    static struct out out[BATCH];
    struct sockaddr_in from[BATCH];
    struct iovec iov[BATCH], iov_out[BATCH];
    struct mmsghdr m[BATCH], m_out[BATCH];
    memset(m, 0, sizeof m);
    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){in[i], QUERY_MAX};
        m[i].msg_hdr =
            (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov[i], .msg_iovlen = 1};
    }
    int got = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
    int ready = 0;
    for (int i = 0; i < got; i++) {
        size_t size = reply(in[i], m[i].msg_len, &out[ready]);
        if (size == 0)
            continue;
        iov_out[ready] = (struct iovec){out[ready].data, size};
        m_out[ready].msg_hdr = (struct msghdr){
            .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov_out[ready], .msg_iovlen = 1};
        ready++;
    }
    questions += (unsigned long long)ready;
    for (int at = 0; at < ready;) {
        int n = sendmmsg(fd, m_out + at, (unsigned)(ready - at), 0);
        if (n <= 0)
            break;
        at += n;
    }
}

int main(int argc, char **argv) {
    if (argc < 4 || inet_pton(AF_INET, argv[1], own) != 1) {
        fputs("usage: authority ADDRESS PORT root|zone [NEXT]\n", stderr);
        return 2;
    }
    is_root = strcmp(argv[3], "root") == 0;
    if (is_root && (argc < 5 || inet_pton(AF_INET, argv[4], next) != 1))
        return 2;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    memcpy(&at.sin_addr, own, 4);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 8 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        perror("bind");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    for (;;) {
        poll(p, 2, -1);
        if (p[0].revents & POLLIN)
            serve(fd);
        char line;
        if (p[1].revents == 0)
            continue;
        if (read(0, &line, 1) <= 0)
            return 0;
        printf("%llu\n", questions);
        fflush(stdout);
    }
}
