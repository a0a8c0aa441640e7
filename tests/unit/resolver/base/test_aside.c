/* A thread beside a loop: woken, napping, closing, left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <semaphore.h>
#include <unistd.h>

#include "resolver/base/aside.h"

enum { PATIENCE_MS = 20000 };

struct play {
    unsigned turns, ended; /* atomic */
    bool hangs;
    sem_t go;
};

static void work(struct aside *a, void *ctx) {
    struct play *p = ctx;
    while (!aside_is_closing(a)) {
        (void)__atomic_add_fetch(&p->turns, 1, __ATOMIC_ACQ_REL);
        if (p->hangs)
            (void)sem_wait(&p->go);
        aside_nap(a, 10 * PATIENCE_MS);
    }
}

static void end(void *ctx) {
    struct play *p = ctx;
    (void)__atomic_add_fetch(&p->ended, 1, __ATOMIC_ACQ_REL);
}

static void wait_for(const unsigned *count, unsigned least) {
    for (int left_ms = PATIENCE_MS; left_ms > 0 && __atomic_load_n(count, __ATOMIC_ACQUIRE) < least; left_ms--)
        usleep(1000);
    assert_true(__atomic_load_n(count, __ATOMIC_ACQUIRE) >= least);
}

static void test_woken(void **state) {
    struct play p = {.hangs = false};
    struct aside *a;
    struct err err;
    (void)state;
    assert_int_equal(aside_open(&a, work, end, &p, &err), 0);
    for (unsigned i = 1; i <= 5; i++) {
        wait_for(&p.turns, i);
        aside_wake(a); /* also when the nap has not begun yet */
    }
    wait_for(&p.turns, 6);
    aside_close(a, PATIENCE_MS);
    assert_int_equal(p.ended, 1); /* joined: what both used has been let go of */
    aside_close(NULL, 1);
}

static void test_left_behind(void **state) {
    static struct play p = {.hangs = true};
    struct aside *a;
    struct err err;
    (void)state;
    (void)sem_init(&p.go, 0, 0);
    assert_int_equal(aside_open(&a, work, end, &p, &err), 0);
    wait_for(&p.turns, 1);
    aside_close(a, 10);
    assert_int_equal(__atomic_load_n(&p.ended, __ATOMIC_ACQUIRE), 0);
    (void)sem_post(&p.go); /* it comes back when the loop has long gone, and lets go last */
    wait_for(&p.ended, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_woken), cmocka_unit_test(test_left_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
