/* Recursion over a scripted internet: each server says what its rules say, or nothing. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/clock.h"
#include "resolver/iterate/bounds.h"
#include "tests/unit/resolver/iterate/script.h"

enum { ROOT = 1, COM, ORG, EXAMPLE, OTHER, SECOND };

/* What server 11.0.0.`server` says to a question at or below `name`; records: "owner TYPE data;...". The first rule
 * that fits counts; without one the server is silent. */
struct rule {
    unsigned server;
    unsigned rcode;
    const char *name;
    uint16_t type; /* 0: any */
    uint16_t flags;
    bool exact;
    const char *answer, *authority, *additional;
};

static const struct rule common[] = {
    {ROOT, 0, "com.", 0, 0, false, "", "com. NS ns.com.", "ns.com. A 11.0.0.2"},
    {ROOT, 0, "org.", 0, 0, false, "", "org. NS ns.org.", "ns.org. A 11.0.0.3"},
    {ROOT, 0, ".", TYPE_NS, FLAG_AA, true, ". NS a.root.", "", "a.root. A 11.0.0.1"},
    {ROOT, RCODE_NXDOMAIN, ".", 0, FLAG_AA, false, "", ". SOA", ""},
    {COM, 0, "example.com.", 0, 0, false, "", "example.com. NS ns.example.com.", "ns.example.com. A 11.0.0.4"},
    {COM, 0, "ns.com.", TYPE_A, FLAG_AA, true, "ns.com. A 11.0.0.2", "", ""},
    {EXAMPLE, 0, "www.example.com.", TYPE_A, FLAG_AA, true, "www.example.com. A 192.0.2.80", "", ""},
    {EXAMPLE, 0, "alias.example.com.", 0, FLAG_AA, true, "alias.example.com. CNAME www.other.org.", "", ""},
    {EXAMPLE, 0, "www.example.com.", 0, FLAG_AA, true, "", "example.com. SOA", ""},
    {EXAMPLE, RCODE_NXDOMAIN, "example.com.", 0, FLAG_AA, false, "", "example.com. SOA", ""},
    {ORG, 0, "other.org.", 0, 0, false, "", "other.org. NS ns1.example.com.;other.org. NS ns.host.org.", ""},
    {ORG, 0, "host.org.", 0, 0, false, "", "host.org. NS ns.host.org.", "ns.host.org. A 11.0.0.5"},
    {OTHER, 0, "ns.host.org.", TYPE_A, FLAG_AA, true, "ns.host.org. A 11.0.0.5", "", ""},
    {OTHER, 0, "www.other.org.", TYPE_A, FLAG_AA, true, "www.other.org. A 192.0.2.90", "", ""},
    {OTHER, 0, ".", 0, FLAG_AA, false, "", "other.org. SOA", ""},
};

struct world {
    struct script script;
    struct conf *conf;
    struct cache *cache;
    struct resolve *resolve;
    struct resolve_waiter waiter;
    unsigned calls;
    struct resolve_result result;
    uint8_t msg[4096];
    const struct rule *rules; /* before the common ones; ends with server 0 */
    char hints[64];
    char shown[4096]; /* "SERVER NAME TYPE;" of what was asked */
};

static void answered(struct resolve_waiter *waiter, const struct resolve_result *r) {
    struct world *w = (struct world *)((char *)waiter - offsetof(struct world, waiter));
    w->calls++;
    w->result = *r;
    if (r->msg != NULL) {
        assert_true(r->size <= sizeof w->msg);
        memcpy(w->msg, r->msg, r->size);
    }
}

static struct world *world(const char *more, const struct rule *rules) {
    struct world *w = calloc(1, sizeof *w);
    struct err err = {0};
    char yaml[1024];
    assert_non_null(w);
    snprintf(w->hints, sizeof w->hints, "/tmp/test_recurse.XXXXXX");
    int fd = mkstemp(w->hints);
    assert_true(fd >= 0 && dprintf(fd, ". 3600 NS a.root.\na.root. 3600 A 11.0.0.1\n") > 0);
    close(fd);
    snprintf(yaml, sizeof yaml, "resolver: {recursion: {root-hints: %s, ipv6: false, timeout: 5s%s}}\n", w->hints,
             more);
    w->conf = script_conf(yaml);
    w->rules = rules;
    w->script.now_ms = 1000;
    struct cache_config cache = {.max_ttl_s = 86400, .max_negative_ttl_s = 3600, .size = 1 << 20};
    assert_int_equal(cache_open(&w->cache, &cache, &err), 0);
    struct resolve_config config = {.conf = w->conf, .cache = w->cache, .sender = script_sender(&w->script)};
    assert_int_equal(resolve_open(&w->resolve, &config, &err), 0);
    return w;
}

