/* STREAM_FORMAT_DEF. Inside of a zone's stream (docs/formats/stream.md): frames, and the blocks that a snapshot's
 * records travel in. What one column holds is alike, so that a compressor finds it: of ten million random addresses the
 * lower octets of the gaps stand together, and so do the upper ones. Pure functions over octets. */
#ifndef CANDOR_KEEP_STREAM_WIRE_H
#define CANDOR_KEEP_STREAM_WIRE_H

#include "rbl/keep/journal.h"
#include "rbl/keep/stream.h"

enum {
    STREAM_MAGIC = 0x435a5331, /* "CZS1" */
    STREAM_VERSION = 1,
    STREAM_FRAME_HEAD = 5,       /* what it is (1), octets that follow (4) */
    STREAM_FRAME_MAX = 16 << 20, /* no frame is larger: one record may be that long */
    STREAM_BLOCK = 320 << 10,    /* octets of records after which a block is sent */
    STREAM_SUM = 16,             /* XXH3-128 of all octets before the last frame */
    STREAM_COMMITS_MAX = 1 << 20
};
enum stream_frame {
    FRAME_HEAD = 'H',    /* first: struct stream_about, apex record */
    FRAME_COMMIT = 'C',  /* changes: journal header */
    FRAME_CHANGES = 'D', /* a piece of its changeset */
    FRAME_COUNTS = 'N',  /* snapshot: counts record */
    FRAME_VALUES = 'V',
    FRAME_BUCKETS = 'B',
    FRAME_NAMES = 'L',
    FRAME_TIMES = 'U',
    FRAME_END = 'E' /* last: STREAM_SUM octets */
};

/* struct stream_head as it travels, and what else meta has. */
struct stream_about {
    struct stream_head h;
    int64_t timestamp_wall_s, expires_wall_s;
};
void stream_put_about(struct buf *to, const struct stream_about *a);
int stream_take_about(struct scan *s, struct stream_about *a) MUST_USE;

void stream_frame_begin(struct buf *to, enum stream_frame what, size_t *at);
void stream_frame_end(struct buf *to, size_t at);

/* --- blocks: pack.. gathers records, unpack.. gives them back one after the other --- */
enum { STREAM_COLUMNS = 5 };
struct stream_block {
    struct buf column[STREAM_COLUMNS];
    uint64_t records;
    uint8_t dataset, kind, level; /* buckets: index of the level */
    uint64_t last_key;
    uint8_t last[FEED_KEY_MAX]; /* names */
    size_t last_size;
};
void stream_block_free(struct stream_block *b);
/* Starts the next. */
void stream_block_reset(struct stream_block *b);
size_t stream_block_size(const struct stream_block *b);
/* One record of TABLE_4, TABLE_6, TABLE_NAMES: 1 when it was taken, 0 when the block must be sent before (another
 * dataset or level), E_CORRUPT. */
int stream_pack(struct stream_block *b, unsigned table, struct bytes key, struct bytes record) MUST_USE;
/* The frame. */
void stream_block_put(struct buf *to, const struct stream_block *b);

struct stream_unblock {
    bool names;
    struct scan column[STREAM_COLUMNS];
    uint64_t left, members; /* records to come; entries in those that came */
    uint8_t dataset, kind;
    const struct level *lv;
    uint64_t last_key;
    uint8_t key[FEED_KEY_MAX];
    size_t key_size;
    struct buf record;
};
int stream_unblock_open(struct stream_unblock *u, bool names, struct bytes frame) MUST_USE;
void stream_unblock_close(struct stream_unblock *u);
/* 1: u->key and u->record are the next; 0: the end, nothing left over; E_CORRUPT, E_NOMEM. The record's form is not
 * judged: bucket_decode does that. */
int stream_unpack(struct stream_unblock *u) MUST_USE;

#endif
