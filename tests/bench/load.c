/* Load on a DNS server over UDP in batches (sendmmsg, recvmmsg), cheap enough to keep the server the slower one.
 *
 *   load -s ADDRESS@PORT -d QUESTIONS -l SECONDS [-a SOURCE] [-n SOCKETS] (-w WINDOW | -r RATE [-q])
 *
 * QUESTIONS: lines "NAME A". -w keeps so many in flight; -r sends at a fixed rate whatever comes back, and times count
 * from when a question was due; -q sleeps in between, for rates that leave the CPU to others. Prints one line: seconds
 * sent answered lost with_answer nxdomain other p50 p99 max p99.9 (us). */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 32,
    SOCKETS_MAX = 64,
    QUESTION_MAX = 280,
    SETTLE_NS = 50000000,
    TAIL_NS = 1000000000,
    TIMES_MAX = 1 << 24
};

struct question {
    uint16_t size;
    uint8_t wire[QUESTION_MAX];
};
struct client {
    int fd;
    uint16_t next;
    uint64_t due[65536]; /* by message id; 0: not asked */
};

static struct question *questions;
static size_t question_count, next_question;
static struct client *clients;
static size_t client_count = 8;
static uint32_t *times; /* of answers, in units of 10 ns */
static size_t time_count;
static uint64_t sent, answered, with_answer, nxdomain, other;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void add_question(const char *name) {
    struct question *q = &questions[question_count];
    uint8_t *p = q->wire;
    memset(p, 0, 12);
    p[2] = 1; /* RD */
    p[5] = 1;
    p += 12;
    while (*name != '\0') {
        size_t n = strcspn(name, ".");
        if (n == 0 || n > 63 || p + n + 6 > q->wire + QUESTION_MAX)
            return;
        *p++ = (uint8_t)n;
        memcpy(p, name, n);
        p += n;
        name += n + (name[n] == '.');
    }
    memcpy(p, "\0\0\1\0\1", 5);
    q->size = (uint16_t)(p + 5 - q->wire);
    question_count++;
}

static void read_questions(const char *path) {
    FILE *f = fopen(path, "r");
    char name[260], type[16];
    size_t cap = 0;
    if (f == NULL)
        die(path);
    while (fscanf(f, "%259s %15s", name, type) == 2) {
        if (question_count == cap) {
            cap = cap == 0 ? 65536 : cap * 2;
            questions = realloc(questions, cap * sizeof *questions);
            if (questions == NULL)
                die("realloc");
        }
        add_question(name);
    }
    fclose(f);
}

