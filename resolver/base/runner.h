/* Runs a command of the administrator's: a drain hook, a transition's, an alert's. Blocks until it has ended or its
 * time is up: for a thread of its own, or a process that may wait.
 *
 *   runner_run(&(struct runner){.command = "/etc/candor/told", .input = json, .input_size = n, .timeout_ms = 10000},
 * ...)
 *
 * No shell. The child leads a process group of its own, has default signals, `input` as its standard input (a file in
 * memory: it may read it or not; NULL: /dev/null), standard output and error together in a pipe of which the first
 * octets are kept, no other descriptor, and no environment but PATH=/usr/sbin:/usr/bin:/sbin:/bin, LANG=C.UTF-8 and
 * what is given. It is over when the command itself has ended: what it left in the background goes on and is waited for
 * by nobody. When its time is up, the whole group is killed. */
#ifndef CANDOR_BASE_RUNNER_H
#define CANDOR_BASE_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/err.h"

enum { RUNNER_SAID = 512, RUNNER_WORDS = 8, RUNNER_ENVIRONMENT = 16 };

struct runner {
    const char *command;                         /* path of a program */
    const char *word[RUNNER_WORDS];              /* its arguments, up to the first NULL */
    const char *environment[RUNNER_ENVIRONMENT]; /* "NAME=value", up to the first NULL */
    const void *input;
    size_t input_size;
    uint32_t timeout_ms;
    bool with_us; /* it is killed when the calling thread, or its process, ends; else it goes on, watched by nobody */
};

/* 0: it ended with exit code 0. E_TIMEOUT: it was killed; E_SYSTEM: another exit code, a signal, or it could not be
 * started (then `said` is empty); all with the reason in `err`. `said`: what it wrote, a text, whatever became of it.
 */
int runner_run(const struct runner *r, char said[RUNNER_SAID], struct err *err) MUST_USE;

#endif
