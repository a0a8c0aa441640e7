/* Who has what: the links to secondaries, and how far behind each of them is. */
#include <stdio.h>
#include <stdlib.h>

#include "rbl/primary/impl.h"
#include "resolver/base/clock.h"

#define MS_PER_S 1000

struct primary_zone *zone_of(struct primary *p, int zone) {
    if (zone < 0 || zone >= LIMIT_ZONES)
        return NULL;
    if (p->zone[zone] == NULL)
        p->zone[zone] = calloc(1, sizeof *p->zone[zone]);
    return p->zone[zone];
}

/* Its name under health.peers; or where it wants to be notified; or, of one that says who it is, that. Several nodes
 * may share an address. */
static void name_of(const struct primary *p, int zone, const struct addr *host, const char *node,
                    char to[BOARD_PEER_MAX]) {
    const struct conf *conf = p->c.conf;
    const struct conf_rules *notify = &keeper_zone_conf(p->c.keeper, zone)->notify;
    const struct addr *known = host;
    unsigned here = 0, named = 0;
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < conf->health.peer_count; i++) {
        const struct conf_peer *c = &conf->health.peers[i];
        named += addr_same_host(&c->resolver, host) || addr_same_host(&c->health, host);
        if (node[0] != '\0' && strcmp(c->name, node) == 0) {
            text_copy(to, BOARD_PEER_MAX, node);
            return;
        }
    }
    for (size_t i = 0; i < notify->count; i++)
        if (notify->at[i].has_address && addr_same_host(&notify->at[i].address, host)) {
            known = &notify->at[i].address;
            here++;
        }
    if (node[0] != '\0' && here != 1 && named != 1)
        (void)snprintf(to, BOARD_PEER_MAX, "%s/%s", addr_host_text(host, text), node);
    else
        (void)links_name(conf, here == 1 ? known : host, to);
}

static struct follower *get(struct primary *p, int zone, const struct addr *host, const char *name) {
    struct primary_zone *z = zone_of(p, zone);
    if (z == NULL)
        return NULL;
    for (struct follower *f = z->followers; f != NULL; f = f->next)
        if (strncmp(f->link->peer, name, sizeof f->link->peer) == 0)
            return f;
    if (z->follower_count >= PRIMARY_FOLLOWERS)
        return NULL;
    struct follower *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    *f = (struct follower){
        .next = z->followers, .zone = zone, .host = *host, .link = links_get(p->c.links, zone, LINK_TO, name)};
    if (board_get(&f->link->serial_known) != 0) { /* before candor-sync was started again */
        f->serial = (uint32_t)board_get(&f->link->serial);
        f->serial_known = true;
    }
    z->followers = f;
    z->follower_count++;
    return f;
}

struct follower *follow(struct primary *p, int zone, const struct addr *peer, const char *node) {
    char name[BOARD_PEER_MAX];
    struct addr host = *peer;
    addr_set_port(&host, 0);
    name_of(p, zone, &host, node, name);
    return get(p, zone, &host, name);
}

struct follower *follow_notified(struct primary *p, int zone, const struct addr *to) {
    char name[BOARD_PEER_MAX];
    return get(p, zone, to, links_name(p->c.conf, to, name));
}

static const struct primary_commit *commit_at(const struct primary_zone *z, uint64_t n) {
    return &z->commit[n % PRIMARY_COMMITS];
}

/* The place of a serial among the commits that are remembered; z->commits: it is not. */
static uint64_t find(const struct primary_zone *z, uint32_t serial) {
    for (uint64_t n = z->commits; n > 0 && z->commits - n < PRIMARY_COMMITS; n--)
        if (commit_at(z, n - 1)->serial == serial)
            return n - 1;
    return z->commits;
}

int64_t follow_committed_ms(const struct primary *p, int zone, uint32_t serial) {
    const struct primary_zone *z = zone >= 0 && zone < LIMIT_ZONES ? p->zone[zone] : NULL;
    uint64_t n = z != NULL ? find(z, serial) : 0;
    return z != NULL && n < z->commits ? commit_at(z, n)->wall_ms : 0;
}

