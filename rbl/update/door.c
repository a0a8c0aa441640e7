/* Updates under way: from the message to its job, from the job to the reply; repeated datagrams. */
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rbl/replicate/reply.h"
#include "rbl/update/run.h"
#include "rbl/update/update.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/rand.h"

enum { BUCKETS = 1 << 14 };

/* One message under way. */
struct request {
    struct request *next; /* of the bucket */
    struct updates *u;
    struct job *job;
    struct client client;
    struct dns_query q; /* its views point nowhere any more */
    struct tsig tsig;
    int zone;
    XXH128_hash_t mark; /* of the datagram and who sent it */
    char source[80];    /* "update key.example." */
    struct update_result result;
    size_t size;
    uint8_t msg[];
};

/* How a signed datagram came out. */
struct outcome {
    XXH128_hash_t mark;
    int64_t at_ms;
    uint8_t rcode;
};

struct updates {
    struct updates_config c;
    struct records_zone *zone;
    struct request *bucket[BUCKETS];
    struct outcome *outcome; /* UPDATES_REMEMBERED, the newer takes the older one's place */
    uint64_t seed;
    unsigned in_flight;
    size_t bytes;
    bool closed;
    int64_t logged_ms;
    uint64_t not_logged;
    uint8_t late[REPLY_UDP];
};

static void updates_free(struct updates *u) {
    free(u->zone);
    free(u->outcome);
    free(u);
}

int updates_open(struct updates **out, const struct updates_config *config, struct err *err) {
    *out = NULL;
    size_t zones = config->conf->rbl.zone_count;
    struct updates *u = calloc(1, sizeof *u);
    if (u == NULL)
        return err_set(err, E_NOMEM, "no memory for updates");
    u->zone = calloc(LIMIT_ZONES + 1, sizeof *u->zone);
    u->outcome = calloc(UPDATES_REMEMBERED, sizeof *u->outcome);
    if (u->zone == NULL || u->outcome == NULL) {
        updates_free(u);
        return err_set(err, E_NOMEM, "no memory for updates");
    }
    u->c = *config;
    u->seed = rand_u64();
    u->logged_ms = -UPDATES_LOG_MS;
    for (size_t i = 0; i < zones; i++) {
        int rc = records_zone_make(&u->zone[i], &config->conf->rbl.zones[i], err);
        if (rc < 0) {
            updates_free(u);
            return rc;
        }
    }
    *out = u;
    return 0;
}

/* A zone keeps its shape for its life: jobs under way read it. */
void updates_zone_changed(struct updates *u, int zone) {
    const struct conf_zone *conf = keeper_zone_conf(u->c.keeper, zone);
    struct records_zone fresh = {.addresses = false};
    struct err err;
    if (conf->name[0] == '\0' || records_zone_make(&fresh, conf, &err) < 0)
        return;
    if (!name_equal(&fresh.apex, &u->zone[zone].apex))
        u->zone[zone] = fresh;
}

void updates_close(struct updates *u) {
    if (u == NULL)
        return;
    u->closed = true;
    if (u->in_flight == 0)
        updates_free(u); /* else by the last one under way */
}

/* --- repeated datagrams */

static XXH128_hash_t mark_of(const struct updates *u, const struct client *c, const uint8_t *msg, size_t size) {
    uint8_t from[20] = {0};
    if (addr_family(&c->peer) == AF_INET) {
        memcpy(from, &c->peer.in.sin_addr, 4);
    } else {
        memcpy(from, &c->peer.in6.sin6_addr, 16);
    }
    put_u16(from + 16, addr_port(&c->peer));
    return XXH3_128bits_withSeed(msg, size, u->seed ^ XXH3_64bits_withSeed(from, sizeof from, u->seed));
}

static struct request **bucket_of(struct updates *u, XXH128_hash_t mark) {
    return &u->bucket[mark.low64 & (BUCKETS - 1)];
}

static bool is_under_way(struct updates *u, XXH128_hash_t mark) {
    for (struct request *r = *bucket_of(u, mark); r != NULL; r = r->next)
        if (XXH128_isEqual(r->mark, mark))
            return true;
    return false;
}

static struct outcome *outcome_of(struct updates *u, XXH128_hash_t mark) {
    return &u->outcome[mark.high64 & (UPDATES_REMEMBERED - 1)];
}

