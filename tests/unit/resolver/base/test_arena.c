/* Arenas: alignment, limits, sizes that overflow, reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/base/arena.h"

static void aligned_and_apart(void **state) {
    struct arena a = {0};
    unsigned char *at[200];
    (void)state;
    for (size_t i = 0; i < 200; i++) {
        at[i] = arena_alloc(&a, i * 7);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % 16, 0);
        memset(at[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < i * 7; j++)
            assert_int_equal(at[i][j], (unsigned char)i);
    arena_free(&a);
}

static void nothing_twice(void **state) {
    struct arena a = {0};
    (void)state;
    void *one = arena_alloc(&a, 0), *two = arena_alloc(&a, 0);
    assert_non_null(one);
    assert_ptr_not_equal(one, two);
    arena_free(&a);
}

static void large_blocks(void **state) {
    struct arena a = {0};
    (void)state;
    char *big = arena_alloc(&a, 5 << 20), *small = arena_alloc(&a, 10);
    assert_non_null(big);
    assert_non_null(small);
    memset(big, 1, 5 << 20);
    memset(small, 2, 10);
    assert_int_equal(big[(5 << 20) - 1], 1);
    arena_free(&a);
}

static void keeps_its_limit(void **state) {
    struct arena a = {.limit = 64};
    (void)state;
    assert_non_null(arena_alloc(&a, 48));
    assert_null(arena_alloc(&a, 17));
    assert_non_null(arena_alloc(&a, 16));
    assert_null(arena_alloc(&a, 1));
    assert_int_equal(a.used, 64);
    arena_free(&a);
    assert_non_null(arena_alloc(&a, 64)); /* used again */
    arena_free(&a);
    assert_int_equal(a.used, 0);
}

static void refuses_absurd_sizes(void **state) {
    struct arena a = {0};
    (void)state;
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 15));
    assert_null(arena_alloc(&a, SIZE_MAX / 2));
    assert_null(arena_text(&a, "", SIZE_MAX));
    assert_int_equal(a.used, 0);
    arena_free(&a);
    arena_free(&a);
}

static void copies_text(void **state) {
    struct arena a = {0};
    (void)state;
    assert_string_equal(arena_text(&a, "abcdef", 3), "abc");
    assert_string_equal(arena_text(&a, NULL, 0), "");
    char *with_nul = arena_text(&a, "a\0b", 3);
    assert_memory_equal(with_nul, "a\0b", 4);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_apart), cmocka_unit_test(nothing_twice),        cmocka_unit_test(large_blocks),
        cmocka_unit_test(keeps_its_limit),   cmocka_unit_test(refuses_absurd_sizes), cmocka_unit_test(copies_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
