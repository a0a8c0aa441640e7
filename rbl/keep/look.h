/* What is listed: the one place that knows rbldnsd's rules for finding (docs: dnsbl "Datasets"), used by the resolver's
 * view, by the guards on data not yet committed, and by "why". Where the bytes come from is the source's business.
 *
 *   ip4set, ip4tset    the nearest of the classes 32, 24, 16, 8 that holds a covering prefix; all of them in it add up
 *   other prefixes     the longest covering prefix
 *   names              the exact name, else the longest wildcard above it; all of the same kind add up
 *
 * An exclusion found there means: this dataset does not list it. Datasets add up.
 *
 * The local dataset (edit.h) weighs against all others by how specific an entry is: bits, or labels of a wildcard, or
 * LOOK_EXACT. Its longest exclusion silences what others say by something as specific or less; of its other entries
 * the most specific ones answer, unless its exclusion is more specific still. */
#ifndef CANDOR_KEEP_LOOK_H
#define CANDOR_KEEP_LOOK_H

#include "rbl/keep/meta.h"

/* What a dataset can hold at all, from its counts. */
struct look_dataset {
    bool nearest_class; /* FIND_CLASS instead of FIND_LONGEST */
    uint8_t levels[2];  /* by bucket_kind: bit i: bucket_levels[kind].at[i] has entries */
    bool has_names;
    uint8_t deepest;                /* most labels of any name */
    uint64_t exact[2], wildcard[2]; /* bit n: names of n labels */
};
void look_dataset_of(struct look_dataset *ld, enum conf_dataset_type type, const struct counts *c);

/* A name with its labels in reversed order, as keys are. */
struct look_name {
    unsigned labels;
    uint8_t size;
    uint8_t end[LIMIT_LABELS + 1]; /* end[n]: bytes of the first n labels */
    uint8_t wire[LIMIT_NAME_WIRE];
};
void look_name_of(struct look_name *to, const struct name *n);

struct look_source {
    void *ctx;
    /* The bucket at level `level` (index into bucket_levels[kind]) for an address, or E_NOTFOUND, or an error. */
    int (*bucket)(void *ctx, enum bucket_kind kind, unsigned dataset, unsigned level, const uint8_t *addr,
                  struct bytes *bucket);
    /* The record of the name of the first `labels` labels, or E_NOTFOUND, or an error. */
    int (*name)(void *ctx, unsigned dataset, const struct look_name *n, unsigned labels, struct bytes *record);
};

/* Matches of one dataset, value 0 first when it is excluded; *count is set. For names `bits` is 1 for a wildcard, and
 * *labels says how many labels of the name the listed entry has. Returns 0 or an error of the source. */
int look_prefix(const struct look_source *s, const struct look_dataset *ld, unsigned dataset, enum bucket_kind kind,
                const uint8_t *addr, struct match *m, unsigned cap, unsigned *count) MUST_USE;
int look_name(const struct look_source *s, const struct look_dataset *ld, unsigned dataset, const struct look_name *n,
              struct match *m, unsigned cap, unsigned *count, unsigned *labels) MUST_USE;

enum { LOOK_EXACT = 128, LOOK_NOT = -1 }; /* LOOK_NOT: nothing is silenced */
/* The local dataset alone: matches that answer, and in *silenced how specific its longest exclusion is. */
int look_local_prefix(const struct look_source *s, const struct look_dataset *ld, enum bucket_kind kind,
                      const uint8_t *addr, struct match *m, unsigned cap, unsigned *count, int *silenced) MUST_USE;
int look_local_name(const struct look_source *s, const struct look_dataset *ld, const struct look_name *n,
                    struct match *m, unsigned cap, unsigned *count, unsigned *labels, int *silenced) MUST_USE;
/* A name's match with so many labels. */
static inline int look_specific_name(bool wildcard, unsigned labels) { return wildcard ? (int)labels : LOOK_EXACT; }
/* Takes those away that are silenced; an exclusion among the matches empties them. */
void look_silence_prefix(int silenced, struct match *m, unsigned *count);
void look_silence_name(int silenced, unsigned labels, struct match *m, unsigned *count);

/* Whether anything of the whole zone answers, for the guards: 1, 0 or an error. An acl dataset lists nothing. */
int look_listed_prefix(const struct look_source *s, const struct meta *m, enum bucket_kind kind,
                       const uint8_t *addr) MUST_USE;
int look_listed_name(const struct look_source *s, const struct meta *m, const struct name *name) MUST_USE;

/* IPv4 inside of IPv6: ::ffff:0:0/96 and 6to4 (2002::/16) are looked up in IPv4 data too, as rbldnsd does. */
bool look_embedded4(const uint8_t addr[16], uint8_t to[4]);
/* ::ffff:0:0/96 alone: an IPv4 asker on an IPv6 socket. */
bool look_mapped4(const uint8_t addr[16], uint8_t to[4]);

/* A record of the table `names`: values and whether each is a wildcard's. */
struct name_item {
    uint32_t value;
    bool wildcard;
};
/* 1: *i is the next, 0: the end, E_CORRUPT. */
int name_item_next(struct scan *s, struct name_item *i) MUST_USE;
void name_item_put(struct buf *to, struct name_item i);

#endif
