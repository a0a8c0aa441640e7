/* Nanoseconds per look-up and store of resolver/cache, and octets a name, for sets that fit the processor's caches and
 * one that does not: the median of RUNS. Usage: bench_cache. Pin it to a quiet CPU (taskset -c 1). */
#include <stdio.h>
#include <stdlib.h>

#include "resolver/base/clock.h"
#include "resolver/cache/cache.h"
#include "resolver/dns/writer.h"

enum { RUNS = 15, GETS = 200000, NAMES_MAX = 500000 };

struct small_name { /* what a packet would bring: 32 octets, not a whole struct name */
    uint8_t size, labels;
    uint8_t wire[30];
};

static struct small_name *names;
static uint8_t msg[LIMIT_MESSAGE];

static void fail(const char *what) {
    fprintf(stderr, "bench_cache: %s\n", what);
    exit(1);
}

static struct name name_of(unsigned i) {
    struct name n = {.size = names[i].size, .labels = names[i].labels};
    memcpy(n.wire, names[i].wire, sizeof names[i].wire);
    return n;
}

static void names_make(void) {
    names = calloc(NAMES_MAX, sizeof *names);
    if (names == NULL)
        fail("no memory");
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        char text[32];
        struct name n;
        snprintf(text, sizeof text, "h%u.mail.example.", i);
        if (name_from_text(&n, text, NULL) != 0 || n.size > sizeof names[i].wire)
            fail("a name");
        names[i].size = n.size;
        names[i].labels = n.labels;
        memcpy(names[i].wire, n.wire, n.size);
    }
}

static double fill(struct cache *c, unsigned count) {
    int64_t spent = 0;
    for (unsigned i = 0; i < count; i++) {
        struct name n = name_of(i);
        struct cache_key key = {.qname = &n, .qtype = TYPE_A, .qclass = CLASS_IN};
        struct dns_writer w;
        dns_writer_open(&w, msg, sizeof msg, 0, FLAG_QR, OPCODE_QUERY);
        dns_writer_question(&w, &n, TYPE_A, CLASS_IN);
        dns_writer_a(&w, SECTION_ANSWER, &n, 86400, (const uint8_t[]){192, 0, 2, 1});
        int size = dns_writer_end(&w, FLAG_QR, RCODE_NOERROR);
        int64_t start = clock_ns(CLOCK_KIND_MONO);
        if (size < 0 || cache_put(c, &key, msg, (size_t)size) != 0)
            fail("not stored");
        spent += clock_ns(CLOCK_KIND_MONO) - start;
    }
    return (double)spent / count;
}

static double get(struct cache *c, unsigned count, unsigned *hits) {
    uint32_t x = 1;
    int64_t start = clock_ns(CLOCK_KIND_MONO);
    cache_tick(c);
    for (unsigned i = 0; i < GETS; i++) {
        struct cache_hit hit;
        x = x * 1664525 + 1013904223;
        struct name n = name_of((uint32_t)((uint64_t)x * count >> 32));
        struct cache_key key = {.qname = &n, .qtype = TYPE_A, .qclass = CLASS_IN};
        *hits += cache_get(c, &key, msg, LIMIT_UDP_QUERY, &hit) == 0;
    }
    return (double)(clock_ns(CLOCK_KIND_MONO) - start) / GETS;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(void) {
    static const unsigned sets[] = {100, 1000, 10000, 100000, NAMES_MAX};
    names_make();
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        struct cache *c;
        struct cache_config config = {.size = 64 << 20, .max_ttl_s = 86400, .max_negative_ttl_s = 3600};
        double runs[RUNS];
        unsigned hits = 0;
        if (cache_open(&c, &config, NULL) != 0)
            fail("no cache");
        double put = fill(c, sets[i]);
        for (unsigned k = 0; k < RUNS; k++)
            runs[k] = get(c, sets[i], &hits);
        qsort(runs, RUNS, sizeof runs[0], ascending);
        printf("%7u names: get %5.0f ns (fastest run %5.0f), %5.1f %% hits; put %5.0f ns", sets[i], runs[RUNS / 2],
               runs[0], 100.0 * hits / ((double)RUNS * GETS), put);
        if (hits < RUNS * GETS)
            printf("; %.0f octets a name", (double)config.size / (double)cache_count(c));
        printf("\n");
        cache_close(c);
    }
    return 0;
}
