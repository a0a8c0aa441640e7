/* The native option: what two Candor nodes say to each other inside of standard messages on the sync port.
 *
 * It is an EDNS option with a code for local use (RFC 6891 section 9). Servers of another make pass over it and answer
 * as the standard says: the same question works with everybody. All numbers in network order; a message may hold
 * several options, one part each, in order.
 *
 *   SOA  + STATUS   "this is what I hold of the zone"   -> SOA + STATUS of the server's: how peers compare digests
 *   IXFR + ASK      "give me what comes behind this"    -> a run of messages, each with parts of:
 *
 *     HEAD DATA... END      changes or a snapshot (rbl/keep/stream.h), compressed with zstd when it pays; END commits
 *     BEAT                  nothing new; so old is the evidence
 *     BYE                   the hold is over, ask again
 *
 * The question is held: when the asker has everything, the run stays open for `hold_s` seconds, and whatever is
 * committed meanwhile leaves at once, HEAD to END, without another question: one path delay behind the commit. A
 * message with an END, a BEAT or a BYE is signed by itself (TSIG, section 5.3.1 of RFC 8945), so that it can be
 * believed when it comes. The asker tells what it has committed by STATUS in a SOA question on the same session: that
 * is how the sender knows who is behind. BYE and a lost connection end a run; a snapshot that was cut off goes on at
 * `resume_at` when the sender still has the same one. */
#ifndef CANDOR_RBL_REPLICATE_NATIVE_H
#define CANDOR_RBL_REPLICATE_NATIVE_H

#include "rbl/model/data.h"

enum {
    NATIVE_OPTION = 65313,
    NATIVE_VERSION = 1,
    NATIVE_NODE = 64,       /* octets of a node's name */
    NATIVE_PATH = 16,       /* nodes between the source and here, both included */
    NATIVE_DATA = 32 << 10, /* octets of a part, so that a message stays below LIMIT_MESSAGE with its TSIG */
    NATIVE_HOLD_S = 60,
    NATIVE_BEAT_MS = 1000
};
enum native_kind {
    NATIVE_STATUS = 1,
    NATIVE_ASK = 2,
    NATIVE_HEAD = 3,
    NATIVE_PART = 4, /* DATA */
    NATIVE_END = 5,
    NATIVE_BEAT = 6,
    NATIVE_BYE = 7
};
enum native_flag { NATIVE_ZSTD = 1, NATIVE_SNAPSHOT = 2, NATIVE_HAVE = 4 /* serial and digest count */ };

/* What a node holds of a zone, and how fresh it is: STATUS, END, BEAT and BYE carry one. */
struct native_state {
    uint16_t flags;
    uint32_t serial;
    struct digest digest;
    uint32_t epoch;       /* of the zone's pair of primaries, 0: none (design: fencing) */
    uint64_t commit;      /* the sender's number of the commit */
    int64_t committed_ms; /* wall clock of the *source* when this serial was committed there; 0: not known */
    int64_t stamp_ms;     /* the heartbeat: wall clock of the source when it last said that this is all there is */
    int64_t wall_ms;      /* the sender's clock when this left it: for offsets */
    unsigned path_count;  /* the source first, the sender last */
    char path[NATIVE_PATH][NATIVE_NODE];
};
struct native_ask {
    uint16_t flags;
    uint32_t serial;
    struct digest digest;
    uint16_t hold_s;
    uint64_t resume_at;
    uint8_t resume_id[16];
    char node[NATIVE_NODE];
};
struct native_head {
    uint16_t flags; /* NATIVE_ZSTD, NATIVE_SNAPSHOT */
    uint8_t id[16]; /* of the snapshot, for resuming */
    uint64_t at;    /* offset in the compressed stream of the first PART: what was resumed */
    uint32_t from_serial, to_serial;
    uint64_t octets_about;
};
struct native {
    enum native_kind kind;
    union {
        struct native_state state;
        struct native_ask ask;
        struct native_head head;
        struct bytes part; /* into the message */
    };
};
enum { NATIVE_STATE_MAX = 64 + NATIVE_PATH * (NATIVE_NODE + 1) };

/* One option's data; size, or E_FULL. */
int native_write(const struct native *n, uint8_t *to, size_t cap) MUST_USE;
/* E_INVALID; E_UNSUPPORTED: another version or kind. Names are printable and end with NUL. */
int native_read(struct native *n, struct bytes option) MUST_USE;

#endif
