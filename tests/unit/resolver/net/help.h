/* What the tests of this room share: a server on loopback with a handler that can be told what to do. */
#ifndef CANDOR_TEST_NET_HELP_H
#define CANDOR_TEST_NET_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resolver/base/board.h"
#include "resolver/base/clock.h"
#include "resolver/net/loop.h"
#include "resolver/net/server.h"

enum { PATIENCE_MS = 30000, TURN_MS = 10, KEPT_MAX = 512 };

/* Turns the loop until `cond` holds; fails when it does not for PATIENCE_MS. */
#define TURN_UNTIL(l, cond)                                                                                            \
    do {                                                                                                               \
        int64_t until_ = clock_mono_ms() + PATIENCE_MS;                                                                \
        while (!(cond) && clock_mono_ms() < until_)                                                                    \
            loop_turn((l), TURN_MS);                                                                                   \
        assert_true(cond);                                                                                             \
    } while (0)

/* Turns it once; false when PATIENCE_MS are over since `*until` was 0. */
bool turn_again(struct loop *l, int64_t *until);

/* What the handler does with a message. */
enum mode {
    MODE_ECHO,    /* sends it back with QR set */
    MODE_KEEP,    /* keeps client and message for a late reply */
    MODE_SILENT,  /* never answers */
    MODE_INSIDE,  /* answers with server_reply from inside the handler */
    MODE_LONG,    /* 60,000 octets (TCP) */
    MODE_TOO_LONG /* claims more than cap */
};

struct kept {
    struct client client;
    uint8_t msg[512];
    size_t size;
};

struct rig {
    struct loop *loop;
    struct server *server;
    struct server_sockets sockets;
    struct addr udp, tcp;
    struct board_worker worker;
    enum mode mode;
    unsigned seen, kept_count;
    struct kept kept[KEPT_MAX];
    struct client last;
    size_t last_size;
    bool in_batch;
    unsigned batches, in_this_batch, most_in_batch;
    void (*meddle)(struct rig *r, const struct client *c, const uint8_t *msg, size_t size);
};

/* Whether this machine has ::1. */
bool have_ipv6(void);
struct addr address(const char *text, uint16_t port);
void rig_open(struct rig *r, const char *listen);
void rig_serve(struct rig *r); /* a server on the sockets that are there */
void rig_close(struct rig *r);
void rig_reply(struct rig *r, unsigned kept);

/* Non-blocking; UDP is connected, TCP connects at once on loopback. */
int ask_udp(const char *host, const struct addr *port_of);
int ask_tcp(const char *host, const struct addr *port_of, const char *source);

/* A message of `size` octets whose first two are `id`, the rest a pattern made from it. */
void make_message(uint8_t *msg, size_t size, uint16_t id);
void assert_echo(const uint8_t *got, size_t got_size, uint16_t id, size_t size);
/* The same with its length in front. Returns the octets written. */
size_t make_frame(uint8_t *to, size_t size, uint16_t id);

void send_all_of(int fd, const void *from, size_t size);
/* Turns the loop until `size` octets were read. */
void read_exactly(struct rig *r, int fd, uint8_t *to, size_t size);
/* Reads one frame into `to` (65,535 octets); returns its size. */
size_t read_frame_of(struct rig *r, int fd, uint8_t *to);
/* Turns until the server has closed the connection; what comes before is thrown away. */
void expect_end(struct rig *r, int fd);
/* Nothing to be read after some turns. */
void expect_quiet(struct rig *r, int fd);

#endif
