/* The machine's way into a list and back out of one. */
#include <stdlib.h>
#include <string.h>

#include "health/alert/impl.h"
#include "resolver/base/bytes.h"

static char *members_of(const struct alerts *a, int entry, size_t count) {
    char *names = calloc(count + 1, ALERT_NAME + 1), *at = names;
    for (size_t i = 0; i < ALERT_SUBJECTS && names != NULL && count > 0; i++) {
        const struct subject *s = &a->subject[i];
        if (s->name[0] == '\0' || s->entry != entry)
            continue;
        size_t n = strlen(s->name);
        memcpy(at, s->name, n);
        at[n] = '\n';
        at += n + 1;
        count--;
    }
    return names;
}

/* Those that hold, oldest first, then those that ended, newest first. */
static bool comes_before(const struct alert *x, const struct alert *y) {
    bool over = x->ended_wall_ms != 0;
    if (over != (y->ended_wall_ms != 0))
        return !over;
    return over ? x->change > y->change : x->id < y->id;
}

struct alert_list *alerts_list(const struct alerts *a) {
    int order[ALERT_MAX];
    size_t count = 0;
    for (int i = 0; i < ALERT_MAX; i++) {
        size_t at = count;
        if (a->entry[i].alert.id == 0)
            continue;
        for (; at > 0 && comes_before(&a->entry[i].alert, &a->entry[order[at - 1]].alert); at--)
            order[at] = order[at - 1];
        order[at] = i;
        count++;
    }
    struct alert_list *l = alert_list_new(count);
    if (l == NULL)
        return NULL;
    l->change = a->change;
    text_copy(l->monitor, sizeof l->monitor, a->monitor);
    for (size_t i = 0; i < count; i++) {
        l->at[i] = a->entry[order[i]].alert;
        l->at[i].members = NULL;
        if (!entry_holds(&a->entry[order[i]]))
            continue;
        l->at[i].members = members_of(a, order[i], l->at[i].ill);
        if (l->at[i].members == NULL) {
            alert_list_unref(l);
            return NULL;
        }
    }
    return l;
}

static void restore_members(struct alerts *a, int entry, const char *names) {
    struct alert *at = &a->entry[entry].alert;
    size_t place = 0;
    at->ill = 0;
    for (const char *end; names != NULL && (end = strchr(names, '\n')) != NULL; names = end + 1) {
        size_t n = (size_t)(end - names);
        while (place < ALERT_SUBJECTS && a->subject[place].name[0] != '\0')
            place++;
        if (n == 0 || n >= ALERT_NAME || place == ALERT_SUBJECTS)
            continue;
        struct subject *s = &a->subject[place];
        *s = (struct subject){.kind = at->kind == ALERT_NODES ? ALERT_NODE : at->kind,
                              .state = ALERT_DARK,
                              .entry = entry,
                              .last = at->id,
                              .ill_wall_ms = at->began_wall_ms,
                              .well_ms = ALERT_NEVER};
        memcpy(s->name, names, n);
        at->ill++;
    }
}

static bool fits(const struct alerts *a, const struct alert *at) {
    static const size_t most[ALERT_KINDS] = {[ALERT_NODE] = ALERT_SINGLES,
                                             [ALERT_NODES] = ALERT_TOGETHER,
                                             [ALERT_FLEET] = 1,
                                             [ALERT_MONITOR] = 1,
                                             [ALERT_CUT_OFF] = 1};
    return at->id != 0 && at->kind < ALERT_KINDS &&
           (at->ended_wall_ms != 0 || alerts_firing(a, at->kind) < most[at->kind]);
}

void alerts_restore(struct alerts *a, const struct alert_list *past) {
    int place = 0;
    size_t ended = 0;
    for (size_t i = 0; i < past->count && place < ALERT_MAX; i++) {
        const struct alert *from = &past->at[i];
        ended += from->ended_wall_ms != 0;
        if (!fits(a, from) || ended > ALERT_ENDED)
            continue;
        struct entry *e = &a->entry[place];
        *e = (struct entry){.alert = *from, .pause_ms = a->plan.wait_ms};
        e->alert.members = NULL;
        e->told_total = from->total;
        if (entry_holds(e) && from->kind != ALERT_CUT_OFF) {
            restore_members(a, place, from->members);
            if (e->alert.ill == 0) { /* nobody is in it: it would hold for ever */
                memset(e, 0, sizeof *e);
                continue;
            }
        }
        place++;
    }
    a->change = past->change > a->change ? past->change : a->change;
    a->restored = true;
}
