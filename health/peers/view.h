/* What a node says of its peers, as /peers of its health port gives it (docs/health.md): read with hard bounds,
 * because it comes from outside and may say anything.
 *
 *   GET /peers?for=ME&nonce=HEX[&about=NAME] -> JSON, and its HMAC in a header (mac.h) -> view_read -> struct view
 *
 * Pure. Nothing of a document that is wrong anywhere is believed. */
#ifndef CANDOR_PEERS_VIEW_H
#define CANDOR_PEERS_VIEW_H

#include "health/verdict/verdict.h"
#include "resolver/base/limits.h"

enum {
    VIEW_BYTES = 256 << 10, /* 63 peers with a few addresses each are 40 KiB */
    VIEW_DEPTH = 6,
    VIEW_SEEN = 4096, /* entries in one document */
    VIEW_NODE = 64,
    VIEW_CAME = 80,
    VIEW_CAUSE = 160,
    VIEW_BOOT = 17,
    VIEW_NONCE = 33 /* 16 random octets in hex, and a NUL */
};

enum seen_state { SEEN_UNKNOWN, SEEN_GOOD, SEEN_BAD, SEEN_STATES };
enum seen_by { SEEN_UDP, SEEN_TCP, SEEN_HTTP, SEEN_WAYS };
const char *seen_state_name(enum seen_state s); /* "good" */
const char *seen_by_name(enum seen_by b);       /* "udp" */

/* What it got from one address of one of its peers. */
struct seen {
    char node[VIEW_NODE], address[ADDR_TEXT_MAX], came[VIEW_CAME];
    enum seen_by by;
    enum seen_state state;
    bool ip6;
    uint32_t ago_ms; /* when it last asked, before the document was made */
    uint32_t for_ms; /* how long all was as it is now: right answers, or none */
    uint32_t lag_ms; /* how late it was itself while it asked */
    unsigned score;  /* and its local health then */
};

struct view {
    char node[VIEW_NODE], boot[VIEW_BOOT], cause[VIEW_CAUSE];
    uint64_t sequence;
    int64_t wall_ms; /* its clock when it answered */
    uint32_t age_ms; /* of what it says, when it answered */
    enum verdict_state status;
    bool ready, cut_off;
    bool stale; /* its prober has published nothing for long: nothing below is known */
    unsigned score;
    uint32_t lag_ms;
    struct seen *seen;
    size_t count;
};

/* 0; E_INVALID with a text; E_FULL when it is larger than the bounds; E_DENIED: another nonce, or another node than
 * `node` speaks; E_NOMEM. On errors *v is empty. */
int view_read(struct view *v, const char *text, size_t size, const char *node, const char *nonce,
              struct err *err) MUST_USE;
void view_free(struct view *v);

#endif
