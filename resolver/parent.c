/* Workers: started, watched, replaced, stopped. */
#include "resolver/parent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/privileges.h"
#include "resolver/base/process.h"
#include "resolver/sockets.h"
#include "resolver/start.h"
#include "resolver/worker.h"

struct slot {
    struct server_sockets sockets;
    pid_t pid; /* 0: none runs */
    int64_t started_ms, watched_ms;
    int64_t start_at_ms;
    unsigned quick_deaths;
    bool hung; /* SIGKILL was sent because it hung */
};

struct parent {
    const struct conf *conf;
    struct board *board;
    struct cache *cache;
    struct local_zones *locals;
    struct cookies *cookies;
    int64_t cache_renewed_ms;
    unsigned count;
    struct slot slots[LIMIT_WORKERS];
    int lock_fd, signal_fd;
    sigset_t signals, inherited;
    int64_t tick_due_ms;
    bool stopping;
    int64_t stop_by_ms;
};

/* --- the life of one worker */

static void child_run(struct parent *p, unsigned index, pid_t parent_pid) {
    process_die_with(parent_pid);
    close(p->lock_fd);
    close(p->signal_fd);
    for (unsigned i = 0; i < p->count; i++)
        if (i != index)
            sockets_close(&p->slots[i].sockets);
    sigprocmask(SIG_SETMASK, &p->inherited, NULL);
    struct worker_plan plan = {.conf = p->conf,
                               .board = p->board,
                               .cache = p->cache,
                               .locals = p->locals,
                               .cookies = p->cookies,
                               .sockets = &p->slots[index].sockets,
                               .index = index};
    _exit(worker_run(&plan));
}

static void slot_start(struct parent *p, unsigned index) {
    struct slot *s = &p->slots[index];
    pid_t self = getpid();
    s->started_ms = s->watched_ms = clock_mono_ms();
    board_set(&p->board->worker[index].heartbeat_ms, (uint64_t)s->started_ms);
    pid_t pid = fork();
    if (pid == 0)
        child_run(p, index, self);
    if (pid < 0) {
        LOG(LEVEL_ERROR, "cannot fork a worker", KU("worker", index), KI("errno", errno));
        s->start_at_ms = s->started_ms + WORKER_DELAY_MAX_MS;
        return;
    }
    s->pid = pid;
    s->hung = false;
}

static void start_due(struct parent *p) {
    for (unsigned i = 0; i < p->count && !p->stopping; i++)
        if (p->slots[i].pid == 0 && clock_mono_ms() >= p->slots[i].start_at_ms)
            slot_start(p, i);
}

/* How long to wait before the next start: nothing after a life of some length, and nothing after the first short one.
 */
static int64_t restart_delay_ms(const struct slot *s) {
    int64_t delay = s->quick_deaths < 2 ? 0 : WORKER_DELAY_FIRST_MS;
    for (unsigned i = 2; i < s->quick_deaths && delay < WORKER_DELAY_MAX_MS; i++)
        delay *= 2;
    return delay < WORKER_DELAY_MAX_MS ? delay : WORKER_DELAY_MAX_MS;
}

