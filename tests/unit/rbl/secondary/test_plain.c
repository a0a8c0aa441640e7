/* A plain transfer by the order of its RRs: whole zones, differences, and everything that is neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rbl/secondary/plain.h"
#include "resolver/base/rand.h"

enum { ID = 4711, HAVE = 5 };

static struct name apex, text_name;

/* "S7" SOA with serial 7, "s7" the same with another mail box, "a" an A, "|" the next message. */
struct script {
    const char *rrs;
    bool axfr;
    int rc; /* of the last message */
    const char *told;
};

static void soa_of(struct dns_soa *soa, uint32_t serial, const char *contact) {
    struct dns_soa s = {.serial = serial, .refresh = 60, .retry = 30, .expire = 900, .minimum = 20};
    assert_int_equal(name_from_text(&s.primary, "ns.x.", NULL), 0);
    assert_int_equal(name_from_text(&s.contact, contact, NULL), 0);
    *soa = s;
}

struct told {
    char text[512];
};

static int tell(void *ctx, enum plain_part part, const struct records_rr *rr, struct err *err) {
    struct told *t = ctx;
    char one[32];
    (void)err;
    assert_true(name_under(&rr->owner, &apex) || rr->type != TYPE_SOA);
    if (rr->type == TYPE_SOA)
        (void)snprintf(one, sizeof one, "%cS%u ", "=-+"[part], get_u32(rr->rdata.at + rr->rdata.size - 20));
    else
        (void)snprintf(one, sizeof one, "%c%u ", "=-+"[part], rr -> rdata.size == 4 ? rr->rdata.at[3] : 999U);
    assert_true(strlen(t->text) + strlen(one) < sizeof t->text);
    strcat(t->text, one);
    return 0;
}

static size_t write_one(const char **at, uint8_t *msg, size_t cap, uint16_t type) {
    struct dns_writer w;
    dns_writer_open(&w, msg, cap, ID, FLAG_QR | FLAG_AA, OPCODE_QUERY);
    dns_writer_question(&w, &apex, type, CLASS_IN);
    while (**at != '\0' && **at != '|') {
        char kind = **at;
        char *end;
        long number = strtol(*at + 1, &end, 10);
        struct dns_soa soa;
        soa_of(&soa, (uint32_t)number, kind == 's' ? "other.x." : "Box.x.");
        if (kind == 'S' || kind == 's')
            dns_writer_soa(&w, SECTION_ANSWER, &apex, 300, &soa);
        else
            dns_writer_a(&w, SECTION_ANSWER, &text_name, 300, (uint8_t[]){127, 0, 0, (uint8_t)number});
        *at = *end == ' ' ? end + 1 : end;
    }
    if (**at == '|')
        ++*at;
    int size = dns_writer_end(&w, 0, 0);
    assert_true(size > 0);
    return (size_t)size;
}

static int run(const struct script *s, struct told *t, struct plain *p, struct err *err) {
    uint8_t msg[4096];
    uint16_t type = s->axfr ? TYPE_AXFR : TYPE_IXFR;
    int rc = 0;
    memset(t, 0, sizeof *t);
    plain_open(p, &apex, ID, type, HAVE);
    for (const char *at = s->rrs; *at != '\0' && rc == 0;) {
        size_t size = write_one(&at, msg, sizeof msg, type);
        rc = plain_take(p, msg, size, tell, t, err);
    }
    return rc;
}

