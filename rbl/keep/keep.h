/* Keeping a zone: generations on disk, commits by difference, journal, digest. The format is docs/formats/zone.md.
 *
 *   state/zones/<zone>/current        text file with the name of the live generation, replaced by rename
 *   state/zones/<zone>/g<number>/     one LMDB environment: meta, values, entries, journal
 *
 * A small change is one durable write transaction on the live generation; a bulk load fills a new generation in key
 * order, syncs it, and renames the pointer. Either way readers see the old state or the new one. One process keeps
 * (candor-sync); others look (keep_view). After a kill at any moment keep_open finds the last committed state and
 * removes what was half-made. */
#ifndef CANDOR_RBL_KEEP_H
#define CANDOR_RBL_KEEP_H

#include "rbl/model/data.h"

struct keep;

/* What is true of the live generation; stored in meta, in the same transaction as the entries. */
struct keep_state {
    char generation[32];
    uint32_t serial;
    uint64_t commits; /* number of commits of this zone so far, never reset: orders the journal */
    uint64_t entries;
    struct digest digest;
    int64_t changed_wall_s; /* of the last commit */
    uint64_t bad_lines;
    int64_t expires_wall_s;
    bool empty; /* nothing was ever committed: the zone is not served */
};

/* Opens (making it) the store of `zone` under `state`. */
int keep_open(struct keep **k, const char *state, const struct conf_zone *zone, struct err *err) MUST_USE;
void keep_close(struct keep *k);
/* The zone's options are these from now on; nothing else works on the keep meanwhile. The name is the same. */
void keep_set_zone(struct keep *k, const struct conf_zone *zone);
/* Sets the zone's files aside: as if it had never been kept, durably. Who has them open reads and writes on. Nothing
 * there: 0. */
int keep_set_aside(const char *state, const char *zone, struct err *err) MUST_USE;
/* Deletes all that was set aside. */
void keep_delete_aside(const char *state);
void keep_state(const struct keep *k, struct keep_state *st);
/* How many of the entries were made by hand or UPDATE (DATASET_LOCAL), local exclusions included. */
uint64_t keep_local_entries(const struct keep *k);

struct keep_commit {
    const char *source;   /* "files", "publish": into the journal */
    const char *reason;   /* of a forced commit, or NULL */
    bool force;           /* skip the limits, not the format */
    uint32_t serial_hint; /* serial the source gave ($SOA); 0: choose */
    bool dry_run;         /* count, change nothing */
    bool exact_serial;    /* from a primary: serial_hint is the new serial, whatever ours is */
    bool whole;           /* keep_replace: `d` is everything there is, entries of DATASET_LOCAL included: what is there
                             by hand and not in `d` goes too (a full transfer) */
};

struct keep_result {
    uint64_t added, removed; /* entries (a changed value is one of each) */
    uint64_t bytes;          /* written to disk by the commit */
    uint64_t micros;
    bool changed, bulk;
    char first[8][96]; /* the first few changes as text: "+192.0.2.1 :127.0.0.2:..." */
    unsigned first_count;
};

/* Makes the zone's contents equal to `d` by difference. E_REFUSED when a guard says no (test points, limits: text with
 * the numbers), the old generation staying. Nothing changed: 0 with changed false and no new serial. Durable when it
 * returns 0. When what is stored turns out to be damaged, the new contents become a new generation (bulk). */
int keep_replace(struct keep *k, const struct data *d, const struct keep_commit *c, struct keep_result *r,
                 struct err *err) MUST_USE;

/* Whether the file has grown beyond KEEP_COMPACT_SHARE times what its entries need (free pages, splintered ones). */
bool keep_wants_compaction(struct keep *k);
/* Writes the same contents, serial and journal into a new generation packed tight and makes it the live one; readers
 * follow by themselves and never wait. Killed anywhere, the old or the new one is there. */
int keep_compact(struct keep *k, struct keep_result *r, struct err *err) MUST_USE;

/* One entry that answers for an address or a name, for "why". */
struct keep_match {
    unsigned dataset;
    enum conf_dataset_type type;
    unsigned bits; /* prefix length, or 1 for a wildcard name, 0 for an exact one */
    bool excluded;
    struct value value;
    char entry[300]; /* as text */
    bool local;      /* added or excluded by hand or UPDATE, not from a file */
    bool silenced;   /* a local exclusion keeps it from answering */
    int64_t until_wall_s;
    bool journal_known; /* the commit that brought it is still in the journal: */
    uint32_t since_serial;
    int64_t since_wall_s;
    char since_source[64]; /* who: files, publish, "update KEY", add */
};
int keep_why_addr(struct keep *k, const struct addr *a, struct keep_match *m, unsigned cap, unsigned *count,
                  struct err *err) MUST_USE;
int keep_why_name(struct keep *k, const struct name *n, struct keep_match *m, unsigned cap, unsigned *count,
                  struct err *err) MUST_USE;

/* One line of history, newest first. */
struct keep_history {
    uint32_t serial;
    int64_t wall_s;
    uint64_t added, removed, entries;
    struct digest digest;
    char source[64];
    char reason[128];
};
int keep_history(struct keep *k, struct keep_history *h, unsigned cap, unsigned *count, struct err *err) MUST_USE;

/* Recomputes count and digest from the entries: E_CORRUPT when they differ from meta. Reads everything. */
int keep_verify(struct keep *k, struct err *err) MUST_USE;

/* Looks after what is stored: all pages now and then, everything now and again, both a hundredth of the time at most.
 * E_CORRUPT: damage is known, and the text says what will heal it (reading the files, or publishing). Other generations
 * of damaged data are no more: `damaged` beside the generations holds the last one that could not be opened. */
int keep_look_after(struct keep *k, struct err *err) MUST_USE;

/* Numbers for the board. */
struct store_stat;
int keep_stat(struct keep *k, struct store_stat *st, struct err *err) MUST_USE;

#endif
