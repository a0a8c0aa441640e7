#include "health/report/sink.h"

#include <stdlib.h>

#include "health/report/spool.h"
#include "resolver/base/aside.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

struct letter {
    struct report report;
    struct event_list *events; /* with the newest letter alone, once it was fetched */
    struct detail *detail;
    struct letter *next;
};

enum { SINK_IDLE_MS = 60000, SINK_FOLDER = 2048, SINK_NAME = 96 };

struct sink {
    struct aside *aside;
    sink_deliver deliver;
    void (*end)(void *ctx);
    void *ctx;
    struct sink_plan plan;
    struct letter *box;    /* atomic: for the thread, the newest first */
    struct sink_news *out; /* atomic: for the loop */
    uint64_t box_dropped;  /* atomic: letters that the loop took out again, because the thread fetched none */
    size_t box_count;      /* the loop's own, at most what is in the box */
    /* the thread's own */
    struct letter *first, *last; /* fetched and not delivered yet, the oldest first */
    struct event_list *events;   /* the newest of both */
    struct detail *detail;
    struct spool spool;
    struct spool_mark mark;
    char folder[SINK_FOLDER], name[SINK_NAME];
    struct sink_news said;
    /* the loop's own */
    struct sink_news taken, shown;
};

static void free_letters(struct letter *l) {
    while (l != NULL) {
        struct letter *next = l->next;
        event_list_unref(l->events);
        detail_unref(l->detail);
        free(l);
        l = next;
    }
}

static void sink_end(void *ctx) {
    struct sink *s = ctx;
    s->end(s->ctx);
    free_letters(s->box);
    free_letters(s->first);
    event_list_unref(s->events);
    detail_unref(s->detail);
    spool_close(&s->spool);
    free(s->out);
    free(s);
}

const char *sink_result_name(enum sink_result r) { return r == SINK_DELIVERED ? "delivered" : "failed"; }

static void tell(struct sink *s) {
    struct sink_news *letter = malloc(sizeof *letter);
    if (letter == NULL)
        return; /* the next one will do */
    *letter = s->said;
    free(__atomic_exchange_n(&s->out, letter, __ATOMIC_ACQ_REL));
}

static void drop_first(struct sink *s) {
    struct letter *gone = s->first;
    if (gone == NULL)
        return;
    s->first = gone->next;
    if (s->first == NULL)
        s->last = NULL;
    s->said.waiting--;
    gone->next = NULL;
    free_letters(gone);
}

static void join(struct sink *s, struct letter *l) {
    l->next = NULL;
    if (s->last != NULL)
        s->last->next = l;
    else
        s->first = l;
    s->last = l;
    s->said.waiting++;
}

/* Of events and detail the newest is the whole truth. */
static void take_along(struct sink *s, struct letter *l) {
    if (l->events != NULL) {
        event_list_unref(s->events);
        s->events = l->events;
    }
    if (l->detail != NULL) {
        detail_unref(s->detail);
        s->detail = l->detail;
    }
    l->events = NULL;
    l->detail = NULL;
}

static struct letter *reversed(struct letter *l) {
    struct letter *out = NULL;
    while (l != NULL) {
        struct letter *next = l->next;
        l->next = out;
        out = l;
        l = next;
    }
    return out;
}

/* The file holds what waits; what went since it was begun is in it, too, and sent twice if this process ends now. */
static void spool_all(struct sink *s) {
    spool_empty(&s->spool);
    for (const struct letter *l = s->first; l != NULL; l = l->next)
        spool_add(&s->spool, &l->report);
}

/* How many events the other side does not have; `at` is then the oldest of them, counted back from the newest. */
static size_t events_left(struct sink *s, size_t *at) {
    const struct event *newest = s->plan.events && s->events != NULL ? event_list_at(s->events, 0) : NULL;
    *at = 0;
    if (newest == NULL)
        return 0;
    if (s->mark.known && s->mark.sequence > newest->sequence)
        s->mark.sequence = 0; /* another life of the ledger: its numbers begin anew */
    if (!s->mark.known) {
        s->mark = (struct spool_mark){.known = true, .sequence = s->plan.events_anew ? newest->sequence : 0};
        spool_mark_write(&s->spool, s->mark.sequence);
    }
    uint64_t left = newest->sequence - s->mark.sequence;
    size_t count = event_list_count(s->events);
    if (left > count)
        left = count;
    while (left > 0 && event_list_at(s->events, (size_t)left - 1)->sequence <= s->mark.sequence)
        left--; /* numbers in between were forgotten (doubts go first) */
    *at = left > 0 ? (size_t)left - 1 : 0;
    return (size_t)left;
}

