/* Crash loops: how often each process was started in the last ten minutes. The supervisor writes the times of starts on
 * the board; of workers their parent counts replacements, and this notes when. */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/impl.h"
#include "health/probe/machine.h"
#include "resolver/base/clock.h"

struct starts_noted {
    bool known;
    uint64_t seen; /* the counter when last looked at */
    uint64_t at_s[RESTARTS_KEPT];
    unsigned next;
};

struct starts_probe {
    unsigned workers;
    size_t role_check[ROLE_COUNT], worker_check;
    struct starts_noted role[ROLE_COUNT], worker;
};

/* A counter that grew: so many happened just now. */
static void note(struct starts_noted *n, uint64_t counter, int64_t now_s) {
    uint64_t more = n->known && counter > n->seen ? counter - n->seen : 0;
    for (uint64_t i = 0; i < more && i < RESTARTS_KEPT; i++)
        n->at_s[n->next++ % RESTARTS_KEPT] = (uint64_t)now_s;
    n->known = true;
    n->seen = counter;
}

/* Times as the supervisor wrote them; false: it wrote none. */
static bool ring_read(const board_word *ring, uint64_t to[BOARD_STARTS]) {
    bool any = false;
    for (int i = 0; i < BOARD_STARTS; i++) {
        to[i] = board_get(&ring[i]);
        any |= to[i] != 0;
    }
    return any;
}

static int64_t fresh_s(const struct prober *p) {
    return RESTARTS_INTERVALS * (int64_t)p->conf->health.interval.local_ms / 1000;
}

/* Each start of the node starts each program once; where that is not written down, the first of all is expected while
 * the ring still holds it. */
static unsigned expected(const struct prober *p, uint64_t starts, uint64_t first_s, int64_t now_s) {
    unsigned n = 0;
    for (int i = 0; i < BOARD_STARTS; i++)
        n += starts_in_window(board_get(&p->board->node_start_wall_s[i]), now_s);
    return n > 0 ? n : starts <= BOARD_STARTS && starts_in_window(first_s, now_s);
}

static bool role_look(struct prober *p, enum board_role role, int64_t now_s) {
    struct starts_probe *s = p->starts;
    const struct board_process *b = &p->board->process[role];
    uint64_t times[BOARD_STARTS], starts = board_get(&b->starts);
    struct evidence e = {.wall_ms = clock_wall_ms()};
    enum verdict_state state;
    note(&s->role[role], starts, now_s);
    snprintf(e.asked, sizeof(e.asked), "starts of %s, on the board", sys_role_name(role));
    if (role == ROLE_SUPERVISOR) { /* that of the node itself: one may be wanted */
        bool told = ring_read(p->board->node_start_wall_s, times);
        state = starts_judge(times, BOARD_STARTS, 1, now_s, fresh_s(p),
                             told ? "starts of the node" : "starts written down", &e);
    } else if (ring_read(b->start_wall_s, times)) {
        state =
            starts_judge(times, BOARD_STARTS, expected(p, starts, times[0], now_s), now_s, fresh_s(p), "starts", &e);
    } else {
        state = starts_judge(s->role[role].at_s, RESTARTS_KEPT, 0, now_s, fresh_s(p), "starts seen", &e);
    }
    return prober_result(p, s->role_check[role], state, &e);
}

/* All workers together: what kills one, a question for instance, kills another the next time. */
static bool workers_look(struct prober *p, int64_t now_s) {
    struct starts_probe *s = p->starts;
    struct evidence e = {.wall_ms = clock_wall_ms()};
    uint64_t replaced = 0;
    for (unsigned w = 0; w < s->workers; w++)
        replaced += board_get(&p->board->worker[w].restarts_died) + board_get(&p->board->worker[w].restarts_hung);
    note(&s->worker, replaced, now_s);
    text_copy(e.asked, sizeof(e.asked), "replacements of workers, counted on the board by their parent");
    enum verdict_state state = starts_judge(s->worker.at_s, RESTARTS_KEPT, 0, now_s, fresh_s(p), "replacements", &e);
    return prober_result(p, s->worker_check, state, &e);
}

bool starts_look(struct prober *p) {
    int64_t now_s = clock_wall_s();
    bool hurry = false;
    for (int r = 0; r < ROLE_COUNT; r++)
        hurry |= role_look(p, (enum board_role)r, now_s);
    hurry |= workers_look(p, now_s);
    return hurry;
}

int starts_open(struct prober *p) {
    struct starts_probe *s = p->starts = calloc(1, sizeof(*s));
    int rc = s == NULL ? E_NOMEM : 0;
    if (rc == 0)
        s->workers = prober_workers(p);
    for (int r = 0; rc == 0 && r < ROLE_COUNT; r++)
        rc = machine_add_check(p, SCOPE_PROCESS, "process", "restarts", sys_role_name((enum board_role)r),
                               &s->role_check[r]);
    if (rc == 0)
        rc = machine_add_check(p, SCOPE_PROCESS, "process", "restarts", "workers", &s->worker_check);
    return rc;
}

void starts_close(struct prober *p) { free(p->starts); }
