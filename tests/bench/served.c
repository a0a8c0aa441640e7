/* When is an update served? Sends one message and asks all servers for a name until each has it: one clock for all, a
 * question to each server at most every PERIOD, no load between updates.
 *
 *   served PERIOD_US NAMESPACE,ADDRESS,PORT ...      the first place takes the messages; the others are asked
 *
 * NAMESPACE is a path; sockets are made inside of it, so that questions cross no network. On stdin, a line each:
 *
 *   ask NAME TYPE WITHIN_MS [HEX]     HEX, if any, is sent as it is to the first place (an UPDATE), which is time 0
 *
 * Served: NOERROR with at least one answer RR. TYPE 0 stands for "NAME has no A RR any more" (NXDOMAIN or no answer).
 * Answer: a line "ACK_US RCODE T_US T_US ...", -1 where it did not come in time. A name that is asked for long is asked
 * less often (a hundredth of the time that has passed), which keeps the error below 1 %. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PLACES_MAX = 64, MESSAGE_MAX = 4096, NAME_MAX_ = 255, LOST_US = 200000 };

struct place {
    int fd;
    uint16_t id;
    bool waiting;
    int64_t asked_us, served_us;
};

static struct place places[PLACES_MAX];
static int place_count, epoll;
static int64_t period_us;

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what) {
    fprintf(stderr, "served: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_place(struct place *p, char *text, int index) {
    char *ns = strtok(text, ","), *address = strtok(NULL, ","), *port = strtok(NULL, ",");
    struct sockaddr_in sin = {.sin_family = AF_INET};
    if (port == NULL || inet_pton(AF_INET, address, &sin.sin_addr) != 1)
        die("NAMESPACE,ADDRESS,PORT");
    sin.sin_port = htons((uint16_t)atoi(port));
    int fd = open(ns, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        die(ns);
    close(fd);
    p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&sin, sizeof sin) != 0)
        die("socket");
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd, &e) != 0)
        die("epoll");
}

/* A question for NAME; its size, 0 if NAME is no name. */
static size_t question(uint8_t *out, const char *name, uint16_t type) {
    memset(out, 0, 12);
    out[5] = 1;
    size_t at = 12;
    while (*name != '\0') {
        size_t n = strcspn(name, ".");
        if (n == 0 || n > 63 || at + n > 12 + NAME_MAX_)
            return 0;
        out[at++] = (uint8_t)n;
        memcpy(out + at, name, n);
        at += n;
        name += n + (name[n] == '.');
    }
    const uint8_t tail[5] = {0, (uint8_t)(type >> 8), (uint8_t)type, 0, 1};
    memcpy(out + at, tail, sizeof tail);
    return at + sizeof tail;
}

static size_t unhex(uint8_t *out, const char *hex) {
    size_t n = 0;
    for (unsigned v; n < MESSAGE_MAX && sscanf(hex + 2 * n, "%2x", &v) == 1; n++)
        out[n] = (uint8_t)v;
    return n;
}

static void receive(struct place *p, bool gone, int64_t began) {
    uint8_t m[MESSAGE_MAX];
    ssize_t n;
    while ((n = recv(p->fd, m, sizeof m, 0)) > 0 || (n < 0 && errno == ECONNREFUSED)) {
        if (n < 0)
            p->waiting = false; /* nobody is there yet */
        if (n < 12 || (uint16_t)(m[0] << 8 | m[1]) != p->id)
            continue;
        p->waiting = false;
        bool has = (m[3] & 15) == 0 && (m[6] | m[7]) != 0, answered = (m[3] & 15) == 0 || (m[3] & 15) == 3;
        if (p->served_us < 0 && answered && has != gone)
            p->served_us = now_us() - began;
    }
}

static void ask_those_due(uint8_t *m, size_t size, int64_t began, int64_t *next) {
    int64_t now = now_us(), gap = (now - began) / 100;
    gap = gap < period_us ? period_us : gap;
    for (int i = 1; i < place_count; i++) {
        struct place *p = &places[i];
        if (p->served_us >= 0)
            continue;
        int64_t due = p->asked_us + (p->waiting ? LOST_US : gap);
        if (now >= due) {
            p->id = (uint16_t)(p->id + 1);
            m[0] = (uint8_t)(p->id >> 8);
            m[1] = (uint8_t)p->id;
            p->waiting = send(p->fd, m, size, 0) > 0;
            p->asked_us = now;
            due = now + gap;
        }
        *next = due < *next ? due : *next;
    }
}

static bool all_served(void) {
    for (int i = 1; i < place_count; i++) {
        if (places[i].served_us < 0)
            return false;
    }
    return true;
}

static void run(const char *name, int type, int64_t within_us, const char *hex) {
    uint8_t message[MESSAGE_MAX], ask[12 + NAME_MAX_ + 70], m[MESSAGE_MAX];
    size_t size = question(ask, name, (uint16_t)(type == 0 ? 1 : type)), update = hex != NULL ? unhex(message, hex) : 0;
    int64_t began = now_us(), ack = -1;
    int rcode = -1;
    /* Spread over the first period, so that servers are not asked all at once. */
    for (int i = 1; i < place_count; i++) {
        places[i].served_us = -1;
        places[i].waiting = false;
        places[i].asked_us = began - period_us + period_us * i / place_count;
    }
    if (update > 0 && send(places[0].fd, message, update, 0) < 0)
        die("send");
    while (now_us() - began < within_us && !(all_served() && (ack >= 0 || update == 0))) {
        int64_t next = now_us() + period_us;
        ask_those_due(ask, size, began, &next);
        int64_t left = next - now_us();
        left = left < 0 ? 0 : left;
        struct timespec wait = {left / 1000000, left % 1000000 * 1000};
        struct epoll_event events[PLACES_MAX];
        int n = epoll_pwait2(epoll, events, PLACES_MAX, &wait, NULL);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 != 0) {
                receive(&places[events[i].data.u32], type == 0, began);
            } else if (recv(places[0].fd, m, sizeof m, 0) >= 12 && memcmp(m, message, 2) == 0) {
                ack = now_us() - began;
                rcode = m[3] & 15;
            }
        }
    }
    printf("%lld %d", (long long)ack, rcode);
    for (int i = 1; i < place_count; i++)
        printf(" %lld", (long long)places[i].served_us);
    puts("");
    fflush(stdout);
}

int main(int argc, char **argv) {
    static char line[2 * MESSAGE_MAX + 512], name[512], hex[2 * MESSAGE_MAX + 1];
    if (argc < 4 || argc > PLACES_MAX + 2) {
        fputs("usage: served PERIOD_US NAMESPACE,ADDRESS,PORT ...\n", stderr);
        return 2;
    }
    period_us = atoll(argv[1]);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    place_count = argc - 2;
    for (int i = 0; i < place_count; i++)
        open_place(&places[i], argv[i + 2], i);
    while (fgets(line, sizeof line, stdin) != NULL) {
        int type = 0;
        long long within_ms = 0;
        int n = sscanf(line, "ask %511s %d %lld %8192s", name, &type, &within_ms, hex);
        if (n < 3) {
            puts("error");
            fflush(stdout);
        } else {
            run(name, type, within_ms * 1000, n == 4 ? hex : NULL);
        }
    }
    return 0;
}
