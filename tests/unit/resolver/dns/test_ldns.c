/* libldns as the oracle: what it writes is read the same here, what is written here it reads the same. */
#include "tests/unit/resolver/dns/wire.h"

#include <ldns/ldns.h>
#include <stdbool.h>

#include "resolver/dns/writer.h"

static const char *const records[] = {
    "4.3.2.1.zen.example.org. 60 IN A 127.0.0.2",
    "zen.example.org. 3600 IN NS ns1.example.org.",
    "zen.example.org. 3600 IN NS ns2.elsewhere.example.",
    "ZEN.example.org. 150 IN SOA ns1.example.org. host\\.master.example.org. 2024010101 7200 3600 604800 150",
    "www.example.org. 5 IN CNAME target.www.example.org.",
    "a.example.org. 0 IN AAAA 2001:db8::1",
    "mx.example.org. 2147483647 IN MX 10 mail.example.org.",
    "t.example.org. 60 IN TXT \"one\" \"\" \"two words\"",
    "1.0.0.127.in-addr.arpa. 60 IN PTR localhost.",
    "d.example.org. 60 IN DNAME other.example.",
    "\\000\\255\\.x.example.org. 60 CH TXT \"odd\"",
    "unknown.example.org. 60 IN TYPE65280 \\# 3 010203",
    "s._tcp.example.org. 60 IN SRV 1 2 53 mail.example.org.",
};

static ldns_rr *rr_of(const char *text) {
    ldns_rr *rr = NULL;
    assert_int_equal(ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL), LDNS_STATUS_OK);
    return rr;
}

static bool holds_one_name(unsigned type) {
    return type == TYPE_NS || type == TYPE_CNAME || type == TYPE_PTR || type == TYPE_DNAME;
}

/* Octets of a name's wire form, the same but for case: whoever compresses folds it. */
static void same_name(const struct name *mine, const ldns_rdf *theirs) {
    struct name n = {.size = (uint8_t)ldns_rdf_size(theirs)};
    assert_in_range(ldns_rdf_size(theirs), 1, LIMIT_NAME_WIRE);
    memcpy(n.wire, ldns_rdf_data(theirs), n.size);
    assert_int_equal(mine->size, n.size);
    for (size_t i = 0; i < n.size; i++)
        assert_int_equal(LDNS_DNAME_NORMALIZE(mine->wire[i]), LDNS_DNAME_NORMALIZE(n.wire[i]));
}

/* Whether the RR read here is the one that ldns holds; RDATA with several names is checked by the tests of SOA. */
static void same_rr(const struct dns_rr *mine, const ldns_rr *theirs, const uint8_t *msg, size_t size) {
    same_name(&mine->owner, ldns_rr_owner(theirs));
    assert_int_equal(mine->type, ldns_rr_get_type(theirs));
    assert_int_equal(mine->klass, ldns_rr_get_class(theirs));
    assert_int_equal(mine->ttl, ldns_rr_ttl(theirs));
    if (holds_one_name(mine->type)) {
        struct name host;
        assert_int_equal(dns_name_rdata_read(&host, mine, msg, size), 0);
        same_name(&host, ldns_rr_rdf(theirs, 0));
    } else if (mine->type == TYPE_SOA) {
        uint32_t serial, minimum;
        assert_int_equal(dns_soa_read(mine, msg, size, &serial, &minimum), 0);
        assert_int_equal(serial, ldns_rdf2native_int32(ldns_rr_rdf(theirs, 2)));
        assert_int_equal(minimum, ldns_rdf2native_int32(ldns_rr_rdf(theirs, 6)));
    } else if (mine->type != TYPE_MX) {
        ldns_buffer *rdata = ldns_buffer_new(65535);
        assert_int_equal(ldns_rr_rdata2buffer_wire(rdata, theirs), LDNS_STATUS_OK);
        assert_int_equal(ldns_buffer_position(rdata), mine->rdata_size);
        assert_memory_equal(ldns_buffer_begin(rdata), msg + mine->rdata, mine->rdata_size);
        ldns_buffer_free(rdata);
    }
}

static void same_section(struct dns_reader *r, const ldns_rr_list *list, unsigned section) {
    struct dns_rr rr;
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        assert_int_equal(dns_reader_next(r, &rr), 0);
        assert_int_equal(rr.section, section);
        same_rr(&rr, ldns_rr_list_rr(list, i), r->msg, r->size);
    }
}

