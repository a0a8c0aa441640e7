/* What a zone's sources say, in memory: the common shape between reading files (rbl/load), storing (rbl/keep) and,
 * later, transfers. Built once, sorted, compared with what is stored, thrown away.
 *
 * A zone is a list of datasets, asked one after the other as rbldnsd does; all that are found add up. An entry belongs
 * to a dataset and has a value; the value VALUE_EXCLUDED means "not listed, whatever a wider entry says". Prefixes are
 * kept as they are written, never expanded: ip4set's "nearest of /32 /24 /16 /8" is told by entry_class4(). A range
 * that is no prefix becomes the fewest prefixes that make it up. */
#ifndef CANDOR_RBL_MODEL_DATA_H
#define CANDOR_RBL_MODEL_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/arena.h"
#include "resolver/base/bytes.h"
#include "resolver/base/conf.h"
#include "resolver/base/err.h"
#include "resolver/dns/writer.h"

/* What an entry says; interned. Compared as a whole: two values are equal when all that their kind uses is.
 *
 *   VALUE_LISTED  A and TXT of a list. TXT is a template: '$' stands for what was asked (for names: the listed entry),
 *                 a NUL, which no text file can hold, for a dollar sign; substitution happens when the question is
 *                 answered. $0..$9 and $= are resolved when the file is read.
 *   VALUE_RR      one RR of a generic dataset or an UPDATE: `type`, and RDATA in wire form, uncompressed, in txt[].
 *   VALUE_ACL     what an acl dataset says of an asker: `act`; for ACL_LISTED A and TXT as above, where '$' stands for
 *                 the asker's address.
 *
 * value_text() writes it as a data file would. */
enum value_kind { VALUE_LISTED, VALUE_RR, VALUE_ACL };
/* In the order in which a zone's and the global list are weighed: the lowest of both counts. */
enum acl_act { ACL_IGNORE, ACL_REFUSE, ACL_EMPTY, ACL_LISTED, ACL_PASS };
enum { VALUE_BYTES = 512 };
struct value {
    uint8_t kind; /* enum value_kind */
    uint8_t act;  /* VALUE_ACL: enum acl_act */
    uint8_t a[4];
    bool has_txt;
    uint16_t type;             /* VALUE_RR */
    uint32_t ttl;              /* VALUE_RR, and entries made by UPDATE: seconds; 0: the dataset's */
    uint16_t txt_size;         /* octets in txt[]: at most LIMIT_TXT of a TXT template, VALUE_BYTES of RDATA */
    char txt[VALUE_BYTES + 1]; /* txt_size octets count; not a C string */
};
enum { VALUE_TEXT_MAX = 4 * VALUE_BYTES + 64 };

enum { VALUE_EXCLUDED = 0, VALUE_FIRST = 1 };

struct entry4 {
    uint32_t addr;
    uint32_t value;
    uint8_t dataset, bits;
}; /* addr in host order, host bits zero */
struct entry6 {
    uint8_t addr[16];
    uint32_t value;
    uint8_t dataset, bits;
};
/* name: lower-case wire labels in reversed order ("\3com\7example"), no root label, so that a parent sorts before its
 * children. `wildcard`: *.name. */
struct entry_name {
    const uint8_t *name;
    uint8_t size;
    uint8_t dataset;
    bool wildcard;
    uint32_t value;
};

/* A combined dataset is none itself: each part behind a $DATASET is a dataset of its own, attached to the subzones that
 * its line names. */
enum { DATASET_SUBS = 16 };
struct dataset {
    enum conf_dataset_type type; /* never DATASET_COMBINED */
    uint8_t source; /* the configured dataset that it came from: parts of one share it, of their subzones the longest */
    uint32_t ttl;   /* of the dataset's A and TXT ($TTL); 0: the zone's */
    unsigned sub_count;     /* 0: attached at the apex alone, as most are */
    const struct name *sub; /* relative to the apex, lower-case; the root name: the apex ("@"); in the arena */
};

