/* UPDATEs acknowledged: signs them ahead, keeps so many in flight, and counts the answers. Without arguments: what TSIG
 * costs for each message.
 * Usage: bench_update ADDRESS@PORT ZONE KEY BASE64 [updates] [in flight] [udp|tcp] [connections] [first number]
 * Update i adds the address 10.0.0.0 + i with A 127.0.0.2 (TTL 300). A datagram without an answer is sent again after
 * RESEND_MS. Prints one line of JSON; exit status 1 when an update was not acknowledged. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "resolver/base/addr.h"
#include "resolver/dns/tsig.h"
#include "resolver/dns/writer.h"

enum { SOCKETS_MAX = 256, MESSAGE_MAX = 400, RESEND_MS = 2000, GIVE_UP_MS = 120000, TCP_EACH = 64, CHECK_EACH = 16 };

struct update {
    uint16_t size;
    uint8_t wire[MESSAGE_MAX];
    struct tsig tsig;
    int64_t sent_ns, answered_ns;
};

struct line {
    int fd;
    uint32_t *waiting; /* by message id: number of the update + 1 */
    uint16_t next_id;
    unsigned in_flight;
    uint8_t in[65536 + 2];
    size_t in_size;
};

static struct tsig_keys *keys;
static struct update *update;
static struct line *line[SOCKETS_MAX];
static unsigned updates = 20000, window = 1000, lines = 16, first, next, answered, wrong, resent;
static bool tcp;
static unsigned rcodes[16];

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "bench_update: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* The id is what tells answers apart, so each message is made for its place on its line. */
static void make(struct update *u, unsigned number, uint16_t id, const struct name *zone) {
    char text[80];
    struct name owner;
    struct dns_writer w;
    uint32_t a = 0x0a000000u + first + number;
    (void)snprintf(text, sizeof text, "%u.%u.%u.%u", a & 255, a >> 8 & 255, a >> 16 & 255, a >> 24);
    if (name_from_text(&owner, text, NULL) != 0)
        exit(2);
    size_t own = (size_t)owner.size - 1;
    memcpy(owner.wire + own, zone->wire, zone->size);
    owner.size = (uint8_t)(own + zone->size);
    owner.labels = (uint8_t)(owner.labels + zone->labels);
    dns_writer_open(&w, u->wire, sizeof u->wire, id, 0, OPCODE_UPDATE);
    dns_writer_question(&w, zone, TYPE_SOA, CLASS_IN);
    dns_writer_a(&w, SECTION_AUTHORITY, &owner, 300, (const uint8_t[]){127, 0, 0, 2});
    int size = dns_writer_end(&w, 0, 0);
    if (size > 0)
        size = tsig_request(&u->tsig, tsig_keys_find(keys, &u->tsig.name), u->wire, (size_t)size, sizeof u->wire,
                            time(NULL));
    if (size < 0)
        exit(2);
    u->size = (uint16_t)size;
}

