/* Messages of a transfer: read back by the reader that all messages pass, RR for RR; bounds; aimed at clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rbl/primary/pack.h"
#include "resolver/dns/message.h"

static struct pack pack;

static struct name name(const char *text) {
    struct name n;
    assert_int_equal(name_from_text(&n, text, NULL), 0);
    return n;
}

static void opened(const char *apex) {
    struct name a = name(apex);
    pack_open(&pack, &a);
    pack_begin(&pack, true);
}

struct seen {
    char owner[NAME_TEXT_MAX];
    uint16_t type;
    uint32_t ttl;
    size_t size;
    uint8_t first;
};

/* The RRs of one message, its size bounded. */
static unsigned read_all(struct bytes msg, struct seen *seen, unsigned cap, bool question) {
    struct dns_reader r;
    struct dns_rr rr;
    struct name qname;
    uint16_t qtype, qclass;
    unsigned n = 0;
    int rc;
    assert_int_equal(dns_reader_open(&r, msg.at, msg.size, &qname, &qtype, &qclass), 0);
    assert_int_equal(qclass, question ? CLASS_IN : 0);
    while ((rc = dns_reader_next(&r, &rr)) == 0) {
        assert_true(n < cap);
        assert_int_equal(rr.section, SECTION_ANSWER);
        (void)name_text(&rr.owner, seen[n].owner);
        seen[n].type = rr.type;
        seen[n].ttl = rr.ttl;
        seen[n].size = rr.rdata_size;
        seen[n].first = rr.rdata_size > 0 ? msg.at[rr.rdata] : 0;
        n++;
    }
    assert_int_equal(rc, E_NOTFOUND);
    assert_int_equal(r.at, msg.size);
    return n;
}

static void add(const char *owner, uint16_t type, const void *rdata, size_t size) {
    struct name n = name(owner);
    assert_int_equal(pack_add(&pack, &n, type, 300, (struct bytes){rdata, size}), 0);
}

static void names_are_shared(void **ctx) {
    (void)ctx;
    static const char *const owners[] = {
        "bl.test.", "2.0.0.127.bl.test.", "2.0.0.127.bl.test.", "*.2.0.192.bl.test.", "7.2.0.192.bl.test.", "test.",
        ".",        "a.b.c.d.e.bl.test.", "c.d.e.bl.test.",     "x.c.d.e.bl.test.",   "bl.test.",           "bl.tesu."};
    struct seen seen[16];
    opened("bl.test.");
    for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
        uint8_t rdata[4] = {127, 0, 0, (uint8_t)i};
        add(owners[i], TYPE_A, rdata, 4);
    }
    struct bytes msg = pack_end(&pack);
    assert_int_equal(read_all(msg, seen, 16, true), ARRAY_SIZE(owners));
    for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
        assert_string_equal(seen[i].owner, owners[i]);
        assert_int_equal(seen[i].ttl, 300);
    }
    /* Header, question, each RR but its owner; then the owners: what is their own, and a pointer. */
    static const size_t own[] = {2, 10 + 2, 2, 10 + 2, 2 + 2, 2, 1, 19, 2, 2 + 2, 2, 9};
    size_t want = DNS_HEADER + 13 + ARRAY_SIZE(owners) * 14;
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        want += own[i];
    assert_int_equal(msg.size, want);
}

/* A whole zone's worth: every message is full but the last, none is too large, all is there. */
static void many(void **ctx) {
    (void)ctx;
    static struct seen seen[LIMIT_RRS_PER_MESSAGE];
    unsigned told = 0, messages = 0, n = 0;
    opened("bl.test.");
    for (unsigned i = 0; i < 20000; i++) {
        char owner[64];
        uint8_t rdata[4] = {127, 0, 0, 2};
        (void)snprintf(owner, sizeof owner, "%u.%u.0.10.bl.test.", i & 255, i >> 8);
        struct name o = name(owner);
        int rc = pack_add(&pack, &o, TYPE_A, 60, (struct bytes){rdata, 4});
        if (rc == E_FULL) {
            struct bytes msg = pack_end(&pack);
            assert_true(msg.size <= PACK_SIZE && msg.size > PACK_SIZE - 64);
            n = read_all(msg, seen, ARRAY_SIZE(seen), messages == 0);
            (void)snprintf(owner, sizeof owner, "%u.%u.0.10.bl.test.", (told + n - 1) & 255, (told + n - 1) >> 8);
            assert_string_equal(seen[n - 1].owner, owner);
            told += n;
            messages++;
            pack_begin(&pack, false);
            rc = pack_add(&pack, &o, TYPE_A, 60, (struct bytes){rdata, 4});
        }
        assert_int_equal(rc, 0);
    }
    told += read_all(pack_end(&pack), seen, ARRAY_SIZE(seen), false);
    assert_int_equal(told, 20000);
    assert_true(messages > 15 && messages < 40);
    assert_int_equal(pack_end(&pack).size, 0);
}

