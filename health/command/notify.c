#include "health/command/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "health/verdict/verdict.h"
#include "resolver/base/bytes.h"

enum { WATCHDOG_SHARE = 3 };

void notify_open(struct notify *n) {
    uint64_t usec = 0;
    *n = (struct notify){.every_ms = 0};
    if (sd_watchdog_enabled(0, &usec) > 0)
        n->every_ms = (int64_t)(usec / 1000 / WATCHDOG_SHARE);
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
    text_copy(n->status, sizeof n->status, status);
    (void)sd_notifyf(0, "STATUS=%s", status);
}

void notify_turn(struct notify *n, const struct board *b, bool lenient, int64_t now_ms) {
    bool unwell = notify_unwell(b, now_ms) != NULL;
    if (!n->ready && !unwell && board_get(&b->process[ROLE_HEALTH].ready) == 1) {
        n->ready = true;
        (void)sd_notify(0, "READY=1");
    }
    tell_status(n, b, now_ms);
    if (n->every_ms > 0 && now_ms >= n->next_ms && (!unwell || lenient)) {
        n->next_ms = now_ms + n->every_ms;
        (void)sd_notify(0, "WATCHDOG=1");
    }
}

void notify_reloading(int64_t now_ms) {
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, now_ms * 1000);
    (void)sd_notify(0, "READY=1");
}

void notify_stopping(void) { (void)sd_notify(0, "STOPPING=1\nSTATUS=stopping"); }
