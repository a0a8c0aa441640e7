/* A zone, or what changed in it, encoded once for all who ask for the same: a thread of the pool reads one commit and
 * fills a spool in slices, as fast as it can and whatever the clients do; they read behind it. So a read transaction
 * lives as long as encoding takes, not as long as the slowest client, and `rbl.transfers.life` bounds even that.
 *
 *   CAST_AXFR, CAST_IXFR   DNS messages (pack.h), two octets of length before each
 *   CAST_NATIVE            the stream of rbl/keep/stream.h, compressed when that pays
 *
 * On the loop's thread but for the encoders (encode_*.c). A cast belongs to the casts; who uses it holds a use of it.
 */
#ifndef CANDOR_RBL_PRIMARY_CAST_H
#define CANDOR_RBL_PRIMARY_CAST_H

#include "rbl/primary/spool.h"
#include "rbl/replicate/replicate.h"

enum {
    CAST_SLICE = 512 << 10, /* octets of one slice, then the loop hears of it */
    CAST_KEEP_MS = 60000,   /* a snapshot that nobody reads is kept so long: who was cut off goes on where it was */
    CASTS_KEPT = 4,
    CAST_ZSTD_LEAST = 4096 /* octets that are worth compressing */
};

enum cast_kind { CAST_AXFR, CAST_IXFR, CAST_NATIVE };
struct cast_want {
    enum cast_kind kind;
    int zone;
    bool have; /* from_serial counts (IXFR: always); CAST_NATIVE: with the digest */
    uint32_t from_serial;
    struct digest digest;
    uint64_t most; /* octets: beyond, the cast fails with E_FULL; CAST_IXFR: and never falls back to the whole zone; 0:
                      no bound */
};

struct encoder;
struct casts;
struct cast {
    struct cast *next;
    struct cast_want want;
    uint64_t asked_at; /* the zone's commit when it was asked for */
    unsigned uses;
    bool busy, opened, ended; /* opened: what follows is known; ended: nothing comes any more, `code` says why */
    int code;                 /* 0; E_EXISTS: nothing is missing; E_NOTFOUND, E_FULL, E_TIMEOUT, the store's trouble */
    struct err err;
    struct spool spool;
    /* known when opened */
    bool snapshot, zstd, incremental; /* incremental: CAST_IXFR did not fall back */
    uint32_t from_serial, to_serial;
    struct digest to_digest;
    uint64_t to_commit, octets_about;
    uint8_t id[16];
    int64_t idle_since_ms; /* without a use */
    /* the encoder's */
    struct casts *all;
    struct keep *keep; /* until it ended */
    int home;          /* want.zone; that is -1 once the zone has gone */
    struct name apex;
    struct encoder *encoder;
    int64_t began_ms, life_ms;
    atomic_bool stop; /* looked at between slices */
};

/* `moved`: there is more to read in this cast, or it was opened, or it ended. */
int casts_open(struct casts **out, const struct replicate_config *c, void (*moved)(void *ctx, struct cast *c),
               void *ctx, struct err *err) MUST_USE;
/* Those under way end at their next slice; casts_busy: some have not yet. */
void casts_stop(struct casts *all);
bool casts_busy(const struct casts *all);
/* After casts_busy said false. NULL is none. */
void casts_close(struct casts *all);
/* Of a zone that goes: nobody gets one of them again. */
void casts_drop(struct casts *all, int zone);
/* One that is under way or kept, or a new one. E_NOTFOUND: the zone is not there yet. */
int casts_get(struct casts *all, const struct cast_want *want, struct cast **out, struct err *err) MUST_USE;
/* The kept snapshot with this id; NULL: none. */
struct cast *casts_resume(struct casts *all, int zone, const uint8_t id[16]);
void cast_release(struct cast *c);
/* Now and then: what was kept long enough goes. */
void casts_tidy(struct casts *all);

/* --- encoders, on a thread of the pool. open fills in what is "known when opened"; slice: 1 there is more, 0 the end.
 */
struct encoder_ops {
    int (*open)(struct cast *c, struct keep *reading, struct err *err);
    int (*slice)(struct cast *c, struct err *err);
    void (*close)(struct cast *c);
};
extern const struct encoder_ops encoder_plain, encoder_native;

#endif
