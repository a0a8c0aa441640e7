/* One zone that comes from primaries: what is to be done next, and what came of it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rbl/secondary/impl.h"
#include "resolver/base/log.h"

enum {
    MS = 1000,
    OUT_OF_STEP_MS = 100,
    OUT_OF_STEP_MOST = 2,
    NOT_KEPT_MOST = 4, /* then everything is asked for */
    NATIVE_AGAIN_MS = 1000
};

static int64_t now_of(const struct sec_zone *z) { return loop_now_ms(z->in->c.loop); }

/* --- freshness */

static void show_expiry(struct sec_zone *z) {
    struct keep_state st;
    int64_t lapses = z->checked_wall_ms / MS + z->s.expire_s, expires = lapses;
    bool have = keeper_state(z->in->c.keeper, z->index, &st, NULL) == 0;
    if (have && st.expires_wall_s != 0 && st.expires_wall_s < lapses)
        expires = st.expires_wall_s;
    board_set(&z->slot->lapses_wall_s, (uint64_t)lapses);
    board_set(&z->slot->expires_wall_s, (uint64_t)expires);
}

/* The newest that any of them spoke of. */
static void show_source(const struct sec_zone *z) {
    bool known = false;
    uint32_t newest = 0;
    for (unsigned i = 0; i < z->s.count; i++) {
        const struct schedule_primary *p = &z->s.primary[i];
        if (p->told && (!known || serial_newer(p->serial, newest)))
            newest = p->serial;
        known |= p->told;
    }
    board_set(&z->slot->source_serial, newest);
    board_set(&z->slot->source_known, known);
}

static int64_t due_ms(const struct sec_zone *z) {
    int64_t due = INT64_MAX, now = now_of(z);
    for (unsigned i = 0; i < z->s.count; i++)
        if (z->s.primary[i].ask_ms < due)
            due = z->s.primary[i].ask_ms;
    return due == INT64_MAX || due < now ? 0 : due - now;
}

void zone_show(struct sec_zone *z) {
    struct keep_state st;
    if (z->slot == NULL)
        return;
    board_set(&z->slot->secondary, z->s.count > 0);
    if (z->s.count == 0)
        return;
    show_source(z);
    board_set(&z->slot->checked_wall_ms, (uint64_t)z->checked_wall_ms);
    board_set(&z->slot->refresh_due_wall_s, (uint64_t)(clock_wall_ms() + due_ms(z)) / MS);
    bool fresh =
        z->fresh_known && keeper_state(z->in->c.keeper, z->index, &st, NULL) == 0 && st.serial == z->fresh.serial;
    board_set(&z->slot->stamp_wall_ms, fresh ? (uint64_t)z->fresh.stamp_ms : 0);
    board_set(&z->slot->committed_wall_ms, fresh ? (uint64_t)z->fresh.committed_ms : 0);
    board_set(&z->slot->epoch, z->epoch);
    if (z->checked_wall_ms != 0 && z->s.have)
        show_expiry(z);
}

void zone_checked(struct sec_zone *z) {
    z->checked_wall_ms = clock_wall_ms();
    z->in->kept_changed = true;
    if (z->slot != NULL)
        board_set(&z->slot->last_check_wall_s, (uint64_t)(z->checked_wall_ms / MS));
    zone_show(z);
}

/* --- what next */

static void take_state(struct sec_zone *z) {
    struct keep_state st;
    const struct view_apex *apex;
    if (keeper_state(z->in->c.keeper, z->index, &st, &apex) < 0)
        return;
    schedule_have(&z->s, st.serial);
    schedule_times(&z->s, apex->soa.refresh, apex->soa.retry, apex->soa.expire);
}

static bool become_ready(struct sec_zone *z) {
    struct keep *keep;
    struct keep_state st;
    if (z->ready)
        return true;
    if (keeper_keep(z->in->c.keeper, z->index, &keep, NULL) < 0)
        return false;
    keeper_give_back(z->in->c.keeper, z->index); /* only asked whether it is open */
    z->ready = true;
    kept_take(z);
    if (keeper_state(z->in->c.keeper, z->index, &st, NULL) == 0 && z->checked_wall_ms < st.changed_wall_s * MS)
        z->checked_wall_ms = st.changed_wall_s * MS;
    take_state(z);
    zone_show(z);
    return true;
}

/* It speaks the native option, and that has not failed for what it has now. */
static bool is_native(const struct sec_primary *p) {
    bool failed = p->native_failed >= SECONDARY_NATIVE_TRIES && p->native_serial == p->zone->s.primary[p->index].serial;
    return p->make == MAKE_CANDOR && !failed;
}

