/* candor rbldnsd: a node from rbldnsd's own command line. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "health/command/command.h"
#include "health/command/dropin.h"
#include "health/command/run.h"
#include "resolver/base/board.h"
#include "resolver/base/log.h"

enum { EXIT_RBLDNSD = 1, START_WAIT_MS = 600000, START_LOOK_MS = 200, WORDS_MAX = ERR_TEXT_MAX + 64 };

/* rbldnsd, unless told to be quick, does not start when a file is not to be had. */
static int check_files(const struct dropin *d, struct err *err) {
    for (size_t i = 0; i < d->specs && !d->quick; i++)
        for (size_t k = 0; k < d->spec[i].files; k++) {
            int fd = open(d->spec[i].file[k], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
            if (fd < 0)
                return err_errno(err, "zone %s: %s", d->spec[i].zone, d->spec[i].file[k]);
            (void)close(fd);
        }
    return 0;
}

/* Replaces the file by one that is whole. The folder is not the user's that the daemons become, so nobody can have put
 * a link there. */
static int write_config(const struct dropin *d, const char *path, struct err *err) {
    char fresh[DROPIN_PATH + 8];
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    (void)unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL)
        return err_errno(err, "%s", fresh);
    int rc = dropin_yaml(d, f, err);
    if (fclose(f) != 0 && rc == 0)
        rc = err_errno(err, "%s", fresh);
    if (rc == 0 && rename(fresh, path) != 0)
        rc = err_errno(err, "%s", path);
    return rc;
}

static int run_config(const struct dropin *d, const char *path, int ready_fd, struct err *err) {
    struct conf *conf;
    int rc = conf_read(&conf, path, err);
    if (rc < 0)
        return rc;
    log_open("candor", conf->log.level, conf->log.format, conf->log.target);
    LOG(LEVEL_INFO, "candor rbldnsd; the other commands take it with -c", KS("config", path));
    rc = run_node(conf, &(struct run_how){.ready_fd = ready_fd, .pid_file = d->pid_file}, err);
    conf_free(conf);
    return rc;
}

/* In the background: the words for the one who waits at the other end of `pipe`, then nothing for a terminal. */
static int be_daemon(const struct dropin *d, const char *path, int pipe) {
    struct err err = {0};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (setsid() < 0 || chdir("/") != 0 || null < 0)
        return EXIT_RBLDNSD;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        (void)dup2(null, fd);
    int rc = run_config(d, path, pipe, &err);
    if (rc < 0) {
        LOG(LEVEL_ERROR, "cannot start", KS("why", err.text));
        (void)!write(pipe, err.text, strlen(err.text));
    }
    return rc < 0 ? EXIT_RBLDNSD : EXIT_WELL;
}

/* Do the workers run, and has every zone been read or given up? An acl that refuses this very machine keeps the node
 * from ever calling itself ready; rbldnsd has started then, too. */
static bool answers(const char *run) {
    const struct board *b;
    if (board_watch(&b, run, NULL) < 0)
        return false;
    uint64_t zones = board_get(&b->zone_count);
    bool well = board_get(&b->process[ROLE_RESOLVER].ready) == 1 && zones > 0 && zones <= LIMIT_ZONES;
    for (uint64_t i = 0; i < zones && well; i++)
        well = board_get(&b->zone[i].state) != ZONE_LOADING;
    board_detach(b);
    return well;
}

/* Until the node is ready, or answers, or has said why it will do neither. */
static int wait_started(pid_t pid, int pipe, const char *run) {
    static const char ready[] = "candor: ready\n";
    char words[WORDS_MAX] = {0};
    size_t size = 0;
    struct pollfd p = {.fd = pipe, .events = POLLIN};
    for (int waited_ms = 0; waited_ms < START_WAIT_MS && size < sizeof words - 1; waited_ms += START_LOOK_MS) {
        if (poll(&p, 1, START_LOOK_MS) <= 0) {
            if (answers(run))
                return EXIT_WELL;
            continue;
        }
        ssize_t n = read(pipe, words + size, sizeof words - 1 - size);
        size += n > 0 ? (size_t)n : 0;
        if (strncmp(words, ready, sizeof ready - 1) == 0)
            return EXIT_WELL;
        if (n <= 0) {
            fprintf(stderr, "candor rbldnsd: %s\n", size > 0 ? words : "ended while it started");
            (void)waitpid(pid, NULL, 0);
            return EXIT_RBLDNSD;
        }
    }
    fprintf(stderr, "candor rbldnsd: not ready yet; it goes on in the background\n");
    return EXIT_WELL;
}

