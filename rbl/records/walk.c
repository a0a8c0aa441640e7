#include <stdlib.h>

#include "rbl/records/impl.h"

struct records_walk {
    struct reader *r;
    struct zone_read z;
    struct walker *w;
    struct name apex;
    unsigned ns_told;
    const struct told *told;
    unsigned rr; /* of it */
};

int records_zone_name(struct name *apex, const struct keep *reading, struct err *err) {
    int rc = name_from_text(apex, reading->zone->name, err);
    name_lower(apex);
    return rc;
}

static int open_guarded(void *ctx, struct err *err) {
    struct records_walk *w = ctx;
    int rc = walker_open(&w->w, &w->z);
    return rc < 0 ? err_set(err, rc, "cannot walk: %s", err_name(rc)) : 0;
}

int records_walk_open(struct records_walk **out, struct keep *reading, struct err *err) {
    struct records_walk *w = calloc(1, sizeof *w);
    *out = NULL;
    if (w == NULL)
        return err_set(err, E_NOMEM, "no memory to walk");
    int rc = records_zone_name(&w->apex, reading, err);
    if (rc == 0)
        rc = reader_open(&w->r, reading, err);
    if (rc == 0)
        rc = zone_read_open(&w->z, w->r, NULL, err);
    if (rc == 0)
        rc = reader_guarded(w->r, open_guarded, w, err);
    if (rc < 0) {
        records_walk_close(w);
        return rc;
    }
    *out = w;
    return 0;
}

void records_walk_close(struct records_walk *w) {
    if (w == NULL)
        return;
    walker_close(w->w);
    zone_read_close(&w->z);
    reader_close(w->r);
    free(w);
}

/* A zone that names no server has one here: none that loads a zone does without. */
bool records_ns(const struct meta *m, const struct name *apex, unsigned index, struct records_rr *rr) {
    static const struct name localhost = {.size = 11, .labels = 1, .wire = "\11localhost"};
    const struct view_apex *a = &m->apex;
    if (index >= (a->ns_count > 0 ? a->ns_count : 1))
        return false;
    const struct name *ns = a->ns_count > 0 ? &a->ns[index] : &localhost;
    rr->owner = *apex;
    rr->type = TYPE_NS;
    rr->ttl = a->ns_count > 0 ? a->ns_ttl : a->ttl;
    rr->rdata = (struct bytes){ns->wire, ns->size};
    return true;
}

/* The owner's name; one that has no room beneath the apex is none. */
bool records_owner(struct name *to, const struct told *t, const struct name *apex) {
    size_t star = t->star ? 2 : 0, size = star + t->path_size + apex->size;
    if (size > LIMIT_NAME_WIRE)
        return false;
    size_t end = star + t->path_size;
    to->size = (uint8_t)size;
    to->labels = (uint8_t)(t->labels + t->star + apex->labels);
    if (t->star)
        memcpy(to->wire, "\1*", 2);
    for (size_t at = 0; at < t->path_size; at += t->path[at] + 1u) {
        end -= t->path[at] + 1u;
        memcpy(to->wire + end, t->path + at, t->path[at] + 1u);
    }
    memcpy(to->wire + star + t->path_size, apex->wire, apex->size);
    return true;
}

struct call {
    struct records_walk *w;
    struct records_rr *rr;
};

static int next_guarded(void *ctx, struct err *err) {
    const struct call *c = ctx;
    struct records_walk *w = c->w;
    do {
        int rc = walker_next(w->w, &w->told);
        if (rc < 0)
            return err_set(err, rc, "reading the zone: %s", err_name(rc));
        if (rc == 0) {
            w->told = NULL;
            return 0;
        }
    } while (!records_owner(&c->rr->owner, w->told, &w->apex));
    w->rr = 0;
    return 1;
}

int records_walk_next(struct records_walk *w, struct records_rr *rr, struct err *err) {
    if (records_ns(w->z.m, &w->apex, w->ns_told, rr)) {
        w->ns_told++;
        return 1;
    }
    if (w->told == NULL || w->rr == w->told->rrs) {
        struct call c = {w, rr};
        int rc = reader_guarded(w->r, next_guarded, &c, err);
        if (rc <= 0)
            return rc;
    } else if (w->rr > 0 && !records_owner(&rr->owner, w->told, &w->apex)) {
        return E_CORRUPT;
    }
    const struct told_rr *t = &w->told->rr[w->rr++];
    rr->type = t->type;
    rr->ttl = t->ttl;
    rr->rdata = (struct bytes){w->told->rdata.at + t->at, t->size};
    return 1;
}

static void take_soa(const struct meta *m, struct dns_soa *soa, uint32_t *ttl) {
    *soa = m->apex.soa;
    soa->serial = m->serial;
    *ttl = m->apex.soa_ttl;
}

void records_walk_soa(const struct records_walk *w, struct dns_soa *soa, uint32_t *ttl) { take_soa(w->z.m, soa, ttl); }

int records_soa(struct keep *reading, struct dns_soa *soa, uint32_t *ttl, struct err *err) {
    struct reader *r;
    int rc = reader_open(&r, reading, err);
    if (rc < 0)
        return rc;
    take_soa(reader_meta(r), soa, ttl);
    reader_close(r);
    return 0;
}
