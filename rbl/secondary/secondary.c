/* The door of the room, its clock, and NOTIFY. */
#include <stdlib.h>

#include "rbl/replicate/reply.h"
#include "rbl/secondary/impl.h"
#include "resolver/base/log.h"

enum { JUMP_MS = 2000, CLOSE_TURN_MS = 20, CLOSE_TURNS = 500 };

/* --- the clock */

/* The wall clock was set: what was checked stays as long ago as it was. */
static void follow_wall(struct secondary *in, int64_t now_ms) {
    int64_t ahead = clock_wall_ms() - now_ms, jump = ahead - in->last_wall_ms;
    bool first = in->last_wall_ms == 0;
    in->last_wall_ms = first || jump > JUMP_MS || jump < -JUMP_MS ? ahead : in->last_wall_ms;
    if (first || (jump <= JUMP_MS && jump >= -JUMP_MS))
        return;
    LOG(LEVEL_WARN, "the wall clock was set", KI("by_ms", jump));
    for (size_t i = 0; i < LIMIT_ZONES; i++) {
        struct sec_zone *z = in->zone[i];
        if (z == NULL || !z->ready || z->checked_wall_ms == 0)
            continue;
        z->checked_wall_ms += jump;
        zone_show(z);
    }
}

static void zone_tick(struct sec_zone *z, int64_t now) {
    const struct roles *roles = z->in->c.roles;
    if (roles != NULL && z->epoch < roles->at[z->index].epoch)
        z->epoch = roles->at[z->index].epoch;
    if (z->parked != NULL && now >= z->parked_until_ms)
        inbound_drop(z->parked);
    for (struct inbound *i = z->first, *next; i != NULL; i = next) {
        next = i->next;
        int64_t age_ms = clock_ns(CLOCK_KIND_MONO) / NS_PER_MS - i->began_us / 1000;
        if (!i->working && age_ms > SECONDARY_LONGEST_MS) {
            zone_failed(z, i, E_TIMEOUT, "a transfer that does not end");
            break;
        }
    }
    if (z->first != NULL && !z->first->working)
        inbound_go(z->first);
    zone_commit_ready(z);
    zone_next_step(z, now);
}

static void tick(void *ctx) {
    struct secondary *in = ctx;
    int64_t now = loop_now_ms(in->c.loop);
    if (in->closing)
        return;
    follow_wall(in, now);
    peers_tick(in, now);
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        if (in->zone[i] != NULL)
            zone_tick(in->zone[i], now);
    kept_tick(in, now, false);
}

/* --- zones */

static bool is_ourselves(const struct secondary *in, const struct addr *a) {
    const struct conf_list_addr *listen = &in->c.conf->rbl.listen;
    for (size_t i = 0; i < listen->count; i++) {
        const struct addr *own = &listen->at[i];
        bool host = addr_same_host(own, a) || (addr_is_any(own) && addr_is_loopback(a));
        if (host && addr_port(own) == addr_port(a))
            return true;
    }
    return false;
}

static int check_rules(const struct secondary *in, const char *zone, const struct conf_rules *rules, struct err *err) {
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < rules->count; i++) {
        if (!rules->at[i].has_address)
            return err_set(err, E_INVALID, "zone %s: a primary without an address", zone);
        if (is_ourselves(in, &rules->at[i].address))
            return err_set(err, E_INVALID, "zone %s: its primary %s is this node itself", zone,
                           addr_text(&rules->at[i].address, text));
    }
    return 0;
}

/* The place may have held another zone before. */
static struct sec_zone *zone_get(struct secondary *in, int index, struct err *err) {
    struct sec_zone *z = in->zone[index];
    const struct conf_zone *conf = keeper_zone_conf(in->c.keeper, index);
    struct name apex;
    if (name_from_text(&apex, conf->name, err) < 0)
        return NULL;
    if (z == NULL)
        z = in->zone[index] = calloc(1, sizeof *z);
    if (z == NULL) {
        (void)err_set(err, E_NOMEM, "no memory for a zone");
        return NULL;
    }
    z->in = in;
    z->index = index;
    z->conf = conf;
    z->slot = in->c.board != NULL ? &in->c.board->zone[index] : NULL;
    z->apex = apex;
    name_lower(&z->apex);
    return z;
}

int secondary_set_primaries(struct secondary *in, int zone, const struct conf_rules *primaries, struct err *err) {
    if (zone < 0 || zone >= LIMIT_ZONES)
        return err_set(err, E_NOTFOUND, "no such zone");
    if (primaries == NULL || primaries->count == 0) {
        if (in->zone[zone] != NULL)
            zone_clear(in->zone[zone]);
        return 0;
    }
    int rc = check_rules(in, keeper_zone_conf(in->c.keeper, zone)->name, primaries, err);
    if (rc < 0)
        return rc;
    struct sec_zone *z = zone_get(in, zone, err);
    return z != NULL ? zone_set(z, primaries, err) : err->code;
}

