/* From the message to its job and from the job to the reply: who may, repeated datagrams, bounds, what a failed commit
 * is told as. The keeper is the test's own. */
#include "tests/unit/rbl/update/store.h"

#include "rbl/replicate/reply.h"
#include "rbl/update/update.h"
#include "resolver/base/clock.h"

/* --- a keeper that keeps jobs until the test says how they went */

struct keeper {
    int code;
    struct job *job[UPDATES_IN_FLIGHT + 1];
    unsigned jobs;
};
static struct keeper keeper;

struct job *job_new(enum job_kind kind) {
    struct job *j = calloc(1, sizeof *j);
    assert_non_null(j);
    j->kind = kind;
    return j;
}

void job_free(struct job *j) { free(j); }

int keeper_submit(struct keeper *k, int zone, struct job *j, struct err *err) {
    assert_true(zone >= 0 && zone < 5);
    assert_int_equal(j->kind, JOB_CHANGE);
    if (k->code != 0)
        return err_set(err, k->code, "the keeper says no");
    assert_true(k->jobs <= UPDATES_IN_FLIGHT);
    k->job[k->jobs++] = j;
    return 0;
}

/* Runs the oldest job against `b` and ends it; `commit`: what comes of the commit. */
static void finish(struct keep_batch *b, int commit) {
    struct job *j = keeper.job[0];
    assert_true(keeper.jobs > 0);
    memmove(keeper.job, keeper.job + 1, --keeper.jobs * sizeof keeper.job[0]);
    j->code = j->change(j->ctx, b, &j->err);
    if (j->code == 0 && commit != 0)
        j->code = err_set(&j->err, commit, "the disk or a guard");
    j->done(j->ctx, j);
    free(j);
}

/* --- the node */

static struct conf_peer_rule by_key[] = {{.key = "key.", .tls_name = ""}},
                             by_address[] = {{.has_address = true, .key = "", .tls_name = ""}},
                             by_both[] = {{.has_address = true, .key = "key.", .tls_name = ""}};
static struct conf_peer_rule primary[] = {{.has_address = true, .key = "", .tls_name = ""}};
static struct conf_zone zones[5] = {{.name = "list.example.", .update = {by_key, 1}},
                                    {.name = "open.example.", .update = {by_address, 1}},
                                    {.name = "both.example.", .update = {by_both, 1}},
                                    {.name = "copy.example.", .update = {by_key, 1}, .primaries = {primary, 1}},
                                    {.name = "none.example."}};
static struct conf_key conf_keys[] = {{"key.", "hmac-sha256", "AAECAwQFBgcICQoLDA0ODw==", ""},
                                      {"other.", "hmac-sha256", "AAECAwQFBgcICQoLDA0OEA==", ""}};
static struct conf conf;

const struct conf_zone *keeper_zone_conf(const struct keeper *k, int zone) {
    (void)k;
    return &zones[zone];
}
static struct tsig_keys *keys;
static struct updates *updates;
static struct keep_batch *store;
static uint8_t late[LIMIT_MESSAGE];
static size_t late_size;
static unsigned replies;
static int64_t now_ns = 1700000000 * NS_PER_S;

static int64_t clock_now(enum clock_kind kind) {
    (void)kind;
    return now_ns;
}

static void on_reply(void *ctx, const struct client *c, const uint8_t *msg, size_t size) {
    (void)ctx;
    (void)c;
    memcpy(late, msg, size);
    late_size = size;
    replies++;
}

static int setup(void **state) {
    (void)state;
    clock_set_source(clock_now);
    assert_int_equal(prefix_parse(&by_address[0].network, "192.0.2.0/24", NULL), 0);
    assert_int_equal(prefix_parse(&by_both[0].network, "192.0.2.0/24", NULL), 0);
    conf.rbl.zones = zones;
    conf.rbl.zone_count = 5;
    assert_int_equal(tsig_keys_open(&keys, conf_keys, 2, NULL), 0);
    struct updates_config c = {.conf = &conf, .keeper = &keeper, .keys = keys, .reply = on_reply};
    assert_int_equal(updates_open(&updates, &c, NULL), 0);
    keeper.code = 0;
    keeper.jobs = replies = 0;
    store = calloc(1, sizeof *store);
    store_fill(store, "");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    while (keeper.jobs > 0)
        finish(store, 0);
    updates_close(updates);
    tsig_keys_close(keys);
    free(store);
    clock_set_source(NULL);
    return 0;
}

/* --- messages */

struct sent {
    uint8_t wire[1000];
    size_t size;
    struct tsig tsig;
    struct client client;
};

static int zone_index(const struct name *qname) {
    for (int i = 0; i < 5; i++) {
        struct name apex;
        assert_int_equal(name_from_text(&apex, zones[i].name, NULL), 0);
        if (name_equal(&apex, qname))
            return i;
    }
    return -1;
}

