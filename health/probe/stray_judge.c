#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/stray.h"
#include "resolver/base/bytes.h"

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void stray_count(struct stray_look *l, const struct sys_socket *s, bool tcp, const uint64_t *ours, int count) {
    bool mine =
        l->owners_known && count > 0 && bsearch(&s->inode, ours, (size_t)count, sizeof(*ours), ascending) != NULL;
    l->all++;
    if (l->owners_known ? mine : l->all <= l->expected)
        return;
    if (l->foreign++ == 0) {
        l->inode = l->owners_known ? s->inode : 0;
        l->uid = s->uid;
    }
    l->foreign_tcp += tcp;
}

enum verdict_state stray_judge(const struct stray_look *l, struct evidence *e) {
    e->value = l->foreign;
    e->unit = "sockets";
    if (l->unread) {
        text_copy(e->came, sizeof(e->came),
                  "the kernel's list of sockets cannot be read: who else is there is not known");
        return VERDICT_WARN;
    }
    if (l->foreign > 0 && l->owner != NULL)
        snprintf(e->came, sizeof(e->came),
                 "%u of %u sockets on this port are foreign: pid %" PRIu64
                 " (%s) holds it too, and takes a share of the %s",
                 l->foreign, l->all, l->owner->pid, l->owner->name,
                 l->foreign_tcp == l->foreign ? "connections" : "questions");
    else if (l->foreign > 0 && l->owners_known)
        snprintf(e->came, sizeof(e->came),
                 "%u of %u sockets on this port are foreign: of a process of user %" PRIu64
                 " that cannot be looked into, or that has just gone",
                 l->foreign, l->all, l->uid);
    else if (l->foreign > 0)
        snprintf(e->came, sizeof(e->came),
                 "%u sockets on this port where the workers have %u: somebody else holds it too", l->all, l->expected);
    else
        snprintf(e->came, sizeof(e->came), "%u sockets, all of them ours%s", l->all,
                 l->owners_known ? "" : " by their number (whose they are cannot be looked at)");
    if (l->foreign > 0)
        return VERDICT_FAIL;
    if (!l->whole)
        text_copy(e->came, sizeof(e->came), "too many sockets to look at all of them");
    return l->whole ? VERDICT_PASS : VERDICT_WARN;
}
