/* candor run: makes what the daemons need (folders, lock, board) and supervises them in the foreground. */
#include "health/command/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "health/command/command.h"
#include "health/command/restarts.h"
#include "health/command/supervise.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/privileges.h"
#include "resolver/base/rand.h"

enum { FOLDER_MODE = 0755, LOCK_MODE = 0600, LOCK_WAIT_TRIES = 100, LOCK_WAIT_MS = 50 };

int run_folder(const char *path, const char *user, struct err *err) {
    char part[4096];
    if (text_copy(part, sizeof part, path) != strlen(path))
        return err_set(err, E_RANGE, "%s: path too long", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, FOLDER_MODE) != 0 && errno != EEXIST)
            return err_errno(err, "%s", part);
        *slash = '/';
    }
    return privileges_folder(path, user, err);
}

static int lock_file(const char *run, const char *name, unsigned tries, int *fd, struct err *err) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", run, name) >= (int)sizeof path)
        return err_set(err, E_RANGE, "%s: path too long", run);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE);
    if (*fd < 0)
        return err_errno(err, "%s", path);
    for (unsigned i = 0; flock(*fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_errno(err, "%s", path);
        if (i >= tries)
            return err_set(err, E_EXISTS, "%s is held", path);
        (void)nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_MS * 1000000L}, NULL);
    }
    return 0;
}

/* Two locks: one is this process's, the other is shared with all daemons and ends with the last of them. After a kill
 * of `candor run` its children die too, a moment later: for that moment a new one waits here. */
static int lock(const char *run, int *own, int *daemons, struct err *err) {
    int rc = lock_file(run, "candor.lock", 0, own, err);
    if (rc == E_EXISTS)
        return err_set(err, rc, "another `candor run` works in %s", run);
    if (rc < 0)
        return rc;
    rc = lock_file(run, "daemons.lock", LOCK_WAIT_TRIES, daemons, err);
    return rc == E_EXISTS ? err_set(err, rc, "daemons of an earlier `candor run` are still alive in %s", run) : rc;
}

/* A new boot of the node: counters begin at nothing, and nobody who still maps the old page can write on this one. It
 * belongs to whom the folder belongs: daemons that gave up root attach to it, too. */
static int new_board(struct board **b, const char *run, struct err *err) {
    char path[4096];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/candor.board", run) >= (int)sizeof path)
        return err_set(err, E_RANGE, "%s: path too long", run);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_errno(err, "%s", path);
    int rc = board_attach(b, run, err);
    if (rc < 0)
        return rc;
    if (geteuid() == 0 && (stat(run, &st) != 0 || lchown(path, st.st_uid, st.st_gid) != 0))
        return err_errno(err, "%s", path);
    uint64_t boot = rand_u64();
    board_set(&(*b)->node_boot, boot != 0 ? boot : 1);
    return 0;
}

static int signals(int *fd, struct err *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    (void)signal(SIGPIPE, SIG_IGN);
    /* Blocked, so that they reach the descriptor: also as PID 1, where the kernel drops what has no handler. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_errno(err, "sigprocmask");
    *fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return *fd < 0 ? err_errno(err, "signalfd") : 0;
}

static void announce(const struct conf *conf) {
    LOG(LEVEL_INFO, "candor run", KS("version", CANDOR_VERSION), KS("node", conf->node.name),
        KS("config", conf->path[0] != '\0' ? conf->path : "none: the defaults"));
    for (size_t i = 0; i < conf->later.count; i++)
        LOG(LEVEL_WARN, "configured, but not in this version", KS("key", conf->later.at[i]));
}

static int write_pid(const char *path, struct err *err) {
    char text[24];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    int size = snprintf(text, sizeof text, "%d\n", (int)getpid());
    bool well = fd >= 0 && write(fd, text, (size_t)size) == size;
    int rc = well ? 0 : err_errno(err, "%s", path);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

int run_node(const struct conf *conf, const struct run_how *how, struct err *err) {
    int own = -1, daemons = -1, rc;
    struct supervise_plan plan = {
        .config = conf->path[0] != '\0' ? conf->path : NULL,
        .lock_fd = -1,
        .signal_fd = -1,
        .ready_fd = how->ready_fd,
        .health = &conf->health,
        .restart_hung = conf->health.heal.restart_hung,
        .policy = {conf->health.heal.max_restarts, (int64_t)conf->health.heal.within_s * 1000},
    };
    const struct conf_node *node = &conf->node;
    if ((rc = run_folder(node->run, node->user, err)) < 0 || (rc = run_folder(node->state, node->user, err)) < 0 ||
        (rc = lock(node->run, &own, &daemons, err)) < 0 || (rc = new_board(&plan.board, node->run, err)) < 0 ||
        (rc = signals(&plan.signal_fd, err)) < 0 || (how->pid_file != NULL && (rc = write_pid(how->pid_file, err)) < 0))
        return rc; /* the process ends: the kernel closes what was opened */
    plan.lock_fd = daemons;
    announce(conf);
    if (restarts_note(plan.board, node->state, clock_wall_s(), err) < 0)
        LOG(LEVEL_WARN, "this start is not written down", KS("why", err->text));
    rc = supervise(&plan, err);
    if (how->pid_file != NULL)
        (void)unlink(how->pid_file);
    board_detach(plan.board);
    return rc;
}

static int run(const struct args *a) {
    struct conf *conf;
    struct err err = {0};
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    log_open("candor", conf->log.level, conf->log.format, conf->log.target);
    int rc = run_node(conf, &(struct run_how){.ready_fd = STDERR_FILENO}, &err);
    if (rc < 0)
        fprintf(stderr, "candor run: %s\n", err.text);
    conf_free(conf);
    return rc < 0 ? EXIT_TROUBLE : EXIT_WELL;
}

const struct command command_run = {
    .name = "run",
    .synopsis = "",
    .summary = "starts the node: candor-sync, candor-resolver and candor-health, supervised, in the foreground",
    .manual =
        "Prints one line \"candor: ready\" on stderr when the node first answers as it should (/readyz).\n"
        "What dies is started again at once, and later and later while it keeps dying young; what hangs is ended and\n"
        "started again, at most heal.max-restarts times within heal.within. SIGTERM and SIGINT stop the node (exit\n"
        "code 0), SIGHUP makes candor-sync read its files again, SIGUSR1 writes the traffic so far into the log, "
        "SIGUSR2 too and\n"
        "counts anew from there. Works as PID 1 of a container. Exit code 2 when the\n"
        "configuration is wrong or another `candor run` works in the same run folder.",
    .options = OPTION_CONFIG,
    .run = run,
};
