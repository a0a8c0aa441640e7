#include "health/verdict/ledger.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "health/verdict/ledger_file.h"
#include "health/verdict/lived.h"
#include "resolver/base/bytes.h"
#include "resolver/base/log.h"

enum { CLOSE_MS = 1000, CLOSE_STEP_MS = 10, PAUSE_STEP_MS = 50, PAUSE_DOUBLINGS = 8 };

struct letter {
    bool is_event;
    union {
        struct event event;
        struct availability_minute minute;
    };
};

struct ledger {
    unsigned refs; /* atomic: the judging thread and the ledger's */
    char folder[LEDGER_PATH_MAX];
    sem_t wake;
    bool closing, ended;      /* atomic */
    struct ledger_past *past; /* atomic: from the thread, once */
    uint64_t head, tail;      /* atomic: letters given, letters written */
    char *problem;            /* atomic: words for the judging thread, who frees them */
    struct letter box[LEDGER_BOX];
    /* the judging thread's own */
    struct events events;
    struct availability availability;
    struct ledger_state state;
    uint64_t boot, box_dropped, scopes_taken, details_taken;
    int64_t started_wall_ms, running_ms, clients_minute;
    struct lived_sample clients; /* as they were when that minute began */
};

/* Who lets go last frees it: a thread that hung may come back when the other has long gone. */
static void let_go(struct ledger *l) {
    if (__atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    ledger_past_free(l->past);
    free(l->problem);
    (void)sem_destroy(&l->wake);
    free(l);
}

static void tell_problem(struct ledger *l, const char *words) {
    free(__atomic_exchange_n(&l->problem, strdup(words), __ATOMIC_ACQ_REL));
}

/* False: the disk did not take one; it waits, and those behind it. */
static bool write_all(struct ledger *l, struct ledger_file *f) {
    uint64_t head = __atomic_load_n(&l->head, __ATOMIC_ACQUIRE), tail = l->tail;
    char words[LEDGER_WORDS] = "";
    for (; tail < head; tail++) {
        const struct letter *x = &l->box[tail % LEDGER_BOX];
        if (!(x->is_event ? ledger_file_event(f, &x->event, words) : ledger_file_minute(f, &x->minute, words)))
            break;
        __atomic_store_n(&l->tail, tail + 1, __ATOMIC_RELEASE);
    }
    tell_problem(l, words);
    return tail == head;
}

/* Before the next try, longer after each. False: it ends. */
static bool wait_after(struct ledger *l, unsigned tries) {
    struct timespec step = {.tv_nsec = PAUSE_STEP_MS * 1000000L};
    int ms = LEDGER_RETRY_MS << (tries < PAUSE_DOUBLINGS ? tries : PAUSE_DOUBLINGS);
    ms = ms < LEDGER_RETRY_MAX_MS ? ms : LEDGER_RETRY_MAX_MS;
    for (; ms > 0 && !__atomic_load_n(&l->closing, __ATOMIC_ACQUIRE); ms -= PAUSE_STEP_MS)
        (void)nanosleep(&step, NULL);
    return !__atomic_load_n(&l->closing, __ATOMIC_ACQUIRE);
}

static struct ledger_past *read_past(struct ledger *l, struct ledger_file *f) {
    struct ledger_past *p;
    char words[LEDGER_WORDS];
    unsigned tries = 0;
    do {
        p = ledger_file_past(f, tries >= LEDGER_READ_TRIES, words);
        tell_problem(l, p != NULL ? "" : words);
    } while (p == NULL && wait_after(l, tries++));
    return p;
}

static void *run(void *ctx) {
    struct ledger *l = ctx;
    struct ledger_file f;
    unsigned failures = 0;
    ledger_file_open(&f, l->folder);
    __atomic_store_n(&l->past, read_past(l, &f), __ATOMIC_RELEASE);
    while (!__atomic_load_n(&l->closing, __ATOMIC_ACQUIRE)) {
        if (failures > 0)
            (void)wait_after(l, failures - 1);
        else
            while (sem_wait(&l->wake) != 0 && errno == EINTR)
                ;
        failures = write_all(l, &f) ? 0 : failures + 1;
    }
    (void)write_all(l, &f);
    ledger_file_close(&f);
    __atomic_store_n(&l->ended, true, __ATOMIC_RELEASE);
    let_go(l);
    return NULL;
}

static uint64_t waiting(const struct ledger *l) { return l->head - __atomic_load_n(&l->tail, __ATOMIC_ACQUIRE); }

static bool give(struct ledger *l, const struct letter *x, unsigned spare) {
    uint64_t head = l->head;
    if (waiting(l) + spare >= LEDGER_BOX)
        return false;
    l->box[head % LEDGER_BOX] = *x;
    __atomic_store_n(&l->head, head + 1, __ATOMIC_RELEASE);
    (void)sem_post(&l->wake);
    return true;
}

int ledger_open(struct ledger **out, const char *folder, uint64_t boot, int64_t wall_ms) {
    struct ledger *l = calloc(1, sizeof(*l));
    pthread_attr_t detached;
    pthread_t thread;
    *out = NULL;
    if (l == NULL || events_open(&l->events) != 0 || availability_open(&l->availability) != 0) {
        if (l != NULL)
            events_close(&l->events);
        free(l);
        return E_NOMEM;
    }
    text_copy(l->folder, sizeof(l->folder), folder);
    l->refs = 2;
    l->boot = boot;
    l->started_wall_ms = wall_ms;
    (void)sem_init(&l->wake, 0, 0);
    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &detached, run, l);
    (void)pthread_attr_destroy(&detached);
    if (failed != 0)
        l->refs = 1;
    *out = l;
    if (failed == 0)
        return 0;
    *out = NULL;
    ledger_close(l);
    return E_SYSTEM;
}

