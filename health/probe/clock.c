#include "health/probe/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/probe/impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

enum { OFFSET_NODES = LIMIT_PEERS };

struct clock_probe {
    struct task task;
    struct prober *p;
    struct clock_watch watch;
    size_t jump_check, build_check, offset_check; /* offset_check SIZE_MAX: nobody has told us a time yet */
    int64_t told_ms;                              /* when the checks got a result last (mono) */
    int64_t jumped_ms;                            /* when the last jump was seen (mono) */
    struct evidence jump;                         /* of it */
};

int64_t clock_look(struct clock_watch *w, int64_t wall_ms, int64_t boot_ms) {
    int64_t apart = wall_ms - boot_ms, moved = apart - w->apart_ms, passed = boot_ms - w->boot_ms;
    bool known = w->known;
    *w = (struct clock_watch){.known = true, .apart_ms = apart, .boot_ms = boot_ms};
    int64_t most = CLOCK_JUMP_MS + (passed > 0 ? passed / CLOCK_SLEW_SHARE : 0);
    return known && (moved > most || moved < -most) ? moved : 0;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

bool clock_offset(const struct board *b, int64_t now_wall_ms, int64_t within_ms, int64_t *offset_ms, size_t *nodes) {
    int64_t all[OFFSET_NODES];
    char peers[OFFSET_NODES][BOARD_PEER_MAX];
    size_t n = 0;
    for (size_t i = 0; i < LIMIT_LINKS && n < OFFSET_NODES; i++) {
        struct board_link k;
        if (board_get(&b->link[i].way) == LINK_FREE)
            break;
        if (board_get(&b->link[i].clock_known) == 0 || !board_link_read(&b->link[i], &k))
            continue;
        bool seen = now_wall_ms - (int64_t)k.heard_wall_ms > within_ms;
        k.peer[BOARD_PEER_MAX - 1] = '\0';
        for (size_t j = 0; j < n && !seen; j++)
            seen = strcmp(peers[j], k.peer) == 0; /* one voice for each node, of however many zones */
        if (seen)
            continue;
        text_copy(peers[n], BOARD_PEER_MAX, k.peer);
        all[n++] = (int64_t)k.clock_offset_ms;
    }
    *nodes = n;
    if (n == 0)
        return false;
    qsort(all, n, sizeof(all[0]), by_size);
    *offset_ms = n % 2 != 0 ? all[n / 2] : all[n / 2 - 1] / 2 + all[n / 2] / 2;
    return true;
}

static void tell_jump(struct clock_probe *c, int64_t now) {
    struct prober *p = c->p;
    bool lately =
        c->jumped_ms != 0 && now - c->jumped_ms < (int64_t)CLOCK_SHOW_INTERVALS * p->conf->health.interval.local_ms;
    if (lately) {
        prober_proof(p, c->jump_check, VERDICT_WARN, &c->jump);
        return;
    }
    struct evidence e = {.wall_ms = clock_wall_ms()};
    text_copy(e.asked, sizeof(e.asked), "CLOCK_REALTIME against CLOCK_BOOTTIME, four times a second");
    snprintf(e.came, sizeof(e.came), "they run side by side, within %d s", CLOCK_JUMP_MS / 1000);
    (void)prober_result(p, c->jump_check, VERDICT_PASS, &e);
}

static void look_jump(struct clock_probe *c, int64_t now) {
    int64_t before = clock_ns(CLOCK_KIND_BOOT), wall_ms = clock_wall_ms(), after = clock_ns(CLOCK_KIND_BOOT);
    if (after - before > CLOCK_READ_MS * NS_PER_MS)
        return;
    int64_t moved = clock_look(&c->watch, wall_ms, after / NS_PER_MS);
    if (moved == 0)
        return;
    c->jumped_ms = now;
    c->p->tally.clock_jumps[moved > 0]++;
    c->jump = (struct evidence){.wall_ms = wall_ms, .value = (double)moved / 1000, .unit = "s"};
    text_copy(c->jump.asked, sizeof(c->jump.asked), "CLOCK_REALTIME against CLOCK_BOOTTIME, four times a second");
    snprintf(c->jump.came, sizeof(c->jump.came), "the wall clock jumped %s by %.1f s", moved > 0 ? "ahead" : "back",
             (double)(moved > 0 ? moved : -moved) / 1000);
    LOG(LEVEL_WARN, "the wall clock jumped", KI("ms", moved));
    tell_jump(c, now);
}

static void tell_build(struct clock_probe *c) {
    struct evidence e = {.wall_ms = clock_wall_ms(), .unit = "s"};
    int64_t built = build_epoch_s(), ahead = clock_wall_s() - built;
    e.value = (double)ahead;
    snprintf(e.asked, sizeof(e.asked), "the wall clock, against when this program was built (%" PRId64 ")", built);
    if (ahead >= -CLOCK_BUILD_SLACK_S) {
        text_copy(e.came, sizeof(e.came), "later than that, as it must be");
        (void)prober_result(c->p, c->build_check, VERDICT_PASS, &e);
        return;
    }
    snprintf(e.came, sizeof(e.came),
             "the clock is wrong: it says a time %" PRId64 " days before this program was built; signatures, TSIG and "
             "certificates cannot be checked rightly",
             -ahead / 86400);
    prober_proof(c->p, c->build_check, VERDICT_FAIL, &e);
}

static void tell_offset(struct clock_probe *c) {
    struct prober *p = c->p;
    size_t nodes;
    int64_t ms = 0, within = 10 * (int64_t)p->conf->health.interval.zones_ms;
    struct evidence e = {.wall_ms = clock_wall_ms(), .unit = "s"};
    p->tally.clock_offset_known = clock_offset(p->board, clock_wall_ms(), within, &ms, &nodes);
    p->tally.clock_offset_ms = -ms;
    if (!p->tally.clock_offset_known) {
        if (c->offset_check != SIZE_MAX)
            verdict_drop(&p->book, c->offset_check);
        c->offset_check = SIZE_MAX;
        return;
    }
    if (c->offset_check == SIZE_MAX) {
        int at = verdict_add(&p->book, SCOPE_PROCESS, "clock", "offset", "", p->conf->health.interval.local_ms, false);
        if (at < 0)
            return;
        c->offset_check = (size_t)at;
    }
    int64_t off = ms < 0 ? -ms : ms;
    e.value = -(double)ms / 1000;
    snprintf(e.asked, sizeof(e.asked), "this node's clock against those of %zu other node%s", nodes,
             nodes == 1 ? "" : "s");
    snprintf(e.came, sizeof(e.came), "%.1f s %s the middle one of them%s", (double)off / 1000,
             ms < 0 ? "ahead of" : "behind", off > CLOCK_OFFSET_FAIL_MS ? "; TSIG fails at 300 s" : "");
    (void)prober_result(p, c->offset_check, off > CLOCK_OFFSET_WARN_MS ? VERDICT_WARN : VERDICT_PASS, &e);
}

static void clock_start(struct task *task) {
    struct clock_probe *c = CONTAINER_OF(task, struct clock_probe, task);
    int64_t now = clock_mono_ms(), every = c->p->conf->health.interval.local_ms;
    look_jump(c, now);
    if (c->told_ms == 0 || now - c->told_ms >= every - CLOCK_LOOK_MS) {
        c->told_ms = now;
        tell_jump(c, now);
        tell_build(c);
        tell_offset(c);
    }
    task_done(task, CLOCK_LOOK_MS);
}

int clock_open(struct prober *p) {
    struct clock_probe *c = p->clock = calloc(1, sizeof(*c));
    uint32_t local = p->conf->health.interval.local_ms;
    if (c == NULL)
        return E_NOMEM;
    int jump = verdict_add(&p->book, SCOPE_PROCESS, "clock", "jump", "", local, false);
    int build = verdict_add(&p->book, SCOPE_PROCESS, "clock", "build", "", local, false);
    if (jump < 0 || build < 0)
        return E_FULL;
    c->p = p;
    c->jump_check = (size_t)jump;
    c->build_check = (size_t)build;
    c->offset_check = SIZE_MAX;
    return prober_add(p, &c->task, clock_start, local < CLOCK_LOOK_MS ? local : CLOCK_LOOK_MS, true);
}

void clock_close(struct prober *p) { free(p->clock); }
