/* A session that writes down what it was told, for the tests of sessions, streams and TLS. */
#ifndef CANDOR_TEST_NET_TALK_H
#define CANDOR_TEST_NET_TALK_H

#include "resolver/net/session.h"
#include "tests/unit/resolver/net/help.h"

struct talk {
    struct session *s; /* NULL: none, or told that it is gone */
    unsigned ups, messages, downs;
    uint64_t octets; /* of messages */
    uint32_t next;   /* the number that the next message of a stream must bear (stream_message) */
    bool counted;    /* messages are of a stream */
    bool opening;    /* inside of session_open */
    bool close_in_up, close_in_message, send_in_up;
    unsigned pause_after; /* 0: never; so many messages */
    uint8_t last[LIMIT_MESSAGE];
    size_t last_size;
    struct addr local;
    struct err why;
};

/* With sensible times; fields of `plan` that are set stay. */
void talk_open(struct talk *t, struct loop *l, const struct addr *server, struct session_plan *plan);
/* A message of a stream: its number in front, a pattern behind. */
void stream_message(uint8_t *msg, size_t size, uint32_t number);

/* A listening socket of the test's own on loopback, and a connection taken from it. */
int listen_raw(struct addr *at, int backlog);
int accept_raw(struct loop *l, int fd);

#endif