void ledger_close(struct ledger *l) {
    struct timespec step = {.tv_nsec = CLOSE_STEP_MS * 1000000L};
    if (l == NULL)
        return;
    __atomic_store_n(&l->closing, true, __ATOMIC_RELEASE);
    (void)sem_post(&l->wake);
    for (int ms = 0; ms < CLOSE_MS && __atomic_load_n(&l->refs, __ATOMIC_ACQUIRE) > 1; ms += CLOSE_STEP_MS)
        (void)nanosleep(&step, NULL);
    events_close(&l->events);
    availability_close(&l->availability);
    let_go(l);
}

static void keep(struct ledger *l, struct event *e) {
    struct letter x = {.is_event = true};
    e->sequence = l->events.sequence + 1;
    if (!events_add(&l->events, e))
        return; /* no memory now: its number goes to the next */
    x.event = *e;
    /* Doubts come in masses on a bad day, and must not push out what they led to: they have a file of their own. */
    l->box_dropped += !give(l, &x, e->kind == EVENT_DOUBT ? LEDGER_BOX_SPARE : 0);
}

/* "candor-health started; nothing was written from ... on": when it was last alive is in the files. */
static void keep_start(struct ledger *l, int64_t last_wall_ms) {
    struct event e = {.boot = l->boot, .wall_ms = l->started_wall_ms, .kind = EVENT_START, .to = VERDICT_UNKNOWN};
    char when[32] = "";
    time_t s = (time_t)(last_wall_ms / 1000);
    struct tm tm;
    e.seen_wall_ms = last_wall_ms > 0 && last_wall_ms < e.wall_ms ? last_wall_ms : e.wall_ms;
    text_copy(e.what, sizeof(e.what), "candor-health started");
    if (last_wall_ms > 0 && gmtime_r(&s, &tm) != NULL)
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (when[0] == '\0')
        text_copy(e.cause, sizeof(e.cause), "for the first time, or nothing is known of earlier");
    else
        snprintf(e.cause, sizeof(e.cause), "nothing is known from %s until now: %lld s", when,
                 (long long)((e.wall_ms - e.seen_wall_ms) / 1000));
    keep(l, &e);
}

static void take_past(struct ledger *l, struct ledger_past *p, int64_t wall_ms) {
    int64_t last = 0;
    for (size_t i = 0; i < p->event_count; i++) {
        (void)events_add(&l->events, &p->events[i]);
        last = p->events[i].wall_ms > last ? p->events[i].wall_ms : last;
    }
    for (size_t i = 0; i < p->minute_count; i++) {
        int64_t seen = (int64_t)p->minutes[i].minute * 60000;
        availability_put(&l->availability, &p->minutes[i]);
        last = seen > last ? seen : last;
    }
    last = p->written_wall_ms > last ? p->written_wall_ms : last;
    availability_begin(&l->availability, wall_ms);
    l->state.loaded = true;
    l->state.damaged = p->damaged;
    if (p->damaged > 0)
        LOG(LEVEL_WARN, "parts of the health history are damaged and left out", KU("octets", p->damaged));
    keep_start(l, last);
    ledger_past_free(p);
}

