/* Shared by the tests of rbl/keep: a directory, a zone's configuration, data from short texts or at random. */
#ifndef TEST_KEEP_ZONE_H
#define TEST_KEEP_ZONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rbl/keep/keep.h"
#include "rbl/keep/value.h"
#include "rbl/keep/view.h"

#define UNUSED __attribute__((unused))

static char state_dir[64];

static UNUSED int make_state(void **state) {
    (void)state;
    log_open("test", LEVEL_ERROR, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    strcpy(state_dir, "/tmp/test_keep.XXXXXX");
    return mkdtemp(state_dir) == NULL;
}

static UNUSED int drop_state(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", state_dir);
    return system(command);
}

/* A zone of its own for every call. */
static UNUSED struct conf_zone zone_new(void) {
    static char names[1024][24];
    static unsigned n;
    assert_true(n < ARRAY_SIZE(names));
    snprintf(names[n], sizeof names[n], "z%u.example.", n);
    struct conf_zone z = {.name = names[n++], .ttl_s = 2100, .journal = 256 << 20};
    z.soa.minimum_s = 300;
    z.limits.shrink = 1e9;
    z.limits.grow = 1e9;
    return z;
}

static UNUSED struct keep *keep_of(const struct conf_zone *z) {
    struct keep *k = NULL;
    struct err err = {0};
    if (keep_open(&k, state_dir, z, &err) != 0)
        fail_msg("keep_open: %s", err.text);
    return k;
}

static UNUSED struct view *view_of(const struct conf_zone *z) {
    struct view *v = NULL;
    struct err err = {0};
    if (view_open(&v, state_dir, z->name, &err) != 0)
        fail_msg("view_open: %s", err.text);
    return v;
}

static UNUSED uint32_t value_of(struct data *d, unsigned last, const char *txt) {
    struct value v = {.a = {127, 0, 0, (uint8_t)last}, .has_txt = txt != NULL};
    uint32_t id;
    if (txt != NULL) {
        v.txt_size = (uint8_t)strlen(txt);
        memcpy(v.txt, txt, v.txt_size);
    }
    assert_int_equal(data_value(d, &v, &id), 0);
    return id;
}

static UNUSED void data_new(struct data *d, unsigned count, ...) {
    va_list args;
    assert_int_equal(data_open(d), 0);
    d->dataset_count = count;
    va_start(args, count);
    for (unsigned i = 0; i < count; i++)
        d->dataset[i].type = (enum conf_dataset_type)va_arg(args, int);
    va_end(args);
}

/* "10.0.0.0/8", "2001:db8::/32", "example.com", "*.example.com", each with "!" in front to exclude. */
static UNUSED void add(struct data *d, unsigned dataset, const char *entry, uint32_t value) {
    char text[300];
    struct name n;
    uint8_t addr[16];
    bool excluded = entry[0] == '!';
    text_copy(text, sizeof text, entry + excluded);
    if (excluded)
        value = VALUE_EXCLUDED;
    char *slash = strchr(text, '/');
    if (slash != NULL)
        *slash = '\0';
    if (inet_pton(AF_INET, text, addr) == 1) {
        unsigned bits = slash != NULL ? (unsigned)atoi(slash + 1) : 32;
        uint32_t first = get_u32(addr), last = bits == 0 ? UINT32_MAX : first | (uint32_t)((1ULL << (32 - bits)) - 1);
        assert_int_equal(data_add4(d, dataset, first, last, value), 0);
    } else if (inet_pton(AF_INET6, text, addr) == 1) {
        assert_int_equal(data_add6(d, dataset, addr, slash != NULL ? (unsigned)atoi(slash + 1) : 128, value), 0);
    } else {
        bool wildcard = strncmp(text, "*.", 2) == 0;
        assert_int_equal(name_from_text(&n, wildcard && text[2] == '\0' ? "." : text + 2 * wildcard, NULL), 0);
        assert_int_equal(data_add_name(d, dataset, &n, wildcard, value), 0);
    }
}

static UNUSED void settle(struct data *d) {
    struct err err = {0};
    if (data_settle(d, &err) != 0)
        fail_msg("settle: %s", err.text);
}

static UNUSED struct keep_result commit(struct keep *k, const struct data *d) {
    struct keep_commit c = {.source = "test"};
    struct keep_result r;
    struct err err = {0};
    if (keep_replace(k, d, &c, &r, &err) != 0)
        fail_msg("keep_replace: %s", err.text);
    return r;
}

static UNUSED void verified(struct keep *k) {
    struct err err = {0};
    if (keep_verify(k, &err) != 0)
        fail_msg("keep_verify: %s", err.text);
}

/* The digest that a zone with these contents must have. */
static UNUSED struct digest digest_of_data(const struct data *d) {
    struct digest sum = {0, 0};
    for (size_t i = 0; i < d->n4; i++)
        digest_plus(&sum, digest_entry4(d, &d->e4[i]));
    for (size_t i = 0; i < d->n6; i++)
        digest_plus(&sum, digest_entry6(d, &d->e6[i]));
    for (size_t i = 0; i < d->nn; i++)
        digest_plus(&sum, digest_entry_name(d, &d->en[i]));
    return sum;
}

static uint64_t random_state = 88172645463325252ULL;
static UNUSED uint32_t any(uint32_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return below == 0 ? (uint32_t)(random_state >> 16) : (uint32_t)(random_state >> 20) % below;
}

#endif