/* Of one that has nothing we remember, all that we remember counts. */
static void count(const struct primary_zone *z, struct follower *f) {
    uint64_t least = z->commits > PRIMARY_COMMITS ? z->commits - PRIMARY_COMMITS : 0;
    uint64_t n = f->serial_known ? find(z, f->serial) : z->commits;
    uint64_t first = n < z->commits ? n + 1 : least; /* the oldest that it lacks */
    bool lacks = f->serial_known && first < z->commits;
    board_set(&f->link->queue_commits, lacks ? z->commits - first : 0);
    board_set(&f->link->oldest_queued_wall_ms, lacks ? (uint64_t)commit_at(z, first)->wall_ms : 0);
}

void follow_has(struct primary *p, struct follower *f, uint32_t serial) {
    f->serial = serial;
    f->serial_known = true;
    link_serial(f->link, serial);
    count(p->zone[f->zone], f);
}

void follow_count(struct primary *p, int zone) {
    const struct primary_zone *z = zone_of(p, zone);
    for (struct follower *f = z != NULL ? z->followers : NULL; f != NULL; f = f->next)
        count(z, f);
}

void follow_commit(struct primary *p, int zone, const struct keep_state *st) {
    struct primary_zone *z = zone_of(p, zone);
    if (z == NULL || (z->commits > 0 && commit_at(z, z->commits - 1)->commit == st->commits))
        return;
    int64_t now = clock_wall_ms();
    int64_t then = z->commits == 0 ? st->changed_wall_s * MS_PER_S : now; /* the first: as it was found */
    if (z->commits == 0 && now - then < MS_PER_S)
        then = now;
    z->commit[z->commits++ % PRIMARY_COMMITS] = (struct primary_commit){st->commits, st->serial, then};
    follow_count(p, zone);
}

void follow_wrong_tsig(struct primary *p, int zone, const struct addr *peer, const struct tsig *t) {
    struct primary_zone *z = zone_of(p, zone);
    int64_t ahead_s = (int64_t)t->time_s - clock_wall_s();
    char text[BOARD_TEXT_MAX], key[NAME_TEXT_MAX];
    unsigned kind = t->error >= TSIG_BADSIG && t->error <= TSIG_BADTIME ? t->error - TSIG_BADSIG : BOARD_BADTRUNC;
    for (struct follower *f = z != NULL ? z->followers : NULL; f != NULL; f = f->next) {
        if (!addr_same_host(&f->host, peer))
            continue;
        board_add(&f->link->tsig_failures[kind], 1);
        if (t->error == TSIG_BADTIME)
            (void)snprintf(text, sizeof text, "BADTIME: its clock is %lld s %s ours", (long long)llabs(ahead_s),
                           ahead_s > 0 ? "ahead of" : "behind");
        else
            (void)snprintf(text, sizeof text, "%s: key %.200s",
                           kind == BOARD_BADKEY   ? "BADKEY"
                           : kind == BOARD_BADSIG ? "BADSIG"
                                                  : "BADTRUNC",
                           name_text(&t->name, key));
        if (t->error == TSIG_BADTIME) {
            board_set(&f->link->clock_offset_ms, (uint64_t)(ahead_s * MS_PER_S));
            board_set(&f->link->clock_known, 1);
        }
        link_tried(f->link, E_DENIED, text);
    }
}

void follow_forget(struct primary *p, int zone) {
    struct primary_zone *z = p->zone[zone];
    while (z != NULL && z->followers != NULL) {
        struct follower *f = z->followers;
        z->followers = f->next;
        free(f);
    }
    free(z);
    p->zone[zone] = NULL;
}

void follow_close(struct primary *p) {
    for (int i = 0; i < LIMIT_ZONES; i++)
        follow_forget(p, i);
}
