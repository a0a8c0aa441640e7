/* One GET of a peer's health port on the loop: HTTP/1.0, no names, no redirects, no proxies, bounded in octets and
 * time. What is fetched is a small document; whoever answers more, or slower, has not answered. */
#ifndef CANDOR_PEERS_HTTP_H
#define CANDOR_PEERS_HTTP_H

#include "health/peers/mac.h"
#include "resolver/base/addr.h"
#include "resolver/base/bytes.h"
#include "resolver/net/loop.h"

enum { HTTP_HEAD = 8 << 10, HTTP_PATH = 1024 };

struct http;

struct http_result {
    int code;                 /* 0: an answer with status 200; E_TIMEOUT, E_SYSTEM (refused, reset), E_FULL (too large),
                                 E_INVALID (no HTTP), E_DENIED (another status) */
    struct bytes body;        /* valid during the call only */
    char mac[PEERS_MAC_TEXT]; /* as the header says; "": there is none */
    char error[80];
    struct addr local;
    int64_t took_us;
};
typedef void (*http_done)(void *ctx, const struct http_result *r);

struct http_plan {
    struct addr server;
    const char *path; /* copied */
    size_t most;      /* octets of the body */
    uint32_t timeout_ms;
    http_done done; /* exactly once, never from inside http_start; the fetch is gone when it is called */
    void *ctx;
};

/* E_NOMEM, E_FULL (descriptors), E_INVALID (the path is too long), E_SYSTEM. */
int http_start(struct http **out, struct loop *l, const struct http_plan *plan, struct err *err) MUST_USE;
/* Ends it without calling done. */
void http_cancel(struct http *f);

/* Reads a whole answer, for what was fetched and for tests: head, status, length, the one header that counts. 0 or an
 * error as above; `r` gets body, mac and error. */
int http_read(struct http_result *r, const uint8_t *at, size_t size) MUST_USE;

#endif