/* The dataset of what was added and taken away by hand or UPDATE, in every zone; its number is fixed, behind those of
 * files (keep.h). */
enum { DATASET_LOCAL = LIMIT_DATASETS - 1, DATA_NS = 32 };

struct data {
    struct arena arena;                     /* names and values live here */
    struct dataset dataset[LIMIT_DATASETS]; /* at most DATASET_LOCAL of them come from files */
    unsigned dataset_count;
    unsigned source_count; /* configured datasets read so far */
    struct value *value;   /* value[0] stands for VALUE_EXCLUDED */
    uint32_t value_count, value_cap;
    struct entry4 *e4;
    size_t n4, cap4;
    struct entry6 *e6;
    size_t n6, cap6;
    struct entry_name *en;
    size_t nn, capn;
    /* from the files, over the configuration's defaults */
    bool has_soa;
    bool soa_by_time; /* $SOA gave serial 0: soa.serial is the time of the newest file */
    struct dns_soa soa;
    uint32_t soa_ttl;
    struct name ns[DATA_NS];
    unsigned ns_count;
    uint32_t ns_ttl;
    uint32_t ttl;                      /* the zone's; data_open: 35 minutes */
    uint32_t ttl_min, ttl_max;         /* bounds of TTLs that the files give; 0: none */
    bool host_bits;                    /* bits behind a prefix are passed over; else the line is a bad one */
    int64_t timestamp, expires_wall_s; /* $TIMESTAMP; 0: none */
    uint64_t bad_lines;
    struct data_value_index *index;
};

int data_open(struct data *d);
void data_free(struct data *d);
/* Id of an equal value, made when new; E_FULL beyond LIMIT_VALUES. The data_add functions take a value as it is: that
 * it is one is checked by data_settle. E_FULL beyond LIMIT_LOAD_ENTRIES. */
int data_value(struct data *d, const struct value *v, uint32_t *id) MUST_USE;
bool value_same(const struct value *a, const struct value *b);
/* ":127.0.0.2:text $ of $$5", "300 MX 10 mx.example.", ":refuse"; `to` holds VALUE_TEXT_MAX. Returns `to`. */
const char *value_text(const struct value *v, char *to);
int data_add4(struct data *d, unsigned dataset, uint32_t first, uint32_t last,
              uint32_t value) MUST_USE; /* a range: the fewest prefixes */
int data_add6(struct data *d, unsigned dataset, const uint8_t addr[16], unsigned bits, uint32_t value) MUST_USE;
int data_add_name(struct data *d, unsigned dataset, const struct name *n, bool wildcard, uint32_t value) MUST_USE;
/* Sorts everything by (dataset, address or name, bits or wildcard) and settles duplicates as the type does: ip4trie and
 * ip6trie keep the first, ip4set and dnset keep all different values (equal ones once), or the exclusion alone when
 * there is one. */
int data_settle(struct data *d, struct err *err) MUST_USE;
uint64_t data_entries(const struct data *d);

/* ip4set: which of the look-ups 32, 24, 16, 8 finds a prefix of `bits`. */
static inline unsigned entry_class4(unsigned bits) { return bits > 24 ? 32 : bits > 16 ? 24 : bits > 8 ? 16 : 8; }

/* 128-bit digest of one entry, independent of value ids and order; sums (mod 2^128) make the digest of a zone. */
struct digest {
    uint64_t lo, hi;
};
struct digest digest_entry4(const struct data *d, const struct entry4 *e);
struct digest digest_entry6(const struct data *d, const struct entry6 *e);
struct digest digest_entry_name(const struct data *d, const struct entry_name *e);
static inline void digest_plus(struct digest *a, struct digest b) {
    a->lo += b.lo;
    a->hi += b.hi + (a->lo < b.lo);
}
static inline void digest_minus(struct digest *a, struct digest b) {
    uint64_t lo = a->lo;
    a->lo -= b.lo;
    a->hi -= b.hi + (lo < b.lo);
}

#endif
