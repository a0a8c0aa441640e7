#include "health/command/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "health/verdict/verdict.h"
#include "resolver/base/bytes.h"

enum { WATCHDOG_SHARE = 3 };

/* False: the socket's queue is full, worth another try. libsystemd's sd_notify() waits there, for as long as systemd is
 * slow to read: a supervisor may not. */
static bool say(const char *text) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t size = path != NULL ? strlen(path) : 0;
    if (size < 2 || size >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return true;
    memcpy(to.sun_path, path, size);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    bool said = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, length) >= 0 || errno != EAGAIN;
    (void)close(fd);
    return said;
}

void notify_open(struct notify *n) {
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    *n = (struct notify){.every_ms = 0};
    if (usec != NULL && (pid == NULL || strtoll(pid, NULL, 10) == (long long)getpid()))
        n->every_ms = (int64_t)(strtoull(usec, NULL, 10) / 1000 / WATCHDOG_SHARE);
}

static bool old(const board_word *at_ms, int64_t now_ms) {
    return now_ms - (int64_t)board_get(at_ms) > NOTIFY_EVIDENCE_MS;
}

const char *notify_unwell(const struct board *b, int64_t now_ms) {
    const struct board_process *p = b->process;
    if (board_get(&p[ROLE_SYNC].boot) == 0 || old(&p[ROLE_SYNC].heartbeat_ms, now_ms))
        return "the loop of candor-sync does not turn";
    if (board_get(&p[ROLE_RESOLVER].boot) == 0 || old(&p[ROLE_RESOLVER].heartbeat_ms, now_ms))
        return "the loop of candor-resolver does not turn";
    if (board_get(&p[ROLE_HEALTH].boot) == 0 || old(&p[ROLE_HEALTH].heartbeat_ms, now_ms) ||
        old(&b->verdict_at_ms, now_ms))
        return "candor-health does not judge";
    return NULL;
}

const char *notify_status(const struct board *b, int64_t now_ms, char *to, size_t size) {
    const char *unwell = notify_unwell(b, now_ms);
    uint64_t state = board_get(&b->verdict_state), scope = board_get(&b->verdict_scope);
    const char *ready = board_get(&b->process[ROLE_HEALTH].ready) == 1 ? "ready" : "not ready";
    if (unwell != NULL)
        snprintf(to, size, "unknown: %s", unwell);
    else if (state == VERDICT_PASS || state >= VERDICT_STATES || scope >= SCOPE_COUNT)
        snprintf(to, size, "%s: %s", state < VERDICT_STATES ? verdict_state_name((enum verdict_state)state) : "unknown",
                 ready);
    else
        snprintf(to, size, "%s: %s, scope %s (candor status says why)", verdict_state_name((enum verdict_state)state),
                 ready, verdict_scope_name((enum verdict_scope)scope));
    return to;
}

static void tell_status(struct notify *n, const struct board *b, int64_t now_ms) {
    char status[NOTIFY_STATUS_MAX];
    notify_status(b, now_ms, status, sizeof status);
    if (strcmp(status, n->status) == 0)
        return;
    char line[NOTIFY_STATUS_MAX + 8];
    snprintf(line, sizeof line, "STATUS=%s", status);
    if (say(line))
        text_copy(n->status, sizeof n->status, status);
}

void notify_turn(struct notify *n, const struct board *b, bool lenient, int64_t now_ms) {
    bool unwell = notify_unwell(b, now_ms) != NULL;
    if (!n->ready && !unwell && board_get(&b->process[ROLE_HEALTH].ready) == 1)
        n->ready = say("READY=1");
    tell_status(n, b, now_ms);
    if (n->every_ms > 0 && now_ms >= n->next_ms && (!unwell || lenient)) {
        n->next_ms = now_ms + n->every_ms;
        (void)say("WATCHDOG=1");
    }
}

void notify_reloading(int64_t now_ms) {
    char text[64];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, now_ms * 1000);
    (void)say(text);
    (void)say("READY=1");
}

void notify_stopping(void) { (void)say("STOPPING=1\nSTATUS=stopping"); }
