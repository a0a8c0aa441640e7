#include "health/alert/courier.h"

#include <stdlib.h>

#include "health/report/spool.h"
#include "resolver/base/aside.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

enum { FOLDER_MAX = 2048, FILE_NAME = 96, IDLE_MS = 60000 };

struct courier {
    struct aside *aside;
    struct courier_plan plan;
    char folder[FOLDER_MAX], name[FILE_NAME];
    courier_deliver deliver;
    void (*end)(void *ctx);
    void *ctx;
    struct alert_list *box;   /* atomic: for the thread */
    struct courier_news *out; /* atomic: for the loop */
    /* the thread's own */
    struct alert_list *list;
    bool fresh; /* the list has not been looked at */
    struct spool spool;
    struct spool_mark mark;
    struct courier_news said;
    /* the loop's own */
    struct courier_news taken;
};

static void courier_end(void *ctx) {
    struct courier *c = ctx;
    c->end(c->ctx);
    alert_list_unref(c->box);
    alert_list_unref(c->list);
    spool_close(&c->spool);
    free(c->out);
    free(c);
}

static void tell(struct courier *c) {
    struct courier_news *letter = malloc(sizeof *letter);
    if (letter == NULL)
        return; /* the next one will do */
    *letter = c->said;
    free(__atomic_exchange_n(&c->out, letter, __ATOMIC_ACQ_REL));
}

static void fetch(struct courier *c) {
    struct alert_list *l = __atomic_exchange_n(&c->box, NULL, __ATOMIC_ACQ_REL);
    if (l == NULL)
        return;
    alert_list_unref(c->list);
    c->list = l;
    c->fresh = true;
    if (c->mark.known && c->mark.sequence > l->change)
        c->mark.known = false; /* another life of the alerts: numbers begin anew */
}

/* What the receiver does not know, oldest first. */
static void collect(struct courier *c, struct errand *e) {
    *e = (struct errand){.list = c->list};
    for (size_t i = 0; c->list != NULL && i < c->list->count && e->count < ALERT_MAX; i++) {
        const struct alert *at = &c->list->at[i];
        size_t to = e->count;
        if (c->mark.known ? at->change <= c->mark.sequence : at->ended_wall_ms != 0)
            continue;
        for (; to > 0 && e->news[to - 1]->change > at->change; to--)
            e->news[to] = e->news[to - 1];
        e->news[to] = at;
        e->count++;
    }
    c->said.waiting = e->count;
}

static void went(struct courier *c, const struct errand *e) {
    c->said.reached_mono_ms = clock_mono_ms();
    c->said.alerts += e->count;
    if (e->count > 0) {
        c->said.delivered++;
        c->said.delivered_wall_ms = clock_wall_ms();
    }
    c->said.waiting = 0;
    c->fresh = false;
    if (c->mark.known && c->mark.sequence == e->list->change)
        return;
    c->mark = (struct spool_mark){.known = true, .sequence = e->list->change};
    spool_mark_write(&c->spool, c->mark.sequence);
}

static bool deliver_now(struct courier *c, const struct errand *e) {
    c->said.busy_since_mono_ms = clock_mono_ms();
    tell(c);
    c->said.trouble[0] = '\0';
    bool well = c->deliver(c->ctx, e, &c->said) == 0;
    c->said.busy_since_mono_ms = 0;
    if (well)
        went(c, e);
    else
        c->said.failed++;
    if (!well && c->said.trouble[0] == '\0')
        text_copy(c->said.trouble, sizeof c->said.trouble, "it failed");
    tell(c);
    return well;
}

/* Whether it is time to come again without news. */
static bool is_due(const struct courier *c, int64_t now) {
    return c->plan.every_ms > 0 && c->list != NULL &&
           (c->said.reached_mono_ms == 0 || now - c->said.reached_mono_ms >= (int64_t)c->plan.every_ms);
}

static void work(struct aside *a, void *ctx) {
    struct courier *c = ctx;
    uint32_t pause_ms = COURIER_RETRY_MS;
    struct errand e;
    spool_open(&c->spool, c->folder, c->name);
    c->mark = spool_mark_read(&c->spool);
    if (c->plan.begin != NULL)
        c->plan.begin(c->ctx);
    while (!aside_is_closing(a)) {
        fetch(c);
        collect(c, &e);
        bool wanted = e.count > 0 || (c->plan.every_list && c->fresh) || is_due(c, clock_mono_ms());
        bool well = !wanted || deliver_now(c, &e);
        if (well && c->list != NULL && !c->mark.known)
            c->mark = (struct spool_mark){.known = true, .sequence = c->list->change};
        if (__atomic_load_n(&c->box, __ATOMIC_ACQUIRE) != NULL && well)
            continue;
        uint32_t idle_ms = c->plan.every_ms > 0 && c->plan.every_ms < IDLE_MS ? c->plan.every_ms : IDLE_MS;
        aside_nap(a, well ? idle_ms : pause_ms);
        pause_ms = well ? COURIER_RETRY_MS : pause_ms < COURIER_PAUSE_MS / 2 ? 2 * pause_ms : COURIER_PAUSE_MS;
    }
    fetch(c);
    if (c->fresh && c->plan.every_list) { /* the last word */
        collect(c, &e);
        (void)c->deliver(c->ctx, &e, &c->said);
    }
}

int courier_open(struct courier **out, const struct courier_plan *plan, courier_deliver deliver, void (*end)(void *ctx),
                 void *ctx, struct err *err) {
    struct courier *c = *out = calloc(1, sizeof *c);
    if (c == NULL) {
        end(ctx);
        return err_set(err, E_NOMEM, "no memory for alerts");
    }
    c->plan = *plan;
    c->deliver = deliver;
    c->end = end;
    c->ctx = ctx;
    c->spool.fd = -1;
    text_copy(c->folder, sizeof c->folder, plan->folder);
    text_copy(c->name, sizeof c->name, plan->name);
    int rc = aside_open(&c->aside, work, courier_end, c, err);
    if (rc < 0)
        *out = NULL;
    return rc;
}

void courier_offer(struct courier *c, struct alert_list *l) {
    alert_list_unref(__atomic_exchange_n(&c->box, alert_list_ref(l), __ATOMIC_ACQ_REL));
    aside_wake(c->aside);
}

const struct courier_news *courier_news(struct courier *c) {
    struct courier_news *letter = __atomic_exchange_n(&c->out, NULL, __ATOMIC_ACQ_REL);
    if (letter != NULL)
        c->taken = *letter;
    free(letter);
    return &c->taken;
}

void courier_close(struct courier *c) {
    if (c != NULL)
        aside_close(c->aside, COURIER_CLOSE_MS);
}