/* An UPDATE for `zone` that adds one name; `id` tells it from others. */
static void make(struct sent *s, const char *zone, const char *key, const char *from, enum board_proto proto,
                 uint16_t id) {
    struct dns_writer w;
    struct name apex, owner;
    char text[300];
    (void)snprintf(text, sizeof text, "n%u.%s", id, zone);
    assert_int_equal(name_from_text(&apex, zone, NULL), 0);
    assert_int_equal(name_from_text(&owner, text, NULL), 0);
    memset(s, 0, sizeof *s);
    dns_writer_open(&w, s->wire, sizeof s->wire, id, 0, OPCODE_UPDATE);
    dns_writer_question(&w, &apex, TYPE_SOA, CLASS_IN);
    dns_writer_a(&w, SECTION_AUTHORITY, &owner, 60, (const uint8_t[]){127, 0, 0, 2});
    int size = dns_writer_end(&w, 0, 0);
    assert_true(size > 0);
    if (key != NULL) {
        struct name n;
        assert_int_equal(name_from_text(&n, key, NULL), 0);
        size =
            tsig_request(&s->tsig, tsig_keys_find(keys, &n), s->wire, (size_t)size, sizeof s->wire, now_ns / NS_PER_S);
        assert_true(size > 0);
    }
    s->size = (size_t)size;
    s->client.proto = proto;
    assert_int_equal(addr_parse(&s->client.peer, from, 4000, NULL), 0);
}

/* The RCODE of a reply that came at once, 100 when none did. */
static unsigned take(const struct sent *s) {
    uint8_t reply[LIMIT_MESSAGE];
    struct dns_query q;
    struct tsig t = {.present = false};
    assert_int_equal(dns_query_read(&q, s->wire, s->size), 0);
    if (q.tsig)
        assert_int_equal(tsig_check(&t, keys, s->wire, s->size, now_ns / NS_PER_S), 0);
    size_t size =
        updates_take(updates, zone_index(&q.qname), &s->client, &q, &t, s->wire, s->size, reply, sizeof reply);
    if (size == 0)
        return 100;
    assert_true(size >= DNS_HEADER && get_u16(reply) == get_u16(s->wire) && (reply[2] >> 3) == (0x80 | 5 << 3) >> 3);
    if (t.present)
        assert_int_equal(tsig_answer(&s->tsig, reply, size, now_ns / NS_PER_S, NULL, NULL), 0);
    return reply[3] & 15;
}

static unsigned late_rcode(const struct sent *s) {
    if (s->tsig.key != NULL)
        assert_int_equal(tsig_answer(&s->tsig, late, late_size, now_ns / NS_PER_S, NULL, NULL), 0);
    assert_int_equal(get_u16(late), get_u16(s->wire));
    return late[3] & 15;
}

