/* Octets between one writer and its readers: in memory, in a file, and in memory again when the file takes no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "rbl/primary/spool.h"

enum { PIECE = 10007 };

static char folder[] = "/tmp/candor-spool-XXXXXX";

static int make_folder(void **ctx) {
    (void)ctx;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **ctx) {
    (void)ctx;
    return rmdir(folder); /* nothing in it has a name */
}

static uint8_t octet(uint64_t at) { return (uint8_t)(at * 131 + (at >> 16)); }

static int add(struct spool *s, uint64_t at, size_t size, struct err *err) {
    static uint8_t piece[PIECE];
    for (size_t i = 0; i < size; i++)
        piece[i] = octet(at + i);
    return spool_add(s, piece, size, err);
}

static void reads(const struct spool *s, uint64_t at, size_t size) {
    uint8_t *to = malloc(size + 1);
    assert_non_null(to);
    assert_int_equal(spool_read(s, at, to, size), 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(to[i], octet(at + i));
    free(to);
}

static void memory_then_file(void **ctx) {
    (void)ctx;
    struct spool s;
    uint64_t at = 0;
    bool whole;
    assert_int_equal(spool_open(&s, folder, NULL), 0);
    assert_int_equal(spool_size(&s, &whole), 0);
    assert_false(whole);
    for (; at < 4 * SPOOL_MEMORY; at += PIECE)
        assert_int_equal(add(&s, at, PIECE, NULL), 0);
    assert_int_equal(spool_size(&s, &whole), at);
    assert_true(s.file >= 0 && s.spare < 0);
    reads(&s, 0, 100);
    reads(&s, SPOOL_MEMORY - 10, 20);
    reads(&s, SPOOL_MEMORY, 1);
    reads(&s, 0, (size_t)at);
    uint8_t one;
    assert_int_equal(spool_read(&s, at, &one, 1), E_IO);
    spool_end(&s);
    assert_int_equal(spool_size(&s, &whole), at);
    assert_true(whole);
    spool_close(&s);
}

/* No file is to be had: what follows goes to memory, as far as that goes; nothing that was there is lost. */
static void full_disk(void **ctx) {
    (void)ctx;
    struct spool s;
    struct err err;
    uint64_t at = 0;
    bool whole;
    int rc = 0;
    assert_int_equal(spool_open(&s, "/nonexistent", NULL), 0);
    for (; at < 3 * SPOOL_MEMORY; at += PIECE)
        assert_int_equal(add(&s, at, PIECE, NULL), 0);
    assert_true(s.file < 0 && s.spare >= 0);
    reads(&s, 0, (size_t)at);
    while ((rc = add(&s, at, PIECE, &err)) == 0)
        at += PIECE;
    assert_int_equal(rc, E_FULL);
    assert_true(at > SPOOL_SPARE && at <= SPOOL_SPARE + SPOOL_MEMORY + PIECE);
    assert_non_null(strstr(err.text, "no room"));
    assert_int_equal(spool_size(&s, &whole), at); /* the piece that did not fit is not there at all */
    reads(&s, at - PIECE, PIECE);
    spool_close(&s);
}

static struct spool shared;

static void *reader(void *ctx) {
    uint64_t at = 0;
    bool whole = false;
    (void)ctx;
    for (;;) {
        uint64_t there = spool_size(&shared, &whole);
        if (at == there && whole)
            return NULL;
        if (at < there) {
            size_t size = there - at < 5000 ? (size_t)(there - at) : 5000;
            reads(&shared, at, size);
            at += size;
        }
    }
}

static void readers_behind_the_writer(void **ctx) {
    (void)ctx;
    pthread_t thread[3];
    assert_int_equal(spool_open(&shared, folder, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, reader, NULL), 0);
    for (uint64_t at = 0; at < 8 * SPOOL_MEMORY; at += PIECE)
        assert_int_equal(add(&shared, at, PIECE, NULL), 0);
    spool_end(&shared);
    for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    spool_close(&shared);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_then_file),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(readers_behind_the_writer),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