/* The RCODE that a datagram got which came before, or -1. Its TSIG says when it was signed, so an equal one is no other
 * one; without a TSIG two that are equal may well be two. */
static int remembered(struct updates *u, XXH128_hash_t mark) {
    const struct outcome *o = outcome_of(u, mark);
    return XXH128_isEqual(o->mark, mark) && o->at_ms != 0 && clock_mono_ms() - o->at_ms <= UPDATES_REMEMBER_MS
               ? o->rcode
               : -1;
}

/* What may come out otherwise at another time is not kept. */
static void remember(struct updates *u, const struct request *r) {
    unsigned rcode = r->result.rcode;
    if (r->client.proto != PROTO_UDP || r->tsig.key == NULL || rcode == RCODE_SERVFAIL || rcode == RCODE_REFUSED)
        return;
    *outcome_of(u, r->mark) = (struct outcome){r->mark, clock_mono_ms(), (uint8_t)rcode};
}

/* --- the log: publishers and their keys are named, addresses and what was sent are not */

static const char *signer(const struct tsig *t) { return t->key != NULL ? tsig_key_text(t->key) : ""; }

static void log_refused(struct updates *u, const char *zone, const struct tsig *t, unsigned rcode, const char *why) {
    char text[16];
    int64_t now = clock_mono_ms();
    bool quiet = now - u->logged_ms < UPDATES_LOG_MS;
    enum log_level level = quiet ? LEVEL_DEBUG : LEVEL_WARN;
    u->not_logged += quiet;
    LOG(level, "an update was not carried out", KS("zone", zone), KS("key", signer(t)),
        KS("rcode", dns_rcode_text(rcode, text)), KS("why", why), KU("others", quiet ? 0 : u->not_logged));
    if (quiet)
        return;
    u->logged_ms = now;
    u->not_logged = 0;
}

/* --- under way */

static int change(void *ctx, struct keep_batch *b, struct err *err) {
    struct request *r = ctx;
    int rc = update_run(&r->u->zone[r->zone], r->msg, r->size, b, &r->result, err);
    r->job->serial_hint = rc == 0 ? r->result.serial_hint : 0;
    return rc;
}

static void forget(struct request *r) {
    struct updates *u = r->u;
    struct request **at = bucket_of(u, r->mark);
    while (*at != NULL && *at != r)
        at = &(*at)->next;
    if (*at == r)
        *at = r->next;
    u->in_flight--;
    u->bytes -= r->size;
    free(r);
    if (u->closed && u->in_flight == 0)
        updates_free(u);
}

/* The edits were right and the commit failed: the guards said no, or the disk. */
static void commit_failed(struct request *r, const struct job *j) {
    r->result.rcode = j->code == E_REFUSED ? RCODE_REFUSED : RCODE_SERVFAIL;
    text_copy(r->result.why, sizeof r->result.why, j->err.text);
}

static void answer(struct request *r) {
    struct updates *u = r->u;
    unsigned rcode = r->result.rcode;
    const char *why = r->result.why;
    if (rcode != RCODE_NOERROR && (why[0] != '\0' || rcode == RCODE_SERVFAIL))
        log_refused(u, u->c.conf->rbl.zones[r->zone].name, &r->tsig, rcode, why);
    remember(u, r);
    if (rcode == RCODE_SERVFAIL) /* what the disk said is for the log */
        why = "not carried out; the server's log says why";
    int ede = rcode == RCODE_NOERROR ? EDE_NONE : rcode == RCODE_REFUSED ? EDE_PROHIBITED : EDE_OTHER;
    size_t limit = reply_limit(&r->client, &r->q, sizeof u->late);
    size_t size = reply_bare(&r->q, &r->tsig, rcode, ede, why, u->late, limit);
    u->c.reply(u->c.reply_ctx, &r->client, u->late, size);
}

static void done(void *ctx, struct job *j) {
    struct request *r = ctx;
    if (j->code != 0 && r->result.rcode == RCODE_NOERROR)
        commit_failed(r, j);
    if (!r->u->closed)
        answer(r);
    forget(r);
}

