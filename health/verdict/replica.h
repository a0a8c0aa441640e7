/* What the board's evidence of replication comes to, zone by zone, in words. Pure: given what was read and the time,
 * used alike by the prober, the pages and `candor sync-status`.
 *
 *   board -> replica_links_read -> struct replica of a zone -> ages, lag; replica_source, replica_reach, ...
 *
 * VERDICT_UNKNOWN: there is no fresh evidence, so nothing is said; who judges lets its check age. */
#ifndef CANDOR_VERDICT_REPLICA_H
#define CANDOR_VERDICT_REPLICA_H

#include "health/verdict/verdict.h"
#include "resolver/base/board.h"
#include "resolver/base/conf.h"

enum {
    REPLICA_CLOCK_MS = 60000,       /* clocks that differ by more warn; TSIG fails at 300 s */
    REPLICA_HELD_MS = 15000,        /* a held question without a word for longer is no evidence */
    REPLICA_SILENT_MS = 150000,     /* a Candor secondary says what it has at least each minute */
    REPLICA_FORGOTTEN_MS = 3600000, /* one that no configuration names, and gone for longer: it was taken away */
    REPLICA_HEARTBEAT_MS = 120000   /* record of another make's zone: written, and fetched, so much later at most */
};

/* All links of the board, read once, by zone. Zero it first. */
struct replica_links {
    struct board_link *at;
    const struct board_link **sorted;
    size_t count, cap;
    bool others; /* there were more than the board holds */
};
int replica_links_read(struct replica_links *l, const struct board *b) MUST_USE;
size_t replica_links_of(const struct replica_links *l, size_t zone, const struct board_link *const **first);
void replica_links_free(struct replica_links *l);

/* One zone as it was read. */
struct replica {
    const struct conf *conf;
    const struct conf_zone *zone;
    const struct board_zone *z;
    const struct board_link *const *link;
    size_t links;
    int64_t now_ms;       /* wall */
    int64_t allowance_ms; /* so long a change may take (health.interval.zones) */
};

/* Whether it comes from elsewhere, and whether it goes anywhere. */
bool replica_is_secondary(const struct replica *r);
bool replica_is_primary(const struct replica *r);
/* How old the evidence of the source, and of any primary, is; -1: not known. At the source both are since the last look
 * at its files, and -1 when it has none. */
int64_t replica_data_age_ms(const struct replica *r);
int64_t replica_check_age_ms(const struct replica *r);
/* The newest serial that a primary said to have; false: none did. */
bool replica_newest(const struct replica *r, uint32_t *serial);
/* How many serials the newest primary is ahead; 0 too when that is not known. */
uint32_t replica_lag(const struct replica *r);
/* A link, its evidence aged. */
enum board_link_state replica_link_state(const struct replica *r, const struct board_link *k);
/* Whether the configuration names this secondary. */
bool replica_expects(const struct replica *r, const struct board_link *k);
/* A secondary that should be told of: how long it lacks something, or has been silent; 0: all is well. */
int64_t replica_trouble_ms(const struct replica *r, const struct board_link *k, char *words, size_t size);
const char *replica_link_word(enum board_link_state s); /* "ok", "behind", ... */
/* "350 ms", "12.3 s", "5 min", "3 h". Returns `to`. */
const char *replica_age_text(char to[32], int64_t ms);

/* Verdicts; `came` says why. behind_ms: how long the newest primary has been ahead of us. */
enum verdict_state replica_source(const struct replica *r, int64_t behind_ms, char *came, size_t size);
enum verdict_state replica_reach(const struct replica *r, char *came, size_t size);
enum verdict_state replica_same(const struct replica *r, char *came, size_t size);
enum verdict_state replica_pair(const struct replica *r, char *came, size_t size);
/* Of all links: clocks that differ. */
enum verdict_state replica_clocks(const struct replica_links *l, int64_t now_ms, char *came, size_t size);

#endif
