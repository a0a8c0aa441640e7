/* Inside of the receiver of streams: stream_in.c takes frames apart, stream_fill.c makes a generation of a snapshot,
 * stream_apply.c commits changes. */
#ifndef CANDOR_KEEP_STREAM_IN_H
#define CANDOR_KEEP_STREAM_IN_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rbl/keep/stream_net.h"
#include "rbl/keep/stream_wire.h"

struct in_commit {
    struct journal_header h;
    struct buf changeset;
};

struct stream_in {
    struct keep *k; /* until the commit its folder, zone and nothing else */
    int failed;
    bool headed, whole;
    struct buf frame; /* as much of it as is there */
    XXH3_state_t *sum;
    struct stream_about about;
    struct meta *m; /* datasets and apex of the head; snapshot: counts, and what `zone` will say */
    struct buf apex;
    /* changes */
    struct in_commit *commit;
    size_t commits, commit_cap;
    uint64_t held; /* octets of changesets */
    struct net net;
    /* snapshot */
    char folder[40]; /* "": none was made */
    struct store *making;
    bool counted;
    uint64_t values, members, times;
};

/* --- stream_fill.c: a generation in the making --- */
int stream_fill_open(struct stream_in *in, struct err *err) MUST_USE;
int stream_fill_frame(struct stream_in *in, enum stream_frame what, struct bytes frame, struct err *err) MUST_USE;
/* Everything is there: is it what the head says? */
int stream_fill_check(struct stream_in *in, struct err *err) MUST_USE;
int stream_fill_commit(struct stream_in *in, const struct keep_commit *c, struct keep_result *r,
                       struct err *err) MUST_USE;
void stream_fill_drop(struct stream_in *in);

/* --- stream_apply.c --- */
int stream_apply_commit(struct stream_in *in, const struct keep_commit *c, struct keep_result *r,
                        struct err *err) MUST_USE;

#endif
