/* What comes in: octets wait until a signature has proved them, then the thread pool takes them in, batch after batch;
 * what is whole is committed by a job of the zone's keeper, in the order in which it came. */
#include <stdio.h>
#include <stdlib.h>

#include "rbl/secondary/impl.h"
#include "resolver/base/log.h"

void chunks_free(struct chunks *c) {
    while (c->first != NULL) {
        struct chunk *next = c->first->next;
        free(c->first);
        c->first = next;
    }
    *c = (struct chunks){0};
}

static void chunks_move(struct chunks *to, struct chunks *from) {
    if (from->first == NULL)
        return;
    if (to->last != NULL)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->octets += from->octets;
    *from = (struct chunks){0};
}

static int64_t now_us(void) { return clock_ns(CLOCK_KIND_MONO) / 1000; }

struct inbound *inbound_new(struct sec_zone *z, unsigned primary, enum inbound_kind kind, struct err *err) {
    struct inbound *i = calloc(1, sizeof *i);
    if (i == NULL) {
        (void)err_set(err, E_NOMEM, "no memory for a transfer");
        return NULL;
    }
    i->zone = z;
    i->primary = primary;
    i->turn = z->turn;
    i->kind = kind;
    i->began_us = now_us();
    (void)snprintf(i->source, sizeof i->source, "from %.57s", z->primary[primary].name);
    inbound_link(i);
    return i;
}

void inbound_link(struct inbound *i) {
    struct sec_zone *z = i->zone;
    i->next = NULL;
    if (z->last != NULL)
        z->last->next = i;
    else
        z->first = i;
    z->last = i;
    z->inbounds++;
}

void inbound_unlink(struct inbound *i) {
    struct sec_zone *z = i->zone;
    struct inbound *before = NULL;
    for (struct inbound *at = z->first; at != NULL; before = at, at = at->next) {
        if (at != i)
            continue;
        if (before != NULL)
            before->next = i->next;
        else
            z->first = i->next;
        if (z->last == i)
            z->last = before;
        z->inbounds--;
        return;
    }
}

static void inbound_free(struct inbound *i) {
    if (i->keep != NULL)
        keeper_give_back(i->zone->in->c.keeper, i->zone->index);
    chunks_free(&i->unproved);
    chunks_free(&i->fresh);
    chunks_free(&i->working_on);
    chunks_free(&i->kept);
    inbound_native_close(i);
    inbound_plain_close(i);
    free(i);
}

void inbound_part(struct inbound *i) {
    if (i->paused)
        peer_pause(i->peer, false);
    i->paused = false;
    i->peer = NULL;
}

void inbound_drop(struct inbound *i) {
    struct secondary *in = i->zone->in;
    if (i->dropped)
        return;
    i->dropped = true;
    __atomic_store_n(&i->cancel, 1, __ATOMIC_SEQ_CST);
    inbound_unlink(i);
    for (unsigned p = 0; p < SCHEDULE_PRIMARIES; p++)
        if (i->zone->primary[p].run != NULL && i->zone->primary[p].run->receiving == i)
            i->zone->primary[p].run->receiving = NULL;
    if (i->full)
        in->full--;
    i->full = false;
    if (i->zone->parked == i)
        i->zone->parked = NULL;
    question_close(i->question);
    i->question = NULL;
    struct peer *own = i->kind == INBOUND_PLAIN ? i->peer : NULL;
    inbound_part(i);
    peer_put(own);
    if (!i->working)
        inbound_free(i);
}

/* --- octets */

int inbound_add(struct inbound *i, struct bytes octets, bool proved) {
    struct chunk *c = malloc(sizeof *c + octets.size);
    if (c == NULL)
        return E_NOMEM;
    c->next = NULL;
    c->size = octets.size;
    memcpy(c->octets, octets.at, octets.size);
    struct chunks one = {c, c, octets.size};
    chunks_move(&i->unproved, &one);
    i->octets += octets.size;
    if (proved)
        inbound_proved(i);
    return 0;
}

void inbound_proved(struct inbound *i) {
    i->taken += i->unproved.octets;
    chunks_move(&i->fresh, &i->unproved);
    inbound_go(i);
}

/* --- the pool */

static void finish_work(struct inbound *i) {
    i->working = false;
    i->handed = 0;
    i->zone->in->working--;
}

