/* A network of namespaces with delay, jitter, loss and partitions, where the kernel has none to offer: every node has a
 * tun device, all of them are held by this one process, which passes packets on by their destination address.
 *
 *   relay SEED NAMESPACE,DEVICE,ADDRESS4[/LENGTH],ADDRESS6[/LENGTH] ...
 *
 * With a length (8, 16, 24 ...: whole octets) the node has the whole prefix; else the one address. The first node that
 * fits gets a packet. Says "ready" when all devices are there (the caller gives them their addresses); ends, and the
 * devices with it, at the end of stdin. Commands on stdin, one a line, each answered by one line; nodes by their
 * number, or * for all:
 *
 *   path FROM TO DELAY_US JITTER_US LOSS_PPM REORDER   packets keep their order unless REORDER is 1
 *   cut FROM TO 0|1                                    1: nothing passes in this direction
 *   count FROM TO                                      "PACKETS OCTETS LOST" so far; with * the sums
 *
 * A path without delay is passed on at once; what is delayed stands in one heap by the time it is due. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { NODES_MAX = 64, PACKET_MAX = 2048, QUEUE_MAX = 1 << 17, BURST = 64, LINE_MAX_ = 256 };

struct path {
    int64_t delay_ns, jitter_ns, last_due;
    uint32_t loss_ppm;
    bool reorder, cut;
    uint64_t packets, octets, lost;
};

struct node {
    int fd;
    uint8_t address4[4], address6[16];
    size_t octets4, octets6; /* of the addresses that count */
};

struct packet {
    int64_t due;
    uint64_t order;
    uint16_t to, size;
    uint8_t data[PACKET_MAX];
};

static struct node nodes[NODES_MAX];
static struct path paths[NODES_MAX][NODES_MAX];
static int node_count;
static struct packet *heap[QUEUE_MAX], *spare[QUEUE_MAX];
static size_t heap_count, spare_count;
static uint64_t orders, random_state;

