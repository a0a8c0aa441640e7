#include "rbl/primary/cast.h"

#include <stdlib.h>

#include "rbl/keep/stream.h"
#include "resolver/base/clock.h"

#define MS_PER_S 1000

struct casts {
    struct replicate_config c;
    struct cast *first;
    void (*moved)(void *ctx, struct cast *c);
    void *ctx;
    unsigned busy;
    bool closing;
};

int casts_open(struct casts **out, const struct replicate_config *c, void (*moved)(void *ctx, struct cast *c),
               void *ctx, struct err *err) {
    struct casts *all = *out = calloc(1, sizeof *all);
    if (all == NULL)
        return err_set(err, E_NOMEM, "no memory for transfers");
    all->c = *c;
    all->moved = moved;
    all->ctx = ctx;
    return 0;
}

static const struct encoder_ops *ops_of(const struct cast *c) {
    return c->want.kind == CAST_NATIVE ? &encoder_native : &encoder_plain;
}

/* The keeper's zone is no longer needed. */
static void give_back(struct cast *c) {
    if (c->keep != NULL)
        keeper_give_back(c->all->c.keeper, c->want.zone);
    c->keep = NULL;
}

static void cast_free(struct cast *c) {
    give_back(c);
    struct cast **at = &c->all->first;
    while (*at != NULL && *at != c)
        at = &(*at)->next;
    if (*at == c)
        *at = c->next;
    spool_close(&c->spool);
    free(c);
}

void casts_stop(struct casts *all) {
    all->closing = true;
    for (struct cast *c = all->first; c != NULL; c = c->next)
        atomic_store_explicit(&c->stop, true, memory_order_relaxed);
}

bool casts_busy(const struct casts *all) { return all->busy > 0; }

void casts_close(struct casts *all) {
    if (all == NULL)
        return;
    while (all->first != NULL)
        cast_free(all->first);
    free(all);
}

void casts_drop(struct casts *all, int zone) {
    for (struct cast *c = all->first; c != NULL; c = c->next)
        if (c->want.zone == zone)
            atomic_store_explicit(&c->stop, true, memory_order_relaxed);
    casts_tidy(all);
}

/* --- on the pool */

/* The encoder's reading end goes when it is done, whatever came of it. */
struct slice {
    struct cast *cast;
    struct keep *reading;
    bool begun, ended;
    int code;
};

static void encode_end(struct slice *s, int code) {
    ops_of(s->cast)->close(s->cast);
    keep_close(s->reading);
    s->reading = NULL;
    s->ended = true;
    s->code = code;
    if (code == 0)
        spool_end(&s->cast->spool);
}

static int slice_open(struct slice *s) {
    struct cast *c = s->cast;
    int rc = keep_share(c->keep, &s->reading, &c->err);
    s->begun = true;
    c->began_ms = clock_mono_ms();
    if (rc < 0)
        return rc;
    struct keep_state st;
    keep_state(s->reading, &st);
    c->to_serial = st.serial;
    c->to_digest = st.digest;
    c->to_commit = st.commits;
    return ops_of(c)->open(c, s->reading, &c->err);
}

static void slice_run(void *ctx) {
    struct slice *s = ctx;
    struct cast *c = s->cast;
    int rc = s->begun ? 0 : slice_open(s);
    bool stop = atomic_load_explicit(&c->stop, memory_order_relaxed);
    if (rc == 0 && !stop)
        rc = ops_of(c)->slice(c, &c->err);
    if (rc > 0 && clock_mono_ms() - c->began_ms > c->life_ms)
        rc = err_set(&c->err, E_TIMEOUT, "reading the zone took longer than rbl.transfers.life");
    if (rc <= 0 || stop)
        encode_end(s, stop ? E_CLOSED : rc);
}

/* --- on the loop */

static bool is_stopped(const struct cast *c) { return atomic_load_explicit(&c->stop, memory_order_relaxed); }

static bool is_kept(const struct cast *c) {
    return c->want.kind == CAST_NATIVE && c->opened && c->snapshot && c->code == 0 && !is_stopped(c);
}

