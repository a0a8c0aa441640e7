/* A reader that stands still, alive, keeps the pages of all commits since its own from being used again: the map grows
 * without end, and clearing the slots of the dead does nothing about it. Our own read transactions live for a second at
 * most, so who is a hundred commits behind for longer than that hangs, is stopped, or is a stranger. It is named, and
 * ended by SIGKILL: then its slot is a dead one's. Of our own programs the parent replaces it. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "rbl/publish/keeper_impl.h"
#include "resolver/base/log.h"

enum {
    READER_LAG = 100,      /* commits: as many as candor-health warns from */
    READER_LIFE_MS = 30000 /* behind for so long: a backup by hand that stands on one commit may take some seconds */
};

/* Never more often than the configuration lets anything be restarted. */
static bool may_end(const struct keeper *k, int64_t now_ms) {
    const struct conf_health *h = &k->conf->health;
    uint32_t most = h->heal.max_restarts;
    if (!h->heal.end_readers || most == 0)
        return false;
    return k->reader_ended_ms == 0 || now_ms - k->reader_ended_ms >= (int64_t)h->heal.within_s * 1000 / most;
}

void zone_end_reader(struct keeper_zone *z, const struct store_stat *st, int64_t now_ms) {
    struct keeper *k = z->keeper;
    pid_t pid = st->oldest_reader_txns >= READER_LAG ? st->oldest_reader_pid : 0;
    if (pid <= 1 || pid == getpid() || pid != z->lagging_pid) {
        z->lagging_pid = pid > 1 && pid != getpid() ? pid : 0;
        z->lagging_since_ms = now_ms;
        return;
    }
    if (now_ms - z->lagging_since_ms < READER_LIFE_MS || !may_end(k, now_ms))
        return;
    k->reader_ended_ms = now_ms;
    z->lagging_pid = 0;
    if (kill(pid, SIGKILL) < 0) {
        LOG(LEVEL_ERROR, "a reader keeps old pages of a zone and cannot be ended", KS("zone", z->conf->name),
            KU("victim", pid), KS("why", strerror(errno)));
        return;
    }
    LOG(LEVEL_WARN, "a reader kept old pages of a zone: it was ended", KS("zone", z->conf->name), KU("victim", pid),
        KU("commits", st->oldest_reader_txns));
    if (z->slot != NULL)
        board_add(&z->slot->readers_ended, 1);
}