static void order_says_what_is_what(void **state) {
    (void)state;
    static const struct script rows[] = {
        {"S7 a1 a2 S7", true, 1, "=S7 =1 =2 "},
        {"S7|a1|a2|S7", true, 1, "=S7 =1 =2 "},
        {"S7 a1 a2", true, 0, "=S7 =1 =2 "},
        {"S7 S7", true, 1, "=S7 "},
        {"S7", true, 0, ""},
        {"a1 S7", true, E_INVALID, ""},
        {"S7 a1 S8", true, E_INVALID, "=S7 =1 "},
        {"S7 a1 s7", true, E_INVALID, "=S7 =1 "},
        {"S7 a1 S7 a2", true, E_INVALID, "=S7 =1 "},
        {"S7 a1 S7|a2", true, 1, "=S7 =1 "}, /* run() stops at the end */
        /* IXFR: nothing new, differences one by one and condensed, the whole zone instead */
        {"S5", false, 1, ""},
        {"S4", false, 1, ""},
        {"S7", false, 0, ""},
        {"S7|S5 a1 S7 a2 S7", false, 1, "-1 +S7 +2 "},
        {"S6 S5 a1 S6 a2 a3 S6", false, 1, "-1 +S6 +2 +3 "},
        {"S7 S5 a1 S6 S6 a3 S7 a4 S7", false, 1, "-1 +S6 -3 +S7 +4 "},
        {"S7 S5|a1|S6|a2|S6|S7|S7", false, 1, "-1 +S6 +2 +S7 "},
        {"S7 S5 S7 S7", false, 1, "+S7 "},
        {"S7 a1 a2 S7", false, 1, "=S7 =1 =2 "},
        {"S7|a1|S7", false, 1, "=S7 =1 "},
        {"S7 S7", false, 1, "=S7 "},
        {"S7 S4 a1 S7 a2 S7", false, E_INVALID, ""},           /* from another serial than ours */
        {"S7 S5 a1 S6 a2 S7", false, E_INVALID, "-1 +S6 +2 "}, /* breaks off, as if it led to the end */
        {"S7 S5 S6 S5 S7 S7", false, E_INVALID, "+S6 "},       /* the second does not join the first */
        {"S7 S5 a1 S6 a2", false, 0, "-1 +S6 +2 "},
        {"S7 S5 S7 S7 a1", false, E_INVALID, "+S7 "},
        {"S7 S5 S7 s7", false, E_INVALID, "+S7 "},
        {"a1", false, E_INVALID, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct told t;
        struct plain p;
        struct err err = {0};
        int rc = run(&rows[i], &t, &p, &err);
        if (rc != rows[i].rc || strcmp(t.text, rows[i].told) != 0)
            fail_msg("%s: %d \"%s\" (%s)", rows[i].rrs, rc, t.text, err.text);
        assert_true(rc >= 0 || err.text[0] != '\0');
    }
}

static void nothing_new_tells_nothing(void **state) {
    (void)state;
    struct told t;
    struct plain p;
    struct err err = {0};
    struct script s = {"S5", false, 1, ""};
    assert_int_equal(run(&s, &t, &p, &err), 1);
    assert_int_equal(p.at, PLAIN_END);
    assert_false(p.differences);
    assert_int_equal(p.serial, 5);
    assert_int_equal(p.expire_s, 900);
}

/* The case of names in the SOA is no difference. */
static void soa_is_the_same_in_any_case(void **state) {
    (void)state;
    uint8_t msg[1024];
    struct told t = {""};
    struct plain p;
    struct err err = {0};
    const char *rrs = "S7 a1 S7";
    size_t size = write_one(&rrs, msg, sizeof msg, TYPE_AXFR);
    for (size_t i = size; i-- > 0;) /* the last "Box" */
        if (memcmp(msg + i, "Box", 3) == 0) {
            memcpy(msg + i, "bOX", 3);
            break;
        }
    plain_open(&p, &apex, ID, TYPE_AXFR, 0);
    assert_int_equal(plain_take(&p, msg, size, tell, &t, &err), 1);
}

static int spoilt(void (*spoil)(uint8_t *msg, size_t *size), uint16_t type, bool second) {
    uint8_t msg[1024];
    struct told t = {""};
    struct plain p;
    struct err err = {0};
    const char *first = "S7 a1", *rrs = "a2 S7";
    plain_open(&p, &apex, ID, type, HAVE);
    size_t size = write_one(&first, msg, sizeof msg, type);
    if (second) {
        assert_int_equal(plain_take(&p, msg, size, tell, &t, &err), 0);
        size = write_one(&rrs, msg, sizeof msg, type);
    }
    spoil(msg, &size);
    return plain_take(&p, msg, size, tell, &t, &err);
}

static void wrong_id(uint8_t *msg, size_t *size) { msg[0] ^= 1, (void)size; }
static void no_answer(uint8_t *msg, size_t *size) { msg[2] &= 0x7F, (void)size; }
static void notify(uint8_t *msg, size_t *size) { msg[2] |= OPCODE_NOTIFY << 3, (void)size; }
static void cut(uint8_t *msg, size_t *size) { msg[2] |= FLAG_TC >> 8, (void)size; }
static void servfail(uint8_t *msg, size_t *size) { msg[3] |= RCODE_SERVFAIL, (void)size; }
static void refused(uint8_t *msg, size_t *size) { msg[3] |= RCODE_REFUSED, (void)size; }
static void notimp(uint8_t *msg, size_t *size) { msg[3] |= RCODE_NOTIMP, (void)size; }
static void other_name(uint8_t *msg, size_t *size) { msg[13] ^= 3, (void)size; }
static void other_type(uint8_t *msg, size_t *size) { msg[DNS_HEADER + apex.size + 1] = TYPE_A, (void)size; }
static void shorter(uint8_t *msg, size_t *size) { *size -= 3, (void)msg; }
static void nothing(uint8_t *msg, size_t *size) { *size = 5, (void)msg; }
static void more_promised(uint8_t *msg, size_t *size) { msg[6] = 0x7F, (void)size; }

static void frames_are_looked_at(void **state) {
    (void)state;
    static const struct {
        void (*spoil)(uint8_t *msg, size_t *size);
        int first, later, ixfr;
    } rows[] = {
        {wrong_id, E_INVALID, E_INVALID, E_INVALID},   {no_answer, E_INVALID, E_INVALID, E_INVALID},
        {notify, E_INVALID, E_INVALID, E_INVALID},     {cut, E_INVALID, E_INVALID, E_INVALID},
        {servfail, E_DENIED, E_INVALID, E_DENIED},     {refused, E_DENIED, E_INVALID, E_UNSUPPORTED},
        {notimp, E_DENIED, E_INVALID, E_UNSUPPORTED},  {other_name, E_INVALID, E_INVALID, E_INVALID},
        {other_type, E_INVALID, E_INVALID, E_INVALID}, {shorter, E_INVALID, E_INVALID, E_INVALID},
        {nothing, E_INVALID, E_INVALID, E_INVALID},    {more_promised, E_INVALID, E_INVALID, E_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(spoilt(rows[i].spoil, TYPE_AXFR, false), rows[i].first);
        assert_int_equal(spoilt(rows[i].spoil, TYPE_AXFR, true), rows[i].later);
        assert_int_equal(spoilt(rows[i].spoil, TYPE_IXFR, false), rows[i].ixfr);
    }
}

static int refuse(void *ctx, enum plain_part part, const struct records_rr *rr, struct err *err) {
    (void)ctx, (void)part, (void)rr;
    return err_set(err, E_FULL, "enough");
}

static void what_the_receiver_says_ends_it(void **state) {
    (void)state;
    uint8_t msg[1024];
    struct plain p;
    struct err err = {0};
    const char *rrs = "S7 a1 S7";
    size_t size = write_one(&rrs, msg, sizeof msg, TYPE_AXFR);
    plain_open(&p, &apex, ID, TYPE_AXFR, 0);
    assert_int_equal(plain_take(&p, msg, size, refuse, NULL, &err), E_FULL);
}

/* Differences without end: each is small and leads nowhere. */
static void endless_differences_end(void **state) {
    (void)state;
    uint8_t msg[4096];
    struct told t = {""};
    struct plain p;
    struct err err = {0};
    const char *rrs = "S7 S5 S6";
    size_t size = write_one(&rrs, msg, sizeof msg, TYPE_IXFR);
    plain_open(&p, &apex, ID, TYPE_IXFR, HAVE);
    assert_int_equal(plain_take(&p, msg, size, tell, &t, &err), 0);
    p.sequences = PLAIN_SEQUENCES;
    rrs = "S6 S6 S6 S6";
    size = write_one(&rrs, msg, sizeof msg, TYPE_IXFR);
    assert_int_equal(plain_take(&p, msg, size, tell, &t, &err), E_FULL);
    p.rrs = PLAIN_RRS;
    assert_int_equal(plain_take(&p, msg, size, tell, &t, &err), E_FULL);
}

static int swallow(void *ctx, enum plain_part part, const struct records_rr *rr, struct err *err) {
    (void)ctx, (void)part, (void)err;
    uint64_t sum = 0;
    for (size_t i = 0; i < rr->rdata.size; i++)
        sum += rr->rdata.at[i];
    return sum == UINT64_MAX ? E_INVALID : 0;
}

static void any_octets_do_no_harm(void **state) {
    (void)state;
    uint8_t good[1024], msg[1024];
    const char *rrs = "S7 S5 a1 S6 a2 a3 S6 S7 a9 S7";
    size_t size = write_one(&rrs, good, sizeof good, TYPE_IXFR);
    for (int i = 0; i < 20000; i++) {
        struct plain p;
        struct err err = {0};
        memcpy(msg, good, size);
        for (unsigned k = rand_below(6); k > 0; k--)
            msg[2 + rand_below((uint32_t)size - 2)] = (uint8_t)rand_u16();
        plain_open(&p, &apex, ID, TYPE_IXFR, HAVE);
        int rc = plain_take(&p, msg, size - rand_below(4), swallow, NULL, &err);
        assert_true(rc >= 0 || err.text[0] != '\0');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_says_what_is_what),        cmocka_unit_test(nothing_new_tells_nothing),
        cmocka_unit_test(soa_is_the_same_in_any_case),    cmocka_unit_test(frames_are_looked_at),
        cmocka_unit_test(what_the_receiver_says_ends_it), cmocka_unit_test(endless_differences_end),
        cmocka_unit_test(any_octets_do_no_harm),
    };
    if (name_from_text(&apex, "bl.x.", NULL) != 0 || name_from_text(&text_name, "2.0.0.127.bl.x.", NULL) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
