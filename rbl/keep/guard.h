/* World-listing: what dead, hijacked and broken lists have in common is that they list everything. ORDB 2008, AHBL
 * 2015, SpamCop 2021: each of them took mail down everywhere. Judged before every commit, on exact figures:
 *
 * Space: share of IPv4 (of 2000::/3 for IPv6) that would be listed, exclusions taken off. More than `limits.space` is
 * refused; so is, from a /8 (a /11 of IPv6) on, more than `limits.grow` over what was listed before. A zone that is
 * beyond the limit already (forced once) may move by a tenth.
 *
 * Names: "*", which is every name; wildcards of more whole top-level domains than `limits.tlds`, those of com, net and
 * org counting a hundred each. A zone beyond already may not gain any.
 *
 * Values: A outside of 127.0.0.0/8, unless `limits.values: any`: no blocklist answers so, a parked domain does.
 *
 * Access lists and generic RRs list nothing. `limits.space: 100%` switches the first two off. */
#ifndef CANDOR_KEEP_GUARD_H
#define CANDOR_KEEP_GUARD_H

#include "rbl/keep/ids.h"
#include "rbl/keep/work.h"

enum { GUARD_WHY = 240 };

/* Each: 0, or E_REFUSED with `why` filled, or E_NOMEM. `before`: what is live, NULL: nothing. */
struct guard_world {
    const struct conf_zone *z;
    const struct meta *before, *next;
    const struct data *d; /* what will be listed, or it is stored, in `t` */
    struct store_txn *t;
};
int guard_space(const struct guard_world *w, char why[GUARD_WHY]) MUST_USE;
int guard_names(const struct guard_world *w, char why[GUARD_WHY]) MUST_USE;
/* Before changes are made to what is stored in `t`, of which space may be more: how far it can come at the most.
 * E_NOTFOUND: that is beyond the limit, and nothing but all of it will tell. */
int guard_grown(const struct guard_world *w, char why[GUARD_WHY]) MUST_USE;
int guard_values(const struct conf_zone *z, const struct ids *ids, char why[GUARD_WHY]) MUST_USE;
/* Of local entries, by their counts alone: `before` and `next` have DATASET_LOCAL. */
int guard_local(const struct conf_zone *z, const struct meta *before, const struct meta *next,
                char why[GUARD_WHY]) MUST_USE;
/* One value that somebody adds by hand. */
int guard_value(const struct conf_zone *z, const struct value *v, char why[GUARD_WHY]) MUST_USE;

/* "12.3%" of a share of 0.123, "33300%" of 333; `to` holds GUARD_PERCENT. Returns `to`. */
enum { GUARD_PERCENT = 32 };
const char *guard_percent(double share, char to[GUARD_PERCENT]);

/* Exact shares, 0 to 1, of what is listed: of IPv4 all datasets together, of 2000::/3 the largest of one. Negative: an
 * error. */
double guard_share_data(const struct data *d, enum bucket_kind kind);
double guard_share_stored(struct store_txn *t, const struct meta *m, enum bucket_kind kind);
/* Found out prefix by prefix: dataset after dataset, in the order of addresses, wider ones first. `addr`: of IPv6 the
 * first 64 bits. guard_share_close gives the share. */
struct guard_share;
int guard_share_open(struct guard_share **g, enum bucket_kind kind) MUST_USE;
void guard_share_dataset(struct guard_share *g); /* another one follows */
void guard_share_take(struct guard_share *g, uint64_t addr, unsigned bits, bool listed);
double guard_share_close(struct guard_share *g);
bool guard_lists_addresses(enum conf_dataset_type type);
/* Every name of a dataset that is stored; other than 0 from `each` ends it. */
int guard_each_name(struct store_txn *t, unsigned dataset,
                    int (*each)(void *ctx, struct bytes name, bool wildcard, bool excluded), void *ctx) MUST_USE;

#endif
