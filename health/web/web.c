#include "health/web/web.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/web/door.h"
#include "resolver/base/clock.h"
#include "resolver/net/socket.h"

enum { HTTP_TIMEOUT_S = 10, HTTP_MEMORY = 32 << 10 };

static int door_open(struct web *w, struct door *d, const struct addr *a, struct err *err) {
    char text[ADDR_TEXT_MAX];
    int fd = socket_tcp(a, false, err);
    if (fd < 0)
        return err_prefix(err, "health.listen %s", addr_text(a, text));
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL;
    if (addr_family(a) == AF_INET6)
        flags |= MHD_USE_IPv6;
    d->web = w;
    d->daemon = MHD_start_daemon(flags, addr_port(a), NULL, NULL, door_request, d, MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIMIT_HTTP_CONNECTIONS,
                                 MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)LIMIT_HTTP_PER_ADDRESS,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY, MHD_OPTION_END);
    if (d->daemon == NULL) {
        close(fd);
        return err_set(err, E_SYSTEM, "health.listen %s: the HTTP server does not start", addr_text(a, text));
    }
    return 0;
}

int web_open(struct web **out, const struct conf *conf, const struct board *board, struct err *err) {
    struct web *w = calloc(1, sizeof(*w));
    *out = NULL;
    if (w == NULL)
        return err_set(err, E_NOMEM, "no memory for the health port");
    w->conf = conf;
    w->board = board;
    w->last_run_ms = INT64_MIN / 2;
    int rc = peers_keys_open(&w->keys, conf, conf->health.peers, conf->health.peer_count, err);
    if (rc == 0)
        rc = peers_keys_of_reports(&w->report_keys, conf, err);
    for (size_t i = 0; rc == 0 && i < conf->health.listen.count && i < LIMIT_LISTEN; i++) {
        rc = door_open(w, &w->doors[i], &conf->health.listen.at[i], err);
        w->door_count += rc == 0;
    }
    if (rc < 0)
        web_close(w);
    else
        *out = w;
    return rc;
}

void web_publish(struct web *w, struct snapshot *s) {
    for (size_t i = 0; i < w->door_count; i++) {
        snapshot_ref(s);
        snapshot_unref(__atomic_exchange_n(&w->doors[i].mail, s, __ATOMIC_ACQ_REL));
    }
    snapshot_unref(s);
}

uint64_t web_runs(const struct web *w) { return __atomic_load_n(&w->runs, __ATOMIC_RELAXED); }

uint64_t web_run_wanted(struct web *w) {
    uint64_t runs = web_runs(w);
    if (runs == w->runs_taken)
        return 0;
    w->runs_taken = runs;
    return runs;
}

static bool under_way(const struct web *w, const struct snapshot *s) {
    uint64_t runs = web_runs(w);
    return runs > 0 && (s == NULL || s->run.number < runs || s->run.ended_wall_ms == 0);
}

uint64_t web_run_ask(struct web *w, const struct snapshot *s, int64_t now_ms, int64_t *wait_ms) {
    int64_t last = __atomic_load_n(&w->last_run_ms, __ATOMIC_RELAXED);
    *wait_ms = last + WEB_RUN_APART_MS - now_ms;
    if (*wait_ms > 0)
        return 0;
    if (now_ms - last < WEB_RUN_OVERDUE_MS && under_way(w, s)) {
        *wait_ms = 1000;
        return 0;
    }
    if (!__atomic_compare_exchange_n(&w->last_run_ms, &last, now_ms, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        *wait_ms = WEB_RUN_APART_MS; /* somebody else was first */
        return 0;
    }
    return __atomic_add_fetch(&w->runs, 1, __ATOMIC_RELAXED);
}

struct snapshot *door_snapshot(struct door *d) {
    struct snapshot *newer = __atomic_exchange_n(&d->mail, NULL, __ATOMIC_ACQ_REL);
    if (newer != NULL) {
        snapshot_unref(d->now);
        d->now = newer;
    }
    return d->now;
}

void web_close(struct web *w) {
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->door_count; i++) {
        MHD_stop_daemon(w->doors[i].daemon);
        snapshot_unref(w->doors[i].mail);
        snapshot_unref(w->doors[i].now);
    }
    peers_keys_close(w->keys);
    peers_keys_close(w->report_keys);
    free(w);
}
