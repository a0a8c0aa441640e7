/* Inside of rbl/keep: the tables, the open zone, and what its files do for each other. */
#ifndef CANDOR_KEEP_IMPL_H
#define CANDOR_KEEP_IMPL_H

#include <pthread.h>

#include "rbl/keep/feed.h"
#include "rbl/keep/ids.h"
#include "resolver/store/env.h"
#include "resolver/store/fault.h"

/* Format 1 ends before TABLE_UNTIL. */
enum { TABLE_META, TABLE_VALUES, TABLE_4, TABLE_6, TABLE_NAMES, TABLE_JOURNAL, TABLE_UNTIL, TABLE_DUE, TABLES };
extern const char *const keep_tables[TABLES];
#define KEEP_MAKING ".new"
#define KEEP_ARRIVING "in" /* a snapshot from another node, "in3.new" */

enum {
    KEEP_PATH_MAX = 4096,
    KEEP_DAMAGE = 240,
    KEEP_BULK_CHANGES = 10000,    /* fewer changes than this never make a new generation of a zone that has one */
    KEEP_BULK_SHARE = 4,          /* more than one entry in so many: a new generation */
    KEEP_LIMITS_FROM = 100,       /* shares are judged from this many entries on */
    KEEP_BATCH = 4096,            /* records a bulk load appends in one transaction */
    KEEP_OLD_MS = 5000,           /* a generation stays so long behind its successor, for readers on their way to it */
    KEEP_BULK_PAGES = 64,         /* a difference on more than so many pages ... */
    KEEP_BULK_PAGE_SHARE = 2,     /* ... and more than one page in so many: a new generation is no dearer, and tight */
    KEEP_JOURNAL_LEAST = 4 << 20, /* octets of journal that any zone may have, within what is configured ... */
    KEEP_JOURNAL_ENTRY = 3,       /* ... and a larger one by its entries: history is not to outweigh the zone */
    KEEP_COMPACT_SHARE = 145,     /* percent of what the records need, appended in order: beyond, it is compacted */
    KEEP_COMPACT_SPARE = 1 << 18, /* octets that a file may have beyond its need whatever its size */
    KEEP_COMPACT_REST = 100,      /* it rests so many times as long as it took, and at least, */
    KEEP_CHECK_MS = 5000,         /* between two walks over all pages, and so many times as long as one takes: */
    KEEP_VERIFY_MS = 600000,      /* the same for reading everything back */
    KEEP_CHECK_REST = 100,
    KEEP_COMPACT_AGAIN_MS = 300000, /* when it failed, so long */
    /* octets of a changeset in one record: whole pages of LMDB's beside their header, and what is less than one in
     * halves of a page */
    KEEP_JOURNAL_CHUNK = 65536 - 64,
    KEEP_JOURNAL_PAGE = 4096,
    KEEP_JOURNAL_PAGE_HEAD = 16,
    KEEP_JOURNAL_HALF = 2016,
    KEEP_MAP_TIMES = 16,          /* address space for the map: so many times the file, and at least KEEP_MAP_LEAST */
    KEEP_CHANGESET_MAX = 1 << 30, /* a larger one is not kept, whatever the configuration says */
};

#define KEEP_MAP_LEAST ((uint64_t)1 << 30)

struct keep {
    const struct conf_zone *zone;
    char dir[KEEP_PATH_MAX]; /* state/zones/<zone> */
    int lock;
    bool reading;          /* keep_open_reading: no lock, nothing is written or removed */
    bool fixed;            /* keep_share: besides, one commit of one generation, until it is closed */
    struct store *store;   /* of the live generation; NULL: nothing was ever committed; set by keep_set_store alone */
    pthread_mutex_t share; /* of `store` and `generation`, between their owner and keep_share on other threads */
    bool reopen;           /* the store failed: open it again before the next use */
    char generation[32];
    char old[32]; /* to be removed; "": none */
    int64_t old_since_ms;
    uint32_t old_hint; /* the source's serial that was complained about */
    struct meta *meta;
    struct values *values;    /* for batches; NULL: not looked at yet */
    char damage[KEEP_DAMAGE]; /* what is wrong with what is stored; "": nothing is known */
    char barred[32]; /* a damaged generation that could not be set aside: this process does not open it again */
    int64_t check_after_ms, verify_after_ms, compact_after_ms;
    unsigned stale_cleared; /* slots of dead readers that were freed while it was weighed: not told yet */
    uint64_t weighed;       /* octets in use when they were last weighed against the need; 0: not yet */
    bool too_heavy;         /* what came out */
};

