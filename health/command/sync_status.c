/* candor sync-status: each zone at this node and at the others, as candor-sync last wrote it on the board. Nobody is
 * asked, so that it answers when candor-sync or candor-health hangs; then it says so. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "health/command/command.h"
#include "health/command/out.h"
#include "health/command/shown.h"
#include "health/verdict/replica.h"
#include "resolver/base/clock.h"

#include <jansson.h>

enum { STEP_IN = 0, STEP_BEHIND = 1, STEP_BROKEN = 2 };

struct shown {
    struct out_table *table; /* or */
    json_t *zones;
    int64_t now_ms;
    int worst;
    size_t count;
};

static void worse(struct shown *s, int step) { s->worst = step > s->worst ? step : s->worst; }

static int64_t age_ms(const struct shown *s, uint64_t then_ms) {
    int64_t age = s->now_ms - (int64_t)then_ms;
    return then_ms == 0 ? -1 : age > 0 ? age : 0;
}

static const char *age(char to[32], int64_t ms) { return ms < 0 ? "" : replica_age_text(to, ms); }

static const char *digest_text(char to[12], const char *sign, const uint8_t digest[16]) {
    (void)snprintf(to, 12, "%s%02x%02x%02x%02x", sign, digest[0], digest[1], digest[2], digest[3]);
    return to;
}

/* What was transferred last decides the word, as far as it is known. */
static const char *transport(char to[24], const struct board_link *k) {
    bool axfr = false, ixfr = false;
    for (int r = 0; r < TRANSFER_RESULTS; r++) {
        axfr |= k->transfers[TRANSFER_AXFR][r] > 0;
        ixfr |= k->transfers[TRANSFER_IXFR][r] > 0;
    }
    const char *word = k->native != 0 ? "native" : ixfr ? "ixfr" : axfr ? "axfr" : "dns";
    (void)snprintf(to, 24, "%s%s", word, k->tls != 0 ? ", tls" : "");
    return to;
}

struct told {
    char serial[16], lag[64], check[32], digest[12];
    bool same_known, same;
};

static void tell_lag(char to[64], uint64_t commits, const char *unit, int64_t waits_ms) {
    char waits[32];
    to[0] = '\0';
    if (commits > 0)
        (void)snprintf(to, 64, "%" PRIu64 " %s%s%s%s", commits, unit, commits == 1 ? "" : "s",
                       waits_ms >= 0 ? ", " : "", age(waits, waits_ms));
}

static void tell_link(const struct shown *s, const struct replica *r, const struct board_link *k, struct told *t) {
    *t = (struct told){0};
    if (k->serial_known != 0)
        (void)snprintf(t->serial, sizeof t->serial, "%" PRIu32, (uint32_t)k->serial);
    tell_lag(t->lag, k->queue_commits, "commit", age_ms(s, k->oldest_queued_wall_ms));
    if (age_ms(s, k->heard_wall_ms) >= 0)
        (void)replica_age_text(t->check, age_ms(s, k->heard_wall_ms));
    t->same_known = k->digest_known != 0 && (uint32_t)k->serial == (uint32_t)r->z->serial;
    t->same = t->same_known && memcmp(k->digest, r->z->digest, sizeof k->digest) == 0;
    if (k->digest_known != 0)
        digest_text(t->digest, !t->same_known ? "" : t->same ? "= " : "!= ", k->digest);
}

static int step_of(const struct replica *r, const struct board_link *k, enum board_link_state state,
                   const struct told *t) {
    bool counts = k->way != LINK_TO || replica_expects(r, k) ||
                  (k->native != 0 && r->now_ms - (int64_t)k->heard_wall_ms < REPLICA_FORGOTTEN_MS);
    if (!counts)
        return STEP_IN; /* who fetched it once */
    if (t->same_known && !t->same)
        return STEP_BROKEN;
    if (k->way == LINK_TO && state >= LINK_UNREACHABLE)
        return STEP_BROKEN;
    return state == LINK_OK ? STEP_IN : STEP_BEHIND;
}

