#include "tests/unit/rbl/load/loaded.h"

#include <stdlib.h>

#include "resolver/base/clock.h"

struct data *d;
struct load_report report;
struct err err;

static int64_t frozen(enum clock_kind kind) {
    (void)kind;
    return 1800000000 * NS_PER_S; /* 2027-01-15 */
}

int setup(void **state) {
    (void)state;
    d = calloc(1, sizeof *d);
    assert_int_equal(data_open(d), 0);
    memset(&report, 0, sizeof report);
    clock_set_source(frozen);
    return 0;
}

int teardown(void **state) {
    (void)state;
    data_free(d);
    free(d);
    clock_set_source(NULL);
    return 0;
}

void again(void) {
    void *none = NULL;
    teardown(&none);
    setup(&none);
}

int load_more(enum conf_dataset_type type, const char *text) {
    return load_text(d, type, text, strlen(text), "made", &report, &err);
}

void load(enum conf_dataset_type type, const char *text) {
    assert_int_equal(load_more(type, text), 0);
    assert_int_equal(data_settle(d, &err), 0);
}