static void who_may(void **state) {
    (void)state;
    static const struct {
        const char *zone, *key, *from;
        unsigned rcode;
    } rows[] = {
        {"list.example.", "key.", "198.51.100.1", 100},
        {"LIST.example.", "key.", "2001:db8::1", 100},
        {"list.example.", "other.", "198.51.100.1", RCODE_REFUSED},
        {"list.example.", NULL, "198.51.100.1", RCODE_REFUSED},
        {"open.example.", NULL, "192.0.2.7", 100},
        {"open.example.", "other.", "192.0.2.7", 100},
        {"open.example.", "key.", "198.51.100.1", RCODE_REFUSED},
        {"both.example.", "key.", "192.0.2.7", 100},
        {"both.example.", NULL, "192.0.2.7", RCODE_REFUSED},
        {"both.example.", "other.", "192.0.2.7", RCODE_REFUSED},
        {"both.example.", "key.", "198.51.100.1", RCODE_REFUSED},
        {"copy.example.", "key.", "192.0.2.7", RCODE_REFUSED},
        {"none.example.", "key.", "192.0.2.7", RCODE_REFUSED},
        {"else.example.", "key.", "192.0.2.7", RCODE_NOTAUTH},
        {"sub.list.example.", "key.", "192.0.2.7", RCODE_NOTAUTH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sent s;
        make(&s, rows[i].zone, rows[i].key, rows[i].from, PROTO_UDP, (uint16_t)i);
        assert_int_equal(take(&s), rows[i].rcode);
    }
}

static void zone_section(void **state) {
    (void)state;
    struct sent s;
    make(&s, "open.example.", NULL, "192.0.2.7", PROTO_TCP, 1);
    put_u16(s.wire + 12 + 14, TYPE_A);
    assert_int_equal(take(&s), RCODE_FORMERR);
    put_u16(s.wire + 12 + 14, TYPE_SOA);
    put_u16(s.wire + 12 + 16, CLASS_CH);
    assert_int_equal(take(&s), RCODE_NOTAUTH);
    put_u16(s.wire + 12 + 16, CLASS_IN);
    assert_int_equal(take(&s), 100);
}

static void answered_after_the_commit(void **state) {
    (void)state;
    struct sent s;
    make(&s, "list.example.", "key.", "192.0.2.7", PROTO_UDP, 5);
    assert_int_equal(take(&s), 100);
    assert_int_equal(replies, 0);
    assert_string_equal(keeper.job[0]->change_source, "update key.");
    finish(store, 0);
    assert_int_equal(replies, 1);
    assert_int_equal(late_rcode(&s), RCODE_NOERROR);
    assert_string_equal(store_text(store), "n5 127.0.0.2 60");
    make(&s, "open.example.", NULL, "192.0.2.7", PROTO_UDP, 6);
    assert_int_equal(take(&s), 100);
    assert_string_equal(keeper.job[0]->change_source, "update 192.0.2.7");
}

static void failed_commits(void **state) {
    (void)state;
    static const struct {
        int code;
        unsigned rcode;
    } rows[] = {{E_REFUSED, RCODE_REFUSED},
                {E_IO, RCODE_SERVFAIL},
                {E_FULL, RCODE_SERVFAIL},
                {E_AGAIN, RCODE_SERVFAIL},
                {E_CORRUPT, RCODE_SERVFAIL}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sent s;
        make(&s, "list.example.", "key.", "192.0.2.7", PROTO_UDP, (uint16_t)i);
        assert_int_equal(take(&s), 100);
        finish(store, rows[i].code);
        assert_int_equal(late_rcode(&s), rows[i].rcode);
        /* no lasting outcome: the same datagram is tried again */
        assert_int_equal(take(&s), 100);
        finish(store, 0);
        assert_int_equal(late_rcode(&s), RCODE_NOERROR);
    }
}

static void repeated(void **state) {
    (void)state;
    struct sent s, other;
    make(&s, "list.example.", "key.", "192.0.2.7", PROTO_UDP, 9);
    assert_int_equal(take(&s), 100);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(&s), 100);
    assert_int_equal(keeper.jobs, 1); /* one job, one reply */
    other = s;
    assert_int_equal(addr_parse(&other.client.peer, "192.0.2.7", 4001, NULL), 0);
    assert_int_equal(take(&other), 100);
    assert_int_equal(keeper.jobs, 2); /* another port is another publisher */
    finish(store, 0);
    finish(store, 0);
    assert_int_equal(replies, 2);
    assert_int_equal(take(&s), RCODE_NOERROR); /* remembered */
    assert_int_equal(keeper.jobs, 0);
    now_ns += (UPDATES_REMEMBER_MS + 1) * NS_PER_MS;
    assert_int_equal(take(&s), 100);
    assert_int_equal(keeper.jobs, 1);
}

static void not_repeated(void **state) {
    (void)state;
    struct sent s;
    make(&s, "list.example.", "key.", "192.0.2.7", PROTO_TCP, 9); /* TCP repeats nothing by itself */
    assert_int_equal(take(&s), 100);
    assert_int_equal(take(&s), 100);
    assert_int_equal(keeper.jobs, 2);
    finish(store, 0);
    finish(store, 0);
    make(&s, "open.example.", NULL, "192.0.2.7", PROTO_UDP, 9); /* nor says an unsigned one when it was made */
    assert_int_equal(take(&s), 100);
    finish(store, 0);
    assert_int_equal(take(&s), 100);
    assert_int_equal(keeper.jobs, 1);
}

/* A remembered refusal: the prerequisite failed, and would not now. */
static void outcomes_are_kept(void **state) {
    (void)state;
    struct sent s;
    make(&s, "list.example.", "key.", "192.0.2.7", PROTO_UDP, 9);
    s.size = message(s.wire, sizeof s.wire, "yxdomain nowhere\nadd x 60 A 127.0.0.2");
    struct name n;
    assert_int_equal(name_from_text(&n, "key.", NULL), 0);
    int size = tsig_request(&s.tsig, tsig_keys_find(keys, &n), s.wire, s.size, sizeof s.wire, now_ns / NS_PER_S);
    assert_true(size > 0);
    s.size = (size_t)size;
    assert_int_equal(take(&s), 100);
    finish(store, 0);
    assert_int_equal(late_rcode(&s), RCODE_NXDOMAIN);
    store_fill(store, "nowhere 127.0.0.2");
    assert_int_equal(take(&s), RCODE_NXDOMAIN);
    assert_int_equal(keeper.jobs, 0);
}

