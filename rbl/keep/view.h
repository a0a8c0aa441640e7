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
    struct name ns[DATA_NS];
    unsigned ns_count;
    int64_t expires_wall_s;
    uint64_t entries;
};
const struct view_apex *view_apex(const struct view *v); /* between begin and end */

/* The datasets of the files, by number, with the subzones they are attached at; the names live until the next begin.
 * view_epoch changes whenever they may have: what was made of them is stale then. */
const struct dataset *view_datasets(const struct view *v, unsigned *count);
uint32_t view_epoch(const struct view *v);

/* Which datasets a look-up is for: bit n for number n, VIEW_LOCAL for what was added and taken away by hand. Bits of
 * what is not there count for nothing. An acl dataset is only looked up by view_find_acl. */
#define VIEW_ALL UINT64_MAX
#define VIEW_LOCAL (UINT64_C(1) << DATASET_LOCAL)

struct view_hit {
    uint32_t value;
    uint32_t ttl;    /* the dataset's, or else the zone's; a value's own ttl counts more */
    uint8_t dataset; /* DATASET_LOCAL: by hand */
    struct bytes
        listed; /* names: the listed entry's text for '$', without "*." and final dot; until the next look-up */
};
/* Answers for an address or name (lower-case, zone or subzone stripped): hits added up over the datasets, at most
 * LIMIT_ANSWER_RRS, none for what is excluded. view_find6 also looks ::ffff:a.b.c.d and 6to4 addresses up in the IPv4
 * datasets, as rbldnsd does. *below: names exist beneath (an empty non-terminal: NODATA, not NXDOMAIN); only told when
 * there are no hits. Values of a generic dataset are VALUE_RR of any type. Returns 0 or E_CORRUPT. */
int view_find4(struct view *v, uint64_t which, uint32_t addr, struct view_hit *hit, unsigned *hits) MUST_USE;
int view_find6(struct view *v, uint64_t which, const uint8_t addr[16], struct view_hit *hit, unsigned *hits) MUST_USE;
int view_find_name(struct view *v, uint64_t which, const struct name *relative, struct view_hit *hit, unsigned *hits,
                   bool *below) MUST_USE;
/* Does any entry lie inside addr/bits, or around it (bits a multiple of 8, or of 4 for IPv6)? Then names exist beneath,
 * an exclusion's too. For empty non-terminals. */
int view_below4(struct view *v, uint64_t which, uint32_t addr, unsigned bits, bool *below) MUST_USE;
int view_below6(struct view *v, uint64_t which, const uint8_t addr[16], unsigned bits, bool *below) MUST_USE;
/* What the zone's acl datasets say of an asker: 1 and *value (VALUE_ACL, its ttl filled in), the lowest act of all that
 * know him; 0: none does; or E_CORRUPT. Costs nothing when there is no acl. */
int view_find_acl(struct view *v, const struct addr *client, struct value *value) MUST_USE;
/* The answer behind a hit's value, of the same begin and end. Of value->txt only txt_size octets are written. */
int view_value(struct view *v, uint32_t id, struct value *value) MUST_USE;
/* Whether there are entries of the kind at all; view_which4... tells the datasets that have some. */
bool view_has4(const struct view *v);
bool view_has6(const struct view *v);
bool view_has_names(const struct view *v);
bool view_has_acl(const struct view *v);
uint64_t view_which4(const struct view *v);
uint64_t view_which6(const struct view *v);
uint64_t view_which_names(const struct view *v);

#endif
