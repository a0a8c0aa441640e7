/* The order of RFC 2136 section 3. */
#include "rbl/update/run.h"

#include <stdio.h>

#include "rbl/update/impl.h"

int update_refuse(struct update_run *u, unsigned rcode, const char *why) {
    u->result->rcode = rcode;
    text_copy(u->result->why, sizeof u->result->why, why);
    (void)err_set(u->err, E_REFUSED, "%s", why);
    return E_REFUSED;
}

/* --- prerequisites: section 3.2 */

/* SOA and NS of the apex are not entries; every zone has them. */
static bool of_the_zone(const struct update_rr *rr) {
    return rr->name.labels == 0 && (rr->type == TYPE_SOA || rr->type == TYPE_NS);
}

static bool type_there(const struct update_rr *rr, const struct update_place *p) {
    return of_the_zone(rr) || (rr->type == TYPE_ANY && p->apex) || update_has(p, rr->type);
}

static int prerequisite_form(struct update_run *u, const struct update_rr *rr) {
    if (rr->ttl != 0)
        return update_refuse(u, RCODE_FORMERR, "a prerequisite with a TTL");
    if (rr->outside)
        return update_refuse(u, RCODE_NOTZONE, "a prerequisite outside of the zone");
    bool exists = rr->klass == CLASS_ANY || rr->klass == CLASS_NONE;
    if (exists && (rr->rdata_size != 0 || (records_is_meta(rr->type) && rr->type != TYPE_ANY)))
        return update_refuse(u, RCODE_FORMERR, "a prerequisite with data that it must not have");
    if (!exists && (rr->klass != CLASS_ZONE || records_is_meta(rr->type) || rr->rdata_bad || rr->rdata_size == 0))
        return update_refuse(u, RCODE_FORMERR, "a prerequisite that is none");
    return 0;
}

static int prerequisite(struct update_run *u, const struct update_rr *rr) {
    struct update_place *p;
    int rc = prerequisite_form(u, rr);
    if (rc != 0 || rr->klass == CLASS_ZONE)
        return rc;
    rc = update_place_get(u, &rr->name, &p);
    if (rc != 0)
        return rc;
    bool there = type_there(rr, p), wanted = rr->klass == CLASS_ANY;
    if (there == wanted)
        return 0;
    if (rr->type == TYPE_ANY)
        return update_refuse(u, wanted ? RCODE_NXDOMAIN : RCODE_YXDOMAIN, "");
    return update_refuse(u, wanted ? RCODE_NXRRSET : RCODE_YXRRSET, "");
}

static bool same_rrset(const struct update_rr *a, const struct update_rr *b) {
    return a->klass == CLASS_ZONE && a->type == b->type && a->name.size == b->name.size &&
           memcmp(a->name.wire, b->name.wire, a->name.size) == 0;
}

/* SOA and NS of the message against those of the zone; both whole. */
static int zone_rrset_equal(struct update_run *u, unsigned first) {
    const struct update_rr *rr = &u->rr[first];
    unsigned count = update_apex_count(u, rr->type), found = 0;
    for (unsigned i = first; i < u->prerequisites; i++) {
        if (!same_rrset(&u->rr[i], rr))
            continue;
        if (!update_apex_has(u, rr->type, u->rr[i].rdata))
            return update_refuse(u, RCODE_NXRRSET, "");
        bool again = false;
        for (unsigned k = first; k < i; k++)
            again =
                again || (same_rrset(&u->rr[k], rr) && records_rdata_same(rr->type, u->rr[k].rdata, u->rr[i].rdata));
        found += !again;
    }
    return found == count ? 0 : update_refuse(u, RCODE_NXRRSET, "");
}

/* Section 3.2.3: the whole RRset of the message against the whole one of the zone; rr[first] is the first of it. */
static int rrset_equal(struct update_run *u, unsigned first) {
    const struct update_rr *rr = &u->rr[first];
    struct update_place *p;
    uint8_t room[VALUE_BYTES + 1];
    int rc = update_place_get(u, &rr->name, &p);
    if (rc != 0)
        return rc;
    if (of_the_zone(rr))
        return zone_rrset_equal(u, first);
    for (unsigned i = first; i < u->prerequisites; i++)
        if (same_rrset(&u->rr[i], rr) && !update_has_rdata(p, rr->type, u->rr[i].rdata))
            return update_refuse(u, RCODE_NXRRSET, "");
    for (unsigned v = 0; v < p->count; v++) {
        struct bytes mine = update_value_rdata(p, v, rr->type, room);
        bool found = mine.size == 0;
        for (unsigned i = first; i < u->prerequisites && !found; i++)
            found = same_rrset(&u->rr[i], rr) && records_rdata_same(rr->type, mine, u->rr[i].rdata);
        if (!found)
            return update_refuse(u, RCODE_NXRRSET, "");
    }
    return 0;
}

static bool first_of_rrset(const struct update_run *u, unsigned at) {
    for (unsigned i = 0; i < at; i++)
        if (same_rrset(&u->rr[i], &u->rr[at]))
            return false;
    return u->rr[at].klass == CLASS_ZONE;
}

static int prerequisites(struct update_run *u) {
    int rc = 0;
    for (unsigned i = 0; i < u->prerequisites && rc == 0; i++)
        rc = prerequisite(u, &u->rr[i]);
    for (unsigned i = 0; i < u->prerequisites && rc == 0; i++)
        if (first_of_rrset(u, i))
            rc = rrset_equal(u, i);
    return rc;
}