static bool room_for_whole(const struct sec_zone *z) { return z->in->full < z->in->c.conf->rbl.transfers.in; }

static bool usable(const struct sec_zone *z, unsigned i, int64_t now) {
    const struct schedule_primary *s = &z->s.primary[i];
    const struct sec_primary *p = &z->primary[i];
    return s->told && s->failures == 0 && is_native(p) && !p->went_back && now >= p->run_after_ms;
}

/* Who holds our question: the native primary with the newest serial, the first of several. -1: one does, or none can.
 */
static int choose_holder(const struct sec_zone *z, int64_t now) {
    int best = -1;
    for (unsigned i = 0; i < z->s.count; i++) {
        if (z->primary[i].run != NULL && z->primary[i].run->held)
            return -1;
        if (usable(z, i, now) && (best < 0 || serial_newer(z->s.primary[i].serial, z->s.primary[best].serial)))
            best = (int)i;
    }
    return best;
}

static void transfer(struct sec_zone *z, int64_t now) {
    bool whole = !z->s.have || z->s.whole || z->snapshot_wanted;
    if (z->first != NULL || z->s.transfer >= 0 || (whole && !room_for_whole(z)))
        return;
    int i = schedule_transfer(&z->s, now);
    if (i < 0)
        return;
    struct sec_primary *p = &z->primary[i];
    if (!is_native(p)) {
        if (!room_for_whole(z))
            z->s.transfer = -1;
        else
            (void)fetch_start(p);
        return;
    }
    z->s.transfer = -1; /* a run is its own record */
    if (p->run != NULL && z->snapshot_wanted && !p->run->snapshot)
        run_close(p->run);
    if (p->run == NULL && now >= p->run_after_ms)
        (void)run_start(p, choose_holder(z, now) == i, z->snapshot_wanted || z->s.whole);
}

void zone_next_step(struct sec_zone *z, int64_t now) {
    int i;
    if (z->in->closing || z->s.count == 0 || !become_ready(z))
        return;
    take_state(z);
    for (unsigned n = 0; n < z->s.count && (i = schedule_ask(&z->s, now)) >= 0; n++)
        check_start(&z->primary[i]);
    transfer(z, now);
    bool nothing = !z->s.have && !room_for_whole(z);
    i = z->s.whole || nothing ? -1 : choose_holder(z, now);
    if (i >= 0 && z->primary[i].run == NULL)
        (void)run_start(&z->primary[i], true, z->snapshot_wanted);
}

/* --- what came of it */

static uint32_t serial_of(const struct inbound *i) {
    return i->kind == INBOUND_NATIVE ? i->state.serial : i->plain.serial;
}

static uint64_t took_us(const struct inbound *i) { return (uint64_t)(clock_ns(CLOCK_KIND_MONO) / 1000 - i->began_us); }

static void note_fresh(struct sec_zone *z, const struct sec_primary *p, const struct inbound *i) {
    if (i->kind == INBOUND_NATIVE) {
        z->fresh = i->state;
    } else {
        int64_t stamp_ms = i->told.heartbeat_ms;
        if (stamp_ms == 0 && i->transfer == TRANSFER_IXFR) /* differences that leave it as it was */
            stamp_ms = z->fresh_known ? z->fresh.stamp_ms : 0;
        z->fresh = (struct native_state){.serial = i->plain.serial, .stamp_ms = stamp_ms, .path_count = 1};
        text_copy(z->fresh.path[0], NATIVE_NODE, p->name);
    }
    z->fresh_known = true;
}

static void note_propagation(struct sec_zone *z, const struct sec_primary *p, const struct inbound *i) {
    if (z->slot == NULL || i->kind != INBOUND_NATIVE || i->state.committed_ms == 0 || i->transfer != TRANSFER_NATIVE)
        return;
    board_zone_propagated(z->slot, clock_wall_ms() + p->offset_ms - i->state.committed_ms);
}

/* Tells the primary at once what we have now: it counts who is behind. */
static void acknowledge(struct sec_primary *p) {
    struct schedule_primary *s = &p->zone->s.primary[p->index];
    if (p->make != MAKE_CANDOR)
        return;
    if (p->check != NULL || s->asking) {
        p->ack_again = true;
        return;
    }
    s->asking = true;
    check_start(p);
}