static ldns_pkt *pkt_of_all(void) {
    ldns_pkt *pkt = ldns_pkt_new();
    ldns_rr *question = NULL;
    assert_non_null(pkt);
    ldns_pkt_set_id(pkt, 0xBEEF);
    ldns_pkt_set_qr(pkt, true);
    ldns_pkt_set_aa(pkt, true);
    ldns_pkt_set_rd(pkt, true);
    ldns_pkt_set_rcode(pkt, LDNS_RCODE_NXDOMAIN);
    assert_int_equal(ldns_rr_new_question_frm_str(&question, "4.3.2.1.zen.Example.org. IN A", NULL, NULL), 0);
    ldns_pkt_push_rr(pkt, LDNS_SECTION_QUESTION, question);
    for (size_t i = 0; i < ARRAY_SIZE(records); i++)
        ldns_pkt_push_rr(pkt,
                         i < 5   ? LDNS_SECTION_ANSWER
                         : i < 9 ? LDNS_SECTION_AUTHORITY
                                 : LDNS_SECTION_ADDITIONAL,
                         rr_of(records[i]));
    return pkt;
}

static void reads_what_ldns_writes(void **state) {
    (void)state;
    ldns_pkt *pkt = pkt_of_all();
    struct dns_reader r;
    struct dns_rr rr;
    struct name qname;
    uint16_t qtype, qclass;
    uint8_t *msg = NULL;
    size_t size = 0;
    char text[NAME_TEXT_MAX];
    assert_int_equal(ldns_pkt2wire(&msg, pkt, &size), LDNS_STATUS_OK);
    assert_int_equal(dns_reader_open(&r, msg, size, &qname, &qtype, &qclass), 0);
    assert_int_equal(r.header.id, 0xBEEF);
    assert_int_equal(r.header.flags, FLAG_QR | FLAG_AA | FLAG_RD);
    assert_int_equal(r.header.rcode, RCODE_NXDOMAIN);
    assert_string_equal(name_text(&qname, text), "4.3.2.1.zen.Example.org.");
    assert_int_equal(qtype, TYPE_A);
    same_section(&r, ldns_pkt_answer(pkt), SECTION_ANSWER);
    same_section(&r, ldns_pkt_authority(pkt), SECTION_AUTHORITY);
    same_section(&r, ldns_pkt_additional(pkt), SECTION_ADDITIONAL);
    assert_int_equal(dns_reader_next(&r, &rr), E_NOTFOUND);
    assert_int_equal(r.at, size);
    free(msg);
    ldns_pkt_free(pkt);
}