static void die(const char *what) {
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* splitmix64 */
static uint64_t draw(void) {
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool before(const struct packet *a, const struct packet *b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_push(struct packet *p) {
    size_t i = heap_count++;
    for (; i > 0 && before(p, heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = p;
}

static struct packet *heap_pop(void) {
    struct packet *top = heap[0], *last = heap[--heap_count];
    size_t i = 0;
    for (size_t child = 1; child < heap_count; child = 2 * i + 1) {
        if (child + 1 < heap_count && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

/* A device that is down or full loses the packet, as a wire would. */
static void pass(int to, const uint8_t *data, size_t size) {
    if (write(nodes[to].fd, data, size) < 0 && errno != EAGAIN && errno != EIO && errno != EINVAL && errno != ENOBUFS)
        die("write");
}

static int destination(const uint8_t *p, size_t size) {
    bool six = size >= 40 && p[0] >> 4 == 6, four = size >= 20 && p[0] >> 4 == 4;
    for (int i = 0; i < node_count; i++) {
        if ((four && memcmp(p + 16, nodes[i].address4, nodes[i].octets4) == 0) ||
            (six && memcmp(p + 24, nodes[i].address6, nodes[i].octets6) == 0))
            return i;
    }
    return -1;
}

static void queue(struct path *path, int to, const uint8_t *data, size_t size) {
    struct packet *p = spare_count > 0 ? spare[--spare_count] : malloc(sizeof *p);
    if (p == NULL)
        die("memory");
    p->due = now_ns() + path->delay_ns;
    if (path->jitter_ns > 0)
        p->due += (int64_t)(draw() % (uint64_t)path->jitter_ns);
    if (!path->reorder && p->due < path->last_due)
        p->due = path->last_due;
    path->last_due = p->due;
    p->order = orders++;
    p->to = (uint16_t)to;
    p->size = (uint16_t)size;
    memcpy(p->data, data, size);
    heap_push(p);
}

static void take(int from, const uint8_t *data, size_t size) {
    int to = destination(data, size);
    if (to < 0)
        return;
    struct path *path = &paths[from][to];
    path->packets++;
    path->octets += size;
    if (path->cut || (path->loss_ppm > 0 && draw() % 1000000 < path->loss_ppm) || heap_count == QUEUE_MAX)
        path->lost++;
    else if (path->delay_ns == 0 && path->jitter_ns == 0)
        pass(to, data, size);
    else
        queue(path, to, data, size);
}

static void drain(int from) {
    uint8_t data[PACKET_MAX];
    for (int i = 0; i < BURST; i++) {
        ssize_t size = read(nodes[from].fd, data, sizeof data);
        if (size <= 0)
            return;
        take(from, data, (size_t)size);
    }
}

static void pass_due(void) {
    while (heap_count > 0 && heap[0]->due <= now_ns()) {
        struct packet *p = heap_pop();
        pass(p->to, p->data, p->size);
        spare[spare_count++] = p;
    }
}

static bool span(const char *word, int *first, int *last) {
    char *end;
    *first = 0;
    *last = node_count - 1;
    if (strcmp(word, "*") == 0)
        return true;
    long n = strtol(word, &end, 10);
    *first = *last = (int)n;
    return *end == '\0' && n >= 0 && n < node_count;
}

static bool command(const char *line) {
    char what[8], from[16], to[16];
    int a, b, c, d;
    long long v[4] = {0};
    int n = sscanf(line, "%7s %15s %15s %lld %lld %lld %lld", what, from, to, &v[0], &v[1], &v[2], &v[3]);
    if (n < 3 || !span(from, &a, &b) || !span(to, &c, &d))
        return false;
    uint64_t packets = 0, octets = 0, lost = 0;
    for (int i = a; i <= b; i++) {
        for (int k = c; k <= d; k++) {
            struct path *p = &paths[i][k];
            if (strcmp(what, "path") == 0 && n == 7) {
                p->delay_ns = v[0] * 1000;
                p->jitter_ns = v[1] * 1000;
                p->loss_ppm = (uint32_t)v[2];
                p->reorder = v[3] != 0;
            } else if (strcmp(what, "cut") == 0 && n == 4) {
                p->cut = v[0] != 0;
            } else if (strcmp(what, "count") != 0 || n != 3) {
                return false;
            }
            packets += p->packets;
            octets += p->octets;
            lost += p->lost;
        }
    }
    printf("%llu %llu %llu\n", (unsigned long long)packets, (unsigned long long)octets, (unsigned long long)lost);
    return true;
}

static bool commands(void) {
    static char text[LINE_MAX_];
    static size_t have;
    ssize_t got = read(0, text + have, sizeof text - 1 - have);
    if (got <= 0)
        return false;
    have += (size_t)got;
    text[have] = '\0';
    for (char *end; (end = strchr(text, '\n')) != NULL;) {
        *end = '\0';
        if (!command(text))
            puts("error");
        fflush(stdout);
        have -= (size_t)(end + 1 - text);
        memmove(text, end + 1, have + 1);
    }
    return have < sizeof text - 1;
}

static void enter(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        die(path);
    close(fd);
}

static bool read_prefix(int family, char *text, uint8_t *address, size_t *octets, size_t all) {
    char *slash = strchr(text, '/');
    long bits = slash == NULL ? (long)all * 8 : strtol(slash + 1, NULL, 10);
    if (slash != NULL)
        *slash = '\0';
    *octets = (size_t)bits / 8;
    return bits > 0 && bits % 8 == 0 && *octets <= all && inet_pton(family, text, address) == 1;
}

/* NAMESPACE,DEVICE,ADDRESS4,ADDRESS6; the namespace is a path. */
static void open_node(struct node *n, char *text) {
    char *ns = strtok(text, ","), *device = strtok(NULL, ","), *four = strtok(NULL, ","), *six = strtok(NULL, ",");
    errno = EINVAL;
    if (six == NULL || !read_prefix(AF_INET, four, n->address4, &n->octets4, 4) ||
        !read_prefix(AF_INET6, six, n->address6, &n->octets6, 16))
        die("NAMESPACE,DEVICE,ADDRESS4,ADDRESS6");
    enter(ns);
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", device);
    n->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (n->fd < 0 || ioctl(n->fd, TUNSETIFF, &r) != 0)
        die("tun");
}

static void watch(int epoll, int fd, uint32_t id) {
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = id};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0)
        die("epoll");
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > NODES_MAX + 2) {
        fputs("usage: relay SEED NAMESPACE,DEVICE,ADDRESS4,ADDRESS6 ...\n", stderr);
        return 2;
    }
    random_state = strtoull(argv[1], NULL, 10);
    node_count = argc - 2;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < node_count; i++) {
        open_node(&nodes[i], argv[i + 2]);
        watch(epoll, nodes[i].fd, (uint32_t)i);
    }
    watch(epoll, 0, NODES_MAX);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[NODES_MAX + 1];
        struct timespec wait = {0};
        if (heap_count > 0) {
            int64_t left = heap[0]->due - now_ns();
            left = left < 0 ? 0 : left;
            wait = (struct timespec){left / 1000000000, left % 1000000000};
        }
        int n = epoll_pwait2(epoll, events, NODES_MAX + 1, heap_count > 0 ? &wait : NULL, NULL);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 < NODES_MAX)
                drain((int)events[i].data.u32);
            else if (!commands())
                return 0;
        }
        pass_due();
    }
}