static void large_ones(void **ctx) {
    (void)ctx;
    static uint8_t rdata[LIMIT_MESSAGE];
    struct seen seen[4];
    struct name n = name("a.bl.test."), far = name("b.a.bl.test.");
    opened("bl.test.");
    /* Larger than a message should be, but a message of its own holds it. */
    assert_int_equal(pack_add(&pack, &n, TYPE_TXT, 1, (struct bytes){rdata, 40000}), 0);
    assert_int_equal(pack_add(&pack, &far, TYPE_TXT, 1, (struct bytes){rdata, 1}), E_FULL);
    assert_int_equal(read_all(pack_end(&pack), seen, 4, true), 1);
    assert_int_equal(pack_add(&pack, &n, TYPE_TXT, 1, (struct bytes){rdata, 1}), E_FULL); /* none is begun */
    pack_begin(&pack, false);
    assert_int_equal(pack_add(&pack, &n, TYPE_TXT, 1, (struct bytes){rdata, PACK_MOST}), E_RANGE);
    assert_int_equal(pack_add(&pack, &n, TYPE_TXT, 1, (struct bytes){rdata, 0}), 0);
    assert_int_equal(read_all(pack_end(&pack), seen, 4, false), 1);
}

/* The same octets for each client but id, flags, the question's case and type. */
static void aimed(void **ctx) {
    (void)ctx;
    uint8_t msg[512];
    struct name asked = name("bL.TeSt."), qname;
    struct dns_reader r;
    struct seen seen[4];
    uint16_t qtype, qclass;
    opened("bl.test.");
    add("x.bl.test.", TYPE_A, "\177\0\0\2", 4);
    struct bytes b = pack_end(&pack);
    memcpy(msg, b.at, b.size);
    pack_aim(msg, b.size, 0xABCD, FLAG_QR | FLAG_AA, &asked, TYPE_IXFR);
    assert_int_equal(dns_reader_open(&r, msg, b.size, &qname, &qtype, &qclass), 0);
    assert_int_equal(r.header.id, 0xABCD);
    assert_int_equal(r.header.flags, FLAG_QR | FLAG_AA);
    assert_memory_equal(qname.wire, asked.wire, asked.size);
    assert_int_equal(qtype, TYPE_IXFR);
    assert_int_equal(read_all((struct bytes){msg, b.size}, seen, 4, true), 1);
    assert_string_equal(seen[0].owner, "x.bL.TeSt."); /* points into the question */
}

/* Random names, long and deep ones, in any order. */
static void any_names(void **ctx) {
    (void)ctx;
    static struct seen seen[LIMIT_RRS_PER_MESSAGE];
    srand(7);
    for (unsigned round = 0; round < 200; round++) {
        static char owners[400][NAME_TEXT_MAX];
        unsigned count = 0;
        opened("bl.test.");
        for (; count < 400; count++) {
            struct name n = name(rand() % 3 ? "bl.test." : ".");
            for (int labels = rand() % 60; labels > 0; labels--) {
                char label[8] = {(char)('a' + rand() % 3), rand() % 2 ? (char)('a' + rand() % 2) : '\0'};
                if (name_prepend(&n, label) < 0)
                    break;
            }
            (void)name_text(&n, owners[count]);
            if (pack_add(&pack, &n, TYPE_A, 1, (struct bytes){(const uint8_t *)"abcd", 4}) != 0)
                break;
        }
        struct bytes msg = pack_end(&pack);
        assert_int_equal(read_all(msg, seen, ARRAY_SIZE(seen), true), count);
        for (unsigned i = 0; i < count; i++)
            assert_string_equal(seen[i].owner, owners[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_shared), cmocka_unit_test(many),
        cmocka_unit_test(large_ones),       cmocka_unit_test(aimed),
        cmocka_unit_test(any_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
