#include "health/verdict/events.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"

enum { MAGIC_0 = 0xCA, MAGIC_1 = 0xE1 };

const char *event_kind_name(enum event_kind k) {
    static const char *const names[EVENT_KINDS] = {"scope", "check", "doubt", "start"};
    return (unsigned)k < EVENT_KINDS ? names[k] : "?";
}

static void page_unref(struct event_page *p) {
    if (p != NULL && __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free(p);
}

static struct event_page *page_ref(struct event_page *p) {
    __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

struct event_list *event_list_ref(struct event_list *l) {
    if (l != NULL)
        __atomic_add_fetch(&l->refs, 1, __ATOMIC_RELAXED);
    return l;
}

void event_list_unref(struct event_list *l) {
    if (l == NULL || __atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (size_t i = 0; i < l->pages; i++)
        page_unref(l->page[i]);
    free(l);
}

size_t event_list_count(const struct event_list *l) {
    if (l == NULL || l->pages == 0)
        return 0;
    return (l->pages - 1) * EVENTS_PER_PAGE + l->page[l->pages - 1]->count;
}

const struct event *event_list_at(const struct event_list *l, size_t back) {
    size_t count = event_list_count(l);
    if (back >= count)
        return NULL;
    size_t at = count - 1 - back;
    return &l->page[at / EVENTS_PER_PAGE]->at[at % EVENTS_PER_PAGE];
}

int events_open(struct events *e) {
    *e = (struct events){.list = calloc(1, sizeof(*e->list))};
    if (e->list == NULL)
        return E_NOMEM;
    e->list->refs = 1;
    return 0;
}

void events_close(struct events *e) {
    event_list_unref(e->list);
    *e = (struct events){0};
}

/* The newest page to write to: a new one when it is full, a copy when somebody else may be reading it. */
static struct event_page *page_to_write(const struct event_list *old, bool *is_new) {
    const struct event_page *last = old->pages > 0 ? old->page[old->pages - 1] : NULL;
    struct event_page *p = calloc(1, sizeof(*p));
    *is_new = last == NULL || last->count == EVENTS_PER_PAGE;
    if (p == NULL)
        return NULL;
    if (!*is_new)
        memcpy(p, last, sizeof(*p));
    p->refs = 1;
    return p;
}

bool events_add(struct events *e, const struct event *event) {
    struct event_list *old = e->list, *l;
    bool alone = __atomic_load_n(&old->refs, __ATOMIC_ACQUIRE) == 1, is_new = true;
    struct event_page *last = old->pages > 0 ? old->page[old->pages - 1] : NULL;
    if (alone && last != NULL && last->count < EVENTS_PER_PAGE && __atomic_load_n(&last->refs, __ATOMIC_ACQUIRE) == 1) {
        last->at[last->count++] = *event;
        e->sequence = event->sequence;
        return true;
    }
    struct event_page *p = page_to_write(old, &is_new);
    l = calloc(1, sizeof(*l));
    if (p == NULL || l == NULL) {
        free(p);
        free(l);
        return false;
    }
    size_t skip = is_new && old->pages == EVENTS_PAGES ? 1 : 0, keep = old->pages - (is_new ? 0 : 1);
    l->refs = 1;
    for (size_t i = skip; i < keep; i++)
        l->page[l->pages++] = page_ref(old->page[i]);
    l->page[l->pages++] = p;
    p->at[p->count++] = *event;
    e->list = l;
    e->sequence = event->sequence;
    event_list_unref(old);
    return true;
}

void event_from(struct event *to, const struct history_entry *h, enum event_kind kind, uint64_t boot) {
    *to = (struct event){.boot = boot,
                         .wall_ms = h->wall_ms,
                         .seen_wall_ms = h->seen_wall_ms,
                         .kind = (uint8_t)(kind == EVENT_CHECK && h->from == h->to ? EVENT_DOUBT : kind),
                         .scope = h->scope,
                         .from = h->from,
                         .to = h->to};
    text_copy(to->what, sizeof(to->what), h->what);
    text_copy(to->cause, sizeof(to->cause), h->cause);
}

uint32_t events_check(const uint8_t *from, size_t size) {
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < size; i++) {
        crc ^= from[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xEDB88320 & (0 - (crc & 1)));
    }
    return ~crc;
}

static uint8_t *put_number(uint8_t *to, uint64_t n, unsigned octets) {
    for (unsigned i = 0; i < octets; i++)
        to[i] = (uint8_t)(n >> 8 * i);
    return to + octets;
}

static uint64_t get_number(const uint8_t *from, unsigned octets) {
    uint64_t n = 0;
    for (unsigned i = 0; i < octets; i++)
        n |= (uint64_t)from[i] << 8 * i;
    return n;
}

size_t events_write(uint8_t *to, const struct event *e) {
    size_t what = strnlen(e->what, HISTORY_WHAT_MAX - 1), cause = strnlen(e->cause, HISTORY_CAUSE_MAX - 1);
    size_t body = EVENT_RECORD_FIXED + what + cause;
    uint8_t *at = to + EVENT_RECORD_HEAD;
    at = put_number(at, e->sequence, 8);
    at = put_number(at, e->boot, 8);
    at = put_number(at, (uint64_t)e->wall_ms, 8);
    at = put_number(at, (uint64_t)e->seen_wall_ms, 8);
    *at++ = e->kind;
    *at++ = e->scope;
    *at++ = e->from;
    *at++ = e->to;
    at = put_number(at, what, 2);
    at = put_number(at, cause, 2);
    memcpy(at, e->what, what);
    memcpy(at + what, e->cause, cause);
    to[0] = MAGIC_0;
    to[1] = MAGIC_1;
    (void)put_number(to + 2, body, 2);
    (void)put_number(to + 4, events_check(to + EVENT_RECORD_HEAD, body), 4);
    return EVENT_RECORD_HEAD + body;
}

static bool take_body(const uint8_t *from, size_t body, struct event *e) {
    size_t what = get_number(from + 36, 2), cause = get_number(from + 38, 2);
    *e = (struct event){.sequence = get_number(from, 8),
                        .boot = get_number(from + 8, 8),
                        .wall_ms = (int64_t)get_number(from + 16, 8),
                        .seen_wall_ms = (int64_t)get_number(from + 24, 8),
                        .kind = from[32],
                        .scope = from[33],
                        .from = from[34],
                        .to = from[35]};
    if (what >= HISTORY_WHAT_MAX || cause >= HISTORY_CAUSE_MAX || body != EVENT_RECORD_FIXED + what + cause ||
        e->kind >= EVENT_KINDS || e->scope >= SCOPE_COUNT || e->from >= VERDICT_STATES || e->to >= VERDICT_STATES ||
        e->sequence == 0)
        return false;
    memcpy(e->what, from + EVENT_RECORD_FIXED, what);
    memcpy(e->cause, from + EVENT_RECORD_FIXED + what, cause);
    return true;
}

/* Whether a whole record stands here; its size. */
static size_t record_at(const uint8_t *from, size_t left, struct event *e) {
    if (left < EVENT_RECORD_HEAD + EVENT_RECORD_FIXED || from[0] != MAGIC_0 || from[1] != MAGIC_1)
        return 0;
    size_t body = get_number(from + 2, 2);
    if (body < EVENT_RECORD_FIXED || body > EVENT_RECORD_MAX - EVENT_RECORD_HEAD || body > left - EVENT_RECORD_HEAD ||
        get_number(from + 4, 4) != events_check(from + EVENT_RECORD_HEAD, body) ||
        !take_body(from + EVENT_RECORD_HEAD, body, e))
        return 0;
    return EVENT_RECORD_HEAD + body;
}

bool events_read(const uint8_t *from, size_t size, size_t *at, struct event *e, size_t *damaged) {
    while (*at < size) {
        size_t n = record_at(from + *at, size - *at, e);
        *at += n > 0 ? n : 1;
        if (n > 0)
            return true;
        ++*damaged;
    }
    return false;
}