/* Once it is cancelled the keep may be closed at any time, unless a thread is inside. */
static void take_in(void *ctx) {
    struct inbound *i = ctx;
    __atomic_store_n(&i->running, 1, __ATOMIC_SEQ_CST);
    if (inbound_goes_on(i) && i->kind == INBOUND_NATIVE)
        inbound_native_take(i);
    else if (inbound_goes_on(i))
        inbound_plain_take(i);
    __atomic_store_n(&i->running, 0, __ATOMIC_SEQ_CST);
}

static void taken_in(void *ctx) {
    struct inbound *i = ctx;
    finish_work(i);
    if (i->dropped) {
        inbound_free(i);
        return;
    }
    if (i->code < 0)
        zone_failed(i->zone, i, i->code, i->err.text);
    else if (i->kind == INBOUND_NATIVE || fetch_look(i))
        inbound_go(i);
}

static void pause_or_not(struct inbound *i) {
    size_t held = i->fresh.octets + i->handed;
    bool full = held > SECONDARY_HELD || (i->paused && held > SECONDARY_HELD / 2);
    bool pause = i->peer != NULL && (full || i->zone->inbounds > SECONDARY_QUEUE);
    if (pause != i->paused)
        peer_pause(i->peer, pause);
    i->paused = pause;
}

void inbound_go(struct inbound *i) {
    struct sec_zone *z = i->zone;
    bool small = i->kind == INBOUND_NATIVE && i->transfer == TRANSFER_NATIVE && i->octets <= SECONDARY_SMALL;
    pause_or_not(i);
    if (!i->working && !i->submitted && !small && i->fresh.first != NULL && i->code == 0) {
        chunks_move(&i->working_on, &i->fresh);
        i->handed = i->working_on.octets;
        i->working = true;
        z->in->working++;
        if (loop_work(z->in->c.loop, take_in, taken_in, i) < 0) { /* tried again with the next tick */
            finish_work(i);
            chunks_move(&i->fresh, &i->working_on);
        }
    }
    if (i->ended)
        zone_commit_ready(z);
}

/* --- the commit */

static int write_job(void *ctx, struct keep *k, struct keep_result *r, struct err *err) {
    struct inbound *i = ctx;
    int rc = i->kind == INBOUND_NATIVE ? inbound_native_commit(i, k, r, err) : inbound_plain_commit(i, k, r, err);
    i->code = rc;
    if (rc < 0)
        text_copy(i->err.text, sizeof i->err.text, err->text);
    /* What was wrong with the stream is no damage of ours, and what does not fit was not tried. */
    if (rc == E_CORRUPT)
        return err_set(err, E_INVALID, "%s", i->err.text);
    return rc == E_NOTFOUND ? err_set(err, E_AGAIN, "%s", i->err.text) : rc;
}

static void job_done(void *ctx, struct job *j) {
    struct inbound *i = ctx;
    struct sec_zone *z = i->zone;
    finish_work(i);
    if (i->dropped) {
        inbound_free(i);
        return;
    }
    if (j->code == E_CLOSED)
        inbound_drop(i);
    else if (i->code < 0 || j->code < 0)
        zone_failed(z, i, i->code < 0 ? i->code : j->code, j->err.text);
    else
        zone_committed(z, i, j);
}

static int submit(struct inbound *i) {
    struct secondary *in = i->zone->in;
    struct job *j = job_new(JOB_WRITE);
    if (j == NULL)
        return E_NOMEM;
    j->write = write_job;
    j->done = job_done;
    j->ctx = i;
    i->working = i->submitted = true;
    in->working++;
    chunks_move(&i->working_on, &i->fresh);
    int rc = keeper_submit(in->c.keeper, i->zone->index, j, NULL);
    if (rc == 0)
        return 0;
    finish_work(i);
    i->submitted = false;
    chunks_move(&i->fresh, &i->working_on);
    job_free(j);
    return rc;
}

/* Called again each tick: a keeper that was full has room later. */
void zone_commit_ready(struct sec_zone *z) {
    for (struct inbound *i = z->first; i != NULL; i = i->next) {
        if (i->submitted)
            continue;
        bool ready = i->ended && !i->working && i->code == 0 && (i->kind == INBOUND_NATIVE || i->complete);
        if (!ready || submit(i) < 0)
            return;
    }
}