static struct request *request_new(struct updates *u, int zone, const struct client *c, const struct dns_query *q,
                                   const struct tsig *t, const uint8_t *msg, size_t size) {
    if (u->in_flight >= UPDATES_IN_FLIGHT || u->bytes + size > UPDATES_BYTES)
        return NULL;
    struct request *r = malloc(sizeof *r + size);
    if (r == NULL)
        return NULL;
    r->u = u;
    r->client = *c;
    r->q = *q;
    r->tsig = *t;
    r->zone = zone;
    r->result = (struct update_result){.rcode = RCODE_NOERROR};
    r->size = size;
    memcpy(r->msg, msg, size);
    size_t n = text_copy(r->source, sizeof r->source, "update ");
    char peer[ADDR_TEXT_MAX];
    text_copy(r->source + n, sizeof r->source - n,
              t->key != NULL ? tsig_key_text(t->key) : addr_host_text(&c->peer, peer));
    return r;
}

/* Hands it to the keeper; `r` is freed when that does not take it. */
static int submit(struct updates *u, struct request *r, struct err *err) {
    struct request **bucket = bucket_of(u, r->mark);
    struct job *j = job_new(JOB_CHANGE);
    int rc = j != NULL ? 0 : err_set(err, E_NOMEM, "no memory for an update");
    if (rc == 0) {
        j->change = change;
        j->change_source = r->source;
        j->done = done;
        j->ctx = r;
        r->job = j;
        r->next = *bucket;
        *bucket = r;
        u->in_flight++;
        u->bytes += r->size;
        rc = keeper_submit(u->c.keeper, r->zone, j, err);
        if (rc == 0)
            return 0;
        job_free(j);
        forget(r);
        return rc;
    }
    free(r);
    return rc;
}

/* What can be said before anything is looked at: section 3.1, and who may. */
static unsigned admit(const struct updates *u, int zone, const struct client *c, const struct dns_query *q,
                      const struct tsig *t, const char **why) {
    *why = "";
    if (q->qtype != TYPE_SOA) {
        *why = "the zone section is one SOA";
        return RCODE_FORMERR;
    }
    if (zone < 0 || q->qclass != CLASS_IN || !name_equal(&u->zone[zone].apex, &q->qname)) {
        *why = "no zone of this node";
        return RCODE_NOTAUTH;
    }
    const struct conf_zone *z = &u->c.conf->rbl.zones[zone];
    if (z->primaries.count > 0 && u->c.elsewhere == NULL) {
        *why = "this node is a secondary of the zone: send updates to its primary";
        return RCODE_REFUSED;
    }
    bool pair = z->pair.count > 0 && t->key != NULL && strcmp(tsig_key_text(t->key), z->pair.at[0].key) == 0;
    if (!pair && !reply_allowed(&z->update, &(struct reply_who){c, t->key, u->c.server})) {
        *why = z->update.count == 0 ? "the zone takes no updates" : "not in the zone's update list";
        return RCODE_REFUSED;
    }
    return RCODE_NOERROR;
}

size_t updates_take(struct updates *u, int zone, const struct client *c, const struct dns_query *q,
                    const struct tsig *t, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    const char *why;
    struct err err = {.code = 0};
    size_t limit = reply_limit(c, q, cap);
    unsigned rcode = admit(u, zone, c, q, t, &why);
    if (rcode != RCODE_NOERROR) {
        log_refused(u, rcode == RCODE_REFUSED ? u->c.conf->rbl.zones[zone].name : "", t, rcode, why);
        return reply_bare(q, t, rcode, rcode == RCODE_REFUSED ? EDE_PROHIBITED : EDE_OTHER, why, reply, limit);
    }
    size_t n = 0;
    if (u->c.elsewhere != NULL && u->c.elsewhere(u->c.elsewhere_ctx, zone, c, q, t, msg, size, reply, cap, &n))
        return n;
    XXH128_hash_t mark = mark_of(u, c, msg, size);
    if (c->proto == PROTO_UDP && t->key != NULL) {
        int before = remembered(u, mark);
        if (before >= 0)
            return reply_bare(q, t, (unsigned)before, EDE_NONE, NULL, reply, limit);
    }
    if (c->proto == PROTO_UDP && is_under_way(u, mark))
        return 0;
    struct request *r = request_new(u, zone, c, q, t, msg, size);
    if (r == NULL) {
        why = "too many updates are under way";
    } else {
        r->mark = mark;
        if (submit(u, r, &err) == 0)
            return 0;
        why = err.text;
    }
    log_refused(u, u->c.conf->rbl.zones[zone].name, t, RCODE_SERVFAIL, why);
    return reply_bare(q, t, RCODE_SERVFAIL, EDE_OTHER, why, reply, limit);
}