static void slot_ended(struct parent *p, unsigned index, int status) {
    struct slot *s = &p->slots[index];
    struct board_worker *w = &p->board->worker[index];
    int64_t now = clock_mono_ms();
    int signum = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    struct err err = {0};
    s->pid = 0;
    if (p->stopping)
        return;
    board_add(s->hung ? &w->restarts_hung : &w->restarts_died, 1);
    s->quick_deaths = now - s->started_ms < WORKER_QUICK_DEATH_MS ? s->quick_deaths + 1 : 0;
    s->start_at_ms = now + restart_delay_ms(s);
    LOG(LEVEL_WARN, "worker is replaced", KU("worker", index), KS("reason", s->hung ? "hung" : "died"),
        KI("signal", signum), KI("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
        KI("lived_ms", now - s->started_ms));
    /* The cache's file was cut short or its disk failed: its pages are no more to be touched. A worker from before the
     * last renewal died of the old file. */
    if (signum == SIGBUS && s->started_ms >= p->cache_renewed_ms) {
        p->cache_renewed_ms = now;
        if (cache_renew(p->cache, &err) != 0)
            LOG(LEVEL_ERROR, "answer cache", KS("why", err.text));
    }
}

static void reap(struct parent *p) {
    int status;
    pid_t pid;
    for (unsigned n = 0; n < 2 * LIMIT_WORKERS && (pid = waitpid(-1, &status, WNOHANG)) > 0; n++)
        for (unsigned i = 0; i < p->count; i++)
            if (p->slots[i].pid == pid)
                slot_ended(p, i, status);
    start_due(p);
}

/* --- watching */

/* NULL: it does not. */
static const char *why_hung(const struct board_worker *w, int64_t beat, int64_t now) {
    uint64_t boot = board_get(&w->boot);
    if (now - beat >= WORKER_HUNG_MS)
        return "its heartbeat stands still";
    return boot != 0 && board_get(&w->heal_boot) == boot ? "candor-health gets no answer from it" : NULL;
}

static void watch(struct parent *p, int64_t now) {
    bool ready = true;
    for (unsigned i = 0; i < p->count; i++) {
        struct slot *s = &p->slots[i];
        int64_t beat = (int64_t)board_get(&p->board->worker[i].heartbeat_ms);
        ready &= s->pid != 0 && beat > s->started_ms;
        if (s->pid == 0 || s->hung)
            continue;
        const char *why =
            why_hung(&p->board->worker[i], beat > s->watched_ms && beat <= now ? beat : s->watched_ms, now);
        if (why == NULL)
            continue;
        LOG(LEVEL_WARN, "worker hangs: ended", KU("worker", i), KI("pid", s->pid), KS("why", why),
            KI("for_ms", now - beat));
        s->hung = true;
        kill(s->pid, SIGKILL);
    }
    board_set(&p->board->process[ROLE_RESOLVER].ready, ready);
}

static void tick(struct parent *p) {
    int64_t now = clock_mono_ms();
    board_tick(&p->board->process[ROLE_RESOLVER], p->tick_due_ms);
    if (now - p->tick_due_ms > PARENT_LATE_MS) {
        LOG(LEVEL_WARN, "parent was held up", KI("late_ms", now - p->tick_due_ms));
        for (unsigned i = 0; i < p->count; i++)
            p->slots[i].watched_ms = now;
    }
    p->tick_due_ms = now + BOARD_TICK_MS;
    cookies_tick(p->cookies, now);
    if (!p->stopping)
        watch(p, now);
    start_due(p);
}

/* --- stopping */

static void signal_all(const struct parent *p, int signum) {
    for (unsigned i = 0; i < p->count; i++)
        if (p->slots[i].pid != 0)
            kill(p->slots[i].pid, signum);
}

static unsigned running(const struct parent *p) {
    unsigned n = 0;
    for (unsigned i = 0; i < p->count; i++)
        n += p->slots[i].pid != 0;
    return n;
}

static void stop(struct parent *p, int signum) {
    if (p->stopping)
        return;
    LOG(LEVEL_INFO, "stopping", KI("signal", signum));
    p->stopping = true;
    p->stop_by_ms = clock_mono_ms() + WORKER_STOP_MS;
    board_set(&p->board->process[ROLE_RESOLVER].ready, 0);
    signal_all(p, SIGTERM);
}

static void read_signals(struct parent *p) {
    struct signalfd_siginfo info;
    while (read(p->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap(p);
        else if (info.ssi_signo == SIGHUP)
            LOG(LEVEL_INFO, "SIGHUP: the configuration is read at start only");
        else
            stop(p, (int)info.ssi_signo);
    }
}

/* Until every worker has ended; those that do not in time are killed. */
static void run(struct parent *p) {
    bool killed = false;
    while (!p->stopping || running(p) > 0) {
        int64_t wait = p->tick_due_ms - clock_mono_ms();
        struct pollfd fd = {.fd = p->signal_fd, .events = POLLIN};
        if (poll(&fd, 1, wait < 0 ? 0 : (int)wait) > 0)
            read_signals(p);
        int64_t now = clock_mono_ms();
        if (now >= p->tick_due_ms)
            tick(p);
        if (p->stopping && !killed && now >= p->stop_by_ms) {
            killed = true;
            signal_all(p, SIGKILL);
        }
    }
}

/* --- start */

static int signals_open(struct parent *p, struct err *err) {
    sigemptyset(&p->signals);
    sigaddset(&p->signals, SIGCHLD);
    sigaddset(&p->signals, SIGTERM);
    sigaddset(&p->signals, SIGINT);
    sigaddset(&p->signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &p->signals, &p->inherited);
    p->signal_fd = signalfd(-1, &p->signals, SFD_NONBLOCK | SFD_CLOEXEC);
    return p->signal_fd < 0 ? err_errno(err, "signalfd") : 0;
}

static int parent_open(struct parent *p, struct err *err) {
    const struct conf *conf = p->conf;
    int e = local_zones_open(&p->locals, conf, err);
    if (e != 0 || (e = start_folders(conf, err)) != 0 || (e = start_lock(conf, &p->lock_fd, err)) != 0)
        return e;
    start_descriptors();
    for (unsigned i = 0; i < p->count; i++)
        if ((e = sockets_open(&p->slots[i].sockets, conf, i == 0, err)) != 0)
            return e;
    if ((e = board_attach(&p->board, conf->node.run, err)) != 0 || (e = privileges_drop(conf->node.user, err)) != 0 ||
        (e = start_cache(conf, &p->cache, err)) != 0 ||
        (e = cookies_open(&p->cookies, &conf->resolver.cookies, err)) != 0 || (e = signals_open(p, err)) != 0)
        return e;
    board_claim(&p->board->process[ROLE_RESOLVER]);
    board_set(&p->board->worker_count, p->count);
    return 0;
}

static void parent_close(struct parent *p) {
    for (unsigned i = 0; i < p->count; i++)
        sockets_close(&p->slots[i].sockets);
    cache_close(p->cache);
    local_zones_close(p->locals);
    cookies_close(p->cookies);
    if (p->board != NULL)
        board_detach(p->board);
    if (p->signal_fd >= 0)
        close(p->signal_fd);
    if (p->lock_fd >= 0)
        close(p->lock_fd);
}

int parent_run(const struct conf *conf) {
    static struct parent p;
    struct err err = {0};
    p = (struct parent){.conf = conf, .count = conf->resolver.workers, .lock_fd = -1, .signal_fd = -1};
    if (p.count < 1 || p.count > LIMIT_WORKERS)
        p.count = 1;
    int e = parent_open(&p, &err);
    if (e == 0) {
        LOG(LEVEL_INFO, "candor-resolver runs", KU("workers", p.count), KU("listen", conf->resolver.listen_count),
            KS("cache", cache_on_disk(p.cache) ? "file" : "memory"));
        p.tick_due_ms = clock_mono_ms();
        start_due(&p);
        run(&p);
    } else {
        LOG(LEVEL_ERROR, "cannot start", KS("why", err.text));
    }
    parent_close(&p);
    return e == 0 ? 0 : 1;
}
