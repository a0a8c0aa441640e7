/* Inside of the sender of streams: stream_out.c, and stream_records.c for a snapshot's records. */
#ifndef CANDOR_KEEP_STREAM_OUT_H
#define CANDOR_KEEP_STREAM_OUT_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rbl/keep/stream_wire.h"
#include "rbl/keep/until.h"
#include "rbl/keep/work.h"

enum out_stage {
    OUT_HEAD,
    OUT_COMMIT,
    OUT_CHANGES,
    OUT_COUNTS,
    OUT_VALUES,
    OUT_ENTRIES,
    OUT_TIMES,
    OUT_END,
    OUT_ENDED
};

struct stream_out {
    struct keep *k;
    struct store_txn *t;
    struct meta *m;
    struct stream_about about;
    enum out_stage stage;
    int failed;
    struct buf frame; /* being told */
    size_t told;
    XXH3_state_t *sum;
    /* changes */
    uint64_t commit;
    uint32_t piece;
    struct journal_header header;
    /* snapshot */
    unsigned table;
    struct store_cursor *cursor; /* NULL: of no table yet */
    struct bytes key, record;
    int more; /* 0: key and record are the next */
    struct stream_block block;
    struct verify *verify;
};

/* A frame of OUT_COUNTS to OUT_TIMES; none when a table has nothing. */
int stream_out_records(struct stream_out *o, struct err *err) MUST_USE;

#endif