static void reads_edns_of_ldns(void **state) {
    (void)state;
    static const uint8_t ede[] = {0, 15, 'w', 'h', 'y'}, cookie[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    ldns_pkt *pkt = ldns_pkt_new();
    ldns_rr *question = NULL;
    ldns_edns_option_list *list = ldns_edns_option_list_new();
    struct dns_query q;
    uint8_t *msg = NULL;
    size_t size = 0;
    assert_int_equal(ldns_rr_new_question_frm_str(&question, "example.org. CH TXT", NULL, NULL), 0);
    ldns_pkt_push_rr(pkt, LDNS_SECTION_QUESTION, question);
    ldns_edns_option_list_push(list, ldns_edns_new_from_data(LDNS_EDNS_EDE, sizeof ede, ede));
    ldns_edns_option_list_push(list, ldns_edns_new_from_data(LDNS_EDNS_NSID, 0, ""));
    ldns_edns_option_list_push(list, ldns_edns_new_from_data(LDNS_EDNS_COOKIE, sizeof cookie, cookie));
    ldns_pkt_set_edns_option_list(pkt, list);
    ldns_pkt_set_edns_udp_size(pkt, 1400);
    ldns_pkt_set_edns_do(pkt, true);
    assert_int_equal(ldns_pkt2wire(&msg, pkt, &size), LDNS_STATUS_OK);
    assert_int_equal(dns_query_read(&q, msg, size), 0);
    assert_int_equal(q.qclass, CLASS_CH);
    assert_int_equal(q.edns.udp_size, 1400);
    assert_true(q.edns.dnssec_ok && q.edns.nsid_present);
    assert_int_equal(q.edns.ede, EDE_BLOCKED);
    assert_int_equal(q.edns.ede_text.size, 3);
    assert_int_equal(q.edns.cookie.size, 8);
    assert_memory_equal(q.edns.cookie.at, cookie, 8);
    free(msg);
    ldns_pkt_free(pkt);
}

static void text_is(const ldns_rr_list *list, size_t index, const char *want) {
    assert_true(index < ldns_rr_list_rr_count(list));
    ldns_rr *rr = rr_of(want);
    if (ldns_rr_compare(ldns_rr_list_rr(list, index), rr) != 0) {
        char *got = ldns_rr2str(ldns_rr_list_rr(list, index));
        fail_msg("%s: %s", want, got);
    }
    assert_int_equal(ldns_rr_ttl(ldns_rr_list_rr(list, index)), ldns_rr_ttl(rr));
    ldns_rr_free(rr);
}

static struct name name(const char *text) {
    struct name n;
    assert_int_equal(name_from_text(&n, text, NULL), 0);
    return n;
}

static int write_all(uint8_t *buf, size_t cap, const uint8_t *text, size_t text_size) {
    struct name qname = name("4.3.2.1.zen.example.org"), zone = name("zen.example.org"), host = name("ns1.example.org");
    struct dns_soa soa = {host, name("host\\.master.example.org"), 2024010101, 7200, 3600, 604800, 150};
    struct dns_opt opt = {.udp_size = 1232, .rcode = RCODE_BADCOOKIE, .dnssec_ok = true, .keepalive = -1};
    struct dns_writer w;
    opt.ede = EDE_STALE_ANSWER;
    opt.ede_text = "old";
    dns_writer_open(&w, buf, cap, 0xBEEF, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, &qname, TYPE_TXT, CLASS_IN);
    dns_writer_a(&w, SECTION_ANSWER, &qname, 60, (const uint8_t[]){127, 0, 0, 2});
    dns_writer_txt(&w, SECTION_ANSWER, &qname, 61, (struct bytes){text, text_size});
    dns_writer_ns(&w, SECTION_AUTHORITY, &zone, 3600, &host);
    dns_writer_soa(&w, SECTION_AUTHORITY, &zone, 150, &soa);
    dns_writer_a(&w, SECTION_ADDITIONAL, &host, 62, (const uint8_t[]){192, 0, 2, 1});
    dns_writer_opt(&w, &opt);
    return dns_writer_end(&w, FLAG_AA, RCODE_BADCOOKIE);
}

static void ldns_reads_what_is_written(void **state) {
    (void)state;
    uint8_t buf[2048], text[700];
    char want[1000];
    ldns_pkt *pkt = NULL;
    memset(text, 't', sizeof text);
    int size = write_all(buf, sizeof buf, text, sizeof text);
    assert_true(size > 700);
    assert_int_equal(ldns_wire2pkt(&pkt, buf, (size_t)size), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(pkt), 0xBEEF);
    assert_true(ldns_pkt_qr(pkt) && ldns_pkt_aa(pkt) && !ldns_pkt_tc(pkt));
    assert_int_equal(ldns_pkt_get_rcode(pkt), RCODE_BADCOOKIE & 15);
    assert_int_equal(ldns_pkt_edns_extended_rcode(pkt), RCODE_BADCOOKIE >> 4);
    text_is(ldns_pkt_answer(pkt), 0, records[0]);
    snprintf(want, sizeof want, "4.3.2.1.zen.example.org. 61 TXT \"%.255s\" \"%.255s\" \"%.190s\"", text, text, text);
    text_is(ldns_pkt_answer(pkt), 1, want);
    text_is(ldns_pkt_authority(pkt), 0, records[1]);
    text_is(ldns_pkt_authority(pkt), 1, records[3]);
    text_is(ldns_pkt_additional(pkt), 0, "ns1.example.org. 62 IN A 192.0.2.1");
    assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_additional(pkt)), 1);
    assert_int_equal(ldns_pkt_edns_udp_size(pkt), 1232);
    assert_true(ldns_pkt_edns_do(pkt));
    ldns_edns_option_list *list = ldns_pkt_edns_get_option_list(pkt);
    assert_int_equal(ldns_edns_option_list_get_count(list), 1);
    ldns_edns_option *ede = ldns_edns_option_list_get_option(list, 0);
    assert_int_equal(ldns_edns_get_code(ede), LDNS_EDNS_EDE);
    assert_int_equal(ldns_edns_get_size(ede), 5);
    assert_memory_equal(ldns_edns_get_data(ede), "\0\3old", 5);
    ldns_pkt_free(pkt);
}

/* --- random input, the same every time */

static uint64_t seed = 88172645463325252u;

static unsigned chance(unsigned below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

static struct name random_name(void) {
    struct name n = name(".");
    char label[64];
    for (unsigned labels = chance(6); labels > 0; labels--) {
        unsigned len = 1 + chance(chance(8) == 0 ? 63 : 3);
        for (unsigned i = 0; i < len; i++)
            label[i] = chance(4) == 0 ? (char)(1 + chance(255)) : "aAbB"[chance(4)];
        label[len] = '\0';
        if (name_prepend(&n, label) != 0)
            break;
    }
    return n;
}

static ldns_rdf *rdf_of(const struct name *n) { return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, n->size, n->wire); }

