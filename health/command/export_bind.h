/* Inside of the export for BIND: the whole zone in memory, sorted, and what of it answers for a name.
 *
 * A wildcard of DNS ends where a name exists beneath it (RFC 4592), a network of a list does not. So wherever something
 * more specific stands, what holds it is written again at each step down to it: for an address in a listed /8 its /16
 * and /24, too. A step is a label: 8 bits of an IPv4 address, 4 of an IPv6 one. */
#ifndef CANDOR_COMMAND_EXPORT_BIND_H
#define CANDOR_COMMAND_EXPORT_BIND_H

#include "health/command/export.h"

enum { HITS = 128 };

/* One entry. Addresses: `key`, `bits`. */
struct bind_item {
    uint8_t key[16];
    uint32_t value; /* 0: an exclusion; else index + 1 in values */
    uint8_t bits, dataset;
};
/* Names: labels from the last to the first, as the store has them; `labels` of them. */
struct bind_name {
    const uint8_t *reversed;
    uint32_t value;
    uint8_t size, labels, dataset;
    bool wildcard;
};

/* An entry that holds a place; how specific it is: bits, labels of a wildcard, 128 for a name itself. */
struct hit {
    uint32_t value;
    uint8_t dataset, specific;
};
/* Of each dataset what is most specific; of the local one the entries and the exclusion apart. */
struct answer {
    unsigned count;
    struct hit hit[HITS];
};

struct bind_value {
    uint32_t hash, next; /* index + 1 */
    struct value *v;     /* only as far as txt_size */
};

struct bind {
    struct export *x;
    struct arena arena;
    struct bind_item *item[2]; /* IPv4, IPv6 */
    size_t items[2], item_cap[2];
    struct bind_name *name;
    size_t names, name_cap;
    struct bind_value *value;
    size_t values, value_cap;
    uint32_t *bucket;    /* BUCKETS of them: index + 1 of the newest value */
    uint32_t last_value; /* that of the entry before, most often this one's too; index + 1 */
    uint64_t attached;   /* datasets of the subzone that is being written, a bit each */
    bool failed;         /* no memory on the way: what was written is not whole */
    struct err *err;
};

/* --- export_bind.c --- */
/* Takes the hits of `dataset` out of the answer. */
void answer_drop(struct answer *a, unsigned dataset, bool exclusions_too);
void answer_add(struct answer *a, struct hit h);
/* What is left when exclusions have spoken: values to be told. */
void answer_final(const struct answer *a, struct answer *to);
/* Writes the RRs of a final answer at `owner`; `$` is what stands for '$' in a TXT, for a hit so specific. */
typedef const char *(*bind_subject)(void *ctx, const struct hit *h);
void bind_rrs(struct bind *b, const char *owner, const struct answer *final, bind_subject subject, void *ctx);
/* A name that is there and has nothing to say. */
void bind_excluded(struct bind *b, const char *owner);

/* --- export_addresses.c, export_names.c: sort, then write what is attached --- */
void bind_sort_addresses(struct bind *b, unsigned family);
void bind_addresses(struct bind *b, unsigned family);
void bind_sort_names(struct bind *b);
void bind_names(struct bind *b);

#endif
