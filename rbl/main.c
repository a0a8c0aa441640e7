/* candor-sync: the one process that writes zones. Composes the keeper (files, publishing, commits), the control socket,
 * the sync port, and what goes out to and comes in from other nodes, on one loop. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rbl/catalog/catalog.h"
#include "rbl/port.h"
#include "rbl/publish/commands.h"
#include "rbl/replicate/heartbeat.h"
#include "rbl/secondary/secondary.h"
#include "resolver/base/conf_remote.h"
#include "resolver/base/log.h"
#include "resolver/base/privileges.h"
#include "resolver/base/process.h"

enum { STOP_POLL_MS = 20, STOP_WITHIN_MS = 4000 };

struct sync {
    struct conf *conf;
    struct board *board;
    struct loop *loop;
    struct keeper *keeper;
    struct control *control;
    struct port *port;
    struct links *links;
    struct primary *primary;
    struct secondary *secondary;
    struct heartbeat *heartbeat;
    struct catalogs *catalogs;
    struct pair *pair;
    struct roles roles;
    struct loop_timer *stop_timer;
    int64_t stop_by_ms;
    bool forced;
};

static void stop_look(void *ctx) {
    struct sync *s = ctx;
    bool quiet = primary_quiet(s->primary) && keeper_quiet(s->keeper);
    s->forced = !quiet && loop_now_ms(s->loop) >= s->stop_by_ms;
    if (quiet || s->forced)
        loop_stop(s->loop);
}

static void on_stop(void *ctx, int signum) {
    struct sync *s = ctx;
    if (s->stop_timer != NULL)
        return;
    LOG(LEVEL_INFO, "stopping", KI("signal", signum));
    s->stop_by_ms = loop_now_ms(s->loop) + STOP_WITHIN_MS;
    s->stop_timer = loop_timer_start(s->loop, 0, STOP_POLL_MS, stop_look, s);
    if (s->stop_timer == NULL)
        loop_stop(s->loop);
}

static void on_reread(void *ctx, int signum) {
    struct sync *s = ctx;
    (void)signum;
    LOG(LEVEL_INFO, "reading all files again");
    keeper_reread(s->keeper);
}

static void on_commit(void *ctx, int zone, const struct keep_state *st) {
    struct sync *s = ctx;
    primary_committed(s->primary, zone, st);
    if (s->catalogs != NULL)
        catalogs_committed(s->catalogs, zone);
}

/* Freshness of a zone that comes from elsewhere. */
static bool fresh(void *ctx, int zone, struct native_state *st) {
    const struct sync *s = ctx;
    return s->secondary != NULL && secondary_fresh(s->secondary, zone, st);
}

static bool is_source(void *ctx, int zone) {
    const struct sync *s = ctx;
    struct native_state st;
    return s->roles.at[zone].is != ROLE_STANDBY && !fresh(ctx, zone, &st);
}

static int follow(void *ctx, int zone, const struct conf_rules *primaries, struct err *err) {
    struct sync *s = ctx;
    return secondary_set_primaries(s->secondary, zone, primaries, err);
}

/* One came, changed, or goes. */
static void on_zone(void *ctx, int zone) {
    struct sync *s = ctx;
    primary_zone_changed(s->primary, zone);
    secondary_zone(s->secondary, zone);
    port_zone_changed(s->port, zone);
}

static int pairs_open(struct sync *s, struct err *err) {
    struct pair_config c = {.conf = s->conf,
                            .loop = s->loop,
                            .keeper = s->keeper,
                            .keys = port_keys(s->port),
                            .board = s->board,
                            .follow = follow,
                            .follow_ctx = s,
                            .server = port_server(s->port),
                            .roles = &s->roles};
    return pair_open(&s->pair, &c, err);
}

/* Other nodes: they are told of commits from the first one on. */
static int replication_open(struct sync *s, struct err *err) {
    int rc = links_open(&s->links, s->board, err);
    if (rc < 0)
        return rc;
    struct replicate_config c = {.conf = s->conf,
                                 .loop = s->loop,
                                 .keeper = s->keeper,
                                 .keys = port_keys(s->port),
                                 .board = s->board,
                                 .server = port_server(s->port),
                                 .links = s->links,
                                 .roles = &s->roles};
    if ((rc = primary_open(&s->primary, &c, fresh, s, err)) < 0 || (rc = secondary_open(&s->secondary, &c, err)) < 0)
        return rc;
    keeper_on_commit(s->keeper, on_commit, s);
    keeper_on_zone(s->keeper, on_zone, s);
    if ((rc = pairs_open(s, err)) < 0)
        return rc;
    if ((rc = heartbeat_open(&s->heartbeat, s->loop, s->keeper, is_source, s, err)) < 0)
        return rc;
    struct port_rooms rooms = {.keeper = s->keeper, .primary = s->primary, .secondary = s->secondary, .pair = s->pair};
    return port_attach(s->port, &rooms, err);
}