static void world_end(struct world *w) {
    resolve_close(w->resolve);
    assert_int_equal(script_open(&w->script), 0);
    cache_close(w->cache);
    conf_free(w->conf);
    unlink(w->hints);
    free(w);
}

static void write_records(struct dns_writer *w, enum dns_section section, const char *records) {
    char owner[128], type[16], data[128], copy[2048];
    snprintf(copy, sizeof copy, "%s", records);
    for (char *save, *one = strtok_r(copy, ";", &save); one != NULL; one = strtok_r(NULL, ";", &save)) {
        int n = sscanf(one, "%127s %15s %127s", owner, type, data);
        assert_true(n >= 2);
        struct name name = script_name(owner), target;
        if (strcmp(type, "A") == 0) {
            uint8_t a[4];
            assert_int_equal(inet_pton(AF_INET, data, a), 1);
            dns_writer_a(w, section, &name, 300, a);
        } else if (strcmp(type, "SOA") == 0) {
            struct dns_soa soa = {.primary = name, .contact = name, .serial = 1, .minimum = 60};
            dns_writer_soa(w, section, &name, 300, &soa);
        } else {
            target = script_name(data);
            dns_writer_rr(w, section, &name, strcmp(type, "NS") == 0 ? TYPE_NS : TYPE_CNAME, CLASS_IN, 300,
                          (struct bytes){target.wire, target.size});
        }
    }
}

static const struct rule *fits(const struct rule *r, unsigned server, const struct name *qname, uint16_t qtype) {
    struct name name = script_name(r->name);
    bool at = r->exact ? name_equal(qname, &name) : name_under(qname, &name);
    return r->server == server && at && (r->type == 0 || r->type == qtype) ? r : NULL;
}

static void serve(struct world *w, struct sent *x) {
    struct dns_reader reader;
    struct dns_writer writer;
    struct name qname;
    uint16_t qtype, qclass;
    uint8_t buf[2048];
    char text[NAME_TEXT_MAX], type[16];
    const struct rule *rule = NULL;
    unsigned server = ntohl(x->server.in.sin_addr.s_addr) & 255;
    assert_int_equal(dns_reader_open(&reader, x->msg, x->size, &qname, &qtype, &qclass), 0);
    size_t at = strlen(w->shown);
    snprintf(w->shown + at, sizeof w->shown - at, "%u %s %s;", server, name_text(&qname, text),
             dns_type_text(qtype, type));
    for (const struct rule *r = w->rules; r != NULL && r->server != 0 && rule == NULL; r++)
        rule = fits(r, server, &qname, qtype);
    for (size_t i = 0; i < ARRAY_SIZE(common) && rule == NULL; i++)
        rule = fits(&common[i], server, &qname, qtype);
    if (rule == NULL || rule->answer == NULL) {
        script_fail(&w->script, x, E_TIMEOUT);
        return;
    }
    script_begin(&writer, x, buf, sizeof buf);
    write_records(&writer, SECTION_ANSWER, rule->answer);
    write_records(&writer, SECTION_AUTHORITY, rule->authority);
    write_records(&writer, SECTION_ADDITIONAL, rule->additional);
    script_end(&w->script, x, &writer, rule->flags, rule->rcode, 10);
}

