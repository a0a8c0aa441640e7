/* Who also holds the port. A socket in the SO_REUSEPORT group that is none of ours takes its share of the questions
 * whether it answers or not; bind() of ours succeeded all the same. The kernel's lists of sockets name it by inode, and
 * /proc by process, as far as this user may look. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "health/probe/stray.h"
#include "resolver/base/clock.h"

enum { OURS_MAX = 4 * SYS_SOCKETS_MAX };

struct stray_probe {
    struct task task;
    struct prober *p;
    size_t check[LIMIT_LISTEN];
    struct sys_socket found[SYS_SOCKETS_MAX];
    uint64_t ours[OURS_MAX]; /* inodes of the resolver's sockets */
    int our_count;           /* negative: not for us to see */
    struct stray_seen seen;  /* the last one, so that its owner is looked for once */
};

/* Sockets that the workers have where `ours` is bound, also those of more special addresses. */
static unsigned expected(const struct prober *p, const struct addr *ours) {
    unsigned n = 0;
    for (size_t i = 0; i < p->conf->resolver.listen_count; i++) {
        const struct conf_listen *l = &p->conf->resolver.listen[i];
        n += !l->tls && sys_socket_meets(&l->address, ours);
    }
    return 2 * n * prober_workers(p);
}

static void name_owner(struct stray_probe *s, struct stray_look *l) {
    struct sys_process owner;
    if (l->foreign == 0 || l->inode == 0)
        return;
    if (s->seen.inode != l->inode) {
        s->seen = (struct stray_seen){.inode = l->inode};
        if (sys_socket_owner(l->inode, &s->seen.pid, &owner) == 0)
            text_copy(s->seen.name, sizeof(s->seen.name), owner.name);
        else
            s->seen.pid = 0;
    }
    l->owner = s->seen.pid > 0 ? &s->seen : NULL;
}

static bool listen_look(struct stray_probe *s, size_t i) {
    struct prober *p = s->p;
    const struct addr *ours = &p->conf->resolver.listen[i].address;
    struct stray_look l = {.expected = expected(p, ours), .owners_known = s->our_count >= 0, .whole = true};
    struct evidence e = {.wall_ms = clock_wall_ms()};
    bool v6 = addr_family(ours) == AF_INET6;
    snprintf(e.asked, sizeof(e.asked), "/proc/net/udp%s and tcp%s, sockets of the resolver", v6 ? "6" : "",
             v6 ? "6" : "");
    for (int tcp = 0; tcp <= 1 && l.whole; tcp++) {
        bool whole = true;
        int n = sys_sockets_on(tcp != 0, ours, s->found, SYS_SOCKETS_MAX, &whole);
        l.unread |= n < 0;
        l.whole &= whole;
        for (int k = 0; k < n; k++)
            stray_count(&l, &s->found[k], tcp != 0, s->ours, s->our_count);
    }
    name_owner(s, &l);
    enum verdict_state state = stray_judge(&l, &e);
    return prober_result(p, s->check[i], state, &e);
}

/* The parent has every socket of its workers open. While it is being replaced nobody can say what is ours. */
static void stray_start(struct task *task) {
    struct stray_probe *s = CONTAINER_OF(task, struct stray_probe, task);
    struct prober *p = s->p;
    uint64_t parent = board_get(&p->board->process[ROLE_RESOLVER].pid);
    bool hurry = false;
    s->our_count = parent > 0 ? sys_sockets_of(parent, s->ours, OURS_MAX) : E_NOTFOUND;
    for (size_t i = 0; i < p->conf->resolver.listen_count && s->our_count != E_NOTFOUND; i++)
        if (!p->conf->resolver.listen[i].tls)
            hurry |= listen_look(s, i);
    task_done(task, hurry ? (int64_t)task->interval_ms / 2 : -1);
}

int stray_open(struct prober *p) {
    struct stray_probe *s = p->stray = calloc(1, sizeof(*s));
    int rc = s == NULL ? E_NOMEM : 0;
    if (rc < 0)
        return rc;
    s->p = p;
    for (size_t i = 0; rc == 0 && i < p->conf->resolver.listen_count; i++) {
        char text[ADDR_TEXT_MAX];
        const struct conf_listen *l = &p->conf->resolver.listen[i];
        if (!l->tls)
            rc = machine_add_check(p, SCOPE_WORKER, "listen", "holders", addr_text(&l->address, text), &s->check[i]);
    }
    return rc < 0 || p->conf->resolver.listen_count == 0
               ? rc
               : prober_add(p, &s->task, stray_start, p->conf->health.interval.local_ms, false);
}

void stray_close(struct prober *p) { free(p->stray); }
