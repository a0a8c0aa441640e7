/* Looking into a kept zone, from a worker of the resolver: read-only, one look-up path, nothing allocated per question.
 * A view follows the zone from generation to generation by itself. Bytes from disk are checked before use. */
#ifndef CANDOR_RBL_VIEW_H
#define CANDOR_RBL_VIEW_H

#include "rbl/keep/keep.h"

struct view;

/* E_NOTFOUND: no generation yet; call again later. */
int view_open(struct view **v, const char *state, const char *zone, struct err *err) MUST_USE;
void view_close(struct view *v);

/* Begins reading: follows `current` when it moved (looks at most every second unless `hint` (board: commits) changed),
 * renews the transaction. Everything until view_end is of one commit. An error is this zone's alone; it is tried again
 * after a second or with a new hint. One thread and one process per view; a process has at most one of a zone. */
int view_begin(struct view *v, uint64_t hint, struct err *err) MUST_USE;
void view_end(struct view *v);

struct view_apex {
    uint32_t serial, ttl, soa_ttl, ns_ttl;
    struct dns_soa soa;
    struct name ns[8];
    unsigned ns_count;
    int64_t expires_wall_s;
    uint64_t entries;
};
const struct view_apex *view_apex(const struct view *v); /* between begin and end */

struct view_hit {
    uint32_t value;
    uint32_t ttl; /* the dataset's, or else the zone's */
    uint8_t dataset;
    struct bytes
        listed; /* names: the listed entry's text for '$', without "*." and final dot; until the next look-up */
};
/* Answers for an address or name (lower-case, zone stripped): hits added up over all datasets, at most
 * LIMIT_ANSWER_RRS, none for what is excluded. view_find6 also looks ::ffff:a.b.c.d and 6to4 addresses up in the IPv4
 * datasets, as rbldnsd does. *below: names exist beneath (an empty non-terminal: NODATA, not NXDOMAIN); only told when
 * there are no hits. Returns 0 or E_CORRUPT. */
int view_find4(struct view *v, uint32_t addr, struct view_hit *hit, unsigned *hits) MUST_USE;
int view_find6(struct view *v, const uint8_t addr[16], struct view_hit *hit, unsigned *hits) MUST_USE;
int view_find_name(struct view *v, const struct name *relative, struct view_hit *hit, unsigned *hits,
                   bool *below) MUST_USE;
/* Does any entry lie inside addr/bits, or around it (bits a multiple of 8, or of 4 for IPv6)? Then names exist beneath,
 * an exclusion's too. For empty non-terminals. */
int view_below4(struct view *v, uint32_t addr, unsigned bits, bool *below) MUST_USE;
int view_below6(struct view *v, const uint8_t addr[16], unsigned bits, bool *below) MUST_USE;
/* The answer behind a hit's value, of the same begin and end. */
int view_value(struct view *v, uint32_t id, struct value *value) MUST_USE;
/* Whether there are entries of the kind at all. */
bool view_has4(const struct view *v);
bool view_has6(const struct view *v);
bool view_has_names(const struct view *v);

#endif
