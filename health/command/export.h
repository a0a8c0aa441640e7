/* `candor export`: a kept zone as a file of another program. Streams: the entries go by in the order of the store, and
 * only what was changed by hand is held, where the format needs it. */
#ifndef CANDOR_COMMAND_EXPORT_H
#define CANDOR_COMMAND_EXPORT_H

#include <stdio.h>

#include "health/command/zone.h"

struct export {
    FILE *to;
    struct keep *keep;
    const char *zone; /* with the final dot */
    const struct view_apex *apex;
    const struct dataset *dataset; /* of the files */
    unsigned datasets;
    uint32_t serial;
};

/* A data file of rbldnsd: of the dataset's type when there is one alone, else a combined one. What rbldnsd's format has
 * no word for is said in comments. */
int export_rbldnsd(struct export *x, struct err *err) MUST_USE;
/* A master file (RFC 1035): the RRs that transfers send. */
int export_bind(struct export *x, struct err *err) MUST_USE;
/* One entry a line: "192.0.2.0/24", "!192.0.2.1"; or an object of JSON. */
int export_plain(struct export *x, struct err *err) MUST_USE;
int export_json(struct export *x, struct err *err) MUST_USE;

/* "ip4trie" of an entry's dataset; "local" for what was added by hand. */
const char *export_type(const struct export *x, unsigned dataset);
/* Whether entries of this dataset are attached to this subzone ("" as in struct dataset: the root name is the apex). */
bool export_attached(const struct export *x, unsigned dataset, const struct name *sub);

/* --- export_local.c: what was changed by hand, in memory --- */
struct local {
    enum keep_kind kind;
    uint8_t bits;
    bool excluded, rr;
    uint8_t addr[16];
    const char *entry; /* as text */
    const char *value; /* as text; NULL when excluded */
};
struct locals {
    struct arena arena;
    struct local *at; /* by place: kind, addr or name, bits; exclusions first */
    size_t count, cap;
};
int locals_read(struct locals *l, struct export *x, struct err *err) MUST_USE;
void locals_free(struct locals *l);
/* Whether exactly this place is excluded by hand. */
bool locals_exclude(const struct locals *l, const struct keep_entry *e);
bool local_same_place(const struct local *a, const struct local *b);

#endif
