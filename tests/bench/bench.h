/* Shared by the benchmarks of rbl/keep. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "resolver/base/clock.h"
#include "resolver/base/err.h"

#define UNUSED __attribute__((unused))

static uint64_t state = 88172645463325252ULL;

static UNUSED uint32_t any32(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static UNUSED void must(int rc, const char *what, const struct err *err) {
    if (rc >= 0)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, err != NULL ? err->text : err_name(rc));
    exit(1);
}

static UNUSED double now_s(void) { return (double)clock_ns(CLOCK_KIND_MONO) / 1e9; }

static UNUSED double cpu_s(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static UNUSED int rising(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static UNUSED double median(double *t, unsigned n) {
    qsort(t, n, sizeof *t, rising);
    return t[n / 2];
}

#endif
