#include "tests/unit/rbl/zones.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rbl/keep/keep.h"
#include "rbl/load/load.h"
#include "resolver/base/clock.h"

char dir[64];
struct conf *conf;
struct source source;
int64_t now_s = 1800000000;

static int64_t clock_made(enum clock_kind kind) {
    (void)kind;
    return now_s * NS_PER_S;
}

int setup(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test_answer.XXXXXX");
    assert_non_null(mkdtemp(dir));
    clock_set_source(clock_made);
    return 0;
}

int teardown(void **state) {
    (void)state;
    char command[128];
    answer_close(&source);
    conf_free(conf);
    conf = NULL;
    clock_set_source(NULL);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

void configure(const char *zones) {
    char text[4096];
    struct err err;
    int size = snprintf(text, sizeof text, "node: { state: %s, run: %s }\n%s", dir, dir, zones);
    if (conf_read_text(&conf, text, (size_t)size, dir, "made", &err) < 0)
        fail_msg("%s", err.text);
}

void commit_all(size_t zone, const char *const *texts) {
    const struct conf_zone *z = &conf->rbl.zones[zone];
    struct data *d = calloc(1, sizeof *d);
    struct load_report report = {0};
    struct keep_commit how = {.source = "files", .force = true};
    struct keep_result result;
    struct keep *k;
    struct err err;
    assert_int_equal(data_open(d), 0);
    d->ttl = z->ttl_s;
    for (unsigned i = 0; i < z->data_count; i++) {
        assert_int_equal(load_text(d, z->data[i].type, texts[i], strlen(texts[i]), "made", &report, &err), 0);
    }
    assert_int_equal(data_settle(d, &err), 0);
    how.serial_hint = d->has_soa ? d->soa.serial : 0;
    assert_int_equal(keep_open(&k, dir, z, &err), 0);
    if (keep_replace(k, d, &how, &result, &err) < 0)
        fail_msg("%s", err.text);
    keep_close(k);
    data_free(d);
    free(d);
}

void commit(size_t zone, const char *text, const char *more) { commit_all(zone, (const char *const[]){text, more}); }

void open_source(void) {
    struct err err;
    assert_int_equal(answer_open(&source, conf, NULL, &err), 0);
}

struct source_answer last;
uint8_t message[ZONES_MESSAGE];
size_t cap = ZONES_MESSAGE;
const char *client = "127.0.0.1@53";
uint16_t class = CLASS_IN;

int ask(const char *name, uint16_t type, struct dns_reader *r) {
    struct dns_query q = {.qtype = type, .qclass = class};
    struct dns_writer w;
    struct addr from;
    assert_int_equal(name_from_text(&q.qname, name, NULL), 0);
    assert_int_equal(addr_parse(&from, client, 0, NULL), 0);
    source.ops->begin(source.self);
    int zone = source.ops->zone(source.self, &q.qname);
    assert_true(zone >= 0);
    dns_writer_open(&w, message, cap, 1, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &q.qname, type, q.qclass);
    source.ops->answer(source.self, zone, &q, &from, &w, &last);
    source.ops->end(source.self);
    int size = dns_writer_end(&w, 0, last.rcode);
    if (size > 0)
        assert_int_equal(dns_reader_open(r, message, (size_t)size, NULL, NULL, NULL), 0);
    return size;
}

char said[ZONES_SAID];

const char *answer(const char *name, uint16_t type) {
    struct dns_reader r;
    struct dns_rr rr;
    char owner[NAME_TEXT_MAX], number[16];
    assert_true(ask(name, type, &r) > 0);
    int at = snprintf(said, sizeof said, "%s", dns_rcode_text(last.rcode, number));
    while (dns_reader_next(&r, &rr) == 0) {
        const uint8_t *p = message + rr.rdata;
        struct name host;
        uint32_t serial, minimum;
        size_t next;
        char *to = said + at;
        size_t room = sizeof said - (size_t)at;
        int head = snprintf(to, room, " | %s %s %u %s ", rr.section == SECTION_ANSWER ? "an" : "ns",
                            name_text(&rr.owner, owner), rr.ttl, dns_type_text(rr.type, number));
        to += head;
        room -= (size_t)head;
        if (rr.type == TYPE_A) {
            at += head + snprintf(to, room, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
        } else if (rr.type == TYPE_SOA) {
            assert_int_equal(dns_soa_read(&rr, message, sizeof message, &serial, &minimum), 0);
            at += head + snprintf(to, room, "%u %u", serial, minimum);
        } else if (rr.type == TYPE_NS || rr.type == TYPE_CNAME || rr.type == TYPE_MX) {
            size_t skip = rr.type == TYPE_MX ? 2 : 0;
            assert_int_equal(name_read(&host, message, sizeof message, rr.rdata + skip, &next), 0);
            at += head + snprintf(to, room, "%s", name_text(&host, owner));
        } else {
            at += head + snprintf(to, room, "%.*s", p[0], (const char *)p + 1);
        }
    }
    return said;
}
