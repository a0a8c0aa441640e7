/* Remote lists (iterate/guard.h) from their clients' side: marked ones are not believed, and nobody waits long. */
#include "resolver/iterate/guard.h"
#include "resolver/base/clock.h"
#include "resolver/serve/impl.h"

static size_t withheld(struct ask *a, int list, enum board_withheld why, int ede, const char *text) {
    if (a->s->config.stats != NULL)
        board_add(&a->s->config.stats->guard[list][why], 1);
    return reply_error(a, RCODE_SERVFAIL, ede, text);
}

bool guard_before_cache(struct ask *a, size_t *size) {
    const struct guards *g = a->s->guards;
    a->list = guards_find(g, &a->q->qname);
    if (a->list < 0 || guards_is_point(g, a->list, &a->q->qname)) /* points tell how a list is, marked or not */
        return false;
    a->mark = guards_mark(a->s->config.board, a->list, clock_mono_ms());
    if (a->mark != GUARD_MARK_WORLD)
        return false;
    *size = withheld(a, a->list, WITHHELD_WORLD, EDE_BLOCKED, "this list lists what no list may: it is not believed");
    return true;
}

bool guard_before_asking(struct ask *a, size_t *size) {
    if (a->list < 0 || a->mark != GUARD_MARK_SILENT)
        return false;
    if (!stale_answer(a, size))
        *size = withheld(a, a->list, WITHHELD_SILENT, EDE_NO_REACHABLE_AUTHORITY, "this list does not answer");
    return true;
}

size_t guard_late(struct ask *a) {
    size_t size;
    return stale_answer(a, &size)
               ? size
               : withheld(a, a->list, WITHHELD_LATE, EDE_NO_REACHABLE_AUTHORITY, "this list has not answered in time");
}
