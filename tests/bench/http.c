/* Requests on a health port at a fixed rate, cheap enough to be no load themselves; and the least that could answer
 * them.
 *
 *   http load ADDRESS@PORT RATE SECONDS PATH...   half on CONNECTIONS that stay open, half on one of their own each;
 *                                                 prints: sent answered failed p50 p99 max (us)
 *   http serve ADDRESS@PORT OCTETS                answers every request with so many octets, until it is ended
 *
 * `serve` costs what a kernel's sockets cost: what a benchmark loses beside it, it lost to the load and not to the
 * server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS = 4,
    REQUEST_MAX = 512,
    READ_MAX = 65536,
    TIMES_MAX = 1 << 20,
    OPEN_MAX_FDS = 4096,
    PATIENCE_MS = 2000
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in address_of(const char *text) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    char host[64];
    const char *at = strchr(text, '@');
    if (at == NULL || (size_t)(at - text) >= sizeof host)
        die("ADDRESS@PORT");
    memcpy(host, text, (size_t)(at - text));
    host[at - text] = '\0';
    a.sin_port = htons((uint16_t)atoi(at + 1));
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        die("ADDRESS@PORT");
    return a;
}

/* --- the load */

static int connected(const struct sockaddr_in *a) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)a, sizeof *a) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Octets of the body that the header of `size` octets announces, -1: it is not whole. *head: octets of the header. */
static long body_of(const char *text, size_t size, size_t *head) {
    const char *end = memmem(text, size, "\r\n\r\n", 4);
    const char *length = end != NULL ? memmem(text, (size_t)(end - text), "Content-Length: ", 16) : NULL;
    if (length == NULL)
        return -1;
    *head = (size_t)(end - text) + 4;
    return atol(length + 16);
}

static bool whole_answer(int fd) {
    static char text[READ_MAX];
    size_t have = 0, head = 0;
    long body = -1;
    while (body < 0 || have < head + (size_t)body) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, PATIENCE_MS) != 1)
            return false;
        size_t room = body < 0 ? sizeof text - have : sizeof text;
        ssize_t n = recv(fd, text + (body < 0 ? have : 0), room, 0);
        if (n <= 0)
            return false;
        have += (size_t)n;
        if (body < 0)
            body = body_of(text, have, &head);
        if (body < 0 && have == sizeof text)
            return false;
    }
    return true;
}

static bool request(const struct sockaddr_in *a, int *kept, const char *path) {
    char text[REQUEST_MAX];
    int fd = kept != NULL && *kept >= 0 ? *kept : connected(a);
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n", path,
                     kept != NULL ? "" : "Connection: close\r\n");
    bool good = fd >= 0 && send(fd, text, (size_t)n, MSG_NOSIGNAL) == n && whole_answer(fd);
    if (kept != NULL && good) {
        *kept = fd;
    } else if (fd >= 0) {
        close(fd);
        if (kept != NULL)
            *kept = -1;
    }
    return good;
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int load(int argc, char **argv) {
    static uint32_t took[TIMES_MAX];
    struct sockaddr_in a = address_of(argv[2]);
    uint64_t rate = strtoull(argv[3], NULL, 10), seconds = strtoull(argv[4], NULL, 10);
    int kept[CONNECTIONS] = {-1, -1, -1, -1}, paths = argc - 5;
    uint64_t sent = 0, failed = 0, begin = now_ns(), end = begin + seconds * 1000000000U;
    size_t times = 0;
    for (uint64_t due = begin; due < end; due = begin + ++sent * 1000000000U / rate) {
        uint64_t now = now_ns();
        if (now < due) {
            struct timespec t = {.tv_nsec = (long)((due - now) % 1000000000U)};
            nanosleep(&t, NULL);
        }
        uint64_t from = now_ns();
        int *connection = sent % 2 != 0 ? &kept[sent / 2 % CONNECTIONS] : NULL;
        failed += !request(&a, connection, argv[5 + sent % (uint64_t)paths]);
        if (times < TIMES_MAX)
            took[times++] = (uint32_t)((now_ns() - from) / 1000);
    }
    qsort(took, times, sizeof *took, by_size);
    if (times > 0)
        printf("%llu %llu %llu %u %u %u\n", (unsigned long long)sent, (unsigned long long)(sent - failed),
               (unsigned long long)failed, took[times / 2], took[times * 99 / 100], took[times - 1]);
    return 0;
}

/* --- the least server */

static void answer(int epoll, int fd, const char *text, size_t size) {
    char request_text[REQUEST_MAX * 4];
    ssize_t n = recv(fd, request_text, sizeof request_text, 0);
    bool ends = n > 0 && memmem(request_text, (size_t)n, "Connection: close", 17) != NULL;
    if (n > 0 && send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size && !ends)
        return;
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

/* Until it is ended. */
static void serve(char **argv) {
    struct sockaddr_in a = address_of(argv[2]);
    size_t octets = strtoul(argv[3], NULL, 10);
    char *text = malloc(octets + 128);
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0), one = 1;
    if (text == NULL || listener < 0 || epoll < 0)
        die("serve");
    size_t head = (size_t)snprintf(text, 128, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", octets);
    memset(text + head, 'x', octets);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(listener, 128) != 0)
        die("bind");
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        if (epoll_wait(epoll, &e, 1, -1) != 1)
            continue;
        if (e.data.fd != listener) {
            answer(epoll, e.data.fd, text, head + octets);
            continue;
        }
        int fd = accept(listener, NULL, NULL);
        e.data.fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (fd < 0 || fd >= OPEN_MAX_FDS || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0)
            close(fd);
    }
}

int main(int argc, char **argv) {
    if (argc >= 6 && strcmp(argv[1], "load") == 0)
        return load(argc, argv);
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        serve(argv);
    fprintf(stderr, "http load ADDRESS@PORT RATE SECONDS PATH... | http serve ADDRESS@PORT OCTETS\n");
    return 2;
}
