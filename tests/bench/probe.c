/* Watches one name of a DNS server, asking every INTERVAL microseconds whether answers come or not: when is it first
 * answered, when first listed, and how long was the longest silence?
 *
 *   probe -s ADDRESS@PORT -i INTERVAL_US -t SECONDS [-a AFTER_MS | -e] NAME
 *
 * Ends AFTER_MS after the first answer that lists NAME, or with -e when its standard input ends; at SECONDS in any
 * case. Says "answered" in a line of its own at the first answer of any kind. Then one line: sent answered first_answer
 * first_listed longest_silence silence_began (seconds of CLOCK_MONOTONIC; -1: never; the silence counts from the first
 * answer on, in seconds). */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 16, MESSAGE = 300 };

static double first_answer = -1, first_listed = -1, last, longest, began = -1;
static uint64_t sent, answered;
static int fds[SOCKETS];

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t question(uint8_t *m, const char *name) {
    uint8_t *p = m + 12;
    memset(m, 0, 12);
    m[2] = 1;
    m[5] = 1;
    while (*name != '\0' && p < m + 250) {
        size_t n = strcspn(name, ".");
        if (n == 0 || n > 63)
            return 0;
        *p++ = (uint8_t)n;
        memcpy(p, name, n);
        p += n;
        name += n + (name[n] == '.');
    }
    memcpy(p, "\0\0\1\0\1", 5);
    return (size_t)(p + 5 - m);
}

static void silence(double now) {
    if (first_answer >= 0 && now - last > longest) {
        longest = now - last;
        began = last;
    }
}

static void receive(int fd) {
    uint8_t m[1500];
    ssize_t n;
    while ((n = recv(fd, m, sizeof m, MSG_DONTWAIT)) >= 12) {
        double now = now_s();
        silence(now);
        last = now;
        answered++;
        if (first_answer < 0) {
            first_answer = now;
            puts("answered");
            fflush(stdout);
        }
        if (first_listed < 0 && (m[3] & 15) == 0 && (m[6] | m[7]) != 0)
            first_listed = now;
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    double interval = 0.001, limit = 60, after = 0;
    bool till_end = false;
    char *server = NULL;
    for (int c; (c = getopt(argc, argv, "s:i:t:a:e")) != -1;) {
        switch (c) {
        case 's':
            server = optarg;
            break;
        case 'i':
            interval = atof(optarg) / 1e6;
            break;
        case 't':
            limit = atof(optarg);
            break;
        case 'a':
            after = atof(optarg) / 1e3;
            break;
        case 'e':
            till_end = true;
            break;
        default:
            return 2;
        }
    }
    char *at = server != NULL ? strchr(server, '@') : NULL;
    uint8_t m[MESSAGE];
    size_t size = argc == optind + 1 ? question(m, argv[optind]) : 0;
    if (at == NULL || size == 0 || interval <= 0)
        return 2;
    *at = '\0';
    a.sin_port = htons((uint16_t)atoi(at + 1));
    if (inet_pton(AF_INET, server, &a.sin_addr) != 1)
        return 2;
    struct pollfd p[SOCKETS + 1];
    for (unsigned i = 0; i < SOCKETS; i++) { /* not connected: a refusal on the way is no answer, and no error either */
        if ((fds[i] = socket(AF_INET, SOCK_DGRAM, 0)) < 0)
            return 1;
        p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    p[SOCKETS] = (struct pollfd){.fd = till_end ? 0 : -1, .events = POLLIN};
    double start = now_s(), next = start, now = start;
    while (now < start + limit && (first_listed < 0 || till_end || now < first_listed + after)) {
        if (now >= next) {
            m[0] = (uint8_t)(sent >> 8);
            m[1] = (uint8_t)sent;
            (void)sendto(fds[sent % SOCKETS], m, size, 0, (struct sockaddr *)&a, sizeof a);
            sent++;
            next = next + interval < now ? now + interval : next + interval;
        }
        double wait = next - now_s();
        struct timespec w = {.tv_sec = 0, .tv_nsec = wait > 0 ? (long)((wait > 0.5 ? 0.5 : wait) * 1e9) : 0};
        if (ppoll(p, SOCKETS + 1, &w, NULL) > 0) {
            if (p[SOCKETS].revents != 0)
                break;
            for (unsigned i = 0; i < SOCKETS; i++)
                if (p[i].revents != 0)
                    receive(fds[i]);
        }
        now = now_s();
    }
    silence(now_s());
    for (double end = now_s() + 0.2; answered < sent && now_s() < end;) {
        if (poll(p, SOCKETS, 10) > 0)
            for (unsigned i = 0; i < SOCKETS; i++)
                receive(fds[i]);
    }
    printf("%llu %llu %.6f %.6f %.6f %.6f\n", (unsigned long long)sent, (unsigned long long)answered, first_answer,
           first_listed, longest, began);
    return 0;
}
