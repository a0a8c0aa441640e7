/* Zones of other servers become entries: what DNS would answer is what is listed. ZONEMD, what is passed over, and
 * differences that do not fit. */
#include "rbl/keep/edit.h"
#include "rbl/keep/walk.h"
#include "tests/unit/rbl/records/set.h"

enum { TYPE_DIGEST = 63, TEXT = 4096 };

static struct records_rr rr;
static uint8_t rdata[1024];

static void put_name(const char *text) {
    struct name n;
    char full[300];
    snprintf(full, sizeof full, "%s%s", text, text[strlen(text) - 1] == '.' ? "" : ".example.");
    assert_int_equal(name_from_text(&n, full, NULL), 0);
    memcpy(rdata + rr.rdata.size, n.wire, n.size);
    rr.rdata.size += n.size;
}

static void put_hex(const char *hex) {
    unsigned octet;
    for (; hex[0] != '\0' && sscanf(hex, "%2x", &octet) == 1; hex += 2)
        rdata[rr.rdata.size++] = (uint8_t)octet;
}

/* "OWNER TTL TYPE DATA", relative to example.; "@" the apex. */
static struct records_rr *made(const char *line) {
    char owner[256], type[16], data[700] = "", full[300];
    unsigned ttl, a[4];
    assert_true(sscanf(line, "%255s %u %15s %699[^\n]", owner, &ttl, type, data) >= 3);
    rr = (struct records_rr){.ttl = ttl, .rdata = {rdata, 0}};
    snprintf(full, sizeof full, "%s%s", owner[0] == '@' ? "" : owner,
             owner[strlen(owner) - 1] == '.' ? ""
             : owner[0] == '@'               ? "example."
                                             : ".example.");
    assert_int_equal(name_from_text(&rr.owner, full, NULL), 0);
    if (strcmp(type, "A") == 0) {
        rr.type = TYPE_A;
        assert_int_equal(sscanf(data, "%u.%u.%u.%u", &a[0], &a[1], &a[2], &a[3]), 4);
        for (unsigned i = 0; i < 4; i++)
            rdata[rr.rdata.size++] = (uint8_t)a[i];
    } else if (strcmp(type, "TXT") == 0) {
        rr.type = TYPE_TXT;
        rdata[0] = (uint8_t)strlen(data);
        memcpy(rdata + 1, data, strlen(data));
        rr.rdata.size = strlen(data) + 1;
    } else if (strcmp(type, "NS") == 0) {
        rr.type = TYPE_NS;
        put_name(data);
    } else if (strcmp(type, "MX") == 0) {
        rr.type = TYPE_MX;
        put_hex("000a");
        put_name(data);
    } else if (strcmp(type, "SOA") == 0) {
        rr.type = TYPE_SOA;
        put_name("ns1");
        put_name("admin");
        put_u32(rdata + rr.rdata.size, (uint32_t)atoi(data));
        rr.rdata.size += 4;
        put_hex("00000708"
                "00000384"
                "00093a80"
                "00015180");
    } else {
        assert_int_equal(sscanf(type, "TYPE%hu", &rr.type), 1);
        put_hex(data);
    }
    return &rr;
}

static struct conf_zone example(void) {
    struct conf_zone z = {.name = "example.", .ttl_s = 300, .journal = 64 << 20};
    z.soa.minimum_s = 300;
    z.limits.shrink = z.limits.grow = 1e9;
    return z;
}

static struct records_in *in;
static struct conf_zone zone;
static struct err err;
static char text[TEXT];

static int feed(const char *const *lines) {
    int rc = 0;
    for (; *lines != NULL && rc == 0; lines++)
        rc = records_in_add(in, made(*lines), &err);
    return rc;
}

static void value_text_of(const struct data *d, uint32_t id, int *at) {
    char v[VALUE_TEXT_MAX];
    if (id != VALUE_EXCLUDED)
        *at += snprintf(text + *at, sizeof text - (size_t)*at, " %s", value_text(&d->value[id], v));
    *at += snprintf(text + *at, sizeof text - (size_t)*at, "\n");
}

