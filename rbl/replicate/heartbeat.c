#include "rbl/replicate/heartbeat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/dns/message.h"

enum { HEARTBEAT_TTL_S = 5 };

struct beat {
    struct heartbeat *of;
    int64_t due_ms; /* 0: nothing was done yet */
    uint32_t every_s;
    bool running;
    bool looked; /* for a record of a former configuration */
};

struct heartbeat {
    struct loop *loop;
    struct keeper *keeper;
    struct loop_timer *timer;
    heartbeat_source_fn is_source;
    void *ctx;
    struct beat zone[LIMIT_ZONES];
};

int64_t heartbeat_read(struct bytes rdata) {
    int64_t ms = 0;
    if (rdata.size < 2 || rdata.at[0] != rdata.size - 1 || rdata.size - 1 >= HEARTBEAT_TEXT)
        return 0;
    for (size_t i = 1; i < rdata.size; i++) {
        if (rdata.at[i] < '0' || rdata.at[i] > '9' || ms > (INT64_MAX - 9) / 10)
            return 0;
        ms = ms * 10 + (rdata.at[i] - '0');
    }
    return ms;
}

static int make_entry(struct keep_entry *e) {
    *e = (struct keep_entry){.kind = KEEP_NAME};
    return name_from_text(&e->name, HEARTBEAT_LABEL ".", NULL);
}

static void make_value(struct value *v) {
    char text[HEARTBEAT_TEXT + 1];
    int n = snprintf(text, sizeof text, "%" PRId64, clock_wall_ms());
    *v = (struct value){.kind = VALUE_RR, .type = TYPE_TXT, .ttl = HEARTBEAT_TTL_S, .txt_size = (uint16_t)(1 + n)};
    v->txt[0] = (char)n;
    memcpy(v->txt + 1, text, (size_t)n);
}

/* On a thread of the pool. */
static int write_beat(void *ctx, struct keep_batch *b, struct err *err) {
    const struct beat *z = ctx;
    struct keep_entry e;
    int rc = make_entry(&e);
    if (rc == 0)
        rc = keep_batch_remove(b, &e, true, err);
    if (rc < 0 || z->every_s == 0)
        return rc;
    make_value(&e.value);
    return keep_batch_add(b, &e, err);
}

static void written(void *ctx, struct job *j) {
    struct beat *z = ctx;
    z->running = false;
    if (j->code != 0)
        LOG(LEVEL_WARN, "heartbeat not written",
            KS("zone", keeper_zone_conf(z->of->keeper, (int)(z - z->of->zone))->name), KS("why", j->err.text));
}

static void submit(struct beat *z, struct job *j, void (*done)(void *, struct job *)) {
    j->done = done;
    j->ctx = z;
    z->running = z->looked = keeper_submit(z->of->keeper, (int)(z - z->of->zone), j, NULL) == 0;
    if (!z->running)
        job_free(j);
}

static void write_or_remove(struct beat *z, uint32_t every_s) {
    struct job *j = job_new(JOB_CHANGE);
    if (j == NULL)
        return;
    z->every_s = every_s;
    j->change = write_beat;
    j->change_source = "heartbeat";
    submit(z, j, written);
}

/* Left by a former configuration it would grow older and older, and all who read it would think the zone does. */
static void looked_up(void *ctx, struct job *j) {
    struct beat *z = ctx;
    bool there = false;
    z->running = false;
    for (unsigned i = 0; j->code == 0 && i < j->why->matches && i < KEEPER_WHY_MATCHES; i++) {
        const struct keep_match *m = &j->why->match[i];
        there |= m->local && m->bits == 0 && strncmp(m->entry, HEARTBEAT_LABEL, strlen(HEARTBEAT_LABEL)) == 0;
    }
    if (there)
        write_or_remove(z, 0);
}

static void look_up(struct beat *z) {
    struct job *j = job_new(JOB_WHY);
    struct keep_entry e;
    if (j == NULL || make_entry(&e) < 0) {
        job_free(j);
        return;
    }
    j->why->is_name = true;
    j->why->name = e.name;
    submit(z, j, looked_up);
}

/* One that comes late is not made up for: the next is due a whole interval later. */
static void look(struct heartbeat *h, int zone, int64_t now) {
    struct beat *z = &h->zone[zone];
    struct keep_state st;
    const struct conf_zone *conf = keeper_zone_conf(h->keeper, zone);
    uint32_t every_s = conf->heartbeat_s;
    bool wanted = every_s > 0 ? now >= z->due_ms : !z->looked;
    if (z->running || !wanted || conf_zone_is_global_acl(conf) || keeper_state(h->keeper, zone, &st, NULL) != 0 ||
        !h->is_source(h->ctx, zone))
        return;
    z->due_ms = now + (int64_t)every_s * 1000;
    z->of = h;
    if (every_s > 0)
        write_or_remove(z, every_s);
    else
        look_up(z);
}

static void tick(void *ctx) {
    struct heartbeat *h = ctx;
    int64_t now = loop_now_ms(h->loop);
    size_t count = keeper_zones(h->keeper);
    for (size_t i = 0; i < count && i < LIMIT_ZONES; i++)
        look(h, (int)i, now);
}

int heartbeat_open(struct heartbeat **out, struct loop *l, struct keeper *k, heartbeat_source_fn is_source, void *ctx,
                   struct err *err) {
    struct heartbeat *h = calloc(1, sizeof *h);
    *out = NULL;
    if (h == NULL)
        return err_set(err, E_NOMEM, "no memory for heartbeats");
    h->loop = l;
    h->keeper = k;
    h->is_source = is_source;
    h->ctx = ctx;
    h->timer = loop_timer_start(l, HEARTBEAT_TICK_MS, HEARTBEAT_TICK_MS, tick, h);
    if (h->timer == NULL) {
        free(h);
        return err_set(err, E_NOMEM, "no memory for the timer of heartbeats");
    }
    *out = h;
    return 0;
}

void heartbeat_close(struct heartbeat *h) {
    if (h == NULL)
        return;
    loop_timer_cancel(h->timer);
    free(h);
}