/* --- prescan: section 3.4.1 */

static int prescan_rr(struct update_run *u, const struct update_rr *rr) {
    bool meta = records_is_meta(rr->type), deletes = rr->klass == CLASS_ANY || rr->klass == CLASS_NONE;
    if (rr->outside)
        return update_refuse(u, RCODE_NOTZONE, "an update outside of the zone");
    if (!deletes && rr->klass != CLASS_ZONE)
        return update_refuse(u, RCODE_FORMERR, "an update of another class");
    if (deletes && rr->ttl != 0)
        return update_refuse(u, RCODE_FORMERR, "a deletion with a TTL");
    if (meta && !(rr->klass == CLASS_ANY && rr->type == TYPE_ANY))
        return update_refuse(u, RCODE_FORMERR, "an update of a type that is no data");
    if (rr->klass == CLASS_ANY ? rr->rdata_size != 0 : rr->rdata_bad)
        return update_refuse(u, RCODE_FORMERR, "RDATA that its type cannot have");
    /* Nothing that a list needs has an empty RDATA. */
    if (rr->klass != CLASS_ANY && rr->rdata_size == 0)
        return update_refuse(u, RCODE_FORMERR, "no RDATA");
    if (rr->klass == CLASS_ZONE && rr->ttl > INT32_MAX)
        return update_refuse(u, RCODE_FORMERR, "a TTL above 2^31 - 1 (RFC 2181)");
    return 0;
}

static int prescan(struct update_run *u) {
    int rc = 0;
    for (unsigned i = u->prerequisites; i < u->count && rc == 0; i++)
        rc = prescan_rr(u, &u->rr[i]);
    for (unsigned i = u->prerequisites; i < u->count && rc == 0; i++)
        if (u->rr[i].klass == CLASS_ZONE && records_is_dnssec(u->rr[i].type))
            rc = update_refuse(u, RCODE_REFUSED, "these zones are not signed");
    return rc;
}

/* --- updates: section 3.4.2 */

static int apex_ns(struct update_run *u, const struct update_rr *rr) {
    bool there = update_apex_has(u, TYPE_NS, rr->rdata), wanted = rr->klass == CLASS_ZONE;
    if (there == wanted || (!wanted && update_apex_count(u, TYPE_NS) == 1))
        return 0; /* section 3.4.2.4: the last one stays */
    return update_refuse(u, RCODE_REFUSED, "the name servers of a zone stand in its configuration or files");
}

/* Section 3.4.2.2: a serial that is not higher is ignored. */
static int apex_soa(struct update_run *u, const struct update_rr *rr) {
    uint32_t serial = get_u32(rr->rdata.at + rr->rdata.size - 20), now;
    if (update_apex_serial(u, &now)) {
        if ((int32_t)(serial - now) <= 0)
            return 0;
        if (!update_apex_same_soa(u, rr->rdata))
            return update_refuse(u, RCODE_REFUSED,
                                 "SOA, its serial apart, stands in the zone's configuration or files");
    }
    if (u->result->serial_hint == 0 || (int32_t)(serial - u->result->serial_hint) > 0)
        u->result->serial_hint = serial;
    return 0;
}

static int apex_rr(struct update_run *u, const struct update_rr *rr) {
    if (rr->klass == CLASS_ANY || (rr->klass == CLASS_NONE && rr->type == TYPE_SOA))
        return 0; /* sections 3.4.2.3 and 3.4.2.4: ignored */
    return rr->type == TYPE_NS ? apex_ns(u, rr) : apex_soa(u, rr);
}

static int update(struct update_run *u, const struct update_rr *rr) {
    struct update_place *p;
    if (of_the_zone(rr))
        return apex_rr(u, rr);
    if (rr->type == TYPE_SOA)
        return 0;
    int rc = update_place_get(u, &rr->name, &p);
    if (rc != 0)
        return rc;
    if (rr->klass == CLASS_ZONE)
        return update_add(u, p, rr);
    return update_remove(u, p, rr->type, rr->klass == CLASS_NONE ? &rr->rdata : NULL);
}

static int carry_out(struct update_run *u) {
    int rc = update_read(u);
    if (rc == 0)
        rc = prerequisites(u);
    if (rc == 0)
        rc = prescan(u);
    for (unsigned i = u->prerequisites; i < u->count && rc == 0; i++)
        rc = update(u, &u->rr[i]);
    for (struct update_place *p = u->places; p != NULL && rc == 0; p = p->next)
        if (p->touched)
            rc = update_place_put(u, p);
    return rc;
}

int update_run(const struct records_zone *z, const uint8_t *msg, size_t size, struct keep_batch *b,
               struct update_result *r, struct err *err) {
    static _Thread_local struct keep_entry found[UPDATE_VALUES]; /* large, and wanted once a message */
    struct update_run u = {
        .zone = z, .msg = msg, .size = size, .batch = b, .result = r, .err = err, .arena = {.limit = UPDATE_MEMORY}};
    *r = (struct update_result){.rcode = RCODE_NOERROR};
    u.found = found;
    int rc = carry_out(&u);
    arena_free(&u.arena);
    if (rc < 0 && rc != E_REFUSED) {
        r->rcode = RCODE_SERVFAIL;
        text_copy(r->why, sizeof r->why, err != NULL ? err->text : "");
    }
    return rc;
}
