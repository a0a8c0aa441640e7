#include "resolver/base/process.h"

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

void process_die_with(int parent_pid) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent_pid)
        _exit(1);
}

bool process_is_supervised(void) { return getenv("CANDOR_SUPERVISED") != NULL; }

int process_start(const char *program, int argc, char **argv, struct conf **conf) {
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *path = NULL;
    int c;
    *conf = NULL;
    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (c == 'c') {
            path = optarg;
        } else {
            fprintf(stderr, "usage: %s [-c FILE]\n", program);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument '%s'\n", program, argv[optind]);
        return 2;
    }
    struct err err = {0};
    if (conf_read(conf, path, &err) < 0) {
        fprintf(stderr, "%s: %s\n", program, err.text);
        return 2;
    }
    log_open(program, (*conf)->log.level, (*conf)->log.format, (*conf)->log.target);
    signal(SIGPIPE, SIG_IGN);
    const char *supervised = getenv("CANDOR_SUPERVISED");
    if (supervised != NULL) {
        /* The supervisor's process id; what is none means: whoever is the parent now. */
        char *end;
        long pid = strtol(supervised, &end, 10);
        process_die_with(*end == '\0' && pid > 1 && pid <= INT_MAX ? (int)pid : getppid());
    }
    return 0;
}
