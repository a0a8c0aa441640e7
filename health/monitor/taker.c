#include "health/monitor/taker.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/aside.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

struct box {
    struct intake *first; /* atomic; the newest first */
    size_t count;         /* atomic */
};

struct taker {
    struct aside *aside;
    char path[LIMIT_CONF_TEXT + 64];
    struct archive_plan plan;
    struct box in, out;
    unsigned refs;            /* atomic: the thread and the owner */
    unsigned putting;         /* atomic: threads that are inside taker_put */
    bool closing;             /* atomic */
    bool ended;               /* atomic: the thread has dealt with what it found */
    struct taker_state *said; /* atomic: a letter for the loop */
    struct taker_state shown; /* the loop's */
    /* the thread's own */
    struct archive *archive;
    struct taker_state state;
    int64_t tried_ms, cleaned_ms;
    int64_t detailed_ms[LIMIT_NODES]; /* of each node */
};

static bool box_put(struct box *b, struct intake *i) {
    if (__atomic_fetch_add(&b->count, 1, __ATOMIC_RELAXED) >= TAKER_WAITING) {
        __atomic_fetch_sub(&b->count, 1, __ATOMIC_RELAXED);
        return false;
    }
    i->next = __atomic_load_n(&b->first, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&b->first, &i->next, i, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ; /* somebody else was first */
    return true;
}

/* All of it, the oldest first. */
static struct intake *box_take(struct box *b) {
    struct intake *l = __atomic_exchange_n(&b->first, NULL, __ATOMIC_ACQUIRE), *out = NULL;
    while (l != NULL) {
        struct intake *next = l->next;
        l->next = out;
        out = l;
        l = next;
        __atomic_fetch_sub(&b->count, 1, __ATOMIC_RELAXED);
    }
    return out;
}

static void free_all(struct intake *l) {
    while (l != NULL) {
        struct intake *next = l->next;
        intake_free(l);
        l = next;
    }
}

static void tell(struct taker *t) {
    struct taker_state *letter = malloc(sizeof *letter);
    if (letter == NULL)
        return; /* the next one will do */
    *letter = t->state;
    letter->open = t->archive != NULL;
    free(__atomic_exchange_n(&t->said, letter, __ATOMIC_ACQ_REL));
}

static void trouble(struct taker *t, const char *why) {
    if (strcmp(t->state.trouble, why) == 0)
        return;
    if (why[0] != '\0')
        LOG(LEVEL_ERROR, "the monitor's store keeps nothing: nodes keep their events until it does", KS("why", why));
    else
        LOG(LEVEL_INFO, "the monitor's store keeps what comes again");
    t->state.trouble_since_ms = why[0] != '\0' ? clock_mono_ms() : 0;
    text_copy(t->state.trouble, sizeof t->state.trouble, why);
}

/* A file that is damaged gets another name; the next one begins empty. */
static void set_aside(struct taker *t, const char *why) {
    struct err err = {.text = ""};
    archive_close(t->archive);
    t->archive = NULL;
    if (t->state.asides >= TAKER_ASIDES)
        return;
    if (archive_aside(t->path, clock_wall_ms() / 1000, &err) < 0) {
        LOG(LEVEL_ERROR, "a damaged store cannot be set aside", KS("why", err.text));
        return;
    }
    t->state.asides++;
    t->tried_ms = INT64_MIN / 2;
    LOG(LEVEL_ERROR, "the monitor's store is damaged: it was set aside, and a new one begun", KS("why", why));
}

/* Events of before, for whoever looks at the fleet after a restart. */
static void remember(struct taker *t) {
    char(*node)[REPORT_NODE] = calloc(TAKER_PAST, sizeof *node);
    struct event *e = calloc(TAKER_PAST, sizeof *e);
    struct err err = {.text = ""};
    int count = node != NULL && e != NULL ? archive_newest(t->archive, node, e, TAKER_PAST, &err) : 0;
    for (int k = count; k-- > 0;) {
        struct intake *i = calloc(1, sizeof *i);
        if (i == NULL || (i->event = malloc(sizeof *e)) == NULL) {
            free(i);
            break;
        }
        i->event[0] = e[k];
        i->events = 1;
        i->past = i->kept = true;
        i->node = SIZE_MAX;
        memcpy(i->name, node[k], sizeof i->name);
        if (!box_put(&t->out, i))
            intake_free(i);
    }
    free(node);
    free(e);
}

static void try_open(struct taker *t) {
    struct err err = {.text = ""};
    int64_t now = clock_mono_ms();
    if (t->archive != NULL || now - t->tried_ms < TAKER_RETRY_MS)
        return;
    t->tried_ms = now;
    int rc = archive_open(&t->archive, &t->plan, &err);
    if (rc == E_CORRUPT) {
        set_aside(t, err.text);
        rc = archive_open(&t->archive, &t->plan, &err);
    }
    trouble(t, rc < 0 ? err.text : "");
    if (rc == 0)
        remember(t);
    tell(t);
}

/* One delivery; what cannot be taken of a detail costs nothing but the detail. */
static int keep_one(struct taker *t, struct intake *i, struct err *err) {
    struct archive *a = t->archive;
    int64_t now = clock_mono_ms();
    int rc = i->has_report ? archive_report(a, &i->report, i->came_ms, err) : 0;
    if (rc == 0 && i->events > 0)
        rc = archive_events(a, i->name, i->event, i->events, i->events_lost, i->came_ms, err);
    if (rc < 0 || i->detail == NULL || i->node >= LIMIT_NODES)
        return rc;
    bool fully = t->detailed_ms[i->node] == 0 || now - t->detailed_ms[i->node] >= TAKER_DETAIL_MS;
    rc = archive_detail(a, i->name, i->detail, fully, err);
    if (rc == E_INVALID) {
        LOG(LEVEL_WARN, "a detail that the tables do not take", KS("node", i->name), KS("why", err->text));
        return 0;
    }
    if (fully)
        t->detailed_ms[i->node] = now;
    return rc;
}

static int keep_all(struct taker *t, struct intake *first, struct err *err) {
    if (t->archive == NULL)
        return err_set(err, E_IO, "%s", t->state.trouble[0] != '\0' ? t->state.trouble : "the store is not open");
    int rc = archive_begin(t->archive, err);
    for (struct intake *i = first; i != NULL && rc == 0; i = i->next)
        rc = keep_one(t, i, err);
    if (rc == 0)
        rc = archive_commit(t->archive, err);
    if (rc < 0)
        archive_rollback(t->archive);
    return rc;
}

static void count(struct taker *t, const struct intake *i) {
    t->state.reports += i->has_report;
    t->state.events += i->events;
    t->state.details += i->detail != NULL;
}

/* Whoever waits is told, the loop gets it. Events that were not kept come again. */
static void deal_out(struct taker *t, struct intake *first, int rc) {
    while (first != NULL) {
        struct intake *i = first;
        first = i->next;
        i->kept = rc == 0;
        if (rc == 0)
            count(t, i);
        else
            t->state.failed++;
        if (i->done != NULL)
            i->done(i->ctx, rc);
        i->done = NULL;
        if (rc < 0)
            i->events = 0;
        if (i->taken || !box_put(&t->out, i))
            intake_free(i);
    }
}

/* Up to TAKER_BATCH of them in one commit. The rest. */
static struct intake *batch(struct taker *t, struct intake *first) {
    struct intake *last = first;
    struct err err = {.text = ""};
    for (size_t n = 1; n < TAKER_BATCH && last->next != NULL; n++)
        last = last->next;
    struct intake *rest = last->next;
    last->next = NULL;
    t->state.busy_since_ms = clock_mono_ms();
    tell(t);
    int rc = keep_all(t, first, &err);
    t->state.busy_since_ms = 0;
    if (rc == 0)
        t->state.kept_ms = clock_mono_ms();
    if (rc == 0 || t->archive != NULL)
        trouble(t, rc == 0 ? "" : err.text);
    if (rc == E_CORRUPT)
        set_aside(t, err.text);
    deal_out(t, first, rc);
    tell(t);
    return rest;
}

static void clean(struct taker *t) {
    struct err err = {.text = ""};
    int64_t now = clock_mono_ms();
    int rows = 0, empty = 0;
    if (t->archive == NULL || now - t->cleaned_ms < TAKER_CLEAN_MS)
        return;
    t->cleaned_ms = now;
    for (int i = 0; i < TAKER_CLEAN_SLICES && empty < 5 && rows >= 0; i++) {
        rows = archive_clean(t->archive, clock_wall_ms(), &err);
        empty = rows > 0 ? 0 : empty + 1;
    }
    if (rows < 0)
        trouble(t, err.text);
}

static void work(struct aside *a, void *ctx) {
    struct taker *t = ctx;
    t->tried_ms = INT64_MIN / 2;
    while (!aside_is_closing(a)) {
        try_open(t);
        struct intake *l = box_take(&t->in);
        while (l != NULL)
            l = batch(t, l);
        clean(t);
        if (__atomic_load_n(&t->in.count, __ATOMIC_ACQUIRE) == 0)
            aside_nap(a, TAKER_LAZY_MS);
    }
    for (struct intake *l = box_take(&t->in); l != NULL;)
        l = batch(t, l);
    archive_close(t->archive);
    t->archive = NULL;
    __atomic_store_n(&t->ended, true, __ATOMIC_RELEASE);
}

static void let_go(void *ctx) {
    struct taker *t = ctx;
    if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    free_all(box_take(&t->in));
    free_all(box_take(&t->out));
    free(t->said);
    free(t);
}

int taker_open(struct taker **out, const struct archive_plan *plan, struct err *err) {
    struct taker *t = calloc(1, sizeof *t);
    *out = NULL;
    if (t == NULL)
        return err_set(err, E_NOMEM, "no memory for the monitor's store");
    text_copy(t->path, sizeof t->path, plan->path);
    t->plan = *plan;
    t->plan.path = t->path;
    text_copy(t->state.trouble, sizeof t->state.trouble, "it is being opened");
    t->shown = t->state;
    t->refs = 2;
    int rc = aside_open(&t->aside, work, let_go, t, err);
    if (rc == 0)
        *out = t;
    else
        let_go(t);
    return rc;
}

bool taker_put(struct taker *t, struct intake *i) {
    bool waits = i->done != NULL;
    __atomic_fetch_add(&t->putting, 1, __ATOMIC_SEQ_CST);
    bool put = !__atomic_load_n(&t->closing, __ATOMIC_SEQ_CST) && box_put(&t->in, i);
    if (put && waits)
        aside_wake(t->aside);
    __atomic_fetch_sub(&t->putting, 1, __ATOMIC_SEQ_CST);
    return put;
}

struct intake *taker_fetch(struct taker *t) {
    return box_take(&t->out);
}

const struct taker_state *taker_state(struct taker *t) {
    struct taker_state *letter = __atomic_exchange_n(&t->said, NULL, __ATOMIC_ACQ_REL);
    if (letter != NULL)
        t->shown = *letter;
    free(letter);
    t->shown.waiting = __atomic_load_n(&t->in.count, __ATOMIC_RELAXED);
    return &t->shown;
}

bool taker_close(struct taker *t) {
    if (t == NULL)
        return true;
    __atomic_store_n(&t->closing, true, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&t->putting, __ATOMIC_SEQ_CST) > 0)
        (void)sched_yield(); /* a few instructions of theirs */
    aside_close(t->aside, TAKER_CLOSE_MS);
    bool ended = __atomic_load_n(&t->ended, __ATOMIC_ACQUIRE);
    for (struct intake *i = ended ? box_take(&t->in) : NULL; i != NULL;) { /* that came behind its last look */
        struct intake *next = i->next;
        if (i->done != NULL)
            i->done(i->ctx, E_CLOSED);
        intake_free(i);
        i = next;
    }
    let_go(t);
    return ended;
}
