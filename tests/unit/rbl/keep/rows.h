/* Shared by the tests of keeping: zones that are rows of addresses. */
#ifndef TEST_KEEP_ROWS_H
#define TEST_KEEP_ROWS_H

#include "rbl/keep/work.h"
#include "tests/unit/rbl/keep/zone.h"

static UNUSED struct keep_state state_of(const struct keep *k) {
    struct keep_state st;
    keep_state(k, &st);
    return st;
}

/* `n` addresses with one value, the first at 10.0.0.0 + from. */
static UNUSED void row(struct data *d, uint32_t from, uint32_t n, uint32_t step) {
    data_new(d, 1, DATASET_IP4TRIE);
    uint32_t v = value_of(d, 2, "listed $");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t a = 0x0a000000 + (from + i) * step;
        assert_int_equal(data_add4(d, 0, a, a, v), 0);
    }
    settle(d);
}

static UNUSED int replace_row(struct keep *k, uint32_t from, uint32_t n, uint32_t step, const struct keep_commit *c,
                              struct keep_result *r, struct err *err) {
    struct data d;
    row(&d, from, n, step);
    int rc = keep_replace(k, &d, c, r, err);
    struct keep_state st = state_of(k);
    if (rc == 0 && !c->dry_run) {
        struct digest sum = digest_of_data(&d);
        assert_memory_equal(&sum, &st.digest, sizeof sum);
        assert_int_equal(st.entries, n);
    }
    data_free(&d);
    return rc;
}

#endif
