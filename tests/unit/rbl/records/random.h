/* Random zones of a few places, so that they touch. */
#ifndef CANDOR_TEST_RECORDS_RANDOM_H
#define CANDOR_TEST_RECORDS_RANDOM_H

#include "tests/unit/rbl/records/set.h"

static const unsigned octets[] = {0, 1, 2, 9, 10, 11, 127, 192, 255};

static UNUSED uint32_t some_octet(void) { return any(3) == 0 ? any(256) : octets[any(ARRAY_SIZE(octets))]; }

static UNUSED uint32_t some_addr(void) {
    uint32_t a = octets[1 + any(5)] << 24 | octets[any(4)] << 16;
    return a | (any(4) == 0 ? some_octet() : any(3)) << 8 | some_octet();
}

static UNUSED void some_addr6(uint8_t addr[16]) {
    memset(addr, 0, 16);
    addr[0] = any(2) ? 0x20 : 0x30;
    addr[1] = (uint8_t)(any(2) ? 0x01 : 0x10);
    for (unsigned i = 2; i < 16; i++)
        addr[i] = any(3) == 0 ? (uint8_t)any(4) : 0;
}

static UNUSED void some_name(char to[64], bool addresses) {
    static const char *const labels[] = {"xa", "yb", "com", "org", "7", "2", "10", "0"};
    unsigned n = 1 + any(4);
    to[0] = '\0';
    for (unsigned i = 0; i < n; i++) {
        strcat(to, i > 0 ? "." : "");
        strcat(to, labels[any(addresses ? 8 : 4)]);
    }
}

/* Whether names may look like parts of addresses; whether RRs have TTLs of their own. */
static bool digits = true, ttls = true;

static UNUSED uint32_t some_value(struct data *d, bool rr) {
    struct value v = {.kind = VALUE_LISTED, .a = {127, 0, 0, (uint8_t)(2 + any(3))}};
    static const char *const texts[] = {"one", "two $$ x", "three"};
    uint32_t id;
    if (rr) {
        v = (struct value){.kind = VALUE_RR, .type = any(2) ? TYPE_MX : TYPE_A, .ttl = ttls && any(2) ? 60 : 0};
        memcpy(v.txt, v.type == TYPE_A ? "\177\0\0\11" : "\0\5\0", v.type == TYPE_A ? 4 : 3);
        v.txt_size = v.type == TYPE_A ? 4 : 3;
    } else if (any(2)) {
        const char *t = texts[any(3)];
        v.has_txt = true;
        for (; *t != '\0'; t++)
            if (t[0] == '$')
                v.txt[v.txt_size++] = '\0', t++;
            else
                v.txt[v.txt_size++] = *t;
    }
    assert_int_equal(data_value(d, &v, &id), 0);
    return id;
}

static UNUSED void fill(struct data *d, unsigned dataset, enum conf_dataset_type type, unsigned count) {
    static const unsigned lengths[] = {8, 9, 15, 16, 17, 20, 23, 24, 25, 28, 31, 32, 32, 32, 32};
    static const unsigned lengths6[] = {16, 17, 20, 31, 32, 33, 48, 62, 64, 65, 100, 126, 128, 128, 128};
    for (unsigned i = 0; i < count; i++) {
        uint32_t value = any(5) == 0 ? VALUE_EXCLUDED : some_value(d, type == DATASET_GENERIC);
        if (type == DATASET_IP4SET || type == DATASET_IP4TRIE) {
            unsigned bits = lengths[any(ARRAY_SIZE(lengths))];
            uint32_t host = bits == 32 ? 0 : UINT32_MAX >> bits, a = some_addr() & ~host;
            assert_int_equal(data_add4(d, dataset, a, a | host, value), 0);
        } else if (type == DATASET_IP6TRIE) {
            uint8_t a[16];
            some_addr6(a);
            assert_int_equal(data_add6(d, dataset, a, lengths6[any(ARRAY_SIZE(lengths6))], value), 0);
        } else {
            char text[64];
            struct name n;
            some_name(text, digits);
            assert_int_equal(name_from_text(&n, text, NULL), 0);
            if (type == DATASET_GENERIC && value == VALUE_EXCLUDED)
                value = some_value(d, true);
            assert_int_equal(data_add_name(d, dataset, &n, any(2) == 0, value), 0);
        }
    }
}

#endif
