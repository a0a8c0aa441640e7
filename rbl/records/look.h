/* Inside of rbl/records, the way out: what of a zone holds a place.
 *
 *   hits.c        what of all that holds a place answers there
 *   look4or6.c    one look of a zone into its prefixes: places in order, what holds each
 *   look_name.c   the same into its names
 *   zone.c        what all looks of one reading share
 *
 * A path is a place in the tree: labels from the last to the first in wire form, without root and apex, as keys of the
 * store have them. In their order as octets a parent stands before its children, octets of addresses and nibbles rise,
 * and one octet before two: so the places of addresses come in the order of addresses, and merge with names. */
#ifndef CANDOR_RECORDS_LOOK_H
#define CANDOR_RECORDS_LOOK_H

#include "rbl/keep/read.h"
#include "rbl/records/records.h"
#include "resolver/dns/const.h"

enum { HITS = LIMIT_ANSWER_RRS, PATH_MAX_SIZE = LIMIT_NAME_WIRE, LABELS4 = 4, LABELS6 = 32, SPELLED = 16 };

/* --- paths --- */
bool path_is_under(struct bytes p, struct bytes above);
int path_compare(struct bytes a, struct bytes b);
/* Path of a name; returns its size. */
size_t path_of(uint8_t to[PATH_MAX_SIZE], const struct name *n);
size_t path_octets(uint8_t *to, read_addr a, unsigned labels);
size_t path_nibbles(uint8_t *to, read_addr a, unsigned labels);

/* --- hits.c --- */
/* A value that holds a place, and how specific it is: bits; labels of a wildcard; HIT_EXACT for a name itself. `about`:
 * of the entry: for '$' in a network's text. */
enum { HIT_EXACT = 128 };
struct hit {
    uint32_t value; /* 0: an exclusion; OVER_VALUE and above: in the overlay */
    uint8_t dataset, specific;
};
/* Of each dataset what is most specific; of the local one entries and exclusion apart. More than HITS are too many for
 * an answer, too. */
struct hits {
    unsigned count;
    struct hit hit[HITS];
};
static inline void hits_copy(struct hits *to, const struct hits *from) {
    to->count = from->count;
    memcpy(to->hit, from->hit, from->count * sizeof *from->hit);
}
void hits_add(struct hits *h, struct hit one);
void hits_drop(struct hits *h, unsigned dataset, bool exclusions_too);
/* A prefix over what holds it. `classes`: its dataset adds up what lies in one class of ip4set. */
void hits_prefix(struct hits *h, struct hit one, bool classes);
/* What is left when exclusions have spoken. */
void hits_final(const struct hits *h, struct hits *to);
bool hits_any(const struct hits *h);

/* --- the state before some changes: what is stored, with what was added left out and what was removed put back --- */
enum { OVER_VALUE = 1 << 30 };
struct over_item {
    struct read_item i;
    uint8_t dataset;
    bool gone; /* stored, but not to be seen: value is that of the overlay all the same */
};
struct over_name {
    const uint8_t *name;
    uint32_t value;
    uint8_t size, dataset;
    bool wildcard, gone;
};
struct over {
    struct over_item *item[2]; /* by enum bucket_kind; sorted by address, bits */
    size_t items[2];
    struct over_name *name; /* sorted by name */
    size_t names;
    const struct value *const *value; /* of id OVER_VALUE + n */
};

/* --- looks --- */
/* One reading of a zone: at a subzone, of prefixes or names, in all datasets that are attached there. */
struct look;
struct look_at {    /* where the walker's path is, for a look */
    bool inside;    /* beneath its subzone, and in its shape */
    uint8_t labels; /* beneath the subzone */
    read_addr addr; /* prefixes */
};
struct look_ops {
    /* Consumes what stands at the path and is to hold it. */
    int (*visit)(struct look *l, const struct look_at *at, struct bytes path);
    int (*seek)(struct look *l, const struct look_at *at, struct bytes path);
    void (*close)(struct look *l);
};
struct zone_read;
struct look {
    const struct look_ops *ops;
    struct zone_read *z;
    uint8_t kind; /* enum keep_kind */
    uint8_t sub_size, sub_labels;
    uint8_t sub[PATH_MAX_SIZE]; /* path of the subzone */
    uint64_t which;
    /* The next place that has something, behind the last visited one. */
    bool has;
    uint8_t next_size;
    uint8_t next[PATH_MAX_SIZE];
};

/* What a whole reading shares. */
struct zone_read {
    struct reader *r;
    const struct meta *m;
    const struct over *over; /* NULL: as stored */
    struct look *look[3 * (1 + LIMIT_DATASETS)];
    unsigned looks;
    bool subs; /* some dataset is attached at a subzone */
    struct err *err;
};
int zone_value(struct zone_read *z, uint32_t id, const struct value **v) MUST_USE;
bool zone_classes(const struct zone_read *z, unsigned dataset);

int look_open_prefixes(struct look **out, struct zone_read *z, enum bucket_kind kind, const struct name *sub,
                       uint64_t which) MUST_USE;
int look_open_names(struct look **out, struct zone_read *z, const struct name *sub, uint64_t which) MUST_USE;
/* What holds the visited place: for prefixes all of it. Until the next visit. */
const struct hits *look_prefixes_hits(const struct look *l);
const struct hits *look_names_exact(const struct look *l);
const struct hits *look_names_wild(const struct look *l);

/* The shortest prefix that holds a place (labels beneath the subzone), itself included: 1, 0 or an error. */
int look_prefixes_outermost(struct look *l, const struct look_at *at, struct read_item *i) MUST_USE;
/* Where a path, or as much of it as has the look's shape, is; *whole: all of it. */
struct look_at look_place(const struct look *l, struct bytes path, bool *whole);

/* --- zone.c --- */
/* The reader stays the caller's. */
int zone_read_open(struct zone_read *z, struct reader *r, const struct over *over, struct err *err) MUST_USE;
void zone_read_close(struct zone_read *z);
/* Datasets of the files that are attached at this subzone, acl apart. */
uint64_t zone_attached(const struct meta *m, const struct name *sub);

#endif
