/* Entries of a kept zone as plain RRs, and RRs as entries: for everybody who speaks standard DNS about a zone (AXFR and
 * IXFR both ways, UPDATE, the export for BIND).
 *
 *   192.0.2.2/32     2.2.0.192 (A, TXT)      192.0.2.0/24   *.2.0.192     /20   sixteen /24    /25   128 addresses
 *   2001:db8::/32    *.8.b.d.0.1.0.0.2       nibbles        names         as they are, *.name for wildcards
 *   an exclusion     a name that is there without A or TXT: HINFO "excluded" ""
 *
 * A wildcard of DNS ends where a name exists beneath it (RFC 4592), a network of a list does not: so wherever something
 * more specific stands, what holds it is told again at each step down to it. Datasets add up as rbl/answer has them add
 * up. '$' in a TXT becomes the address or name, at a wildcard the network ("192.0.2.0/24").
 *
 * The other way round A in 127/8 and TXT at an address's name are a listing, a wildcard of whole octets or nibbles is a
 * network, a name without A and TXT beneath a wildcard an exclusion, everything else an RR of its own. What comes in is
 * DATASET_LOCAL: several listings at one place, the most specific place decides. */
#ifndef CANDOR_RBL_RECORDS_H
#define CANDOR_RBL_RECORDS_H

#include "rbl/keep/walk.h"

struct records_rr {
    struct name owner; /* absolute, lower-case */
    uint16_t type;
    uint32_t ttl;
    struct bytes rdata; /* uncompressed; until the next call */
};

/* --- out --- */
struct records_walk;
/* The whole zone but its SOA: NS first, then every other RR once, owners in the store's order; RRs of one RRset stand
 * together. One read transaction of `reading` (its life is the caller's to bound), bounded memory. */
int records_walk_open(struct records_walk **out, struct keep *reading, struct err *err) MUST_USE;
int records_walk_next(struct records_walk *w, struct records_rr *rr,
                      struct err *err) MUST_USE; /* 1, 0: the end, error */
void records_walk_close(struct records_walk *w);
/* SOA of the same commit. */
void records_walk_soa(const struct records_walk *w, struct dns_soa *soa, uint32_t *ttl);

/* What has to be removed from and added to the RRs of `from_serial` to have those of now, netted, SOA apart: first all
 * removed ones, then all added ones. E_NOTFOUND: the journal does not reach back, or the change cannot be told in RRs
 * more cheaply than the zone (RECORDS_DIFF_MOST places touched): send the whole zone. */
enum { RECORDS_DIFF_MOST = 1 << 20 };
struct records_diff;
int records_diff_open(struct records_diff **out, struct keep *reading, uint32_t from_serial, struct err *err) MUST_USE;
int records_diff_next(struct records_diff *d, bool *removed, struct records_rr *rr, struct err *err) MUST_USE;
void records_diff_close(struct records_diff *d);
/* As it is now: SOA RDATA is written by the caller from this. */
int records_soa(struct keep *reading, struct dns_soa *soa, uint32_t *ttl, struct err *err) MUST_USE;

/* --- in: a whole zone --- */
struct records_in;
int records_in_open(struct records_in **out, const struct conf_zone *zone, struct err *err) MUST_USE;
/* Right behind opening: all RRs are held besides (about 100 octets each), so that the zone's digest can be checked. */
int records_in_collect(struct records_in *in) MUST_USE;
/* Any RR of the transfer, SOA (the first counts, the last is not given), NS, DNSSEC types and ZONEMD included. Owners
 * outside of the zone, and what is no data, are passed over and counted. E_FULL: limits.entries or LIMIT_LOAD_ENTRIES.
 * E_AGAIN: there is a ZONEMD, and nothing was collected: the transfer is to be taken once more from its beginning, with
 * records_in_collect. */
int records_in_add(struct records_in *in, const struct records_rr *rr, struct err *err) MUST_USE;
/* Wildcards and exclusions recognised, ZONEMD checked (RFC 8976) when the zone had one in a scheme and algorithm that
 * we know: E_INVALID with the words when it does not fit. `d` is good for keep_replace with `whole`, and lives until
 * records_in_close. */
int records_in_data(struct records_in *in, struct data **d, struct err *err) MUST_USE;
struct records_told {
    uint64_t rrs, outside, passed_over;
    bool zonemd_checked;
    int64_t heartbeat_ms; /* of the TXT at _candor-heartbeat, 0: none */
};
void records_in_told(const struct records_in *in, struct records_told *told);
void records_in_close(struct records_in *in);

/* --- in: changes (IXFR), edits in a batch, one difference sequence after the other --- */
struct records_edit;
int records_edit_open(struct records_edit **out, const struct conf_zone *zone, struct keep_batch *b,
                      struct err *err) MUST_USE;
/* Removing what is not there and adding what is there is E_INVALID: what we have is not what the server thinks
 * (RFC 1995: then the whole zone is fetched). SOA, and NS at the apex, go to keep_batch_set_apex. E_FULL of the batch:
 * the whole zone, too. */
int records_edit_remove(struct records_edit *e, const struct records_rr *rr, struct err *err) MUST_USE;
int records_edit_add(struct records_edit *e, const struct records_rr *rr, struct err *err) MUST_USE;
/* Puts what was collected into the batch; before keep_batch_commit. */
int records_edit_finish(struct records_edit *e, struct err *err) MUST_USE;
void records_edit_close(struct records_edit *e);

#endif
