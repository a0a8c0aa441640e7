#include "health/drain/agent.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/net/socket.h"

struct word {
    int64_t valid_until_ms;
    char line[AGENT_LINE_MAX];
};

struct agent {
    pthread_t thread;
    bool running;
    int stop;                               /* eventfd */
    struct pollfd listen[LIMIT_LISTEN + 1]; /* the last one is `stop` */
    nfds_t count;
    struct word *box; /* atomic: for the thread */
    struct word *now; /* the thread's own */
};

/* One line: what ends it, or begins another word of HAProxy's, does not get in. */
static void line_of(char to[AGENT_LINE_MAX], const char *word, const char *reason) {
    int n = snprintf(to, AGENT_LINE_MAX - 1, reason != NULL ? "%s #%.70s" : "%s", word, reason);
    size_t size = (size_t)n < AGENT_LINE_MAX - 2 ? (size_t)n : AGENT_LINE_MAX - 2;
    for (size_t i = 0; i < size; i++)
        if (to[i] < ' ' || to[i] > '~')
            to[i] = '?';
    to[size] = '\n';
    to[size + 1] = '\0';
}

static const char *say_now(struct agent *a, char to[AGENT_LINE_MAX]) {
    struct word *letter = __atomic_exchange_n(&a->box, NULL, __ATOMIC_ACQ_REL);
    if (letter != NULL) {
        free(a->now);
        a->now = letter;
    }
    if (a->now == NULL)
        line_of(to, "down", "nothing is known yet");
    else if (clock_mono_ms() > a->now->valid_until_ms)
        line_of(to, "down", "what is known is too old");
    else
        return a->now->line;
    return to;
}

/* The line fits into any fresh socket's buffer, so nobody is waited for. */
static void serve(struct agent *a, int listener) {
    char own[AGENT_LINE_MAX];
    for (int i = 0; i < AGENT_CLIENTS_PER_TURN; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                (void)poll(NULL, 0, 100); /* until there are descriptors again */
            return;
        }
        const char *line = say_now(a, own);
        (void)!send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)shutdown(fd, SHUT_WR);
        (void)close(fd);
    }
}

static void *work(void *arg) {
    struct agent *a = arg;
    nfds_t last = a->count - 1;
    while (poll(a->listen, a->count, -1) >= 0 || errno == EINTR) {
        if (a->listen[last].revents != 0)
            break;
        for (nfds_t i = 0; i < last; i++)
            if (a->listen[i].revents != 0)
                serve(a, a->listen[i].fd);
    }
    return NULL;
}

int agent_open(struct agent **out, const struct conf_health *conf, struct err *err) {
    *out = NULL;
    if (conf->agent_check.count == 0)
        return 0;
    struct agent *a = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(err, E_NOMEM, "no memory for health.agent-check");
    int rc = 0;
    a->stop = -1;
    for (size_t i = 0; i < conf->agent_check.count && i < LIMIT_LISTEN && rc == 0; i++) {
        int fd = socket_tcp(&conf->agent_check.at[i], false, err);
        if (fd < 0)
            rc = fd;
        else
            a->listen[a->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    if (rc == 0 && (a->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        rc = err_errno(err, "eventfd");
    if (rc == 0) {
        a->listen[a->count++] = (struct pollfd){.fd = a->stop, .events = POLLIN};
        errno = pthread_create(&a->thread, NULL, work, a);
        a->running = errno == 0;
        rc = a->running ? 0 : err_errno(err, "a thread for health.agent-check");
    }
    if (rc < 0) {
        agent_close(a);
        return err_prefix(err, "health.agent-check");
    }
    *out = a;
    return 0;
}

void agent_say(struct agent *a, enum drain_state state, const char *reason, int64_t valid_until_ms) {
    struct word *letter = a != NULL ? malloc(sizeof *letter) : NULL;
    if (letter == NULL)
        return; /* the last word gets old, and then it is "down" */
    letter->valid_until_ms = valid_until_ms;
    if (state == DRAIN_SERVE)
        line_of(letter->line, "up ready", NULL);
    else
        line_of(letter->line, "drain", reason);
    free(__atomic_exchange_n(&a->box, letter, __ATOMIC_ACQ_REL));
}

void agent_close(struct agent *a) {
    if (a == NULL)
        return;
    if (a->running) {
        (void)eventfd_write(a->stop, 1);
        (void)pthread_join(a->thread, NULL);
    }
    for (nfds_t i = 0; i < a->count; i++)
        (void)close(a->listen[i].fd);
    free(a->box);
    free(a->now);
    free(a);
}