/* Of kept ones the oldest goes when there are too many; all whose time is up go. */
void casts_tidy(struct casts *all) {
    unsigned kept = 0;
    int64_t now = loop_now_ms(all->c.loop);
    struct cast *next;
    for (struct cast *c = all->first; c != NULL; c = next) { /* the youngest first */
        next = c->next;
        if (c->uses > 0 || c->busy)
            continue;
        if (!is_kept(c) || ++kept > CASTS_KEPT || now - c->idle_since_ms > CAST_KEEP_MS)
            cast_free(c);
    }
}

static void slice_done(void *ctx);

static int slice_start(struct slice *s) {
    struct cast *c = s->cast;
    int rc = loop_work(c->all->c.loop, slice_run, slice_done, s);
    if (rc < 0)
        return err_set(&c->err, rc, "no memory for a transfer");
    c->busy = true;
    c->all->busy++;
    return 0;
}

static void slice_done(void *ctx) {
    struct slice *s = ctx;
    struct cast *c = s->cast;
    struct casts *all = c->all;
    c->busy = false;
    c->opened = true;
    all->busy--;
    bool wanted = !all->closing && (c->uses > 0 || is_kept(c)), ended = s->ended;
    if (!ended && (!wanted || slice_start(s) < 0)) {
        encode_end(s, E_CLOSED);
        ended = true;
    }
    if (ended) { /* else a thread has it again */
        c->ended = true;
        c->code = s->code;
        give_back(c);
        free(s);
    }
    if (all->closing)
        return;
    all->moved(all->ctx, c);
    casts_tidy(all);
}

static bool same_want(const struct cast_want *a, const struct cast_want *b) {
    return a->kind == b->kind && a->zone == b->zone && a->have == b->have && a->most == b->most &&
           (!a->have ||
            (a->from_serial == b->from_serial && a->digest.lo == b->digest.lo && a->digest.hi == b->digest.hi));
}

static struct cast *find(struct casts *all, const struct cast_want *want, uint64_t commit) {
    for (struct cast *c = all->first; c != NULL; c = c->next)
        if (same_want(&c->want, want) && c->asked_at == commit && c->code == 0 && !is_stopped(c))
            return c;
    return NULL;
}

static int start(struct cast *c, struct err *err) {
    struct slice *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, E_NOMEM, "no memory for a transfer");
    s->cast = c;
    int rc = slice_start(s);
    if (rc < 0) {
        free(s);
        return err_set(err, rc, "no memory for a transfer");
    }
    return 0;
}

int casts_get(struct casts *all, const struct cast_want *want, struct cast **out, struct err *err) {
    struct keep_state st;
    *out = NULL;
    if (all->closing)
        return err_set(err, E_CLOSED, "candor-sync stops");
    if (keeper_state(all->c.keeper, want->zone, &st, NULL) < 0)
        return err_set(err, E_NOTFOUND, "nothing was committed yet");
    struct cast *c = find(all, want, st.commits);
    if (c != NULL) {
        c->uses++;
        *out = c;
        return 0;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, E_NOMEM, "no memory for a transfer");
    c->all = all;
    c->want = *want;
    c->asked_at = st.commits;
    c->life_ms = (int64_t)all->c.conf->rbl.transfers.life_s * MS_PER_S;
    c->next = all->first;
    all->first = c;
    c->spool.file = c->spool.spare = -1;
    int rc = name_from_text(&c->apex, keeper_zone_conf(all->c.keeper, want->zone)->name, err);
    if (rc == 0)
        rc = keeper_keep(all->c.keeper, want->zone, &c->keep, err);
    if (rc == 0)
        rc = spool_open(&c->spool, all->c.conf->node.state, err);
    if (rc == 0)
        rc = start(c, err);
    if (rc < 0) {
        cast_free(c);
        return rc;
    }
    c->uses = 1;
    *out = c;
    return 0;
}

struct cast *casts_resume(struct casts *all, int zone, const uint8_t id[16]) {
    for (struct cast *c = all->first; c != NULL; c = c->next)
        if (c->want.zone == zone && is_kept(c) && memcmp(c->id, id, sizeof c->id) == 0) {
            c->uses++;
            return c;
        }
    return NULL;
}

void cast_release(struct cast *c) {
    if (--c->uses > 0)
        return;
    c->idle_since_ms = loop_now_ms(c->all->c.loop);
    atomic_store_explicit(&c->stop, !is_kept(c), memory_order_relaxed);
    if (!c->busy)
        casts_tidy(c->all);
}