/* Asks, lets the servers answer until there is nothing left to say, and shows the answer: "RCODE owner TYPE;...". */
static const char *ask(struct world *w, const char *qname, uint16_t qtype) {
    static char text[2048];
    struct resolve_question q = {.qname = script_name(qname), .qtype = qtype, .qclass = CLASS_IN};
    w->waiter.done = answered;
    w->calls = 0;
    w->result = (struct resolve_result){0};
    w->script.count = 0;
    w->shown[0] = '\0';
    assert_int_equal(resolve_ask(w->resolve, &q, &w->waiter), 0);
    for (unsigned i = 0; script_open(&w->script) > 0; i++) {
        assert_true(i < SCRIPT_SENDS);
        for (unsigned k = 0; k < w->script.count; k++)
            if (w->script.sent[k].open) {
                serve(w, &w->script.sent[k]);
                break;
            }
    }
    assert_int_equal(w->calls, 1);
    if (w->result.msg == NULL) {
        snprintf(text, sizeof text, "failed %d", w->result.ede);
        return text;
    }
    struct dns_reader reader;
    struct dns_rr rr;
    char owner[NAME_TEXT_MAX], type[16], rcode[16];
    assert_int_equal(dns_reader_open(&reader, w->msg, w->result.size, NULL, NULL, NULL), 0);
    size_t at = (size_t)snprintf(text, sizeof text, "%s ", dns_rcode_text(reader.header.rcode, rcode));
    while (dns_reader_next(&reader, &rr) == 0)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s %s;", name_text(&rr.owner, owner),
                               dns_type_text(rr.type, type));
    return text;
}

