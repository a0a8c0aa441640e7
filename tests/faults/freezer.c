/* freezer TID...: holds these threads by ptrace until its standard input ends. They notice nothing: no signal is sent,
 * and what they hold (locks, descriptors, memory) they go on holding. Says "frozen N" once all that are left stand
 * still; threads that end meanwhile are no error. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS_MAX = 256 };

static int hold(pid_t tid) {
    int status;
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0)
        return -1;
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0)
        return -1;
    if (waitpid(tid, &status, __WALL) != tid)
        return -1;
    return WIFSTOPPED(status) ? 0 : -1;
}

int main(int argc, char **argv) {
    pid_t held[THREADS_MAX];
    int count = 0;
    char byte;
    for (int i = 1; i < argc && count < THREADS_MAX; i++) {
        pid_t tid = (pid_t)strtol(argv[i], NULL, 10);
        if (tid > 1 && hold(tid) == 0)
            held[count++] = tid;
        else
            fprintf(stderr, "thread %s: %s\n", argv[i], strerror(errno));
    }
    printf("frozen %d\n", count);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    while (count > 0)
        (void)ptrace(PTRACE_DETACH, held[--count], NULL, NULL);
    return EXIT_SUCCESS;
}
