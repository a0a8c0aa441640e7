#include "resolver/certified.h"

#include "resolver/base/log.h"

static bool same(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What cannot be looked at is no change of its own: a file being replaced may be missing for a moment. */
static bool changed(struct certified *c) {
    struct stat certificate, key;
    if (stat(c->conf->certificate, &certificate) != 0 || stat(c->conf->key, &key) != 0)
        return false;
    if (same(&certificate, &c->certificate) && same(&key, &c->key))
        return false;
    c->certificate = certificate;
    c->key = key;
    return true;
}

/* Connections keep what they began with; new ones get the new certificate. When the two files do not belong together,
 * one of them is still to come, and its coming is the next change. */
static void read_files(struct certified *c) {
    struct err why = {0};
    struct tls_config config = {.server = true, .certificate = c->conf->certificate, .key = c->conf->key};
    bool first = c->tls == NULL;
    int e = first ? tls_open(&c->tls, &config, &why) : tls_reload(c->tls, &why);
    if (e != 0)
        LOG(LEVEL_ERROR, first ? "resolver.tls: DNS over TLS is not served" : "resolver.tls: the old certificate stays",
            KU("worker", c->worker), KS("why", why.text));
    else
        LOG(LEVEL_INFO, "resolver.tls: certificate read", KU("worker", c->worker), KI("until", tls_not_after(c->tls)));
    if (e == 0 && first)
        server_use_tls(c->server, c->tls);
    if (c->tls != NULL)
        board_set(&c->stats->certificate_until_wall_s, (uint64_t)tls_not_after(c->tls));
}

static void on_look(void *ctx) {
    struct certified *c = ctx;
    if (changed(c))
        read_files(c);
}

static bool any_tls(const struct server_sockets *sockets) {
    for (size_t i = 0; i < sockets->count; i++)
        if (sockets->at[i].tls)
            return true;
    return false;
}

int certified_open(struct certified *c, struct loop *l, struct server *server, const struct conf *conf,
                   const struct server_sockets *sockets, struct board_worker *stats, unsigned worker, struct err *err) {
    *c = (struct certified){.conf = &conf->resolver.tls, .server = server, .stats = stats, .worker = worker};
    board_set(&stats->certificate_until_wall_s, 0);
    if (!any_tls(sockets))
        return 0;
    (void)changed(c);
    read_files(c);
    c->timer = loop_timer_start(l, CERTIFIED_LOOK_MS, CERTIFIED_LOOK_MS, on_look, c);
    return c->timer != NULL ? 0 : err_set(err, E_NOMEM, "no memory to look after certificates");
}

void certified_close(struct certified *c) {
    if (c->timer != NULL)
        loop_timer_cancel(c->timer);
    tls_close(c->tls);
    *c = (struct certified){.conf = NULL};
}