static json_t *link_json(const struct board_link *k, const struct told *t, const char *state, int64_t heard_ms) {
    json_t *o =
        json_pack("{s:s#,s:s,s:s,s:s,s:b,s:b,s:I,s:s#}", "node", k->peer, (int)strnlen(k->peer, BOARD_PEER_MAX), "way",
                  k->way == LINK_FROM ? "from"
                  : k->way == LINK_TO ? "to"
                                      : "beside",
                  "state", state, "transport", k->native != 0 ? "native" : "dns", "tls", k->tls != 0, "held",
                  k->held != 0, "queued", (json_int_t)k->queue_commits, "error", k->error, (int)strlen(k->error));
    if (o == NULL)
        return NULL;
    if (k->serial_known != 0)
        (void)json_object_set_new(o, "serial", json_integer((json_int_t)(uint32_t)k->serial));
    if (t->same_known)
        (void)json_object_set_new(o, "sameDigest", json_boolean(t->same));
    if (heard_ms >= 0)
        (void)json_object_set_new(o, "heardAge", json_real((double)heard_ms / 1000));
    return o;
}

static void show_link(struct shown *s, const struct replica *r, const struct board_link *k, json_t *links) {
    static const char *const ways[] = {"", "from", "to", "beside"};
    enum board_link_state state = replica_link_state(r, k);
    struct told t;
    char how[64], by[24];
    tell_link(s, r, k, &t);
    worse(s, step_of(r, k, state, &t));
    (void)snprintf(how, sizeof how, "%s %s", ways[k->way], replica_link_word(state));
    if (s->table != NULL)
        out_row(s->table, "", k->peer, how, t.serial, t.lag, "", t.check, t.digest, transport(by, k), k->error);
    else
        (void)json_array_append_new(links, link_json(k, &t, replica_link_word(state), age_ms(s, k->heard_wall_ms)));
}

static const char *role(const struct replica *r) {
    static const char *const pair[] = {"sole", "active", "standby", "secondary"};
    bool up = replica_is_secondary(r), down = replica_is_primary(r);
    if (r->z->epoch != 0 && r->z->role <= ROLE_SECONDARY)
        return pair[r->z->role];
    return up && down ? "hub" : up ? "secondary" : down ? "primary" : "alone";
}

static int zone_step(const struct replica *r, char *words, size_t size) {
    words[0] = '\0';
    if (!replica_is_secondary(r))
        return STEP_IN;
    enum verdict_state v = replica_source(r, 0, words, size);
    if (v == VERDICT_PASS && replica_lag(r) == 0)
        words[0] = '\0';
    else if (v == VERDICT_UNKNOWN)
        (void)snprintf(words, size, "no fresh evidence");
    return v == VERDICT_FAIL ? STEP_BROKEN : v != VERDICT_PASS || replica_lag(r) > 0 ? STEP_BEHIND : STEP_IN;
}

static json_t *zone_json(const struct replica *r, const char *words, json_t *links) {
    char digest[33];
    for (int i = 0; i < 16; i++)
        (void)snprintf(digest + 2 * i, 3, "%02x", r->z->digest[i]);
    json_t *o = json_pack("{s:s,s:s,s:I,s:I,s:s,s:s,s:o}", "zone", r->zone->name, "role", role(r), "serial",
                          (json_int_t)(uint32_t)r->z->serial, "lag", (json_int_t)replica_lag(r), "digest", digest,
                          "error", words, "links", links);
    if (o == NULL)
        return NULL;
    if (replica_data_age_ms(r) >= 0)
        (void)json_object_set_new(o, "dataAge", json_real((double)replica_data_age_ms(r) / 1000));
    if (replica_check_age_ms(r) >= 0)
        (void)json_object_set_new(o, "checkAge", json_real((double)replica_check_age_ms(r) / 1000));
    uint32_t newest;
    if (replica_newest(r, &newest))
        (void)json_object_set_new(o, "sourceSerial", json_integer((json_int_t)newest));
    return o;
}

