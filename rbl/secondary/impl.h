/* Inside of rbl/secondary:
 *
 *   schedule.c   when to ask whom (no I/O)            plain.c    RRs of a plain transfer, by their order (no I/O)
 *   peer.c       sessions and the questions on them   ask.c      questions, written
 *   check.c      SOA questions and NOTIFY             run.c      native runs: HEAD, PART, END, BEAT, BYE
 *   inbound.c    what comes in: queued, taken in on the thread pool, committed by a job of the keeper
 *   inbound_native.c, inbound_plain.c                 the two kinds of it
 *   fetch.c      a plain transfer: asked for and received
 *   judge.c      what a primary says of itself        zone.c     one zone: what is to be done next
 *   kept.c       what outlives a restart              secondary.c  the door, the clock; command.c: the control socket
 *
 * Everything runs on the loop's thread but what inbound.c hands to the pool: while it is there nobody else touches it.
 */
#ifndef CANDOR_SECONDARY_IMPL_H
#define CANDOR_SECONDARY_IMPL_H

#include "rbl/secondary/zone.h"
#include "resolver/base/clock.h"

/* --- run.c --- */
int run_start(struct sec_primary *p, bool hold, bool snapshot);
void run_close(struct run *r);

/* --- ask.c: size of the question, or an error --- */
int ask_soa(const struct sec_primary *p, uint8_t *to, size_t cap);
int ask_plain(const struct sec_primary *p, uint16_t type, uint8_t *to, size_t cap);
int ask_native(const struct sec_primary *p, bool hold, bool snapshot, uint8_t *to, size_t cap);
/* What we hold of the zone, as STATUS says it. */
void ask_state(const struct sec_zone *z, struct native_state *st);
/* A message's OPT: its native parts; size 0: there are none. */
struct bytes ask_options(struct bytes msg);

/* --- check.c --- */
void check_start(struct sec_primary *p);
/* It cannot be asked, or a session with it ended: told, counted, tried again later. */
void primary_failed(struct sec_primary *p, const struct err *why);
/* The same trouble is logged once a minute. */
void primary_log(struct sec_primary *p, const char *what, const char *why);

/* --- judge.c --- */
/* A believed state of the other side. 0, or the enum board_reject + 1 for which nothing of it is taken. */
int judge_state(struct sec_primary *p, const struct native_state *st);
/* What a server of another make says. */
void judge_serial(struct sec_primary *p, uint32_t serial);
void judge_reject(struct sec_primary *p, enum board_reject why, const char *text);
/* A message with the sender's clock; `half_ms`: what it took on its way. */
void judge_clock(struct sec_primary *p, int64_t wall_ms, int64_t half_ms, bool exact);

/* --- zone.c --- */
void zone_next_step(struct sec_zone *z, int64_t now_ms);
/* A primary said that what we have is what there is, or what there was a moment ago. */
void zone_checked(struct sec_zone *z);
void zone_show(struct sec_zone *z);
void zone_committed(struct sec_zone *z, struct inbound *i, const struct job *j);
void zone_failed(struct sec_zone *z, struct inbound *i, int code, const char *why);
/* A plain transfer that is whole and told nothing: true, and it is gone. */
bool zone_nothing_new(struct sec_zone *z, struct inbound *i);
int zone_set(struct sec_zone *z, const struct conf_rules *rules, struct err *err);
void zone_clear(struct sec_zone *z);
/* Nothing of it is to be touched any more: the keep is about to be closed. */
void zone_leave(struct sec_zone *z);

/* --- kept.c --- */
void kept_read(struct secondary *in);
void kept_take(struct sec_zone *z);
void kept_tick(struct secondary *in, int64_t now_ms, bool now);
void kept_free(struct secondary *in);

#endif
