/* Everything that this node knows of its peers: what it got from their addresses, what they say, and what that comes
 * to. One writer, the prober's loop; rendered by the same thread. Pure: times (mono) are the caller's.
 *
 *   an answer or none -> path -> peer (answers, in part, gone) -> quorum -> matrix -> verdicts in words (judge.h) */
#ifndef CANDOR_PEERS_KNOWN_H
#define CANDOR_PEERS_KNOWN_H

#include "health/peers/matrix.h"
#include "health/peers/peers.h"
#include "health/peers/phi.h"
#include "health/peers/score.h"
#include "health/peers/view.h"
#include "resolver/base/conf.h"

enum {
    PEERS_ADDRESSES = 1 + LIMIT_LISTEN,   /* of one peer's DNS port */
    PEERS_PATHS = 2 * PEERS_ADDRESSES + 1 /* each over UDP and TCP, and its health port */
};

/* One address of a peer, over one transport. */
struct peers_path {
    struct addr addr;
    char text[ADDR_TEXT_MAX];
    enum seen_by by;
    enum seen_state state;
    unsigned fails;    /* in a row */
    int64_t good_ms;   /* last right answer; 0: never */
    int64_t since_ms;  /* when the run of right answers began that `good_ms` ends; 0: none is */
    int64_t failed_ms; /* when failures in a row were enough for an accusation; 0: they are not */
    int64_t asked_ms;  /* last result that counts; 0: none yet */
    uint32_t lag_ms;   /* how late this node was itself while it asked */
    unsigned score;    /* its local health then */
    bool confirmed;    /* the accusation was weighed against others' words */
    char came[VIEW_CAME];
};

/* Kinds of probes, for metrics. */
enum peers_probe { PEERS_UDP, PEERS_TCP, PEERS_HTTP, PEERS_RESOLUTION, PEERS_POINT, PEERS_LARGE, PEERS_PROBES };
const char *peers_probe_name(enum peers_probe p);

enum peers_state { PEERS_UNKNOWN, PEERS_WELL, PEERS_PART, PEERS_GONE };

struct peers_peer {
    const struct conf_peer *conf;
    struct peers_path path[PEERS_PATHS];
    size_t paths;
    struct { /* the newest of each kind */
        bool done, good;
    } probe[PEERS_PROBES];
    double rtt_sum_s;
    uint64_t rtt_count;
    /* its own word */
    bool has_health;
    struct phi phi;
    bool heard_view; /* `view` is one that was believed */
    struct view view;
    int64_t view_asked_ms, view_ms, view_wall_ms; /* when it was asked for, and came */
    bool offset_known;
    int64_t offset_ms; /* its clock less ours */
    /* what it comes to */
    enum peers_state state;
    int64_t heard_ms, heard_wall_ms; /* any right answer or view; 0: never */
    bool disagrees;                  /* on how this node is */
};

struct peers_known {
    const char *self;
    uint32_t interval_ms;
    size_t count;
    struct peers_peer peer[LIMIT_PEERS];
    struct peers_summary summary;
    double visible; /* share of peers that are heard */
    bool decided;   /* each peer was asked often enough to say who is heard */
    bool clock_known;
    int64_t clock_ms; /* median of the offsets */
    struct matrix matrix;
};

/* A right answer, and none; `patience`: failures in a row that make an accusation. Returns whether the state changed.
 */
bool path_good(struct peers_path *p, int64_t now_ms);
bool path_failed(struct peers_path *p, unsigned patience, const char *came, int64_t now_ms);

/* Whether the peer's word is new enough to count: three of its intervals, and it is not stuck itself. */
bool peer_is_fresh(const struct peers_known *k, const struct peers_peer *p, int64_t now_ms);
/* What its word is worth as an accusation: it was in time when it asked. */
bool peer_is_believed(const struct peers_known *k, const struct peers_peer *p, const struct seen *s);
/* Whether anybody at all was heard since. */
bool peers_any_heard(const struct peers_known *k, int64_t since_ms);

/* From when to when what a path's state says was really seen: a good one that misses its newest answers is good up to
 * the last one that came, and a bad one is bad from the moment that it is accused (a stray loss before proves nothing).
 */
struct span path_span(const struct peers_path *p);
/* That of a peer's word by this node's clock, the shorter for what the way there and back took. */
struct span peer_saw(const struct peers_peer *p, const struct seen *s);

/* Who is heard, and whether this node is cut off, from what has come so far. */
void peers_judge_heard(struct peers_known *k);
/* That, and what peers say: matrix, clock and summary anew. The score stands in the summary already. */
void peers_judge(struct peers_known *k, int64_t now_ms);
/* Accusations of this node's own that others in time contradict, each told once. */
unsigned peers_unconfirmed(struct peers_known *k, int64_t now_ms);

/* Fewer than half of at least two are heard: then it is this node that is cut off. */
bool quorum_is_lost(size_t configured, size_t heard);

#endif
