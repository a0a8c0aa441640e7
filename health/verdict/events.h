/* What happened to this node, over its restarts: transitions of scopes and checks, doubts, and its own starts.
 *
 *   history rings of the book -> event with a number that goes on for ever -> list: pages of events, of which all but
 *   the newest never change -> snapshots (a reference), and records for a file (events_write, events_read)
 *
 * A list is immutable and counted by reference, so that a thread may read it while the next is made. Its pages are
 * shared between lists. Owner of `struct events`: the thread that judges. Pure: no clock, no I/O. */
#ifndef CANDOR_VERDICT_EVENTS_H
#define CANDOR_VERDICT_EVENTS_H

#include "health/verdict/verdict.h"

enum {
    EVENTS_PER_PAGE = 64,
    EVENTS_PAGES = 64, /* 4,096 events of 460 octets: 1.9 MB */
    EVENT_RECORD_HEAD = 8,
    EVENT_RECORD_FIXED = 40,
    EVENT_RECORD_MAX = EVENT_RECORD_HEAD + EVENT_RECORD_FIXED + HISTORY_WHAT_MAX + HISTORY_CAUSE_MAX
};
enum event_kind { EVENT_SCOPE, EVENT_CHECK, EVENT_DOUBT, EVENT_START, EVENT_KINDS };

struct event {
    uint64_t sequence, boot; /* boot: of the candor-health that saw it */
    int64_t wall_ms, seen_wall_ms;
    uint8_t kind, scope, from, to; /* of a start scope, from and to mean nothing */
    char what[HISTORY_WHAT_MAX];
    char cause[HISTORY_CAUSE_MAX];
};

struct event_page {
    unsigned refs, count;
    struct event at[EVENTS_PER_PAGE];
};
struct event_list {
    unsigned refs; /* atomic */
    size_t pages;
    struct event_page *page[EVENTS_PAGES]; /* oldest first */
};

struct events {
    uint64_t sequence; /* of the newest */
    struct event_list *list;
};

int events_open(struct events *e) MUST_USE;
void events_close(struct events *e);
/* Takes it in with its number; from the next list on it is seen. False: no memory, nothing changed. */
bool events_add(struct events *e, const struct event *event);
void event_from(struct event *to, const struct history_entry *h, enum event_kind kind, uint64_t boot);
const char *event_kind_name(enum event_kind k);

struct event_list *event_list_ref(struct event_list *l);
void event_list_unref(struct event_list *l); /* NULL is allowed */
size_t event_list_count(const struct event_list *l);
const struct event *event_list_at(const struct event_list *l, size_t back); /* back 0: the newest; NULL beyond */

/* One record, at most EVENT_RECORD_MAX octets; its size. */
size_t events_write(uint8_t *to, const struct event *e);
/* The next whole record at or behind *at, which is moved past it; what had to be skipped is added to *damaged. False:
 * there is none. Any octets are taken. */
bool events_read(const uint8_t *from, size_t size, size_t *at, struct event *e, size_t *damaged);
uint32_t events_check(const uint8_t *from, size_t size); /* CRC-32 (IEEE 802.3) */

#endif
