/* A zone's new contents as the records they will be, in key order: what keep_replace walks beside the stored ones, what
 * a bulk load appends, and what the guards look into before anything is written. */
#ifndef CANDOR_KEEP_FEED_H
#define CANDOR_KEEP_FEED_H

#include "rbl/keep/look.h"

enum feed_kind { FEED_4 = KIND4, FEED_6 = KIND6, FEED_NAMES, FEED_KINDS };
enum { FEED_KEY_MAX = 1 + LIMIT_NAME_WIRE };

/* Where the next record begins: may be kept and put back, so that a transaction can be repeated. */
struct feed_at {
    unsigned dataset, level;
    size_t entry;
};

struct feed {
    const struct data *d;
    const uint32_t *value_of; /* the store's id for each of the data's */
    enum feed_kind kind;
    struct feed_at at;
    size_t start[LIMIT_DATASETS + 1]; /* entries of each dataset */
    uint8_t levels[LIMIT_DATASETS];   /* which have entries at all, as look_dataset.levels */
    /* the record */
    uint8_t key[FEED_KEY_MAX];
    size_t key_size;
    struct buf record;
    struct items items;
};

/* `m` has the counts of `d` (meta_count). */
void feed_open(struct feed *f, const struct data *d, const uint32_t *value_of, enum feed_kind kind,
               const struct meta *m);
void feed_close(struct feed *f);
/* 1: f->key and f->record are the next, 0: the end, or an error. */
int feed_next(struct feed *f) MUST_USE;

/* The one bucket or name that is asked for, as struct look_source wants it; ctx is an array of FEED_KINDS feeds. The
 * bytes live until the next call for the same kind. */
int feed_bucket(void *ctx, enum bucket_kind kind, unsigned dataset, unsigned level, const uint8_t *addr,
                struct bytes *bucket) MUST_USE;
int feed_name(void *ctx, unsigned dataset, const struct look_name *n, unsigned labels, struct bytes *record) MUST_USE;

#endif