static const struct history_entry *next_of(const struct history *h, uint64_t taken) {
    return taken < h->total ? history_at(h, (size_t)(h->total - 1 - taken)) : NULL;
}

/* Of both rings, in the order in which they were judged. What was forgotten before it was taken is skipped. */
static void take_history(struct ledger *l, const struct verdict_book *b) {
    struct event e;
    const struct history *rings[] = {&b->details, &b->scopes};
    uint64_t *taken[] = {&l->details_taken, &l->scopes_taken};
    for (int i = 0; i < 2; i++)
        if (rings[i]->total - *taken[i] > LIMIT_HISTORY)
            *taken[i] = rings[i]->total - LIMIT_HISTORY;
    for (unsigned n = 0; n < 2 * LIMIT_HISTORY; n++) {
        const struct history_entry *d = next_of(rings[0], *taken[0]), *s = next_of(rings[1], *taken[1]);
        if (d == NULL && s == NULL)
            return;
        bool scope = d == NULL || (s != NULL && s->wall_ms < d->wall_ms);
        event_from(&e, scope ? s : d, scope ? EVENT_SCOPE : EVENT_CHECK, l->boot);
        ++*taken[scope];
        keep(l, &e);
    }
}

static bool give_minute(struct ledger *l, const struct availability_minute *m, unsigned spare) {
    struct letter x = {.is_event = false};
    x.minute = *m;
    return give(l, &x, spare);
}

/* Questions that still wait for their answers belong to the next minute. */
static void count_clients(struct ledger *l, const struct board *board, int64_t wall_ms) {
    int64_t minute = wall_ms / 60000, before = l->clients_minute;
    struct lived_sample now;
    if (minute == before)
        return;
    l->clients_minute = minute;
    lived_read(&now, board, 0);
    for (int i = 0; before != 0 && i < BOARD_CLIENTS; i++) {
        const struct lived_client *a = &l->clients.client[i], *b = &now.client[i];
        if (b->queries < a->queries || b->answered < a->answered || b->failed < a->failed)
            continue; /* another board */
        uint64_t queries = b->queries - a->queries, answered = b->answered - a->answered;
        uint64_t settled = answered + (b->failed - a->failed);
        uint64_t open = queries > settled ? queries - settled : 0,
                 waiting = open < now.in_flight ? open : now.in_flight;
        availability_user(&l->availability, settled + open - waiting, answered);
    }
    l->clients = now;
}

static void take_problem(struct ledger *l) {
    char *words = __atomic_exchange_n(&l->problem, NULL, __ATOMIC_ACQ_REL), *had = l->state.problem;
    if (words == NULL)
        return;
    if (had[0] == '\0' && words[0] != '\0')
        LOG(LEVEL_WARN, "the health history cannot be kept now", KS("why", words));
    else if (had[0] != '\0' && words[0] == '\0')
        LOG(LEVEL_INFO, "the health history is kept again");
    text_copy(had, sizeof(l->state.problem), words);
    free(words);
}

void ledger_note(struct ledger *l, const struct verdict_book *b, const struct board *board, int64_t wall_ms,
                 int64_t ms) {
    enum verdict_state states[AVAILABILITY_JUDGED];
    struct availability_minute m;
    struct ledger_past *p = __atomic_exchange_n(&l->past, NULL, __ATOMIC_ACQ_REL);
    take_problem(l);
    if (p != NULL)
        take_past(l, p, wall_ms);
    if (!l->state.loaded)
        return;
    take_history(l, b);
    count_clients(l, board, wall_ms);
    availability_states(b, states);
    if (availability_note(&l->availability, wall_ms, ms, states, &m))
        l->box_dropped += !give_minute(l, &m, 0);
    l->running_ms += ms;
    if (l->running_ms < LEDGER_RUNNING_MS)
        return;
    l->running_ms = 0;
    availability_running(&l->availability, &m);
    (void)give_minute(l, &m, LEDGER_BOX_SPARE); /* the whole minute comes behind it */
}

struct availability *ledger_availability(const struct ledger *l) {
    return &((struct ledger *)(uintptr_t)l)->availability;
}

struct event_list *ledger_events(const struct ledger *l) {
    return l->events.list;
}

void ledger_state(const struct ledger *l, struct ledger_state *s) {
    *s = l->state;
    s->dropped = l->box_dropped;
    s->waiting = waiting(l);
}