static void names_as_ldns_has_them(void **state) {
    (void)state;
    char text[NAME_TEXT_MAX];
    for (int round = 0; round < 20000; round++) {
        struct name a = random_name(), b = random_name();
        ldns_rdf *x = rdf_of(&a), *y = rdf_of(&b), *again = ldns_dname_new_frm_str(name_text(&a, text));
        int mine = name_compare(&a, &b), theirs = ldns_dname_compare(x, y);
        if ((mine > 0) - (mine < 0) != theirs)
            fail_msg("%s: %d, not %d", text, mine, theirs);
        assert_int_equal(name_equal(&a, &b), theirs == 0);
        assert_int_equal(name_under(&a, &b), ldns_dname_is_subdomain(x, y) || theirs == 0);
        assert_int_equal(a.labels, ldns_dname_label_count(x));
        assert_non_null(again);
        assert_int_equal(ldns_rdf_size(again), a.size);
        assert_memory_equal(ldns_rdf_data(again), a.wire, a.size);
        char *str = ldns_rdf2str(x);
        struct name back = name(str);
        assert_int_equal(back.size, a.size);
        assert_memory_equal(back.wire, a.wire, a.size);
        free(str);
        ldns_rdf_deep_free(x);
        ldns_rdf_deep_free(y);
        ldns_rdf_deep_free(again);
    }
}

/* Whether the RDATA is as long as its type says. ldns goes by the type and passes over RDLENGTH where they differ; then
 * there is nothing to compare any more. */
static bool rdata_filled(const struct dns_rr *rr, const uint8_t *msg, size_t size) {
    struct name n;
    size_t end = rr->rdata + rr->rdata_size, before = rr->type == TYPE_MX ? 2 : rr->type == TYPE_SRV ? 6 : 0, next;
    uint32_t number;
    if (rr->type == TYPE_SOA)
        return dns_soa_read(rr, msg, size, &number, &number) == 0;
    if (holds_one_name(rr->type) || before > 0)
        return rr->rdata_size > before && name_read(&n, msg, end, rr->rdata + before, &next) == 0 && next == end;
    if (rr->type == TYPE_A || rr->type == TYPE_AAAA)
        return rr->rdata_size == (rr->type == TYPE_A ? 4 : 16);
    return rr->type == TYPE_TXT || rr->type == 65280;
}

/* A good message with octets changed: where both take it, they see the same RRs. How many they were. */
static unsigned compare_damaged(const uint8_t *msg, size_t size) {
    struct dns_reader r;
    ldns_pkt *pkt = NULL;
    struct dns_rr rr;
    int e;
    unsigned seen[3] = {0}, same = 0;
    if (ldns_wire2pkt(&pkt, msg, size) != LDNS_STATUS_OK)
        return 0;
    uint8_t *copy = wire_exact(msg, size);
    const ldns_rr_list *lists[] = {ldns_pkt_answer(pkt), ldns_pkt_authority(pkt), ldns_pkt_additional(pkt)};
    e = dns_reader_open(&r, copy, size, NULL, NULL, NULL);
    while (e == 0 && (e = dns_reader_next(&r, &rr)) == 0 && rdata_filled(&rr, copy, size)) {
        const ldns_rr *theirs = ldns_rr_list_rr(lists[rr.section], seen[rr.section]++);
        assert_non_null(theirs);
        same_name(&rr.owner, ldns_rr_owner(theirs));
        assert_int_equal(rr.type, ldns_rr_get_type(theirs));
        assert_int_equal(rr.klass, ldns_rr_get_class(theirs));
        assert_int_equal(rr.ttl, ldns_rr_ttl(theirs) > INT32_MAX ? 0 : ldns_rr_ttl(theirs));
        if (holds_one_name(rr.type)) {
            struct name host;
            assert_int_equal(dns_name_rdata_read(&host, &rr, copy, size), 0);
            same_name(&host, ldns_rr_rdf(theirs, 0));
        }
        same++;
    }
    free(copy);
    ldns_pkt_free(pkt);
    return same;
}

static void damaged_messages(void **state) {
    (void)state;
    ldns_pkt *pkt = pkt_of_all();
    uint8_t *msg = NULL, damaged[2048];
    size_t size = 0;
    unsigned same = 0;
    ldns_pkt_set_edns_udp_size(pkt, 1232);
    assert_int_equal(ldns_pkt2wire(&msg, pkt, &size), LDNS_STATUS_OK);
    assert_true(size < sizeof damaged);
    assert_int_equal(compare_damaged(msg, size), ARRAY_SIZE(records));
    for (int round = 0; round < 30000; round++) {
        memcpy(damaged, msg, size);
        for (unsigned hits = 1 + chance(3); hits > 0; hits--)
            damaged[chance((unsigned)size)] = chance(2) == 0 ? (uint8_t)chance(256) : (uint8_t)(0xC0 * chance(2));
        same += compare_damaged(damaged, size);
    }
    assert_true(same > 10000); /* else the comparison says nothing */
    free(msg);
    ldns_pkt_free(pkt);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_ldns_writes),     cmocka_unit_test(reads_edns_of_ldns),
        cmocka_unit_test(ldns_reads_what_is_written), cmocka_unit_test(names_as_ldns_has_them),
        cmocka_unit_test(damaged_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
