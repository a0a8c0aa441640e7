/* ZONE_FORMAT_DEF. What the table `meta` says of a zone: three records, written in the same transaction as the entries.
 *
 *   zone     format version, serial, commits, times, digest: fixed layout
 *   apex     datasets with type and TTL, SOA, NS: compared as bytes to see whether it changed
 *   counts   per dataset how many entries of each prefix length or number of labels there are, exact: a look-up skips
 *            what cannot hit */
#ifndef CANDOR_KEEP_META_H
#define CANDOR_KEEP_META_H

#include "rbl/keep/bucket.h"
#include "rbl/keep/keep.h"
#include "rbl/keep/value.h"
#include "rbl/keep/view.h"

/* META_FORMAT is written; from META_FORMAT_OLDEST on can be read, and becomes META_FORMAT with the next commit. */
enum { META_FORMAT_OLDEST = 1, META_FORMAT = 2, META_NS_MAX = DATA_NS };

enum count_kind { COUNT_4, COUNT_6, COUNT_EXACT, COUNT_WILDCARD, COUNT_KINDS };
enum { COUNT_LENGTHS = 129 }; /* bits 0..128, labels 0..127 */

/* Entries of one dataset by kind and length. */
struct counts {
    uint64_t n[COUNT_KINDS][COUNT_LENGTHS];
};

struct meta {
    unsigned format; /* as read */
    uint32_t serial;
    uint64_t commits;
    uint64_t entries[3]; /* IPv4, IPv6, names */
    int64_t changed_wall_s, timestamp_wall_s, expires_wall_s;
    uint64_t bad_lines;
    struct digest digest;
    uint64_t journal_bytes;                 /* keys and values of the table `journal` */
    unsigned dataset_count;                 /* of the files; DATASET_LOCAL is there besides */
    struct dataset dataset[LIMIT_DATASETS]; /* their subs point into `sub` */
    struct name sub[LIMIT_DATASETS][DATASET_SUBS];
    struct view_apex apex; /* serial, expires and entries repeated from above */
    struct counts counts[LIMIT_DATASETS];
};

static inline uint64_t meta_entries(const struct meta *m) { return m->entries[0] + m->entries[1] + m->entries[2]; }
/* Whether a key may begin with this number. */
static inline bool meta_has(const struct meta *m, unsigned dataset) {
    return dataset < m->dataset_count || dataset == DATASET_LOCAL;
}
/* A copy of what is in use. */
void meta_copy(struct meta *to, const struct meta *from);
bool meta_has_local(const struct meta *m);
/* The local entries' part of `from` in counts and entries comes to what `to` has. */
void meta_add_local(struct meta *to, const struct meta *from);

/* Records of `m`; apex of `d` over the configuration's. */
void meta_write_zone(struct buf *to, const struct meta *m);
void meta_write_apex(struct buf *to, const struct meta *m);
void meta_write_counts(struct buf *to, const struct meta *m);
/* But for serial, expiry and count, which are the zone's. */
bool apex_same(const struct view_apex *a, const struct view_apex *b);
/* Whether SOA, NS, TTLs or the datasets themselves differ; the serial does not count. */
bool meta_apex_changed(const struct meta *was, const struct meta *is);
int meta_take_apex(struct meta *m, const struct data *d, const struct conf_zone *zone, struct err *err) MUST_USE;

/* E_UNSUPPORTED: another format version, with a text that names both. E_CORRUPT: anything else. `zone` comes first. */
int meta_read_zone(struct meta *m, struct bytes record, struct err *err) MUST_USE;
int meta_read_apex(struct meta *m, struct bytes record, struct err *err) MUST_USE;
int meta_read_counts(struct meta *m, struct bytes record, struct err *err) MUST_USE;

/* How many of everything `d` holds, by reading it once; E_INVALID when an entry belongs to no dataset or value. */
int meta_count(struct meta *m, const struct data *d, struct err *err) MUST_USE;

/* Labels in reversed wire form; E_INVALID when it is none. */
int meta_labels(const uint8_t *reversed, size_t size, unsigned *labels) MUST_USE;

/* A value's record in the table `values`: how many entries of the files and how many local ones have it. */
struct uses {
    uint32_t local, files;
};
static inline bool uses_none(struct uses u) { return u.local == 0 && u.files == 0; }
void meta_write_value(struct buf *to, struct uses uses, const struct value *v);
/* E_CORRUPT: damaged, or nobody's. */
int meta_read_value(struct bytes record, struct uses *uses, struct value *v) MUST_USE;

#endif
