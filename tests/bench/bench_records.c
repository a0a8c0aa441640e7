/* A zone as RRs and RRs as a zone: how many a second, and in how much memory.
 * Usage: bench_records [addresses]   in a folder of its own below TMPDIR. One line of JSON a row. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "rbl/keep/walk.h"
#include "rbl/records/records.h"
#include "resolver/dns/const.h"

static char folder[64];
static struct conf_zone zone = {.name = "bench.example.", .ttl_s = 2100, .journal = 64 << 20};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int rc, const struct err *err) {
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_records: %s\n", err->text);
    exit(2);
}

static long resident_kib(void) {
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    if (f != NULL)
        (void)fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void row(const char *what, const char *shape, uint64_t rrs, double seconds, long kib) {
    printf("{\"what\":\"%s\",\"zone\":\"%s\",\"rrs\":%llu,\"seconds\":%.3f,\"rrs_a_second\":%.0f,\"kib\":%ld}\n", what,
           shape, (unsigned long long)rrs, seconds, (double)rrs / seconds, kib);
    (void)fflush(stdout);
}

/* Addresses all over, one value; every hundredth entry a network when there are `networks`. */
static void fill(struct keep *k, unsigned addresses, bool networks) {
    struct data d;
    struct value v = {.kind = VALUE_LISTED, .a = {127, 0, 0, 2}, .has_txt = true, .txt_size = 30};
    struct keep_commit c = {.source = "bench", .force = true};
    struct keep_result r;
    struct err err;
    uint32_t id, a = 0;
    memcpy(v.txt, "https://list.example/query?ip=", 30);
    v.txt[v.txt_size++] = '$';
    must(data_open(&d), &err);
    d.dataset_count = 1;
    d.dataset[0].type = DATASET_IP4TRIE;
    must(data_value(&d, &v, &id), &err);
    for (unsigned i = 0; i < addresses; i++) {
        a = a * 1664525u + 1013904223u;
        uint32_t at = 0x0b000000u + (uint32_t)((uint64_t)a * 0xd0000000u >> 32);
        uint32_t host = networks && i % 100 == 0 ? 0xfff : 0;
        must(data_add4(&d, 0, at & ~host, at | host, id), &err);
    }
    must(data_settle(&d, &err), &err);
    must(keep_replace(k, &d, &c, &r, &err), &err);
    data_free(&d);
}

struct copy {
    uint8_t *at;
    size_t size, cap;
    uint64_t rrs;
};

static uint64_t walk(struct keep *k, struct copy *to) {
    struct records_walk *w;
    struct records_rr rr;
    struct err err;
    uint64_t rrs = 0;
    int rc;
    must(records_walk_open(&w, k, &err), &err);
    while ((rc = records_walk_next(w, &rr, &err)) > 0) {
        rrs++;
        if (to == NULL)
            continue;
        size_t size = 1u + rr.owner.size + 1 + 2 + 4 + 2 + rr.rdata.size;
        if (to->cap - to->size < size && (to->at = realloc(to->at, to->cap = 2 * to->cap + (1 << 20))) == NULL)
            exit(2);
        uint8_t *p = to->at + to->size;
        *p++ = rr.owner.size;
        *p++ = rr.owner.labels;
        memcpy(p, rr.owner.wire, rr.owner.size);
        p += rr.owner.size;
        put_u16(p, rr.type);
        put_u32(p + 2, rr.ttl);
        put_u16(p + 6, (uint16_t)rr.rdata.size);
        memcpy(p + 8, rr.rdata.at, rr.rdata.size);
        to->size += size;
        to->rrs++;
    }
    must(rc, &err);
    records_walk_close(w);
    return rrs;
}

static void take_in(const struct copy *from, const char *shape) {
    static uint8_t soa[22];
    struct records_in *in;
    struct records_rr rr = {.type = TYPE_SOA, .ttl = 300, .rdata = {soa, sizeof soa}};
    struct data *d;
    struct err err;
    long before = resident_kib();
    double begun = now_s();
    must(name_from_text(&rr.owner, zone.name, &err), &err);
    must(records_in_open(&in, &zone, &err), &err);
    must(records_in_add(in, &rr, &err), &err);
    for (size_t at = 0; at < from->size;) {
        const uint8_t *p = from->at + at;
        rr.owner.size = p[0];
        rr.owner.labels = p[1];
        memcpy(rr.owner.wire, p + 2, p[0]);
        p += 2 + p[0];
        rr.type = get_u16(p);
        rr.ttl = get_u32(p + 2);
        rr.rdata = (struct bytes){p + 8, get_u16(p + 6)};
        must(records_in_add(in, &rr, &err), &err);
        at = (size_t)(p + 8 - from->at) + rr.rdata.size;
    }
    must(records_in_data(in, &d, &err), &err);
    row("in", shape, from->rrs, now_s() - begun, resident_kib() - before);
    printf("{\"what\":\"entries\",\"zone\":\"%s\",\"entries\":%llu}\n", shape, (unsigned long long)data_entries(d));
    records_in_close(in);
}

static void both_ways(unsigned addresses, bool networks) {
    const char *shape = networks ? "addresses and /20" : "addresses";
    struct copy copy = {.at = NULL};
    struct keep *k, *reading;
    struct err err;
    (void)snprintf(folder, sizeof folder, "/tmp/bench_records.XXXXXX");
    if (mkdtemp(folder) == NULL)
        exit(2);
    must(keep_open(&k, folder, &zone, &err), &err);
    fill(k, addresses, networks);
    keep_close(k);
    must(keep_open_reading(&reading, folder, &zone, &err), &err);
    long before = resident_kib();
    double begun = now_s();
    uint64_t rrs = walk(reading, NULL);
    row("out", shape, rrs, now_s() - begun, resident_kib() - before);
    (void)walk(reading, &copy);
    keep_close(reading);
    take_in(&copy, shape);
    free(copy.at);
    char command[96];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        exit(2);
}

int main(int argc, char **argv) {
    unsigned addresses = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    zone.soa.minimum_s = 300;
    zone.limits.shrink = zone.limits.grow = 1e9;
    both_ways(addresses, false);
    both_ways(addresses / 10, true);
    return 0;
}