/* What came joins the queue; the oldest go when it becomes too long. */
static void fetch(struct sink *s) {
    struct letter *l = reversed(__atomic_exchange_n(&s->box, NULL, __ATOMIC_ACQ_REL));
    size_t at;
    while (l != NULL) {
        struct letter *next = l->next;
        take_along(s, l);
        join(s, l);
        if (s->spool.written > 0)
            spool_add(&s->spool, &l->report);
        l = next;
    }
    size_t keep = s->plan.no_reports ? 1 : s->plan.keep;
    while (s->said.waiting > keep) {
        drop_first(s);
        s->said.dropped += !s->plan.no_reports;
    }
    if (spool_is_long(&s->spool, s->said.waiting))
        spool_all(s);
    s->said.events_waiting = events_left(s, &at);
    const struct event *oldest = s->said.events_waiting > 0 ? event_list_at(s->events, at) : NULL;
    s->said.oldest_wall_ms = s->first != NULL && !s->plan.no_reports ? s->first->report.wall_ms : 0;
    if (oldest != NULL && (s->said.oldest_wall_ms == 0 || oldest->wall_ms < s->said.oldest_wall_ms))
        s->said.oldest_wall_ms = oldest->wall_ms;
}

/* The oldest report, and the oldest events. */
static void collect(struct sink *s, struct notice *n, const struct event *events[NOTICE_EVENTS]) {
    size_t at, left = events_left(s, &at);
    *n = (struct notice){.report = s->first != NULL ? &s->first->report : NULL, .event = events, .detail = s->detail};
    size_t most = s->plan.events_most > 0 && s->plan.events_most < NOTICE_EVENTS ? s->plan.events_most : NOTICE_EVENTS;
    for (; n->events < left && n->events < most; n->events++)
        events[n->events] = event_list_at(s->events, at - n->events);
    if (n->events > 0 && events[0]->sequence > s->mark.sequence + 1)
        n->events_lost = events[0]->sequence - s->mark.sequence - 1;
}

static void went(struct sink *s, const struct notice *n) {
    struct sink_news *said = &s->said;
    said->delivered_mono_ms = clock_mono_ms();
    said->delivered_wall_ms = clock_wall_ms();
    if (n->events > 0) {
        s->mark.sequence = said->event_sequence = n->event[n->events - 1]->sequence;
        said->events_dropped += n->events_lost;
        spool_mark_write(&s->spool, s->mark.sequence);
    }
    if (n->report != NULL) {
        said->sequence = n->report->sequence;
        drop_first(s);
    }
    if (s->first == NULL)
        spool_empty(&s->spool);
}

/* What waits longest; true when it went. */
static bool deliver_first(struct sink *s) {
    const struct event *events[NOTICE_EVENTS];
    struct sink_news *said = &s->said;
    struct notice n;
    collect(s, &n, events);
    said->busy_since_mono_ms = clock_mono_ms();
    tell(s);
    said->trouble[0] = '\0';
    bool well = s->deliver(s->ctx, &n, said) == 0;
    if (n.events > 0 || !s->plan.no_reports)
        said->results[well ? SINK_DELIVERED : SINK_FAILED]++;
    said->busy_since_mono_ms = 0;
    if (well)
        went(s, &n);
    else if (said->trouble[0] == '\0')
        text_copy(said->trouble, sizeof said->trouble, "it failed");
    if (!well && s->spool.written == 0 && s->plan.keep > 1 && !s->plan.no_reports)
        spool_all(s);
    fetch(s);
    tell(s);
    return well;
}

