/* Names, and lists that several threads read. */
#include <stdlib.h>
#include <string.h>

#include "health/alert/alert.h"
#include "resolver/base/bytes.h"

static const char *const kinds[ALERT_KINDS] = {"CandorNode", "CandorNodes", "CandorFleet", "CandorMonitor",
                                               "CandorMonitorCutOff"};
static const char *const news[ALERT_NEWS] = {"began", "grew", "again", "over"};

static int find(const char *const *names, size_t count, const char *name) {
    for (size_t i = 0; i < count && name != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

const char *alert_kind_name(enum alert_kind k) { return k < ALERT_KINDS ? kinds[k] : "?"; }
int alert_kind_find(const char *name) { return find(kinds, ALERT_KINDS, name); }
const char *alert_news_name(enum alert_news n) { return n < ALERT_NEWS ? news[n] : "?"; }
int alert_news_find(const char *name) { return find(news, ALERT_NEWS, name); }

/* Nobody has to get up for a monitor that is not well while it does its work. */
bool alert_is_critical(enum alert_kind k) { return k != ALERT_MONITOR && k != ALERT_FLEET; }

struct alert_list *alert_list_new(size_t count) {
    struct alert_list *l = calloc(1, sizeof *l + count * sizeof l->at[0]);
    if (l != NULL) {
        l->refs = 1;
        l->count = count;
    }
    return l;
}

struct alert_list *alert_list_ref(struct alert_list *l) {
    if (l != NULL)
        (void)__atomic_add_fetch(&l->refs, 1, __ATOMIC_ACQ_REL);
    return l;
}

void alert_list_unref(struct alert_list *l) {
    if (l == NULL || __atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < l->count; i++)
        free(l->at[i].members);
    free(l);
}