void zone_committed(struct sec_zone *z, struct inbound *i, const struct job *j) {
    struct sec_primary *p = &z->primary[i->primary];
    int64_t now = now_of(z);
    bool same = i->turn == z->turn; /* its primaries are those that it came from */
    if (same) {
        link_transfer(p->link, i->transfer, TRANSFER_OK, i->octets, took_us(i));
        board_add(&p->link->bytes_in, i->octets);
        board_add(&p->link->applied, j->result.changed);
        link_tried(p->link, 0, "");
        p->out_of_step = p->differs = p->not_kept = p->run_failures = 0;
        p->said[0] = '\0';
        p->went_back = false;
        if (i->kind == INBOUND_NATIVE)
            p->native_failed = 0;
        p->most = serial_of(i);
        p->most_known = true;
        note_fresh(z, p, i);
        if (j->result.changed)
            note_propagation(z, p, i);
        z->snapshot_wanted = false;
        schedule_ended(&z->s, p->index, SCHEDULE_DONE, serial_of(i), now);
    }
    take_state(z);
    inbound_drop(i);
    zone_checked(z);
    if (same)
        acknowledge(p);
    zone_next_step(z, now);
}

/* Nothing came but what we have. */
static void up_to_date(struct sec_zone *z, struct inbound *i, struct sec_primary *p) {
    link_transfer(p->link, i->transfer, TRANSFER_OK, i->octets, took_us(i));
    schedule_ended(&z->s, p->index, SCHEDULE_DONE, z->s.serial, now_of(z));
    zone_checked(z);
}

/* No room, a disk that fails: nothing that the primary could do better. */
static bool own_trouble(int code) { return code == E_FULL || code == E_IO || code == E_NOMEM; }

static void native_failed(struct sec_zone *z, struct inbound *i, struct sec_primary *p, int code, const char *why) {
    int64_t now = now_of(z);
    bool stale = z->s.have && !z->s.whole && !serial_newer(i->state.serial, z->s.serial);
    if (code == E_NOTFOUND && stale)
        return; /* another primary was faster */
    if (p->run != NULL)
        run_close(p->run);
    if (code == E_NOTFOUND && ++p->out_of_step <= OUT_OF_STEP_MOST) {
        p->run_after_ms = now + OUT_OF_STEP_MS;
        return;
    }
    p->run_after_ms = now + NATIVE_AGAIN_MS;
    if (own_trouble(code)) { /* another kind of transfer would meet the same, and bring the contents in other entries */
        z->snapshot_wanted |= ++p->not_kept % NOT_KEPT_MOST == 0; /* changes that are too many for memory alone */
        link_tried(p->link, code, why);
        primary_log(p, "a transfer cannot be kept", why);
        return;
    }
    z->snapshot_wanted = true;
    p->native_failed++;
    p->native_serial = z->s.primary[p->index].serial;
    judge_reject(p, code == E_CORRUPT || code == E_NOTFOUND ? REJECT_DIGEST : REJECT_FORMAT, why);
}

static void plain_failed(struct sec_zone *z, struct inbound *i, struct sec_primary *p, int code, const char *why) {
    int64_t now = now_of(z);
    bool fits_not = code == E_UNSUPPORTED || code == E_INVALID || code == E_FULL || code == E_NOTFOUND;
    bool axfr_next = i->plain.type == TYPE_IXFR && fits_not;
    if (code == E_INVALID)
        judge_reject(p, REJECT_FORMAT, why);
    if (code == E_AGAIN && !p->collects) { /* records_in_add */
        p->collects = true;
        z->s.transfer = -1;
        return;
    }
    if (axfr_next) {
        p->no_ixfr = true;
        p->no_ixfr_serial = z->s.primary[p->index].serial;
        z->s.transfer = -1;
        return;
    }
    schedule_ended(&z->s, p->index, SCHEDULE_BROKEN, 0, now);
    link_tried(p->link, code, why);
    primary_log(p, "a transfer failed", why);
}

void zone_failed(struct sec_zone *z, struct inbound *i, int code, const char *why) {
    struct sec_primary *p = &z->primary[i->primary];
    char text[ERR_TEXT_MAX];
    text_copy(text, sizeof text, why); /* it may stand in `i` */
    if (i->turn != z->turn) {
        inbound_drop(i);
        return;
    }
    enum board_transfer_result result = code == E_REFUSED ? TRANSFER_REFUSED : TRANSFER_FAILED;
    bool ixfr_unknown = code == E_UNSUPPORTED && i->kind == INBOUND_PLAIN;
    if (!ixfr_unknown)
        link_transfer(p->link, i->transfer, result, i->octets, took_us(i));
    board_add(&p->link->bytes_in, i->octets);
    if (code == E_REFUSED) {
        judge_reject(p, REJECT_GUARD, text);
        schedule_ended(&z->s, p->index, SCHEDULE_REFUSED, serial_of(i), now_of(z));
        z->snapshot_wanted = false;
    } else if (i->kind == INBOUND_NATIVE) {
        native_failed(z, i, p, code, text);
    } else {
        plain_failed(z, i, p, code, text);
    }
    inbound_drop(i);
    zone_next_step(z, now_of(z));
}