static const char *entries(const struct data *d) {
    char host[INET6_ADDRSTRLEN];
    int at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < d->n4; i++) {
        uint8_t four[4];
        put_u32(four, d->e4[i].addr);
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%s/%u", d->e4[i].value == 0 ? "!" : "",
                       inet_ntop(AF_INET, four, host, sizeof host), d->e4[i].bits);
        value_text_of(d, d->e4[i].value, &at);
    }
    for (size_t i = 0; i < d->n6; i++) {
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%s/%u", d->e6[i].value == 0 ? "!" : "",
                       inet_ntop(AF_INET6, d->e6[i].addr, host, sizeof host), d->e6[i].bits);
        value_text_of(d, d->e6[i].value, &at);
    }
    for (size_t i = 0; i < d->nn; i++) { /* reversed, as keys are */
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%s", d->en[i].value == 0 ? "!" : "",
                       d->en[i].wildcard ? "*" : "");
        for (size_t l = 0; l < d->en[i].size; l += d->en[i].name[l] + 1u)
            at += snprintf(text + at, sizeof text - (size_t)at, "/%.*s", d->en[i].name[l],
                           (const char *)d->en[i].name + l + 1);
        value_text_of(d, d->en[i].value, &at);
    }
    return text;
}

static const char *const top[] = {"@ 300 SOA 7", "@ 300 NS ns1", NULL};

static void open_in(void) {
    zone = example();
    assert_int_equal(records_in_open(&in, &zone, &err), 0);
    assert_int_equal(feed(top), 0);
}