static void connect_all(char *server, const char *source) {
    char *at = strchr(server, '@');
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(at != NULL ? (uint16_t)atoi(at + 1) : 53)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    int size = 4 << 20;
    if (source != NULL && inet_pton(AF_INET, source, &own.sin_addr) != 1)
        die(source);
    if (at != NULL)
        *at = '\0';
    if (inet_pton(AF_INET, server, &a.sin_addr) != 1)
        die(server);
    clients = calloc(client_count, sizeof *clients);
    if (clients == NULL)
        die("calloc");
    for (size_t i = 0; i < client_count; i++) {
        int fd = clients[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) < 0 ||
            connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
            die("connect");
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
            (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
}

/* Up to BATCH questions from one client; `due` of the first and the step between them. */
static void send_batch(struct client *c, unsigned n, uint64_t due, double step) {
    static uint8_t wire[BATCH][QUESTION_MAX];
    struct mmsghdr m[BATCH];
    struct iovec v[BATCH];
    memset(m, 0, sizeof m);
    for (unsigned i = 0; i < n; i++) {
        const struct question *q = &questions[next_question];
        next_question = next_question + 1 == question_count ? 0 : next_question + 1;
        uint16_t id = c->next++;
        memcpy(wire[i], q->wire, q->size);
        wire[i][0] = (uint8_t)(id >> 8);
        wire[i][1] = (uint8_t)id;
        c->due[id] = due + (uint64_t)((double)i * step);
        v[i] = (struct iovec){wire[i], q->size};
        m[i].msg_hdr.msg_iov = &v[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    sent += n;
    for (unsigned done = 0; done < n;) {
        int rc = sendmmsg(c->fd, m + done, n - done, 0);
        if (rc < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = c->fd, .events = POLLOUT};
            poll(&p, 1, 1);
            continue;
        }
        done += rc > 0 ? (unsigned)rc : 1; /* a refused one counts as sent and lost */
    }
}

static void take(struct client *c, const uint8_t *m, size_t size, uint64_t now) {
    if (size < 12)
        return;
    uint64_t *due = &c->due[m[0] << 8 | m[1]];
    if (*due == 0)
        return;
    answered++;
    with_answer += (m[3] & 15) == 0 && (m[6] | m[7]) != 0;
    nxdomain += (m[3] & 15) == 3;
    other += (m[3] & 15) != 0 && (m[3] & 15) != 3;
    if (time_count < TIMES_MAX)
        times[time_count++] = (uint32_t)((now - *due) / 10);
    *due = 0;
}

static unsigned receive(struct client *c) {
    static uint8_t wire[BATCH][1500];
    struct mmsghdr m[BATCH];
    struct iovec v[BATCH];
    memset(m, 0, sizeof m);
    for (unsigned i = 0; i < BATCH; i++) {
        v[i] = (struct iovec){wire[i], sizeof wire[i]};
        m[i].msg_hdr.msg_iov = &v[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    int n = recvmmsg(c->fd, m, BATCH, 0, NULL);
    uint64_t now = now_ns();
    for (int i = 0; i < n; i++)
        take(c, wire[i], m[i].msg_len, now);
    return n > 0 ? (unsigned)n : 0;
}

/* `window` in flight; when nothing came for SETTLE_NS, what is missing is given up and the window filled again. */
static void run_window(uint64_t window, uint64_t end) {
    uint64_t last = now_ns(), given_up = 0;
    for (uint64_t now = last; now < end; now = now_ns()) {
        if (now - last > SETTLE_NS) {
            given_up = sent - answered;
            last = now;
        }
        for (size_t i = 0; i < client_count; i++) {
            uint64_t flying = sent - answered - (given_up < sent - answered ? given_up : sent - answered);
            unsigned room = flying >= window ? 0 : window - flying > BATCH ? BATCH : (unsigned)(window - flying);
            if (room > 0)
                send_batch(&clients[i], room, now_ns(), 0);
            if (receive(&clients[i]) > 0)
                last = now;
        }
    }
}

/* Until something comes or the next question is due. */
static void rest(double rate) {
    struct pollfd p[SOCKETS_MAX];
    struct timespec t = {.tv_nsec = rate > 2 ? (long)(5e8 / rate) : 250000000};
    for (size_t i = 0; i < client_count; i++)
        p[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
    (void)ppoll(p, (nfds_t)client_count, &t, NULL);
}

static void run_rate(double rate, bool quiet, uint64_t start, uint64_t end) {
    size_t who = 0;
    for (uint64_t now = start; now < end; now = now_ns()) {
        uint64_t due = 1 + (uint64_t)((double)(now - start) * rate / 1e9); /* the first one at once */
        unsigned n = due <= sent ? 0 : due - sent > BATCH ? BATCH : (unsigned)(due - sent);
        if (n > 0)
            send_batch(&clients[who++ % client_count], n, start + (uint64_t)((double)sent * 1e9 / rate), 1e9 / rate);
        else if (quiet)
            rest(rate);
        for (size_t i = 0; i < client_count; i++)
            receive(&clients[i]);
    }
}

static int rising(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double at(double share) {
    return time_count == 0 ? 0 : times[(size_t)((double)(time_count - 1) * share)] / 100.0;
}

int main(int argc, char **argv) {
    char *server = NULL;
    const char *file = NULL, *source = NULL;
    bool quiet = false;
    double seconds = 1, rate = 0;
    uint64_t window = 100;
    for (int c; (c = getopt(argc, argv, "s:d:l:a:n:w:r:q")) != -1;) {
        switch (c) {
        case 's':
            server = optarg;
            break;
        case 'd':
            file = optarg;
            break;
        case 'l':
            seconds = atof(optarg);
            break;
        case 'a':
            source = optarg;
            break;
        case 'q':
            quiet = true;
            break;
        case 'n':
            client_count = (size_t)atol(optarg);
            break;
        case 'w':
            window = (uint64_t)atol(optarg);
            break;
        case 'r':
            rate = atof(optarg);
            break;
        default:
            return 2;
        }
    }
    if (server == NULL || file == NULL || client_count == 0 || client_count > SOCKETS_MAX) {
        fputs(
            "usage: load -s ADDRESS@PORT -d QUESTIONS -l SECONDS [-a SOURCE] [-n SOCKETS] (-w WINDOW | -r RATE [-q])\n",
            stderr);
        return 2;
    }
    read_questions(file);
    times = malloc(TIMES_MAX * sizeof *times);
    if (question_count == 0 || times == NULL)
        return 1;
    connect_all(server, source);
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
    if (rate > 0)
        run_rate(rate, quiet, start, end);
    else
        run_window(window, end);
    double took = (double)(now_ns() - start) / 1e9;
    for (uint64_t tail = now_ns() + TAIL_NS; answered < sent && now_ns() < tail;)
        for (size_t i = 0; i < client_count; i++)
            receive(&clients[i]);
    qsort(times, time_count, sizeof *times, rising);
    printf("%.3f %llu %llu %llu %llu %llu %llu %.1f %.1f %.1f %.1f\n", took, (unsigned long long)sent,
           (unsigned long long)answered, (unsigned long long)(sent - answered), (unsigned long long)with_answer,
           (unsigned long long)nxdomain, (unsigned long long)other, at(0.5), at(0.99), at(1), at(0.999));
    return 0;
}