bool zone_nothing_new(struct sec_zone *z, struct inbound *i) {
    if (i->plain.differences || i->records != NULL)
        return false;
    if (i->turn == z->turn)
        up_to_date(z, i, &z->primary[i->primary]);
    inbound_drop(i);
    zone_next_step(z, now_of(z));
    return true;
}

/* --- which primaries */

static void rule_free(struct conf_peer_rule *r) {
    free((void *)r->key);
    free((void *)r->tls_name);
    free((void *)r->ca);
    memset(r, 0, sizeof *r);
}

static int rule_copy(struct conf_peer_rule *to, const struct conf_peer_rule *from, struct err *err) {
    *to = *from;
    to->key = strdup(from->key);
    to->tls_name = strdup(from->tls_name);
    to->ca = strdup(from->ca);
    return to->key != NULL && to->tls_name != NULL && to->ca != NULL ? 0 : err_set(err, E_NOMEM, "no memory");
}

void zone_clear(struct sec_zone *z) {
    z->turn++;
    if (z->parked != NULL)
        inbound_drop(z->parked);
    for (unsigned i = 0; i < SCHEDULE_PRIMARIES; i++) {
        struct sec_primary *p = &z->primary[i];
        if (p->run != NULL)
            run_close(p->run);
        question_close(p->check);
        peer_put(p->peer);
        rule_free(&p->rule);
        memset(p, 0, sizeof *p);
    }
    for (struct inbound *i = z->first, *next; i != NULL; i = next) {
        next = i->next;
        if (!i->submitted)
            inbound_drop(i);
        else if (i->kind == INBOUND_NATIVE)
            inbound_part(i);
    }
    z->s.count = 0;
    z->snapshot_wanted = false;
    if (z->slot != NULL) {
        board_set(&z->slot->secondary, 0);
        board_set(&z->slot->lapses_wall_s, 0);
        board_set(&z->slot->diverged, 0);
    }
}

enum { LEAVE_NS = 1000000, LEAVE_TRIES = 5000 };

void zone_leave(struct sec_zone *z) {
    static const struct timespec pause = {.tv_nsec = LEAVE_NS};
    struct inbound *list[SECONDARY_QUEUE + 1];
    unsigned count = 0;
    for (struct inbound *i = z->first; i != NULL && count < SECONDARY_QUEUE; i = i->next)
        if (i->working && !i->submitted)
            list[count++] = i;
    if (z->parked != NULL && z->parked->working)
        list[count++] = z->parked;
    zone_clear(z);
    for (unsigned n = 0; n < count; n++)
        for (int t = 0; t < LEAVE_TRIES && __atomic_load_n(&list[n]->running, __ATOMIC_SEQ_CST) != 0; t++)
            (void)nanosleep(&pause, NULL);
    z->ready = z->fresh_known = false;
    z->checked_wall_ms = 0;
    z->epoch = 0;
}

int zone_set(struct sec_zone *z, const struct conf_rules *rules, struct err *err) {
    zone_clear(z);
    if (rules->count > SCHEDULE_PRIMARIES)
        return err_set(err, E_FULL, "zone %s: more than %d primaries", z->conf->name, SCHEDULE_PRIMARIES);
    for (unsigned i = 0; i < rules->count; i++) {
        struct sec_primary *p = &z->primary[i];
        p->zone = z;
        p->index = i;
        int rc = rule_copy(&p->rule, &rules->at[i], err);
        if (rc < 0) {
            zone_clear(z);
            return rc;
        }
        links_name(z->in->c.conf, &p->rule.address, p->name);
        p->link = links_get(z->in->c.links, z->index, LINK_FROM, p->name);
        board_set(&p->link->tls, p->rule.tls_name[0] != '\0');
        p->most_known = board_get(&p->link->serial_known) != 0;
        p->most = (uint32_t)board_get(&p->link->serial);
    }
    schedule_open(&z->s, (unsigned)rules->count, now_of(z));
    zone_show(z);
    return 0;
}