static int go_background(const struct dropin *d, const char *path, struct err *err) {
    int pipe_fd[2];
    if (pipe2(pipe_fd, O_CLOEXEC) != 0)
        return err_errno(err, "pipe");
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, "fork");
    if (pid == 0) {
        (void)close(pipe_fd[0]);
        _exit(be_daemon(d, path, pipe_fd[1]));
    }
    (void)close(pipe_fd[1]);
    return d->quick ? EXIT_WELL : wait_started(pid, pipe_fd[0], d->run);
}

static int start(struct dropin *d, struct err *err) {
    char path[DROPIN_PATH];
    int rc = check_files(d, err);
    if (rc < 0 || (rc = dropin_place(d, err)) < 0)
        return rc;
    if (d->print)
        return dropin_yaml(d, stdout, err);
    for (size_t i = 0; i < d->notes; i++)
        fprintf(stderr, "candor rbldnsd: %s\n", d->note[i]);
    (void)snprintf(path, sizeof path, "%.*s/candor.yaml", DROPIN_PATH - 16, d->folder);
    if ((rc = run_folder(d->folder, "", err)) < 0 || (rc = write_config(d, path, err)) < 0)
        return rc;
    return d->foreground ? run_config(d, path, STDERR_FILENO, err) : go_background(d, path, err);
}

static int rbldnsd(int argc, char **argv) {
    struct err err = {0};
    struct dropin *d = calloc(1, sizeof *d);
    if (d == NULL)
        return EXIT_RBLDNSD;
    int rc = dropin_parse(d, argc, argv, &err);
    bool usage = rc < 0;
    if (rc == 0 && d->help)
        manual_command(stdout, &command_rbldnsd);
    else if (rc == 0)
        rc = start(d, &err);
    if (rc < 0)
        fprintf(stderr, "candor rbldnsd: %s\n%s", err.text,
                usage ? "candor rbldnsd: type `candor rbldnsd -h' for help\n" : "");
    dropin_free(d);
    free(d);
    return rc < 0 ? EXIT_RBLDNSD : rc;
}

const struct command command_rbldnsd = {
    .name = "rbldnsd",
    .synopsis = "[OPTION...] -b ADDRESS/PORT... ZONE:TYPE:FILE[,FILE...]...",
    .summary = "the same from rbldnsd's command line: what runs there today runs here",
    .manual =
        "Takes the options and zones of rbldnsd(8), writes a candor.yaml that says the same, and runs it as `candor\n"
        "run` does: SIGHUP reads the files again, SIGTERM ends it with 0, SIGUSR1 logs the traffic, SIGUSR2 too and\n"
        "counts anew. With -n in the foreground, else it returns when the node is ready (-q: at once) and logs to\n"
        "syslog. -u -r -w -b -t -e -p -n -q -a -A -4 -6 mean what they mean there, but -r is the folder that holds "
        "the\n"
        "files and no chroot. The others are taken and change nothing, which is said once. -b takes addresses, no\n"
        "names. Names outside the zones are REFUSED.\n\n"
        "  --print-config          write that candor.yaml to stdout and end\n"
        "  --health ADDRESS@PORT   where the node tells how it is; else the first free port of 127.0.0.1@5380...\n"
        "  --state FOLDER          where the zones are kept; else $STATE_DIRECTORY, or ADDRESS-PORT of the first -b "
        "in\n"
        "                          /var/lib/candor-rbldnsd, in $XDG_STATE_HOME or ~/.local/state, or in a private\n"
        "                          folder below /tmp: the first that can be written\n"
        "  --run FOLDER            sockets and board; else $RUNTIME_DIRECTORY, /run/candor-rbldnsd, or with the "
        "zones\n\n"
        "The other commands take the file FOLDER/candor.yaml with -c. Exit code 1 as rbldnsd when it does not start.",
    .run_raw = rbldnsd,
};
