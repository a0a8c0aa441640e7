/* The native option on the wire: what is written reads the same, and nothing that comes from the network is believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rbl/replicate/native.h"

static struct native state_of(enum native_kind kind, unsigned path) {
    struct native n;
    memset(&n, 0, sizeof n);
    n.kind = kind;
    n.state.flags = NATIVE_HAVE;
    n.state.serial = 4294967290U;
    n.state.digest = (struct digest){.lo = 0x0123456789abcdefU, .hi = 0xfedcba9876543210U};
    n.state.epoch = 7;
    n.state.commit = UINT64_MAX;
    n.state.committed_ms = INT64_C(1) << 53;
    n.state.stamp_ms = 1;
    n.state.wall_ms = 1795000000000;
    n.state.path_count = path;
    for (unsigned i = 0; i < path; i++)
        memset(n.state.path[i], 'a' + (int)i, NATIVE_NODE - 1);
    return n;
}

static void same_state(const struct native_state *a, const struct native_state *b) {
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->serial, b->serial);
    assert_true(a->digest.lo == b->digest.lo && a->digest.hi == b->digest.hi);
    assert_int_equal(a->epoch, b->epoch);
    assert_true(a->commit == b->commit && a->committed_ms == b->committed_ms);
    assert_true(a->stamp_ms == b->stamp_ms && a->wall_ms == b->wall_ms);
    assert_int_equal(a->path_count, b->path_count);
    for (unsigned i = 0; i < a->path_count; i++)
        assert_string_equal(a->path[i], b->path[i]);
}

static const enum native_kind with_state[] = {NATIVE_STATUS, NATIVE_END, NATIVE_BEAT, NATIVE_BYE};

static void states(void **ctx) {
    (void)ctx;
    for (size_t k = 0; k < ARRAY_SIZE(with_state); k++)
        for (unsigned path = 0; path <= NATIVE_PATH; path++) {
            uint8_t wire[NATIVE_STATE_MAX + 16];
            struct native n = state_of(with_state[k], path), back;
            int size = native_write(&n, wire, sizeof wire);
            assert_true(size > 0 && size <= NATIVE_STATE_MAX);
            assert_int_equal(native_read(&back, (struct bytes){wire, (size_t)size}), 0);
            assert_int_equal(back.kind, n.kind);
            same_state(&back.state, &n.state);
        }
}

static void ask_and_head(void **ctx) {
    (void)ctx;
    uint8_t wire[256];
    struct native n = {.kind = NATIVE_ASK}, back;
    n.ask = (struct native_ask){.flags = NATIVE_HAVE,
                                .serial = 9,
                                .digest = {3, 4},
                                .hold_s = 60,
                                .resume_at = UINT64_MAX,
                                .node = "mx1.example"};
    memset(n.ask.resume_id, 0xA5, sizeof n.ask.resume_id);
    int size = native_write(&n, wire, sizeof wire);
    assert_true(size > 0);
    assert_int_equal(native_read(&back, (struct bytes){wire, (size_t)size}), 0);
    assert_int_equal(back.ask.serial, 9);
    assert_int_equal(back.ask.hold_s, 60);
    assert_true(back.ask.resume_at == UINT64_MAX && back.ask.digest.lo == 3 && back.ask.digest.hi == 4);
    assert_memory_equal(back.ask.resume_id, n.ask.resume_id, sizeof n.ask.resume_id);
    assert_string_equal(back.ask.node, "mx1.example");

    n = (struct native){.kind = NATIVE_HEAD};
    n.head = (struct native_head){
        .flags = NATIVE_ZSTD | NATIVE_SNAPSHOT, .at = 5, .from_serial = 6, .to_serial = 7, .octets_about = 8};
    size = native_write(&n, wire, sizeof wire);
    assert_int_equal(native_read(&back, (struct bytes){wire, (size_t)size}), 0);
    assert_int_equal(back.head.flags, NATIVE_ZSTD | NATIVE_SNAPSHOT);
    assert_true(back.head.at == 5 && back.head.from_serial == 6 && back.head.to_serial == 7 &&
                back.head.octets_about == 8);
}

static void parts(void **ctx) {
    (void)ctx;
    static uint8_t octets[NATIVE_DATA], wire[NATIVE_DATA + 2];
    struct native n = {.kind = NATIVE_PART, .part = {octets, sizeof octets}}, back;
    memset(octets, 0x5A, sizeof octets);
    int size = native_write(&n, wire, sizeof wire);
    assert_int_equal(size, sizeof wire);
    assert_int_equal(native_read(&back, (struct bytes){wire, (size_t)size}), 0);
    assert_int_equal(back.part.size, sizeof octets);
    assert_memory_equal(back.part.at, octets, sizeof octets);
    assert_int_equal(native_write(&n, wire, sizeof wire - 1), E_FULL);
    n.part.size = 0;
    assert_int_equal(native_write(&n, wire, sizeof wire), 2);
    assert_int_equal(native_read(&back, (struct bytes){wire, 2}), 0);
    assert_int_equal(back.part.size, 0);
}

/* Every prefix of a message is wrong, and so is one octet more; nothing is read behind the end (sanitizers see it). */
static void cut_off(void **ctx) {
    (void)ctx;
    uint8_t wire[NATIVE_STATE_MAX + 1];
    struct native n = state_of(NATIVE_END, 3), back;
    int size = native_write(&n, wire, sizeof wire);
    for (int i = 0; i < size; i++) {
        uint8_t *exact = malloc((size_t)i + 1);
        assert_non_null(exact);
        memcpy(exact, wire, (size_t)i);
        assert_int_equal(native_read(&back, (struct bytes){exact, (size_t)i}), E_INVALID);
        free(exact);
    }
    wire[size] = 0;
    assert_int_equal(native_read(&back, (struct bytes){wire, (size_t)size + 1}), E_INVALID);
    for (int cap = 0; cap < size; cap++)
        assert_int_equal(native_write(&n, wire, (size_t)cap), E_FULL);
}

