/* A zone on its way to another node: what changed since a serial, or all of it, as one stream of octets, exact and
 * compact (ranges, exclusions, templates, datasets, times as they are stored; docs/formats/stream.md). The same zone
 * has the same digest at both ends; a receiver commits when it is whole and the digest is right, else nothing happened.
 *
 *   keep_share() -> stream_out_open -> stream_out_read ...       the sender, on any thread, beside the writer
 *   stream_in_open -> stream_in_write ... -> stream_in_commit    the receiver; the commit is a job (JOB_WRITE)
 *
 * Changes: the journal's own changesets, commit after commit, with what changed at the apex and the times of local
 * entries. Snapshot: everything in key order; the receiver fills a new generation as it comes, in bounded memory.
 * The octets are not compressed here. */
#ifndef CANDOR_KEEP_STREAM_H
#define CANDOR_KEEP_STREAM_H

#include "rbl/keep/keep.h"

/* A second, reading keep on the live generation of `k`, for another thread: keep_state, keep_walk, keep_diff,
 * stream_out_* and whatever else keep_open_reading allows. Any thread, any time between keep_open and keep_close;
 * several at once. It sees one commit until it is closed, holds no lock that the writer waits for, and keeps pages from
 * being used again: who holds one bounds its life. E_NOTFOUND: nothing was ever committed. */
int keep_share(struct keep *k, struct keep **reading, struct err *err) MUST_USE;

struct stream_out;
struct stream_head {
    bool snapshot;
    uint32_t from_serial, to_serial; /* snapshot: from is 0 */
    struct digest from, to;
    uint64_t commits; /* told */
    uint64_t entries; /* after it */
    int64_t committed_wall_s;
    uint64_t octets_about; /* of the stream, roughly: is it worth compressing, how long will it take */
};
/* From the state (serial, digest) that the other side has; digest NULL: it has none to compare. E_NOTFOUND: the journal
 * does not reach back, the digest differs, or the changes weigh more than everything: open a snapshot. E_EXISTS: it has
 * all there is. `reading` stays the caller's and outlives the stream. */
int stream_out_open(struct stream_out **out, struct keep *reading, uint32_t have_serial, const struct digest *have,
                    struct stream_head *head, struct err *err) MUST_USE;
int stream_out_snapshot(struct stream_out **out, struct keep *reading, struct stream_head *head,
                        struct err *err) MUST_USE;
/* The next octets, *size 0 at the end. The same generation at the same commit gives the same stream. */
int stream_out_read(struct stream_out *o, uint8_t *to, size_t cap, size_t *size, struct err *err) MUST_USE;
void stream_out_close(struct stream_out *o);

struct stream_in;
/* Opening and writing happen on any one thread beside the keep's other jobs: changes are held in memory (at most
 * KEEP_CHANGESET_MAX), a snapshot fills a generation in the making, in a folder of its own. Committing wants the keep
 * alone. */
int stream_in_open(struct stream_in **in, struct keep *k, struct err *err) MUST_USE;
/* Any cut of the octets. E_INVALID, E_CORRUPT, E_FULL (KEEP limits): the stream is useless, nothing happened. */
int stream_in_write(struct stream_in *in, struct bytes part, struct err *err) MUST_USE;
/* Whole? Digest right? Guards (limits, test points)? Then durable, with the sender's serial. Changes whose from-state
 * is not ours: E_NOTFOUND (ask for more). E_CORRUPT: the digest came out wrong: ask for a snapshot. E_REFUSED: the
 * guards; the old state stays. */
int stream_in_commit(struct stream_in *in, const struct keep_commit *c, struct keep_result *r,
                     struct err *err) MUST_USE;
void stream_in_close(struct stream_in *in); /* NULL is none */

#endif