static void open_line(struct line *l, const struct addr *to) {
    l->fd = socket(addr_family(to), (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    l->waiting = calloc(65536, sizeof *l->waiting);
    if (l->fd < 0 || l->waiting == NULL || connect(l->fd, (const struct sockaddr *)to, addr_len(to)) < 0)
        die("connect");
    int size = 4 << 20;
    (void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

static void put(struct line *l, struct update *u) {
    uint8_t frame[2 + MESSAGE_MAX];
    put_u16(frame, u->size);
    memcpy(frame + 2, u->wire, u->size);
    const uint8_t *at = tcp ? frame : u->wire;
    size_t left = tcp ? 2u + u->size : u->size;
    while (left > 0) {
        ssize_t n = send(l->fd, at, left, MSG_NOSIGNAL);
        if (n < 0 && tcp)
            die("send");
        if (n < 0)
            break; /* as if lost */
        at += n;
        left -= (size_t)n;
    }
    u->sent_ns = now_ns();
}

static void take_answer(struct line *l, const uint8_t *msg, size_t size) {
    uint32_t number = size >= DNS_HEADER ? l->waiting[get_u16(msg)] : 0;
    if (number == 0)
        return; /* of one that was sent twice */
    struct update *u = &update[number - 1];
    l->waiting[get_u16(msg)] = 0;
    l->in_flight--;
    answered++;
    u->answered_ns = now_ns();
    rcodes[msg[3] & 15]++;
    bool right = (msg[3] & 15) == 0;
    if (number % CHECK_EACH == 0)
        right = right && tsig_answer(&u->tsig, msg, size, time(NULL), NULL, NULL) == 0;
    wrong += !right;
}

static void receive(struct line *l) {
    if (!tcp) {
        for (;;) {
            ssize_t n = recv(l->fd, l->in, sizeof l->in, MSG_DONTWAIT);
            if (n <= 0)
                return;
            take_answer(l, l->in, (size_t)n);
        }
    }
    ssize_t n = recv(l->fd, l->in + l->in_size, sizeof l->in - l->in_size, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        die("the server closed the connection");
    l->in_size += n > 0 ? (size_t)n : 0;
    size_t at = 0;
    while (l->in_size - at >= 2 && l->in_size - at >= 2u + get_u16(l->in + at)) {
        take_answer(l, l->in + at + 2, get_u16(l->in + at));
        at += 2u + get_u16(l->in + at);
    }
    memmove(l->in, l->in + at, l->in_size - at);
    l->in_size -= at;
}

static void send_more(void) {
    for (unsigned i = 0; i < updates && next < updates && next - answered < window; i++) {
        struct line *l = line[next % lines];
        if (tcp && l->in_flight >= TCP_EACH)
            return;
        uint16_t id = get_u16(update[next].wire);
        l->waiting[id] = next + 1;
        l->in_flight++;
        put(l, &update[next]);
        next++;
    }
}

static void send_again(void) {
    int64_t before = now_ns() - RESEND_MS * 1000000LL;
    for (unsigned i = 0; i < next && !tcp; i++)
        if (update[i].answered_ns == 0 && update[i].sent_ns < before) {
            put(line[i % lines], &update[i]);
            resent++;
        }
}

static int by_time(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(double seconds) {
    int64_t *took = calloc(updates + 1, sizeof *took);
    unsigned n = 0;
    if (took == NULL)
        die("memory");
    for (unsigned i = 0; i < updates; i++)
        if (update[i].answered_ns != 0)
            took[n++] = update[i].answered_ns - update[i].sent_ns;
    qsort(took, n, sizeof *took, by_time);
    printf("{\"updates\": %u, \"acknowledged\": %u, \"wrong\": %u, \"resent\": %u, \"seconds\": %.4f, \"per_second\": "
           "%.0f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"rcodes\": [",
           updates, answered - wrong, wrong, resent, seconds, (answered - wrong) / seconds,
           n > 0 ? (double)took[n / 2] / 1e6 : 0, n > 0 ? (double)took[n - 1 - n / 100] / 1e6 : 0);
    for (unsigned i = 0; i < 12; i++)
        printf("%s%u", i > 0 ? ", " : "", rcodes[i]);
    printf("]}\n");
    free(took);
}

static void run(const struct addr *to, const struct name *zone, const struct name *key) {
    struct pollfd p[SOCKETS_MAX];
    update = calloc(updates + 1, sizeof *update);
    if (update == NULL)
        die("memory");
    for (unsigned i = 0; i < lines; i++) {
        line[i] = calloc(1, sizeof *line[i]);
        if (line[i] == NULL)
            die("memory");
        open_line(line[i], to);
        p[i] = (struct pollfd){.fd = line[i]->fd, .events = POLLIN};
    }
    for (unsigned i = 0; i < updates; i++) {
        update[i].tsig.name = *key;
        make(&update[i], i, (uint16_t)(i / lines + first), zone);
    }
    int64_t start = now_ns(), looked = start;
    while (answered < updates) {
        send_more();
        if (poll(p, lines, 100) < 0)
            die("poll");
        for (unsigned i = 0; i < lines; i++)
            if (p[i].revents != 0)
                receive(line[i]);
        int64_t now = now_ns();
        if (now - looked > RESEND_MS * 1000000LL / 2) {
            send_again();
            looked = now;
        }
        if (now - start > GIVE_UP_MS * 1000000LL)
            break;
    }
    report((double)(now_ns() - start) / 1e9);
}

static void open_keys(const char *name, const char *algorithm, const char *secret) {
    struct conf_key conf = {name, algorithm, secret, ""};
    struct err err;
    if (tsig_keys_open(&keys, &conf, 1, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
}

/* Microseconds for a request looked at and its reply signed. */
static void tsig_costs(void) {
    static const char *const algorithms[] = {"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"};
    enum { ROUNDS = 50000 };
    for (size_t a = 0; a < ARRAY_SIZE(algorithms); a++) {
        struct name zone, key;
        struct update u;
        uint8_t reply[512];
        open_keys("key.example.", algorithms[a], "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        if (name_from_text(&zone, "list.example.", NULL) != 0 || name_from_text(&key, "key.example.", NULL) != 0)
            exit(2);
        u.tsig.name = key;
        make(&u, 1, 1, &zone);
        int64_t start = now_ns();
        for (int i = 0; i < ROUNDS; i++) {
            struct tsig t;
            if (tsig_check(&t, keys, u.wire, u.size, time(NULL)) != 0)
                exit(1);
            memcpy(reply, u.wire, 30);
            if (tsig_reply(&t, reply, 30, sizeof reply, time(NULL)) < 0)
                exit(1);
        }
        printf("%-12s %.2f us: a request of %u octets checked and its reply signed\n", algorithms[a],
               (double)(now_ns() - start) / 1e3 / ROUNDS, u.size);
        tsig_keys_close(keys);
    }
}

int main(int argc, char **argv) {
    struct addr to;
    struct name zone, key;
    if (argc == 1) {
        tsig_costs();
        return 0;
    }
    if (argc < 5 || addr_parse(&to, argv[1], 53, NULL) != 0 || name_from_text(&zone, argv[2], NULL) != 0 ||
        name_from_text(&key, argv[3], NULL) != 0) {
        fprintf(stderr,
                "usage: bench_update ADDRESS@PORT ZONE KEY BASE64 [updates] [in flight] [udp|tcp] [connections] "
                "[first]\n");
        return 2;
    }
    char name[NAME_TEXT_MAX];
    open_keys(name_text(&key, name), "hmac-sha256", argv[4]);
    updates = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : updates;
    window = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : window;
    tcp = argc > 7 && strcmp(argv[7], "tcp") == 0;
    lines = argc > 8 ? (unsigned)strtoul(argv[8], NULL, 10) : lines;
    first = argc > 9 ? (unsigned)strtoul(argv[9], NULL, 10) : 0;
    if (lines < 1 || lines > SOCKETS_MAX || updates < 1 || updates / lines >= 65536 || window < 1) {
        fprintf(stderr, "bench_update: 1 to %d connections, fewer than 65536 updates each\n", SOCKETS_MAX);
        return 2;
    }
    run(&to, &zone, &key);
    return answered - wrong == updates ? 0 : 1;
}
