/* ZONE_FORMAT_DEF. A changeset: what one commit removed and added, with its values by content, so that it stands alone
 * (docs/formats/zone.md). Written while the difference is found, read by "why" and, later, by transfers.
 *
 * A row of operations, each a varint. Odd: an entry in the selected heading, (rest << 1 | 1). Even: (op << 1), op 0
 * defines the next value, op 1 fills one of CHANGESET_HEADINGS headings (kind, dataset, bits, value, added or removed)
 * and selects it, op 2 + n selects heading n, the op behind those tells who made the changes that follow, the next one
 * when the local entries that follow go by themselves. Addresses and names are told by what differs from the heading's
 * last. Version 1 had no sources and values of one kind, version 2 no times. */
#ifndef CANDOR_KEEP_CHANGESET_H
#define CANDOR_KEEP_CHANGESET_H

#include "rbl/keep/impl.h"

enum {
    CHANGESET_HEADINGS = 64,
    CHANGESET_VERSION = 3,
    CHANGESET_TIMES = 3 /* the first version that tells times */,
    CHANGESET_SOURCE = 64
};

struct changeset_heading {
    bool used, removed, stays;
    uint8_t kind, dataset, bits;
    uint32_t value; /* writing: the store's id; reading: index in the changeset */
    uint8_t last_size;
    uint8_t last[LIMIT_NAME_WIRE];
};

struct changeset_writer {
    struct buf out;
    uint32_t *index_of; /* [ids_end]: index by the store's id, 0: not yet defined */
    uint32_t ids_end, values;
    unsigned selected, next; /* heading */
    int64_t until_wall_s;    /* of what follows */
    struct changeset_heading heading[CHANGESET_HEADINGS];
};

int changeset_open(struct changeset_writer *w, uint32_t ids_end) MUST_USE;
void changeset_close(struct changeset_writer *w);
/* Who makes what follows. Unless it is called, the commit's source does. */
void changeset_source(struct changeset_writer *w, const char *source);
/* Adds one change; c->value counts only when `id` is new to the changeset. Failure sticks in w->out. */
void changeset_add(struct changeset_writer *w, const struct change *c, uint32_t id);

struct changeset_reader {
    struct scan s;
    struct bytes all;
    uint32_t *value_at; /* where each value stands in `all` */
    uint32_t values, values_cap;
    unsigned selected, version;
    struct changeset_heading heading[CHANGESET_HEADINGS];
    int64_t until_wall_s;
    char source[CHANGESET_SOURCE]; /* of the change told last; "": the commit's */
    uint8_t name[LIMIT_NAME_WIRE];
};

/* `all` must outlive the reader. */
int changeset_read_open(struct changeset_reader *r, struct bytes all) MUST_USE;
void changeset_read_close(struct changeset_reader *r);
/* 1: *c is the next change (c->name lives until the next call), 0: the end, E_CORRUPT or E_NOMEM. */
int changeset_next(struct changeset_reader *r, struct change *c) MUST_USE;

#endif
