/* Between the files that look at peers: one task for each address and transport, one for each health port, and one that
 * judges what has come. What is known lies in health/peers/known.h. */
#ifndef CANDOR_PROBE_PEER_H
#define CANDOR_PROBE_PEER_H

#include "health/peers/http.h"
#include "health/peers/known.h"
#include "health/peers/mac.h"
#include "health/probe/impl.h"
#include "health/probe/large.h"

enum {
    PEER_TRIES = 2,
    PEER_TIRED = 3,        /* rounds without an answer, then one try at half the pace is enough */
    PEER_JUDGES = 10,      /* times an interval that is judged */
    PEER_FETCHES = 2,      /* times an interval that a view is fetched */
    PEER_WHOLE = 8,        /* each so many fetches the whole view, of all peers; else what it says of us */
    PEER_WHOLE_ALWAYS = 4, /* with so few peers always */
    PEER_LARGE = 6,        /* large answers are asked for each so many intervals */
    PEER_NO_CHECK = -1
};

/* What an address is asked besides its name, in turn. */
enum peer_second { SECOND_RESOLUTION, SECOND_POINT, SECOND_LARGE, SECONDS };

struct peer_path {
    struct task task;
    struct prober *p;
    size_t peer, path; /* in known */
    struct ask_plan plan;
    int64_t lateness_ms; /* of the prober when it asked */
    int check;
    enum peer_second second; /* the last one asked */
    size_t zone;             /* the last one whose test point was asked for */
    int64_t large_ms;        /* when large answers were asked for last; 0: never, or it is to be soon */
    struct large_run large;
    struct name id; /* id.server. */
    uint64_t boot;  /* of who answered last */
};

struct peer_view {
    struct task task;
    struct prober *p;
    size_t peer;
    struct peers_path *path;
    struct http *fetch;
    char nonce[VIEW_NONCE];
    int64_t lateness_ms, sent_ms, sent_wall_ms;
    unsigned rounds;
};

struct peer_address {
    struct addr addr;
    char id[CHECK_ID_MAX];
    int check[SECONDS];
};

/* Of one peer. */
struct peer_node {
    struct peer_address address[PEERS_ADDRESSES];
    struct peer_path path[2 * PEERS_ADDRESSES];
    size_t addresses, paths;
    struct peer_view view;
    int health_check, sees_check, agree_check;
};

struct peer_probe {
    struct task task; /* judges */
    struct prober *p;
    struct peers_known known;
    struct peers_keys *keys;
    bool cut_off;         /* as it was told last */
    bool well, void_seen; /* since the last round of the score: somebody answered; an own question came to nothing */
    int64_t score_ms;
    int quorum_check, matrix_check, clock_check;
    struct peer_node node[LIMIT_PEERS];
};

/* peer.c */
void peer_heard(struct peer_probe *pp, size_t peer);
/* Others are asked at once when one begins to be silent: is it that one, or this node? */
void peer_doubt(struct peer_probe *pp, size_t peer);
int peer_check(struct prober *p, const char *measurement, const char *id, uint32_t interval_ms, int *check) MUST_USE;
/* peer_ask.c */
int peer_paths_open(struct peer_probe *pp, size_t peer) MUST_USE;
/* peer_view.c */
int peer_view_open(struct peer_probe *pp, size_t peer) MUST_USE;
void peer_view_close(struct peer_probe *pp, size_t peer);
/* peer_judge.c */
void peer_judge_start(struct task *task);
void peer_tell(struct prober *p, int check, enum verdict_state s, struct evidence *e);
/* One path into the book, at once. True: on its way to another state. */
bool peer_tell_path(struct peer_probe *pp, const struct peer_path *at, struct evidence *e);

#endif