/* Zones that are not in the configuration, after everybody who wants to hear of them. */
static int catalogs_begin(struct sync *s, struct err *err) {
    struct catalogs_config c = {.conf = s->conf, .loop = s->loop, .keeper = s->keeper, .board = s->board};
    return catalogs_open(&s->catalogs, &c, err);
}

static void on_control(void *ctx, struct control_call *call, const char *line, size_t size) {
    struct sync *s = ctx;
    if (!secondary_control(s->secondary, call, line, size) && !pair_control(s->pair, call, line, size) &&
        !catalogs_control(s->catalogs, call, line, size))
        commands_handle(s->keeper, call, line, size);
}

static int sync_open(struct sync *s, struct err *err) {
    const struct conf_node *node = &s->conf->node;
    int rc = privileges_folder(node->state, node->user, err);
    if (rc < 0 || (rc = privileges_folder(node->run, node->user, err)) < 0 ||
        (rc = board_attach(&s->board, node->run, err)) < 0)
        return rc;
    board_claim(&s->board->process[ROLE_SYNC]);
    if ((rc = loop_open(&s->loop, err)) < 0 || (rc = loop_beat(s->loop, &s->board->process[ROLE_SYNC], NULL)) < 0 ||
        (rc = loop_signal(s->loop, SIGTERM, on_stop, s, err)) < 0 ||
        (rc = loop_signal(s->loop, SIGINT, on_stop, s, err)) < 0 ||
        (rc = loop_signal(s->loop, SIGHUP, on_reread, s, err)) < 0)
        return rc;
    /* The port may want root; the zones must belong to who reads them. */
    if ((rc = port_open(&s->port, s->loop, s->conf, s->board, err)) < 0 || (rc = privileges_drop(node->user, err)) < 0)
        return rc;
    if ((rc = keeper_open(&s->keeper, s->loop, s->conf, s->board, err)) < 0 || (rc = replication_open(s, err)) < 0 ||
        (rc = catalogs_begin(s, err)) < 0)
        return rc;
    char path[4096];
    snprintf(path, sizeof path, "%s/sync.sock", node->run);
    return control_open(&s->control, s->loop, path, on_control, s, err);
}

static void sync_close(struct sync *s) {
    catalogs_stop(s->catalogs);
    if (s->keeper != NULL) {
        keeper_on_commit(s->keeper, NULL, NULL);
        keeper_on_zone(s->keeper, NULL, NULL);
    }
    primary_close(s->primary);
    pair_close(s->pair);
    port_close(s->port);
    if (s->control != NULL)
        control_close(s->control);
    if (s->stop_timer != NULL)
        loop_timer_cancel(s->stop_timer);
    if (s->forced) {
        /* A job is still at a disk that does not answer: nothing it has not committed counts, so it may be left. */
        LOG(LEVEL_WARN, "stopped while a commit was under way; it is as if it had not begun");
        _exit(0);
    }
    secondary_close(s->secondary);
    heartbeat_close(s->heartbeat);
    links_close(s->links);
    if (s->keeper != NULL)
        keeper_close(s->keeper);
    catalogs_close(s->catalogs);
    if (s->loop != NULL)
        loop_close(s->loop);
    board_detach(s->board);
}

int main(int argc, char **argv) {
    struct remote_now remote;
    struct sync s = {0};
    struct err err = {0};
    if (process_start("candor-sync", argc, argv, &s.conf) != 0)
        return 2;
    conf_remote_load(&s.conf, false, &remote); /* of it, names of peers */
    int rc = sync_open(&s, &err);
    if (rc == 0) {
        LOG(LEVEL_INFO, "candor-sync runs", KU("zones", s.conf->rbl.zone_count));
        rc = loop_run(s.loop);
    } else {
        LOG(LEVEL_ERROR, "cannot start", KS("why", err.text));
        if (s.keeper != NULL)
            while (!keeper_quiet(s.keeper) || (s.primary != NULL && !primary_quiet(s.primary)))
                loop_turn(s.loop, STOP_POLL_MS);
    }
    sync_close(&s);
    conf_free(s.conf);
    return rc == 0 ? 0 : 1;
}
