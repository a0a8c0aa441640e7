/* What a kept zone costs: bytes per entry on disk, entries loaded per second, nanoseconds per look-up, and a commit of
 * 1,000 scattered changes. Usage: bench_keep [ENTRIES...] (random /32 with one value; default 1000000), in a directory
 * below TMPDIR or /tmp that is removed afterwards. One thread; pin it to a quiet CPU. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rbl/keep/keep.h"
#include "rbl/keep/view.h"
#include "resolver/base/clock.h"
#include "resolver/store/env.h"
#include "tests/bench/bench.h"

enum { LOOKS = 1000000, RUNS = 7, BATCH = 32, CHANGES = 1000, COMMITS = 11 };

/* `n` addresses, `changed` of the first replaced by others than in round 0. */
static void make(struct data *d, size_t n, uint32_t round) {
    struct value v = {.a = {127, 0, 0, 2}, .has_txt = true, .txt_size = 22, .txt = "https://x.example/ip/$"};
    uint32_t id;
    must(data_open(d), "data", NULL);
    d->dataset_count = 1;
    d->dataset[0].type = DATASET_IP4TRIE;
    must(data_value(d, &v, &id), "value", NULL);
    uint64_t saved = state;
    state = 4711;
    for (size_t i = 0; i < n; i++) {
        uint32_t a = any32();
        if (round > 0 && i % (n / (CHANGES / 2)) == 0)
            a = a * 2654435761u + round;
        must(data_add4(d, 0, a, a, id), "add", NULL);
    }
    state = saved;
    struct err err;
    must(data_settle(d, &err), "settle", &err);
}

static struct keep_result replace(struct keep *k, const struct data *d) {
    struct keep_commit c = {.source = "bench"};
    struct keep_result r;
    struct err err;
    must(keep_replace(k, d, &c, &r, &err), "replace", &err);
    return r;
}

/* The yardstick of the same run: the sorted addresses in memory with an index by /16, and nothing around them. */
static double yardstick(const struct data *d, const uint32_t *ask) {
    static uint32_t from[65537];
    double t[RUNS];
    volatile unsigned sink = 0; /* keeps the look-ups from being optimised away */
    for (size_t net = 0, i = 0; net <= 65536; net++) {
        while (i < d->n4 && d->e4[i].addr >> 16 < net)
            i++;
        from[net] = (uint32_t)i;
    }
    uint32_t *flat = malloc(d->n4 * sizeof *flat);
    if (flat == NULL)
        exit(1);
    for (size_t i = 0; i < d->n4; i++)
        flat[i] = d->e4[i].addr;
    for (unsigned run = 0; run < RUNS; run++) {
        double begun = cpu_s();
        unsigned found = 0;
        for (size_t i = 0; i < LOOKS; i++) {
            uint32_t low = from[ask[i] >> 16], n = from[(ask[i] >> 16) + 1] - low;
            while (n > 0) {
                uint32_t half = n / 2;
                bool right = flat[low + half] < ask[i];
                low = right ? low + half + 1 : low;
                n = right ? n - half - 1 : half;
            }
            found += low < d->n4 && flat[low] == ask[i];
        }
        sink += found;
        t[run] = (cpu_s() - begun) / LOOKS * 1e9;
    }
    free(flat);
    (void)sink;
    return median(t, RUNS);
}

static void looks(const char *dir, const char *zone, const struct data *d) {
    struct view *v;
    struct err err;
    uint32_t *hit = malloc(LOOKS * sizeof *hit), *miss = malloc(LOOKS * sizeof *miss);
    if (hit == NULL || miss == NULL)
        exit(1);
    for (size_t i = 0; i < LOOKS; i++) {
        hit[i] = d->e4[((uint64_t)any32() * d->n4) >> 32].addr;
        miss[i] = any32();
    }
    double begun = now_s();
    must(view_open(&v, dir, zone, &err), "view", &err);
    must(view_begin(v, 1, &err), "begin", &err);
    struct view_hit h[LIMIT_ANSWER_RRS];
    unsigned hits, found = 0;
    must(view_find4(v, VIEW_ALL, hit[0], h, &hits), "find", NULL);
    view_end(v);
    printf("  open to first answer   %8.2f ms\n", (now_s() - begun) * 1e3);
    for (unsigned kind = 0; kind < 2; kind++) {
        double t[RUNS];
        const uint32_t *ask = kind == 0 ? hit : miss;
        for (unsigned run = 0; run < RUNS; run++) {
            found = 0;
            begun = cpu_s();
            for (size_t i = 0; i < LOOKS; i++) {
                if (i % BATCH == 0)
                    must(view_begin(v, 1, &err), "begin", &err);
                must(view_find4(v, VIEW_ALL, ask[i], h, &hits), "find", NULL);
                found += hits > 0;
                if (i % BATCH == BATCH - 1)
                    view_end(v);
            }
            view_end(v);
            t[run] = (cpu_s() - begun) / LOOKS * 1e9;
        }
        double middle = median(t, RUNS);
        printf("  look-up, %s          %8.0f ns (fastest %.0f, slowest %.0f; %.1f%% found)\n",
               kind == 0 ? "hits  " : "random", middle, t[0], t[RUNS - 1], 100.0 * found / LOOKS);
        double bare = yardstick(d, ask);
        printf("    a bare array         %8.0f ns; ratio %.2f\n", bare, middle / bare);
    }
    view_close(v);
    free(hit);
    free(miss);
}