static void show_zone(struct shown *s, const struct replica *r) {
    char words[256], serial[16], lag[64], data[32], check[32], digest[12];
    json_t *links = s->table == NULL ? json_array() : NULL;
    worse(s, zone_step(r, words, sizeof words));
    (void)snprintf(serial, sizeof serial, "%" PRIu32, (uint32_t)r->z->serial);
    tell_lag(lag, replica_lag(r), "serial", -1);
    s->count++;
    if (s->table != NULL)
        out_row(s->table, r->zone->name, "here", role(r), serial, lag,
                replica_data_age_ms(r) < 0 ? "" : replica_age_text(data, replica_data_age_ms(r)),
                replica_check_age_ms(r) < 0 ? "" : replica_age_text(check, replica_check_age_ms(r)),
                digest_text(digest, "", r->z->digest), "", words);
    for (size_t i = 0; i < r->links; i++)
        show_link(s, r, r->link[i], links);
    if (s->table == NULL)
        (void)json_array_append_new(s->zones, zone_json(r, words, links));
}

static bool is_asked_for(const char *want, const char *name) {
    size_t n = strlen(name);
    if (want == NULL || strcasecmp(want, name) == 0)
        return true;
    return n > 1 && strlen(want) == n - 1 && strncasecmp(want, name, n - 1) == 0;
}

static const struct conf_zone *zone_of(const struct conf *conf, size_t i, const char *name, struct conf_zone *own) {
    if (i < conf->rbl.zone_count && strcasecmp(conf->rbl.zones[i].name, name) == 0)
        return &conf->rbl.zones[i];
    *own = (struct conf_zone){.name = name}; /* a member of a catalog: the file does not know it */
    return own;
}

static struct replica replica_at(const struct conf *conf, const struct replica_links *l, size_t i,
                                 const struct board_zone *z, struct conf_zone *own, int64_t now_ms) {
    struct replica r = {.conf = conf,
                        .zone = zone_of(conf, i, z->name, own),
                        .z = z,
                        .now_ms = now_ms,
                        .allowance_ms = conf->health.interval.zones_ms};
    r.links = replica_links_of(l, i, &r.link);
    return r;
}

static bool is_replicated(const struct replica *r) {
    return replica_is_secondary(r) || replica_is_primary(r) || r->zone->pair.count > 0;
}

/* What one zone comes to, without showing it. */
static void judge_zone(struct shown *s, const struct replica *r) {
    char words[256];
    struct told t;
    worse(s, zone_step(r, words, sizeof words));
    for (size_t i = 0; i < r->links; i++) {
        tell_link(s, r, r->link[i], &t);
        worse(s, step_of(r, r->link[i], replica_link_state(r, r->link[i]), &t));
    }
}

static void show_all(struct shown *s, const struct conf *conf, const struct board *b, const struct replica_links *l,
                     const char *want) {
    uint64_t count = board_get(&b->zone_count);
    for (size_t i = 0; i < count && i < LIMIT_ZONES; i++) {
        struct board_zone z;
        struct conf_zone own;
        if (!board_zone_read(&b->zone[i], &z) || z.name[0] == '\0' || !is_asked_for(want, z.name))
            continue;
        struct replica r = replica_at(conf, l, i, &z, &own, s->now_ms);
        if (want != NULL || is_replicated(&r))
            show_zone(s, &r);
    }
}

/* A board that nobody writes any more: what it says is past. */
static const char *writer(const struct board *b, char to[96]) {
    const struct board_process *p = &b->process[ROLE_SYNC];
    enum shown_life life = shown_life(p, clock_mono_ms());
    char since[32];
    if (life == SHOWN_BEATING)
        return NULL;
    if (life == SHOWN_STILL)
        (void)snprintf(to, 96, "candor-sync hangs: its heartbeat is %s old; what follows is past",
                       out_age(since, shown_age_s(board_get(&p->heartbeat_ms), clock_mono_ms())));
    else
        (void)snprintf(to, 96, "candor-sync does not run; what follows is past");
    return to;
}