/* --- paths.c: names and files --- */
/* state/zones/<zone>; characters that a file name should not have become %XX. */
int keep_dir(char to[KEEP_PATH_MAX], const char *state, const char *zone, struct err *err) MUST_USE;
int keep_make_dirs(const char *dir, struct err *err) MUST_USE;
/* Reads `current`: E_NOTFOUND, E_CORRUPT, or a name like "g12". */
int keep_current_read(const char *dir, char generation[32], struct err *err) MUST_USE;
/* Replaces it durably. */
int keep_current_write(const char *dir, const char *generation, struct err *err) MUST_USE;
/* "g12" is a whole generation, "g12.new" one in the making: nothing that ends so is ever read. */
int keep_generation_number(const char *name, uint64_t *number) MUST_USE;
uint64_t keep_generation_next(const char *dir);
/* The whole generation with the greatest number; E_NOTFOUND. */
int keep_generation_newest(const char *dir, char generation[32]) MUST_USE;
/* "g12.new" becomes "g12". */
int keep_generation_finish(const char *dir, const char *generation, struct err *err) MUST_USE;
/* What another node's snapshot left behind half-made. */
void keep_remove_arriving(const char *dir);
void keep_remove_generation(const char *dir, const char *name);
/* Removes every generation, whole or not, but the two named (NULL: none). */
void keep_remove_others(const char *dir, const char *stay, const char *stay_too);
enum { GENERATION_WRITE = 1, GENERATION_BULK = 2, GENERATION_CHECK = 4 }; /* as in struct store_config */
int keep_open_generation(struct store **s, const char *dir, const char *generation, unsigned how, uint64_t map_bytes,
                         struct err *err) MUST_USE;
/* The three records of `meta`. */
int keep_read_meta(struct store_txn *t, struct meta *m, struct err *err) MUST_USE;

/* --- text.c --- */
const char *text_entry4(char *to, size_t cap, const uint8_t addr[4], unsigned bits);
const char *text_entry6(char *to, size_t cap, const uint8_t addr[16], unsigned bits);
const char *text_name(char *to, size_t cap, const uint8_t *reversed, size_t size, bool wildcard);

/* --- one entry, whatever its kind: what diff.c, journal.c and why.c hand around --- */
struct change {
    bool removed;
    enum feed_kind kind;
    uint8_t dataset;
    uint8_t bits; /* names: 1 for a wildcard */
    uint8_t addr[16];
    struct bytes name; /* reversed labels */
    bool excluded;
    bool stays;           /* it was there before and is: only its time is another */
    int64_t until_wall_s; /* of a local entry that comes or stays; 0: for good */
    struct value value;
};

/* Opens again what failed, removes a generation that was left behind long enough. Before any use of k->store. */
int keep_ready(struct keep *k, struct err *err) MUST_USE;

/* --- share.c --- */
/* `s` (NULL: none) becomes the store, of `generation`; the one before is closed, or was handed over to nobody. */
void keep_set_store(struct keep *k, struct store *s, const char *generation);

/* --- damage.c --- */
/* Runs `body` behind a guard against faults (resolver/store/fault.h): E_CORRUPT, and the store is opened again. */
int keep_guarded(struct keep *k, int (*body)(void *ctx, struct err *err), void *ctx, struct err *err) MUST_USE;
int keep_faulted(struct keep *k, const struct store_fault *f, struct err *err);
/* The same for a function that is nothing but this. */
#define KEEP_GUARDED(k, err, call)                                                                                     \
    struct store_fault f;                                                                                              \
    if (sigsetjmp(f.back, 0) != 0)                                                                                     \
        return keep_faulted(k, &f, err);                                                                               \
    store_fault_arm(&f);                                                                                               \
    int rc = call;                                                                                                     \
    store_fault_disarm(&f);                                                                                            \
    return rc
/* Notes that what is stored is damaged: it is written anew from the next contents, and takes no changes until then. */
void damage_note(struct keep *k, const struct err *err);
/* What is live cannot be used at all: it is moved to `damaged`, where one is kept, and the zone has nothing until its
 * contents come anew; serial and number of commits go on when they could be read. */
void damage_set_aside(struct keep *k, const char *generation, const struct err *err);
bool damage_is_aside(const struct keep *k); /* whether one was set aside */
/* Reads everything back. */
int damage_verify(struct keep *k, struct err *err) MUST_USE;
/* E_CORRUPT with what to do, when damage is known. */
int damage_refuses(const struct keep *k, struct err *err) MUST_USE;
struct digest change_digest(const struct change *c);

#endif