static unsigned asked(const struct world *w, const char *what) {
    unsigned n = 0;
    for (const char *at = w->shown; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static void test_from_the_root_down(void **state) {
    (void)state;
    struct world *w = world(", prime: false", NULL);
    assert_string_equal(ask(w, "www.example.com.", TYPE_A), "NOERROR www.example.com. A;");
    /* no server sees more of the name than it needs */
    assert_string_equal(w->shown, "1 com. A;2 example.com. A;4 www.example.com. A;");
    assert_string_equal(ask(w, "www.example.com.", TYPE_TXT), "NOERROR example.com. SOA;");
    assert_string_equal(w->shown, "4 www.example.com. TXT;"); /* the delegation is known */
    assert_string_equal(ask(w, "www.example.com.", TYPE_A), "NOERROR www.example.com. A;");
    assert_string_equal(w->shown, ""); /* and the RRset */
    world_end(w);
}

static void test_the_whole_name_when_told_so(void **state) {
    (void)state;
    struct world *w = world(", prime: false, qname-minimisation: false", NULL);
    assert_string_equal(ask(w, "www.example.com.", TYPE_A), "NOERROR www.example.com. A;");
    assert_string_equal(w->shown, "1 www.example.com. A;2 www.example.com. A;4 www.example.com. A;");
    world_end(w);
}

static void test_priming(void **state) {
    (void)state;
    struct world *w = world("", NULL);
    assert_string_equal(ask(w, "www.example.com.", TYPE_A), "NOERROR www.example.com. A;");
    assert_int_equal(asked(w, "1 . NS;"), 1);
    assert_string_equal(ask(w, "nothing.", TYPE_A), "NXDOMAIN . SOA;");
    assert_string_equal(w->shown, "1 nothing. A;");
    world_end(w);
}

static void test_nothing_is_below_what_does_not_exist(void **state) {
    (void)state;
    struct world *w = world(", prime: false", NULL);
    assert_string_equal(ask(w, "none.example.com.", TYPE_A), "NXDOMAIN example.com. SOA;");
    assert_string_equal(ask(w, "a.b.none.example.com.", TYPE_MX), "NXDOMAIN example.com. SOA;");
    assert_string_equal(w->shown, ""); /* RFC 8020 */
    world_end(w);
}

/* An alias into another zone, whose servers came without addresses. */
static void test_an_alias_to_a_zone_without_glue(void **state) {
    (void)state;
    struct world *w = world(", prime: false", NULL);
    assert_string_equal(ask(w, "alias.example.com.", TYPE_A), "NOERROR alias.example.com. CNAME;www.other.org. A;");
    assert_int_equal(asked(w, "ns1.example.com. A;"), 1);
    assert_string_equal(ask(w, "alias.example.com.", TYPE_A), "NOERROR alias.example.com. CNAME;www.other.org. A;");
    assert_string_equal(w->shown, "");
    world_end(w);
}

/* Two servers outside of the zone, and one of them without an address: who has an answer finds it for the next. */
static const struct rule half_known[] = {
    {COM, 0, "example.com.", 0, 0, false, "",
     "example.com. NS ns.example.com.;example.com. NS ns.host.org.;example.com. NS none.host.org.",
     "ns.example.com. A 11.0.0.4"},
    {OTHER, 0, "www.example.com.", 0, FLAG_AA, true, "", "example.com. SOA", ""},
    {OTHER, RCODE_NXDOMAIN, "none.host.org.", 0, FLAG_AA, true, "", "host.org. SOA", ""},
    {0},
};

static void test_addresses_that_are_missing_are_found(void **state) {
    (void)state;
    struct world *w = world(", prime: false", half_known);
    assert_string_equal(ask(w, "www.example.com.", TYPE_A), "NOERROR www.example.com. A;");
    assert_int_equal(asked(w, "host.org. A;"), 0); /* a zone that is asked once needs no second server */
    assert_string_equal(ask(w, "www.example.com.", TYPE_AAAA), "NOERROR example.com. SOA;");
    assert_int_equal(asked(w, "ns.host.org. A;"), 1);
    assert_int_equal(asked(w, "none.host.org. A;"), 0); /* one at a time */
    assert_string_equal(ask(w, "www.example.com.", TYPE_TXT), "NOERROR example.com. SOA;");
    assert_int_equal(w->script.count, 1); /* two addresses are enough */
    world_end(w);

    w = world(", prime: false, fetch-ns-addresses: false", half_known);
    assert_string_equal(ask(w, "www.example.com.", TYPE_A), "NOERROR www.example.com. A;");
    assert_string_equal(ask(w, "www.example.com.", TYPE_AAAA), "NOERROR example.com. SOA;");
    assert_int_equal(asked(w, "host.org. A;"), 0);
    world_end(w);
}

/* A zone with hundreds of servers that have no address makes us ask for one of them per question, and not again. */
static const struct rule many_without[] = {
    {COM, 0, "example.com.", 0, 0, false, "",
     "example.com. NS ns.example.com.;example.com. NS v1.victim.org.;example.com. NS v2.victim.org.;"
     "example.com. NS v3.victim.org.",
     "ns.example.com. A 11.0.0.4"},
    {ORG, 0, "victim.org.", 0, 0, false, "", "victim.org. NS ns.victim.org.", "ns.victim.org. A 11.0.0.9"},
    {0},
};

static void test_missing_addresses_are_no_amplifier(void **state) {
    (void)state;
    struct world *w = world(", prime: false", many_without);
    static const char *const names[] = {"a.example.com.", "b.example.com.", "c.example.com.", "d.example.com."};
    (void)ask(w, "www.example.com.", TYPE_A);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        (void)ask(w, names[i], TYPE_A);
        assert_in_range(asked(w, "9 v"), i < 3 ? 1 : 0, i < 3 ? BOUND_TRIES_PER_SERVER : 0);
    }
    world_end(w);
}

static const char *known(struct world *w, const char *qname, uint16_t qtype, bool dnssec_ok) {
    static char text[16];
    struct resolve_question q = {
        .qname = script_name(qname), .qtype = qtype, .qclass = CLASS_IN, .dnssec_ok = dnssec_ok};
    unsigned before = w->script.count;
    int size = resolve_known(w->resolve, &q, w->msg, sizeof w->msg);
    assert_int_equal(w->script.count, before); /* nobody is asked */
    if (size < 0)
        return "nothing";
    struct dns_reader reader;
    assert_int_equal(dns_reader_open(&reader, w->msg, (size_t)size, NULL, NULL, NULL), 0);
    snprintf(text, sizeof text, "%u %u %u", reader.header.rcode, reader.header.an, reader.header.ns);
    return text;
}

/* Answers to other questions have left RRsets: who asks without RD gets what they say. */
static void test_what_rrsets_say(void **state) {
    (void)state;
    struct world *w = world(", prime: false", NULL);
    assert_string_equal(known(w, "www.example.com.", TYPE_A, false), "nothing");
    assert_string_equal(ask(w, "alias.example.com.", TYPE_A), "NOERROR alias.example.com. CNAME;www.other.org. A;");
    assert_string_equal(known(w, "www.other.org.", TYPE_A, false), "0 1 0");
    assert_string_equal(known(w, "ALIAS.example.com.", TYPE_A, false), "0 2 0");
    assert_string_equal(known(w, "www.other.org.", TYPE_A, true), "nothing"); /* nobody asked for signatures */
    assert_string_equal(known(w, "www.other.org.", TYPE_MX, false), "nothing");
    assert_string_equal(known(w, "ns.example.com.", TYPE_A, false), "nothing"); /* glue is no answer */
    assert_string_equal(ask(w, "none.example.com.", TYPE_A), "NXDOMAIN example.com. SOA;");
    assert_string_equal(known(w, "below.none.example.com.", TYPE_TXT, false), "3 0 1");
    world_end(w);
}

static const struct rule two_servers[] = {
    {COM, 0, "example.com.", 0, 0, false, "", "example.com. NS ns.example.com.;example.com. NS ns2.example.com.",
     "ns.example.com. A 11.0.0.4;ns2.example.com. A 11.0.0.6"},
    {SECOND, 0, "example.com.", 0, 0, false, "", "com. NS ns.com.", ""}, /* an upward referral */
    {0},
};

static void test_a_lame_server_is_passed_over(void **state) {
    (void)state;
    for (unsigned i = 0; i < 20; i++) { /* whichever is asked first */
        struct world *w = world(", prime: false", two_servers);
        assert_string_equal(ask(w, "www.example.com.", TYPE_A), "NOERROR www.example.com. A;");
        assert_string_equal(ask(w, "www.example.com.", TYPE_TXT), "NOERROR example.com. SOA;");
        assert_true(asked(w, "6 ") <= 1);
        world_end(w);
    }
}

static const struct rule refusing_parts[] = {
    {EXAMPLE, RCODE_SERVFAIL, "b.example.com.", 0, FLAG_AA, true, "", "", ""},
    {EXAMPLE, 0, "a.b.example.com.", 0, FLAG_AA, true, "a.b.example.com. A 192.0.2.1", "", ""},
    {0},
};

static void test_who_stumbles_over_a_part_is_asked_for_the_whole(void **state) {
    (void)state;
    struct world *w = world(", prime: false", refusing_parts);
    assert_string_equal(ask(w, "a.b.example.com.", TYPE_A), "NOERROR a.b.example.com. A;");
    world_end(w);
}

static const struct rule silent[] = {{EXAMPLE, 0, "example.com.", 0, 0, false, NULL, "", ""}, {0}};

static void test_silence_ends_with_a_reason(void **state) {
    (void)state;
    struct world *w = world(", prime: false", silent);
    assert_string_equal(ask(w, "www.example.com.", TYPE_A), "failed 22");
    assert_true(w->script.now_ms <= 1000 + 5000 + 1);
    assert_true(asked(w, "4 ") <= BOUND_TRIES_PER_SERVER);
    world_end(w);
}

static const struct rule circle[] = {
    {COM, 0, "a.com.", 0, 0, false, "", "a.com. NS ns1.b.com.;a.com. NS ns2.b.com.", ""},
    {COM, 0, "b.com.", 0, 0, false, "", "b.com. NS ns1.a.com.;b.com. NS ns2.a.com.", ""},
    {0},
};

static void test_servers_named_in_a_circle(void **state) {
    (void)state;
    struct world *w = world(", prime: false", circle);
    assert_string_equal(ask(w, "www.a.com.", TYPE_A), "failed 22");
    assert_true(w->script.count < 30);
    assert_string_equal(ask(w, "other.a.com.", TYPE_A), "failed 22");
    assert_true(w->script.count <= 2); /* it is known that these have no address */
    world_end(w);
}

static const struct rule forever[] = {
    {EXAMPLE, 0, "x.example.com.", 0, FLAG_AA, true, "x.example.com. CNAME y.example.com.", "", ""},
    {EXAMPLE, 0, "y.example.com.", 0, FLAG_AA, true, "y.example.com. CNAME x.example.com.", "", ""},
    {0},
};

static void test_aliases_in_a_circle(void **state) {
    (void)state;
    struct world *w = world(", prime: false", forever);
    assert_string_equal(ask(w, "x.example.com.", TYPE_A), "failed 0");
    assert_non_null(strstr(w->result.ede_text, "chain"));
    assert_true(w->script.count <= 2 + BOUND_CHAIN + 1);
    world_end(w);
}

static void test_no_more_queries_than_allowed(void **state) {
    (void)state;
    struct world *w = world(", prime: false, max-queries: 2", NULL);
    assert_string_equal(ask(w, "www.example.com.", TYPE_A), "failed 0");
    assert_non_null(strstr(w->result.ede_text, "max-queries"));
    assert_int_equal(w->script.count, 2);
    world_end(w);
}

static const struct rule poisoned[] = {
    {EXAMPLE, 0, "www.example.com.", TYPE_A, FLAG_AA, true, "www.example.com. A 192.0.2.80;www.other.org. A 6.6.6.6",
     "com. NS evil.example.com.;example.com. NS evil.example.com.",
     "ns.com. A 11.0.0.66;evil.example.com. A 11.0.0.66"},
    {0},
};

static void test_what_nobody_asked_for_changes_nothing(void **state) {
    (void)state;
    struct world *w = world(", prime: false", poisoned);
    assert_string_equal(ask(w, "www.example.com.", TYPE_A), "NOERROR www.example.com. A;");
    assert_string_equal(ask(w, "none.example.com.", TYPE_A), "NXDOMAIN example.com. SOA;");
    assert_string_equal(ask(w, "www.other.org.", TYPE_A), "NOERROR www.other.org. A;");
    assert_int_equal(asked(w, "66 "), 0);
    world_end(w);
}

static void test_stub_zones(void **state) {
    (void)state;
    struct world *w =
        world(", prime: false}, stub: [{zone: corp., to: [11.0.0.5@53]}], cache: {prefetch: true",
              (const struct rule[]){{OTHER, 0, "a.corp.", TYPE_A, FLAG_AA, true, "a.corp. A 192.0.2.1", "", ""},
                                    {OTHER, 0, "corp.", 0, FLAG_AA, false, "", "corp. SOA", ""},
                                    {0}});
    assert_string_equal(ask(w, "a.corp.", TYPE_A), "NOERROR a.corp. A;");
    assert_string_equal(w->shown, "5 a.corp. A;");
    world_end(w);
}

/* Closed with questions and children under way: nobody is told twice, nothing is left (ASan). */
static void test_the_end_in_the_middle(void **state) {
    (void)state;
    for (unsigned stop = 0; stop < 8; stop++) {
        struct world *w = world("", NULL);
        struct resolve_question q = {.qname = script_name("alias.example.com."), .qtype = TYPE_A, .qclass = CLASS_IN};
        w->waiter.done = answered;
        assert_int_equal(resolve_ask(w->resolve, &q, &w->waiter), 0);
        for (unsigned i = 0, k = 0; i < stop && k < w->script.count; k++)
            if (w->script.sent[k].open) {
                serve(w, &w->script.sent[k]);
                i++;
            }
        world_end(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_the_root_down),
        cmocka_unit_test(test_the_whole_name_when_told_so),
        cmocka_unit_test(test_priming),
        cmocka_unit_test(test_nothing_is_below_what_does_not_exist),
        cmocka_unit_test(test_an_alias_to_a_zone_without_glue),
        cmocka_unit_test(test_what_rrsets_say),
        cmocka_unit_test(test_addresses_that_are_missing_are_found),
        cmocka_unit_test(test_missing_addresses_are_no_amplifier),
        cmocka_unit_test(test_a_lame_server_is_passed_over),
        cmocka_unit_test(test_who_stumbles_over_a_part_is_asked_for_the_whole),
        cmocka_unit_test(test_silence_ends_with_a_reason),
        cmocka_unit_test(test_servers_named_in_a_circle),
        cmocka_unit_test(test_aliases_in_a_circle),
        cmocka_unit_test(test_no_more_queries_than_allowed),
        cmocka_unit_test(test_what_nobody_asked_for_changes_nothing),
        cmocka_unit_test(test_stub_zones),
        cmocka_unit_test(test_the_end_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