void secondary_zone(struct secondary *in, int zone) {
    struct err err = {0};
    if (zone < 0 || zone >= LIMIT_ZONES)
        return;
    const struct conf_zone *conf = keeper_zone_conf(in->c.keeper, zone);
    if (in->zone[zone] != NULL)
        zone_leave(in->zone[zone]);
    if (conf->name[0] != '\0' && secondary_set_primaries(in, zone, &conf->primaries, &err) < 0)
        LOG(LEVEL_ERROR, "a zone cannot be fetched", KS("zone", conf->name), KS("why", err.text));
}

int secondary_open(struct secondary **out, const struct replicate_config *c, struct err *err) {
    *out = NULL;
    struct secondary *in = calloc(1, sizeof *in);
    if (in == NULL)
        return err_set(err, E_NOMEM, "no memory for secondaries");
    in->c = *c;
    kept_read(in);
    int rc = 0;
    for (size_t i = 0; i < keeper_zones(c->keeper) && i < LIMIT_ZONES && rc == 0; i++) {
        const struct conf_zone *z = keeper_zone_conf(c->keeper, (int)i);
        if (z->primaries.count > 0)
            rc = secondary_set_primaries(in, (int)i, &z->primaries, err);
    }
    if (rc == 0 && (in->timer = loop_timer_start(c->loop, 0, SECONDARY_TICK_MS, tick, in)) == NULL)
        rc = err_set(err, E_NOMEM, "no memory for a timer");
    if (rc < 0) {
        secondary_close(in);
        return rc;
    }
    *out = in;
    return 0;
}

void secondary_close(struct secondary *in) {
    if (in == NULL)
        return;
    in->closing = true;
    if (in->timer != NULL)
        loop_timer_cancel(in->timer);
    if (in->timer != NULL)
        kept_tick(in, 0, in->kept_changed);
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        if (in->zone[i] != NULL) {
            zone_clear(in->zone[i]);
            while (in->zone[i]->first != NULL)
                inbound_drop(in->zone[i]->first);
        }
    peers_close(in);
    /* What a thread of the pool has in its hands it puts down soon. */
    for (int i = 0; i < CLOSE_TURNS && in->working > 0; i++)
        loop_turn(in->c.loop, CLOSE_TURN_MS);
    kept_free(in);
    if (in->working > 0)
        return; /* a disk that does not answer: the process ends */
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        free(in->zone[i]);
    free(in);
}

/* --- what others ask */

bool secondary_fresh(const struct secondary *in, int zone, struct native_state *st) {
    const struct sec_zone *z = zone >= 0 && zone < LIMIT_ZONES ? in->zone[zone] : NULL;
    if (z == NULL || z->s.count == 0)
        return false;
    *st = z->fresh_known ? z->fresh : (struct native_state){0};
    st->epoch = z->epoch;
    return true;
}

int secondary_refresh(struct secondary *in, int zone, bool whole, struct err *err) {
    struct sec_zone *z = zone >= 0 && zone < LIMIT_ZONES ? in->zone[zone] : NULL;
    if (z == NULL || z->s.count == 0)
        return err_set(err, E_NOTFOUND, "the zone has no primaries: this node is its source");
    int64_t now = loop_now_ms(in->c.loop);
    z->s.refused = false;
    for (unsigned i = 0; i < z->s.count; i++) {
        z->primary[i].run_after_ms = z->primary[i].native_failed = 0;
        z->primary[i].no_ixfr = false;
        schedule_hint(&z->s, i, NULL, now);
    }
    if (whole) {
        z->snapshot_wanted = true;
        schedule_whole(&z->s, -1, now);
    }
    int count = (int)z->s.count;
    zone_next_step(z, now);
    return count;
}

static bool is_from(const struct sec_primary *p, const struct client *c, const struct tsig *t) {
    bool key = t->key != NULL && p->rule.key[0] != '\0' && strcmp(p->rule.key, tsig_key_text(t->key)) == 0;
    return key || addr_same_host(&p->rule.address, &c->peer);
}

size_t secondary_notify(struct secondary *in, int zone, const struct client *c, const struct dns_query *q,
                        const struct tsig *t, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    struct sec_zone *z = zone >= 0 && zone < LIMIT_ZONES ? in->zone[zone] : NULL;
    size_t limit = reply_limit(c, q, cap);
    uint32_t serial = 0;
    bool from = false;
    if (z == NULL || z->s.count == 0)
        return reply_bare(q, t, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, "the zone has no primaries here", reply, limit);
    int64_t now = loop_now_ms(in->c.loop);
    bool known = dns_soa_serial(msg, size, SECTION_ANSWER, &z->apex, &serial);
    for (unsigned i = 0; i < z->s.count; i++)
        if (is_from(&z->primary[i], c, t)) {
            schedule_hint(&z->s, i, known ? &serial : NULL, now);
            from = true;
        }
    if (!from)
        return reply_bare(q, t, RCODE_REFUSED, EDE_PROHIBITED, "not one of the zone's primaries", reply, limit);
    zone_next_step(z, now);
    return reply_bare(q, t, RCODE_NOERROR, EDE_NONE, NULL, reply, limit);
}