static void bounds(void **state) {
    (void)state;
    struct sent s;
    keeper.code = E_FULL;
    make(&s, "list.example.", "key.", "192.0.2.7", PROTO_UDP, 1);
    assert_int_equal(take(&s), RCODE_SERVFAIL);
    keeper.code = E_CLOSED;
    assert_int_equal(take(&s), RCODE_SERVFAIL);
    keeper.code = 0;
    for (unsigned i = 0; i < UPDATES_IN_FLIGHT; i++) {
        make(&s, "open.example.", NULL, "192.0.2.7", PROTO_UDP, (uint16_t)i);
        assert_int_equal(take(&s), 100);
    }
    make(&s, "list.example.", "key.", "192.0.2.7", PROTO_UDP, 1);
    assert_int_equal(take(&s), RCODE_SERVFAIL);
    for (unsigned i = 0; i < 2; i++) {
        store_fill(store, "");
        finish(store, 0);
    }
    assert_int_equal(take(&s), 100);
    while (keeper.jobs > 0) {
        store_fill(store, "");
        finish(store, 0);
    }
    assert_int_equal(replies, UPDATES_IN_FLIGHT + 1);
}

/* The port goes while updates are under way: they are carried out, nobody is answered, nothing leaks. */
static void closed_under_way(void **state) {
    struct sent s;
    for (uint16_t i = 0; i < 3; i++) {
        make(&s, "list.example.", "key.", "192.0.2.7", PROTO_TCP, i);
        assert_int_equal(take(&s), 100);
    }
    updates_close(updates);
    updates = NULL;
    finish(store, 0);
    finish(store, E_IO);
    finish(store, 0);
    assert_int_equal(replies, 0);
    assert_int_equal(store->count, 3);
    (void)state;
}

/* 512 octets hold no long zone name twice and a TSIG: the question goes first, then the reply altogether. */
static void small_replies(void **state) {
    (void)state;
    struct dns_query q = {.header = {.id = 7, .opcode = OPCODE_UPDATE}, .question_end = 300};
    struct tsig t = {.present = false};
    uint8_t reply[2000];
    q.qname = (struct name){.size = 1};
    for (int i = 0; i < 4; i++) {
        uint8_t *at = q.qname.wire + q.qname.size - 1;
        unsigned n = i < 3 ? 63 : 61;
        at[0] = (uint8_t)n;
        memset(at + 1, 'a', n);
        at[n + 1] = 0;
        q.qname.size = (uint8_t)(q.qname.size + n + 1);
        q.qname.labels++;
    }
    assert_int_equal(reply_bare(&q, &t, RCODE_REFUSED, EDE_NONE, NULL, reply, 512), 12 + 255 + 4);
    t = (struct tsig){.present = true, .error = TSIG_BADKEY, .name = q.qname, .algorithm = {.size = 1}};
    size_t size = reply_bare(&q, &t, RCODE_NOTAUTH, EDE_NONE, NULL, reply, 512);
    assert_int_equal(size, 12 + tsig_size(&t));
    assert_int_equal(get_u16(reply + 4), 0);
    assert_int_equal(reply_bare(&q, &t, RCODE_NOTAUTH, EDE_NONE, NULL, reply, 1232), 12 + 259 + tsig_size(&t));
    t.algorithm = q.qname;
    assert_int_equal(reply_bare(&q, &t, RCODE_NOTAUTH, EDE_NONE, NULL, reply, 512), 0);
    q.edns = (struct dns_edns){.present = true, .udp_size = 1232};
    t = (struct tsig){.present = false};
    size = reply_bare(&q, &t, RCODE_REFUSED, EDE_PROHIBITED, "because", reply, 512);
    assert_true(size > 12 + 259 + 11 + 7);
    size = reply_cut(&q, &t, reply, 512);
    assert_int_equal(size, 12 + 259 + 11);
    assert_int_equal(get_u16(reply + 2), FLAG_QR | FLAG_TC | OPCODE_UPDATE << 11);
    struct client c = {.proto = PROTO_UDP};
    assert_int_equal(reply_limit(&c, &q, 4096), 1232);
    q.edns.udp_size = 700;
    assert_int_equal(reply_limit(&c, &q, 4096), 700);
    q.edns.present = false;
    assert_int_equal(reply_limit(&c, &q, 4096), 512);
    assert_int_equal(reply_limit(&c, &q, 300), 300);
    c.proto = PROTO_TCP;
    assert_int_equal(reply_limit(&c, &q, 65535), 65535);
}

#define DOOR_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DOOR_TEST(who_may),       DOOR_TEST(zone_section),      DOOR_TEST(answered_after_the_commit),
        DOOR_TEST(repeated),      DOOR_TEST(not_repeated),      DOOR_TEST(failed_commits),
        DOOR_TEST(bounds),        DOOR_TEST(outcomes_are_kept), DOOR_TEST(closed_under_way),
        DOOR_TEST(small_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
