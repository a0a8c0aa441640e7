/* Errors: codes, texts, cut-off, context on the way up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/base/err.h"

static void sets_code_and_text(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(err_set(&e, E_RANGE, "%s %d", "zone", 7), E_RANGE);
    assert_int_equal(e.code, E_RANGE);
    assert_string_equal(e.text, "zone 7");
    assert_int_equal(err_set(NULL, E_FULL, "%d", 1), E_FULL);
}

static void may_quote_itself(void **state) {
    struct err e = {0};
    (void)state;
    (void)err_set(&e, E_IO, "inner");
    assert_int_equal(err_set(&e, E_CORRUPT, "outer (%s)", e.text), E_CORRUPT);
    assert_string_equal(e.text, "outer (inner)");
}

static void cuts_long_texts(void **state) {
    struct err e = {0};
    char big[ERR_TEXT_MAX * 2];
    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    (void)err_set(&e, E_IO, "%s", big);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    (void)err_prefix(&e, "%s", big);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

static void translates_errno(void **state) {
    static const struct {
        int number, code;
    } rows[] = {
        {ENOMEM, E_NOMEM}, {EACCES, E_DENIED}, {EPERM, E_DENIED}, {EIO, E_IO},          {EROFS, E_IO},
        {ENOSPC, E_FULL},  {EDQUOT, E_FULL},   {EMFILE, E_FULL},  {ENOENT, E_NOTFOUND}, {EINVAL, E_SYSTEM},
    };
    struct err e = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        errno = rows[i].number;
        assert_int_equal(err_errno(&e, "open %s", "x"), rows[i].code);
        assert_int_equal(errno, rows[i].number);
        assert_memory_equal(e.text, "open x: ", 8);
        assert_true(strlen(e.text) > 8);
        assert_int_equal(err_errno(NULL, "x"), rows[i].code);
    }
}

static void adds_context(void **state) {
    struct err e = {0};
    (void)state;
    (void)err_set(&e, E_CORRUPT, "bad length");
    assert_int_equal(err_prefix(&e, "zone %s", "bl."), E_CORRUPT);
    assert_string_equal(e.text, "zone bl.: bad length");
}

static void names_every_code(void **state) {
    (void)state;
    assert_string_equal(err_name(E_OK), "ok");
    assert_string_equal(err_name(E_NOTFOUND), "notfound");
    assert_string_equal(err_name(E_REFUSED), "refused");
    assert_string_equal(err_name(E_REFUSED - 1), "unknown");
    assert_string_equal(err_name(1), "unknown");
    for (int a = E_REFUSED; a <= 0; a++)
        for (int b = E_REFUSED; b < a; b++)
            assert_string_not_equal(err_name(a), err_name(b));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_code_and_text), cmocka_unit_test(may_quote_itself), cmocka_unit_test(cuts_long_texts),
        cmocka_unit_test(translates_errno),   cmocka_unit_test(adds_context),     cmocka_unit_test(names_every_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