static void becomes(const char *const *lines, const char *expected) {
    struct data *d;
    open_in();
    if (feed(lines) < 0 || records_in_data(in, &d, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(entries(d), expected);
    records_in_close(in);
}

#define ZONE(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_places(void **state) {
    (void)state;
    becomes(ZONE("2.2.0.192 300 A 127.0.0.2", "2.2.0.192 300 TXT see 192.0.2.2!", "*.3.0.192 300 A 127.0.0.3",
                 "*.8.b.d.0.1.0.0.2 300 A 127.0.0.2", "host.bad 300 A 127.0.0.2", "host.bad 300 TXT no $ here",
                 "*.worse 60 A 127.0.0.4", "mail 300 MX mx", "02.0.0.127 300 A 127.0.0.2"),
            "192.0.2.2/32 :127.0.0.2:see $!\n192.0.3.0/24 :127.0.0.3:\n2001:db8::/32 :127.0.0.2:\n"
            "/127/0/0/02 :127.0.0.2:\n/bad/host :127.0.0.2:no $$ here\n/mail MX 10 mx.example.\n*/worse :127.0.0.4:\n");
    becomes(ZONE("1.2.0.192 300 A 127.0.0.2", "1.2.0.192 300 A 127.0.0.3", "1.2.0.192 300 TXT one",
                 "1.2.0.192 300 TXT two", "5.2.0.192 300 TXT alone"),
            "192.0.2.1/32 :127.0.0.2:one\n192.0.2.1/32 :127.0.0.3:two\n/192/0/2/5 TXT \"alone\"\n");
}

static void test_a_name_ends_the_wildcards_above(void **state) {
    (void)state;
    becomes(ZONE("*.10 300 A 127.0.0.2", "4.3.2.10 300 A 127.0.0.3"),
            "10.0.0.0/8 :127.0.0.2:\n!10.2.0.0/16\n10.2.3.4/32 :127.0.0.3:\n");
    becomes(
        ZONE("*.10 300 A 127.0.0.2", "*.2.10 300 A 127.0.0.2", "*.3.2.10 300 A 127.0.0.2", "4.3.2.10 300 A 127.0.0.3"),
        "10.0.0.0/8 :127.0.0.2:\n10.2.3.4/32 :127.0.0.3:\n");
    becomes(ZONE("*.2.0.192 300 A 127.0.0.2", "7.2.0.192 300 TYPE13 086578636c7564656400", "9.2.0.192 300 MX mx",
                 "x.11.2.0.192 300 MX mx"),
            "192.0.2.0/24 :127.0.0.2:\n!192.0.2.7/32\n!192.0.2.9/32\n!192.0.2.11/32\n"
            "/192/0/2/9 MX 10 mx.example.\n/192/0/2/11/x MX 10 mx.example.\n");
    becomes(ZONE("*.com 300 A 127.0.0.2", "a.b.com 300 A 127.0.0.3"),
            "*/com :127.0.0.2:\n!/com/b\n!*/com/b\n/com/b/a :127.0.0.3:\n");
}

static void test_neighbours_are_one(void **state) {
    (void)state;
    struct data *d;
    char line[64];
    open_in();
    for (unsigned i = 0; i < 128; i++) {
        snprintf(line, sizeof line, "%u.2.0.192 300 A 127.0.0.2", i);
        assert_int_equal(records_in_add(in, made(line), &err), 0);
        snprintf(line, sizeof line, "%u.2.0.192 300 TXT is 192.0.2.%u", i, i);
        assert_int_equal(records_in_add(in, made(line), &err), 0);
    }
    for (unsigned i = 16; i < 32; i++) {
        snprintf(line, sizeof line, "*.%u.3.192 300 A 127.0.0.2", i);
        assert_int_equal(records_in_add(in, made(line), &err), 0);
    }
    assert_int_equal(records_in_data(in, &d, &err), 0);
    assert_string_equal(entries(d), "192.0.2.0/25 :127.0.0.2:is $\n192.3.16.0/20 :127.0.0.2:\n");
    records_in_close(in);
}

static void test_what_is_no_entry(void **state) {
    struct records_told told;
    struct data *d;
    (void)state;
    open_in();
    assert_int_equal(feed(ZONE("elsewhere.org. 300 A 127.0.0.2", "a 300 TYPE46 00", "a 300 TYPE47 00",
                               "b 300 TYPE1 7f00", "c 300 TYPE16 05", "d 300 TYPE250 00",
                               "_candor-heartbeat 60 TXT 1700000000123 seven", "@ 300 SOA 8", "@ 300 TXT top")),
                     0);
    records_in_told(in, &told);
    assert_int_equal(told.outside, 1);
    assert_int_equal(told.passed_over, 5);
    assert_int_equal(told.heartbeat_ms, 1700000000123);
    assert_int_equal(records_in_data(in, &d, &err), 0);
    assert_int_equal(d->soa.serial, 7);
    assert_int_equal(d->ns_count, 1);
    assert_string_equal(entries(d), " 300 TXT \"top\"\n/_candor-heartbeat TXT \"1700000000123 seven\"\n");
    records_in_close(in);
    zone = example();
    assert_int_equal(records_in_open(&in, &zone, &err), 0);
    assert_int_equal(records_in_data(in, &d, &err), E_INVALID); /* no SOA */
    records_in_close(in);
    open_in();
    int rc = 0;
    for (unsigned i = 0; i < 70 && rc == 0; i++) {
        char line[64];
        snprintf(line, sizeof line, "many 300 A 127.0.1.%u", i);
        rc = records_in_add(in, made(line), &err);
    }
    assert_int_equal(rc, E_FULL);
    records_in_close(in);
}

/* --- ZONEMD --- */

/* RFC 8976 appendix A.1. */
static const char *const simple[] = {"@ 86400 SOA 2018031900",
                                     "@ 86400 NS ns1",
                                     "@ 86400 NS ns2",
                                     "@ 86400 TYPE63 7848b91c0101"
                                     "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3"
                                     "a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c",
                                     "ns1 3600 A 203.0.113.63",
                                     "ns2 3600 TYPE28 20010db8000000000000000000000063",
                                     NULL};
/* Made with dnspython. */
static const char *const larger[] = {"@ 86400 SOA 2018031900",
                                     "@ 86400 NS ns1",
                                     "B 300 MX Mail.Example.",
                                     "@ 86400 NS ns2",
                                     "@ 86400 TXT Apex",
                                     "@ 86400 TYPE63 7848b91c0102"
                                     "c71ca3110f55860f1c58986e3b8556197ae63f638b58b313349f735cdabcff66"
                                     "e203acb1937fe834c20114bab368e24c6d69636409fc0919bbd5171aeec49a00",
                                     "*.10 300 A 127.0.0.3",
                                     "2.2.0.192 3600 A 127.0.0.2",
                                     "2.2.0.192 3600 TXT listed 192.0.2.2",
                                     "2.2.0.192 3600 TXT listed 192.0.2.2",
                                     NULL};

static int checked(const char *const *lines, const char *leave_out, bool *was_checked) {
    struct records_told told;
    struct data *d;
    int rc = 0;
    zone = example();
    assert_int_equal(records_in_open(&in, &zone, &err), 0);
    assert_int_equal(records_in_collect(in), 0);
    for (; *lines != NULL && rc == 0; lines++)
        if (leave_out == NULL || strncmp(*lines, leave_out, strlen(leave_out)) != 0)
            rc = records_in_add(in, made(*lines), &err);
    if (rc == 0)
        rc = records_in_data(in, &d, &err);
    records_in_told(in, &told);
    *was_checked = told.zonemd_checked;
    records_in_close(in);
    return rc;
}

static void test_digest(void **state) {
    bool was_checked;
    (void)state;
    assert_int_equal(checked(simple, NULL, &was_checked), 0);
    assert_true(was_checked);
    assert_int_equal(checked(larger, NULL, &was_checked), 0);
    assert_true(was_checked);
    assert_int_equal(checked(simple, "ns2", &was_checked), E_INVALID);
    assert_int_equal(checked(larger, "*.10", &was_checked), E_INVALID);
    assert_int_equal(checked(larger, "@ 86400 TYPE63", &was_checked), 0);
    assert_false(was_checked);
    /* Another scheme, and one told twice, count for nothing. */
    assert_int_equal(
        checked(ZONE("@ 300 SOA 7", "@ 300 TYPE63 0000000702010102030405060708090a0b0c"), NULL, &was_checked), 0);
    assert_false(was_checked);
}

static void test_digest_without_collecting(void **state) {
    (void)state;
    zone = example();
    assert_int_equal(records_in_open(&in, &zone, &err), 0);
    assert_int_equal(feed(simple), E_AGAIN);
    records_in_close(in);
    open_in();
    assert_int_equal(feed(ZONE("2.2.0.192 300 A 127.0.0.2", simple[3])), E_AGAIN);
    records_in_close(in);
}

/* --- differences --- */

static void whole(const char *const *lines) {
    struct keep *k;
    struct keep_result r;
    struct data *d;
    const struct keep_commit c = {
        .source = "test", .force = true, .whole = true, .serial_hint = 7, .exact_serial = true};
    open_in();
    assert_int_equal(feed(lines), 0);
    assert_int_equal(records_in_data(in, &d, &err), 0);
    assert_int_equal(keep_open(&k, state_dir, &zone, &err), 0);
    if (keep_replace(k, d, &c, &r, &err) < 0)
        fail_msg("%s", err.text);
    keep_close(k);
    records_in_close(in);
}

/* "-" in front: removed. */
static int differs(const char *const *lines) {
    struct keep *k;
    struct keep_batch *b;
    struct records_edit *e;
    struct keep_result r;
    const struct keep_commit c = {.source = "test", .force = true, .serial_hint = 8, .exact_serial = true};
    assert_int_equal(keep_open(&k, state_dir, &zone, &err), 0);
    assert_int_equal(keep_batch_open(&b, k, &err), 0);
    assert_int_equal(records_edit_open(&e, &zone, b, &err), 0);
    int rc = 0;
    for (; *lines != NULL && rc == 0; lines++)
        rc = (*lines)[0] == '-' ? records_edit_remove(e, made(*lines + 1), &err)
                                : records_edit_add(e, made(*lines), &err);
    if (rc == 0)
        rc = records_edit_finish(e, &err);
    if (rc == 0)
        rc = keep_batch_commit(b, &c, &r, &err);
    records_edit_close(e);
    keep_batch_close(b);
    keep_close(k);
    return rc;
}

static bool listed(const char *addr) {
    struct view *v = view_of(&zone);
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned hits;
    uint8_t four[4];
    assert_int_equal(inet_pton(AF_INET, addr, four), 1);
    assert_int_equal(view_begin(v, 1, &err), 0);
    assert_int_equal(view_find4(v, VIEW_ALL, get_u32(four), hit, &hits), 0);
    view_end(v);
    view_close(v);
    return hits > 0;
}

static void test_differences_are_strict(void **state) {
    (void)state;
    whole(ZONE("2.2.0.192 300 A 127.0.0.2", "*.10 300 A 127.0.0.2"));
    assert_int_equal(differs(ZONE("-3.2.0.192 300 A 127.0.0.2")), E_INVALID);
    assert_int_equal(differs(ZONE("-2.2.0.192 300 A 127.0.0.3")), E_INVALID);
    assert_int_equal(differs(ZONE("2.2.0.192 300 A 127.0.0.2")), E_INVALID);
    assert_int_equal(differs(ZONE("-2.2.0.192 300 A 127.0.0.2", "-2.2.0.192 300 A 127.0.0.2")), E_INVALID);
    assert_int_equal(differs(ZONE("-@ 300 NS ns9")), E_INVALID);
    assert_true(listed("192.0.2.2"));
    /* There and back in two sequences. */
    assert_int_equal(differs(ZONE("-2.2.0.192 300 A 127.0.0.2", "2.2.0.192 300 A 127.0.0.2")), 0);
    assert_true(listed("192.0.2.2"));
    assert_int_equal(differs(ZONE("-2.2.0.192 300 A 127.0.0.2", "7.2.0.192 300 A 127.0.0.2")), 0);
    assert_true(!listed("192.0.2.2") && listed("192.0.2.7"));
}

static void test_what_a_difference_hides_and_shows(void **state) {
    (void)state;
    whole(ZONE("*.10 300 A 127.0.0.2"));
    assert_true(listed("10.2.3.9"));
    assert_int_equal(differs(ZONE("4.3.2.10 300 A 127.0.0.3")), 0); /* 3.2.10 is a name now */
    assert_true(!listed("10.2.3.9") && !listed("10.2.9.9") && listed("10.2.3.4") && listed("10.9.9.9"));
    assert_int_equal(differs(ZONE("*.3.2.10 300 A 127.0.0.9")), 0);
    assert_true(listed("10.2.3.9") && !listed("10.2.9.9"));
    /* Whether 2.10 is still a name is the server's to know. */
    assert_int_equal(differs(ZONE("-4.3.2.10 300 A 127.0.0.3", "-*.3.2.10 300 A 127.0.0.9")), E_INVALID);
    assert_true(listed("10.2.3.9"));
}

static void test_a_difference_takes_neighbours_apart(void **state) {
    (void)state;
    char lines[8][40];
    const char *zone_lines[9];
    for (unsigned i = 0; i < 8; i++) {
        snprintf(lines[i], sizeof lines[i], "%u.2.0.192 300 A 127.0.0.2", i);
        zone_lines[i] = lines[i];
    }
    zone_lines[8] = NULL;
    whole(zone_lines);
    assert_int_equal(differs(ZONE("-5.2.0.192 300 A 127.0.0.2")), 0);
    for (unsigned i = 0; i < 8; i++) {
        char addr[20];
        snprintf(addr, sizeof addr, "192.0.2.%u", i);
        assert_int_equal(listed(addr), i != 5);
    }
    assert_int_equal(differs(ZONE("5.2.0.192 300 A 127.0.0.2", "-0.2.0.192 300 A 127.0.0.2")), 0);
    assert_true(listed("192.0.2.5") && !listed("192.0.2.0"));
}

static void test_the_apex_changes_with_a_difference(void **state) {
    (void)state;
    struct set s;
    whole(ZONE("2.2.0.192 300 A 127.0.0.2"));
    assert_int_equal(differs(ZONE("-@ 300 SOA 7", "-@ 300 NS ns1", "@ 300 SOA 8", "@ 300 NS ns5", "@ 300 NS ns6")), 0);
    set_walk(&s, state_dir, &zone);
    assert_int_equal(s.count, 3);
    assert_string_equal(set_text(&s.at[0]), "example. 300 TYPE2 03.6e.73.35.07.65.78.61.6d.70.6c.65.00.");
    set_free(&s);
}

int main(void) {
#define T(t) cmocka_unit_test_setup_teardown(t, make_state, drop_state)
    const struct CMUnitTest tests[] = {
        T(test_places),
        T(test_a_name_ends_the_wildcards_above),
        T(test_neighbours_are_one),
        T(test_what_is_no_entry),
        T(test_digest),
        T(test_digest_without_collecting),
        T(test_differences_are_strict),
        T(test_what_a_difference_hides_and_shows),
        T(test_a_difference_takes_neighbours_apart),
        T(test_the_apex_changes_with_a_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