static void print_json(const struct shown *s, const char *trouble) {
    static const char *const words[] = {"in step", "behind", "broken"};
    json_t *o = json_pack("{s:s,s:s,s:O}", "status", words[s->worst], "output", trouble != NULL ? trouble : "", "zones",
                          s->zones);
    if (o != NULL)
        (void)json_dumpf(o, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(o);
}

static int report(const struct args *a, const struct conf *conf, const struct board *b) {
    struct replica_links links = {0};
    struct shown s = {.now_ms = clock_wall_ms()};
    char text[96];
    const char *want = a->count > 0 ? a->at[0] : NULL, *trouble = writer(b, text);
    if (replica_links_read(&links, b) < 0) {
        fprintf(stderr, "candor sync-status: no memory\n");
        return STEP_BROKEN;
    }
    s.table = a->json ? NULL : out_table_new(10);
    s.zones = a->json || s.table == NULL ? json_array() : NULL;
    if (s.table != NULL)
        out_row(s.table, "zone", "node", "state", "serial", "lag", "data age", "heard", "digest", "transport", "error");
    show_all(&s, conf, b, &links, want);
    if (trouble != NULL)
        worse(&s, STEP_BROKEN);
    if (want != NULL && s.count == 0) {
        worse(&s, STEP_BROKEN);
        fprintf(stderr, "candor sync-status: this node has no zone %.250s\n", want);
    }
    if (a->json)
        print_json(&s, trouble);
    else if (trouble != NULL)
        printf("%s\n", trouble);
    if (!a->json && s.count == 0 && want == NULL)
        (void)printf("no zone comes from or goes to another node\n");
    if (s.count > 0)
        out_table_print(s.table, stdout, "");
    else
        out_table_free(s.table);
    json_decref(s.zones);
    replica_links_free(&links);
    return s.worst;
}

void sync_status_line(const struct conf *conf, const struct board *b, FILE *to) {
    static const char *const words[] = {"in step", "behind or not known", "broken"};
    struct replica_links links = {0};
    size_t counts[3] = {0}, all = 0;
    uint64_t zones = board_get(&b->zone_count);
    if (replica_links_read(&links, b) < 0)
        return;
    for (size_t i = 0; i < zones && i < LIMIT_ZONES; i++) {
        struct board_zone z;
        struct conf_zone own;
        struct shown one = {.now_ms = clock_wall_ms()};
        if (!board_zone_read(&b->zone[i], &z) || z.name[0] == '\0')
            continue;
        struct replica r = replica_at(conf, &links, i, &z, &own, one.now_ms);
        if (!is_replicated(&r))
            continue;
        judge_zone(&one, &r);
        counts[one.worst]++;
        all++;
    }
    if (all > 0)
        fprintf(to, "  zones from node to node:");
    for (int i = 0; all > 0 && i < 3; i++)
        if (counts[i] > 0)
            fprintf(to, " %zu %s%s", counts[i], words[i],
                    i < 2 && counts[i + 1] + (i == 0 ? counts[2] : 0) > 0 ? "," : "");
    if (all > 0)
        fprintf(to, " (candor sync-status)\n");
    replica_links_free(&links);
}

static int sync_status(const struct args *a) {
    struct conf *conf;
    const struct board *b = NULL;
    struct err err = {0};
    int code = STEP_BROKEN;
    if (args_config(a, &conf) < 0)
        return EXIT_USAGE;
    if (board_watch(&b, conf->node.run, &err) < 0)
        fprintf(stderr, "candor sync-status: nothing runs here: %s\n", err.text);
    else
        code = report(a, conf, b);
    board_detach(b);
    conf_free(conf);
    return code;
}

const struct command command_sync_status = {
    .name = "sync-status",
    .synopsis = "[ZONE]",
    .summary = "each zone here and at the other nodes: serial, lag, ages, digest, last error",
    .manual =
        "One line for the zone as this node has it, then one for each node that it comes from or goes to, as "
        "candor-sync\n"
        "last wrote it on the board: nobody is asked, so that it answers when a daemon hangs, and then says so.\n"
        "\n"
        "lag: serials that the newest primary is ahead, or commits that a secondary has not said to have, and for how\n"
        "long. data age: since the source last said that this is all there is; heard: since the other node last "
        "spoke.\n"
        "digest: '=' the same contents at the same serial, '!=' others. transport: native between Candor nodes.\n"
        "\n"
        "Exit code 0 all in step, 1 something is behind or not known, 2 something is broken: refused, unreachable,\n"
        "expired, other contents, or candor-sync does not run.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .min_args = 0,
    .max_args = 1,
    .run = sync_status,
};