static void other_versions(void **ctx) {
    (void)ctx;
    struct native back;
    static const uint8_t version[] = {NATIVE_VERSION + 1, NATIVE_PART, 1}, kind[] = {NATIVE_VERSION, NATIVE_BYE + 1, 1},
                         none[] = {NATIVE_VERSION, 0};
    assert_int_equal(native_read(&back, (struct bytes){version, sizeof version}), E_UNSUPPORTED);
    assert_int_equal(native_read(&back, (struct bytes){kind, sizeof kind}), E_UNSUPPORTED);
    assert_int_equal(native_read(&back, (struct bytes){none, sizeof none}), E_UNSUPPORTED);
    assert_int_equal(native_read(&back, (struct bytes){none, 0}), E_INVALID);
}

/* Names go into logs and labels. */
static void names(void **ctx) {
    (void)ctx;
    static const char bad[] = {'\n', '\0', ' ', '"', '\\', 0x7F, (char)0x80};
    for (size_t i = 0; i < sizeof bad; i++) {
        uint8_t wire[NATIVE_STATE_MAX];
        struct native n = state_of(NATIVE_STATUS, 1), back;
        int size = native_write(&n, wire, sizeof wire);
        wire[size - 1] = (uint8_t)bad[i];
        assert_int_equal(native_read(&back, (struct bytes){wire, (size_t)size}), E_INVALID);
    }
    uint8_t wire[NATIVE_STATE_MAX + 16];
    struct native n = state_of(NATIVE_STATUS, 1);
    memset(n.state.path[0], 'x', NATIVE_NODE); /* without its end */
    assert_int_equal(native_write(&n, wire, sizeof wire), E_FULL);
    n = state_of(NATIVE_STATUS, 0);
    n.state.path_count = NATIVE_PATH + 1;
    assert_int_equal(native_write(&n, wire, sizeof wire), E_FULL);
}

static void times(void **ctx) {
    (void)ctx;
    static const int64_t bad[] = {-1, INT64_MIN, INT64_MAX, (INT64_C(1) << 53) + 1};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint8_t wire[NATIVE_STATE_MAX];
        struct native n = state_of(NATIVE_BEAT, 0), back;
        n.state.stamp_ms = bad[i];
        int size = native_write(&n, wire, sizeof wire);
        assert_int_equal(native_read(&back, (struct bytes){wire, (size_t)size}), E_INVALID);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states),  cmocka_unit_test(ask_and_head),   cmocka_unit_test(parts),
        cmocka_unit_test(cut_off), cmocka_unit_test(other_versions), cmocka_unit_test(names),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