/* What an earlier process could not get rid of. */
static void remember(struct sink *s) {
    spool_open(&s->spool, s->folder, s->name);
    s->mark = spool_mark_read(&s->spool);
    if (s->plan.keep <= 1 || s->plan.no_reports)
        return;
    struct report *old = malloc(s->plan.keep * sizeof *old);
    size_t count = old != NULL ? spool_read(&s->spool, old, s->plan.keep) : 0;
    for (size_t i = 0; i < count; i++) {
        struct letter *l = calloc(1, sizeof *l);
        if (l == NULL)
            break;
        l->report = old[i];
        join(s, l);
    }
    free(old);
}

static bool has_more(const struct sink *s) { return s->first != NULL || s->said.events_waiting > 0; }

static void work(struct aside *a, void *ctx) {
    struct sink *s = ctx;
    remember(s);
    while (!aside_is_closing(a)) {
        fetch(s);
        bool well = !has_more(s) || deliver_first(s);
        if (!has_more(s) || !well)
            aside_nap(a, well ? SINK_IDLE_MS : s->plan.retry_ms);
    }
}

int sink_open(struct sink **out, const struct sink_plan *plan, sink_deliver deliver_fn, void (*end)(void *ctx),
              void *ctx, struct err *err) {
    struct sink *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL) {
        end(ctx);
        return err_set(err, E_NOMEM, "no memory for a sink of reports");
    }
    s->deliver = deliver_fn;
    s->end = end;
    s->ctx = ctx;
    s->plan = *plan;
    s->plan.keep = plan->keep < 1 ? 1 : plan->keep > SINK_KEEP_MOST ? SINK_KEEP_MOST : plan->keep;
    s->spool.fd = -1;
    text_copy(s->folder, sizeof s->folder, plan->folder != NULL ? plan->folder : "");
    text_copy(s->name, sizeof s->name, plan->name != NULL ? plan->name : "");
    int rc = aside_open(&s->aside, work, sink_end, s, err);
    *out = rc == 0 ? s : NULL;
    return rc;
}

/* The thread has fetched nothing for so long that the box is full: the oldest half of it goes. */
static void thin(struct sink *s, struct letter *newest) {
    struct letter *l = newest;
    for (s->box_count = 1; s->box_count < s->plan.keep / 2 && l->next != NULL; s->box_count++)
        l = l->next;
    for (const struct letter *r = l->next; r != NULL; r = r->next)
        __atomic_fetch_add(&s->box_dropped, !s->plan.no_reports, __ATOMIC_RELAXED);
    free_letters(l->next);
    l->next = NULL;
}

void sink_offer(struct sink *s, const struct report *r, struct event_list *events, struct detail *detail) {
    struct letter *letter = calloc(1, sizeof *letter);
    if (letter == NULL)
        return;
    letter->report = *r;
    letter->events = events != NULL ? event_list_ref(events) : NULL;
    letter->detail = detail_ref(detail);
    /* The thread only takes letters away, all at once: what was taken out here is in nobody else's hands. */
    letter->next = __atomic_exchange_n(&s->box, NULL, __ATOMIC_ACQ_REL);
    s->box_count = letter->next != NULL ? s->box_count + 1 : 1;
    if (letter->next != NULL && letter->detail != NULL) { /* the newest counts alone, and they may be large */
        detail_unref(letter->next->detail);
        letter->next->detail = NULL;
    }
    if (letter->next != NULL && letter->events != NULL) {
        event_list_unref(letter->next->events);
        letter->next->events = NULL;
    }
    if (s->box_count > s->plan.keep)
        thin(s, letter);
    __atomic_store_n(&s->box, letter, __ATOMIC_RELEASE);
    aside_wake(s->aside);
}

const struct sink_news *sink_news(struct sink *s) {
    struct sink_news *letter = __atomic_exchange_n(&s->out, NULL, __ATOMIC_ACQ_REL);
    if (letter != NULL)
        s->taken = *letter;
    free(letter);
    s->shown = s->taken;
    s->shown.dropped += __atomic_load_n(&s->box_dropped, __ATOMIC_RELAXED);
    if (__atomic_load_n(&s->box, __ATOMIC_ACQUIRE) != NULL)
        s->shown.waiting += s->box_count;
    if (s->plan.no_reports)
        s->shown.waiting = 0;
    return &s->shown;
}

void sink_close(struct sink *s) {
    if (s != NULL)
        aside_close(s->aside, SINK_CLOSE_MS);
}
