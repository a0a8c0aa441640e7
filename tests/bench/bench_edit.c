/* What changes cost a kept zone. Usage: bench_edit [edits|files|local] [ENTRIES], in a directory below TMPDIR or /tmp
 * that is removed afterwards. One thread; pin it to a quiet CPU.
 *
 *   edits   a zone from files, changed by hand: one edit, 1,000 scattered ones, and groups as fast as the disk takes
 * them files   a month of new files, 4 % of the entries others every day: bytes on disk local   the same by hand, of a
 * zone that has no files, 1,000 edits a commit; then compacted */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rbl/keep/edit.h"
#include "resolver/base/clock.h"
#include "resolver/store/env.h"
#include "tests/bench/bench.h"

enum {
    SCATTERED = 1000,
    COMMITS = 21,
    GROUP = 512,
    GROUP_SECONDS = 3,
    DAYS = 30,
    CHURN = 25 /* one in so many a day */
};

static struct value the_value(void) {
    return (struct value){.a = {127, 0, 0, 2}, .has_txt = true, .txt_size = 22, .txt = "https://x.example/ip/$"};
}

static void fill(struct data *d, const uint32_t *a, size_t n) {
    struct value v = the_value();
    struct err err;
    uint32_t id;
    must(data_open(d), "data", NULL);
    d->dataset_count = 1;
    d->dataset[0].type = DATASET_IP4TRIE;
    must(data_value(d, &v, &id), "value", NULL);
    for (size_t i = 0; i < n; i++)
        must(data_add4(d, 0, a[i], a[i], id), "add", NULL);
    must(data_settle(d, &err), "settle", &err);
}

static struct keep_result replace(struct keep *k, const uint32_t *a, size_t n) {
    struct keep_commit c = {.source = "bench"};
    struct keep_result r;
    struct err err;
    struct data d;
    fill(&d, a, n);
    must(keep_replace(k, &d, &c, &r, &err), "replace", &err);
    data_free(&d);
    return r;
}

static void edit(struct keep_batch *b, uint32_t addr, bool remove) {
    struct keep_entry e;
    struct err err;
    memset(&e, 0, sizeof e);
    e.kind = KEEP_4;
    e.bits = 32;
    put_u32(e.addr, addr);
    e.value = the_value();
    must(remove ? keep_batch_remove(b, &e, true, &err) : keep_batch_add(b, &e, &err), "edit", &err);
}

static struct keep_result commit(struct keep_batch *b) {
    struct keep_commit c = {.source = "bench"};
    struct keep_result r;
    struct err err;
    must(keep_batch_commit(b, &c, &r, &err), "commit", &err);
    return r;
}

static struct keep_batch *batch(struct keep *k) {
    struct keep_batch *b;
    struct err err;
    must(keep_batch_open(&b, k, &err), "batch", &err);
    keep_batch_source(b, "update key.example.");
    return b;
}

static double file_bytes(struct keep *k) {
    struct store_stat st;
    struct err err;
    must(keep_stat(k, &st, &err), "stat", &err);
    return (double)st.used_bytes;
}

/* `count` edits of which half take entries of the files away. */
static void commits(struct keep *k, const uint32_t *a, size_t n, unsigned count) {
    double cpu[COMMITS], wall[COMMITS], bytes[COMMITS];
    for (unsigned i = 0; i < COMMITS; i++) {
        double begun = now_s(), used = cpu_s();
        struct keep_batch *b = batch(k);
        for (unsigned e = 0; e < count; e++)
            edit(b, e % 2 ? a[any32() % n] : any32(), e % 2);
        bytes[i] = (double)commit(b).bytes;
        keep_batch_close(b);
        cpu[i] = (cpu_s() - used) * 1e3;
        wall[i] = (now_s() - begun) * 1e3;
    }
    double c = median(cpu, COMMITS), w = median(wall, COMMITS), by = median(bytes, COMMITS);
    printf("%u scattered edits: %.2f ms CPU, %.2f ms with the disk, %.0f octets written (medians of %d)\n", count, c, w,
           by, COMMITS);
}