/* Names as a list of domains has them: of two labels, every tenth a wildcard; asked for with one label more. */
static void bench_names(const char *dir, size_t n) {
    char zone[32], text[64];
    struct conf_zone z = {.name = zone, .ttl_s = 60, .journal = 256 << 20, .limits = {.shrink = 1e9, .grow = 1e9}};
    struct value v = {.a = {127, 0, 0, 2}};
    struct err err;
    struct keep *k;
    struct data d;
    struct name name;
    uint32_t id;
    snprintf(zone, sizeof zone, "names%zu.example.", n);
    printf("%zu names\n", n);
    must(data_open(&d), "data", NULL);
    d.dataset_count = 1;
    d.dataset[0].type = DATASET_DNSET;
    must(data_value(&d, &v, &id), "value", NULL);
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "host-%x.%s", any32(), i % 3 == 0 ? "com" : i % 3 == 1 ? "net" : "example");
        must(name_from_text(&name, text, &err), "name", &err);
        must(data_add_name(&d, 0, &name, i % 10 == 0, id), "add", NULL);
    }
    must(data_settle(&d, &err), "settle", &err);
    must(keep_open(&k, dir, &z, &err), "open", &err);
    struct keep_result r = replace(k, &d);
    printf("  bulk load              %8.2f s wall, %.2f bytes/entry\n", (double)r.micros / 1e6,
           (double)r.bytes / (double)n);
    keep_close(k);
    data_free(&d);
    struct view *w;
    must(view_open(&w, dir, zone, &err), "view", &err);
    enum { NAMES = 100000 };
    struct name *ask = malloc(NAMES * sizeof *ask);
    if (ask == NULL)
        exit(1);
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(text, sizeof text, "www.host-%x.com", any32());
        must(name_from_text(&ask[i], text, &err), "name", &err);
    }
    double t[RUNS];
    for (unsigned run = 0; run < RUNS; run++) {
        double begun = cpu_s();
        struct view_hit h[LIMIT_ANSWER_RRS];
        unsigned hits;
        bool below;
        must(view_begin(w, 1, &err), "begin", &err);
        for (size_t i = 0; i < NAMES; i++)
            must(view_find_name(w, VIEW_ALL, &ask[i], h, &hits, &below), "find", NULL);
        view_end(w);
        t[run] = (cpu_s() - begun) / NAMES * 1e9;
    }
    printf("  look-up, not listed    %8.0f ns\n", median(t, RUNS));
    free(ask);
    view_close(w);
}

static void commits(struct keep *k, size_t n) {
    double wall[COMMITS], cpu[COMMITS], bytes[COMMITS];
    struct keep_result r = {0};
    for (uint32_t i = 0; i < COMMITS; i++) {
        struct data d;
        make(&d, n, i + 1);
        double c = cpu_s();
        r = replace(k, &d);
        cpu[i] = (cpu_s() - c) * 1e3;
        wall[i] = (double)r.micros / 1e3;
        bytes[i] = (double)r.bytes;
        data_free(&d);
    }
    printf("  difference of %llu     %8.1f ms CPU, %.1f ms wall, %.2f MB written\n",
           (unsigned long long)(r.added + r.removed), median(cpu, COMMITS), median(wall, COMMITS),
           median(bytes, COMMITS) / 1e6);
}

static void bench(const char *dir, size_t n) {
    char name[32], path[512];
    struct err err;
    struct keep *k;
    struct data d;
    struct stat st;
    snprintf(name, sizeof name, "n%zu.example.", n);
    struct conf_zone z = {.name = name, .ttl_s = 60, .journal = 256 << 20, .limits = {.shrink = 1e9, .grow = 1e9}};
    printf("%zu random /32\n", n);
    make(&d, n, 0);
    must(keep_open(&k, dir, &z, &err), "open", &err);
    double c = cpu_s();
    struct keep_result r = replace(k, &d);
    c = cpu_s() - c;
    printf("  bulk load              %8.2f s wall, %.2f s CPU, %.2f million entries/s\n", (double)r.micros / 1e6, c,
           (double)d.n4 / (double)r.micros);
    struct keep_state ks;
    keep_state(k, &ks);
    snprintf(path, sizeof path, "%s/zones/%s/%s/data.mdb", dir, name, ks.generation);
    if (stat(path, &st) == 0)
        printf("  on disk                %8.2f bytes/entry after bulk load\n", (double)st.st_size / (double)d.n4);
    double begun = now_s();
    must(keep_verify(k, &err), "verify", &err);
    printf("  verify                 %8.2f s\n", now_s() - begun);
    begun = now_s();
    r = replace(k, &d);
    printf("  nothing changed        %8.1f ms\n", (now_s() - begun) * 1e3);
    fflush(stdout);
    pid_t pid = fork(); /* LMDB: one environment, one handle per process */
    if (pid == 0) {
        looks(dir, name, &d);
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    data_free(&d);
    commits(k, n);
    struct store_stat ss;
    must(keep_stat(k, &ss, &err), "stat", &err);
    printf("  on disk                %8.2f bytes/entry after %d commits (%llu free pages)\n",
           (double)ss.used_bytes / (double)n, COMMITS, (unsigned long long)ss.free_pages);
    keep_close(k);
}

int main(int argc, char **argv) {
    char dir[256], command[300];
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/bench_keep.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 1;
    }
    for (int i = 1; i < argc; i++)
        bench(dir, strtoul(argv[i], NULL, 10));
    if (argc < 2)
        bench(dir, 1000000);
    bench_names(dir, 1000000);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) != 0;
}