static void edits(struct keep *k, const uint32_t *a, size_t n) {
    struct keep_result r = replace(k, a, n);
    printf("%zu entries from files, %.2f octets each\n", n, (double)r.bytes / (double)n);
    commits(k, a, n, 1);
    commits(k, a, n, SCATTERED);
    double begun = now_s(), used = cpu_s();
    unsigned long done = 0;
    while (now_s() - begun < GROUP_SECONDS) {
        struct keep_batch *b = batch(k);
        for (unsigned e = 0; e < GROUP; e++)
            edit(b, e % 2 ? a[any32() % n] : any32(), e % 2);
        commit(b);
        keep_batch_close(b);
        done += GROUP;
    }
    printf("groups of %d: %.0f edits/s durable, %.1f us CPU each\n", GROUP, (double)done / (now_s() - begun),
           (cpu_s() - used) / (double)done * 1e6);
}

static void by_files(struct keep *k, uint32_t *a, size_t n) {
    double worst = 0, took = 0;
    printf("first: %.2f octets each\n", (double)replace(k, a, n).bytes / (double)n);
    for (unsigned day = 0; day < DAYS; day++) {
        for (size_t i = 0; i < n / CHURN; i++)
            a[any32() % n] = any32();
        struct keep_result r = replace(k, a, n);
        double each = file_bytes(k) / (double)n;
        took += (double)r.micros / 1e6;
        worst = each > worst ? each : worst;
        printf("day %u: +%llu -%llu %s, %.2f octets each, %.2f s\n", day + 1, (unsigned long long)r.added,
               (unsigned long long)r.removed, r.bulk ? "new generation" : "in place", each, (double)r.micros / 1e6);
    }
    printf("a month of files: %.2f octets each at the end, %.2f at worst, %.2f s a day\n", file_bytes(k) / (double)n,
           worst, took / DAYS);
}

static void by_hand(struct keep *k, uint32_t *a, size_t n) {
    struct keep_result r;
    struct err err;
    double begun = now_s();
    for (size_t i = 0; i < n;) {
        struct keep_batch *b = batch(k);
        for (unsigned e = 0; e < KEEP_BATCH_EDITS / 2 && i < n; e++, i++)
            edit(b, a[i], false);
        commit(b);
        keep_batch_close(b);
    }
    printf("%zu entries by hand in %.1f s, %.2f octets each\n", n, now_s() - begun, file_bytes(k) / (double)n);
    if (keep_wants_compaction(k))
        must(keep_compact(k, &r, &err), "compact", &err);
    printf("compacted when it wants to be: %.2f octets each\n", file_bytes(k) / (double)n);
    for (unsigned day = 0; day < DAYS; day++) {
        double used = cpu_s();
        for (size_t i = 0; i < n / CHURN;) {
            struct keep_batch *b = batch(k);
            for (unsigned e = 0; e < SCATTERED / 2; e++, i++) {
                size_t at = any32() % n;
                edit(b, a[at], true);
                a[at] = any32();
                edit(b, a[at], false);
            }
            commit(b);
            keep_batch_close(b);
        }
        if (day % 5 == 4 || day == 0)
            printf("day %u: %.2f octets each, %.2f s CPU\n", day + 1, file_bytes(k) / (double)n, cpu_s() - used);
    }
    must(keep_compact(k, &r, &err), "compact", &err);
    printf("compacted: %.2f octets each, %.2f s\n", file_bytes(k) / (double)n, (double)r.micros / 1e6);
}

int main(int argc, char **argv) {
    char dir[256], command[300];
    const char *tmp = getenv("TMPDIR"), *what = argc > 1 ? argv[1] : "edits";
    size_t n = argc > 2 ? (size_t)strtoull(argv[2], NULL, 10) : 1000000;
    struct conf_zone z = {.name = "bench.example.", .ttl_s = 2100, .journal = 256 << 20};
    struct keep *k;
    struct err err;
    z.limits.shrink = z.limits.grow = 1e9;
    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(dir, sizeof dir, "%s/bench_edit.XXXXXX", tmp != NULL ? tmp : "/tmp");
    uint32_t *a = calloc(n + 1, sizeof *a);
    if (a == NULL || n == 0 || mkdtemp(dir) == NULL)
        return 1;
    for (size_t i = 0; i < n; i++)
        a[i] = any32();
    must(keep_open(&k, dir, &z, &err), "open", &err);
    if (strcmp(what, "files") == 0)
        by_files(k, a, n);
    else if (strcmp(what, "local") == 0)
        by_hand(k, a, n);
    else
        edits(k, a, n);
    keep_close(k);
    free(a);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) == 0 ? 0 : 1;
}
