/* Changes acknowledged as durable per second, by many publishers who each wait for one before they send the next, and
 * how long one waits. Usage: bench_changes [SECONDS [ENTRIES]] (default 5 seconds into a zone of 100000 entries from a
 * file), in a directory below TMPDIR or /tmp that is removed afterwards: have it on the disk that is to be measured. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "rbl/publish/keeper.h"
#include "resolver/base/clock.h"

enum { PUBLISHERS_MAX = 1024, SAMPLES = 1 << 20 };

static struct {
    struct conf *conf;
    struct loop *loop;
    struct keeper *keeper;
    struct board *board;
    uint32_t next;
    int64_t until_ns;
    unsigned under_way;
    uint64_t done, failed, samples;
    uint32_t *took_us;
} b;

struct publisher {
    struct keep_entry entry;
    int64_t sent_ns;
};

static void must(int rc, const char *what, const struct err *err) {
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_changes: %s: %s\n", what, err != NULL ? err->text : err_name(rc));
    exit(1);
}

static int edit(void *ctx, struct keep_batch *batch, struct err *err) {
    struct publisher *p = ctx;
    return keep_batch_add(batch, &p->entry, err);
}

static void send_one(struct publisher *p);

static void acknowledged(void *ctx, struct job *j) {
    struct publisher *p = ctx;
    int64_t now = clock_ns(CLOCK_KIND_MONO);
    b.done += j->code == 0;
    b.failed += j->code != 0;
    if (b.samples < SAMPLES)
        b.took_us[b.samples++] = (uint32_t)((now - p->sent_ns) / 1000);
    b.under_way--;
    if (now < b.until_ns)
        send_one(p);
}

/* Scattered over all of 10/8, as reports of single addresses are. */
static void send_one(struct publisher *p) {
    struct job *j = job_new(JOB_CHANGE);
    must(j != NULL ? 0 : E_NOMEM, "job", NULL);
    p->entry = (struct keep_entry){.kind = KEEP_4, .bits = 32};
    p->entry.value = (struct value){.a = {127, 0, 0, 2}};
    put_u32(p->entry.addr, 0x0a000000 | (b.next++ * 2654435761U & 0xffffff));
    p->sent_ns = clock_ns(CLOCK_KIND_MONO);
    j->change = edit;
    j->change_source = "bench";
    j->done = acknowledged;
    j->ctx = p;
    must(keeper_submit(b.keeper, 0, j, NULL), "submit", NULL);
    b.under_way++;
}

static int rising(const void *x, const void *y) {
    uint32_t a = *(const uint32_t *)x, c = *(const uint32_t *)y;
    return a < c ? -1 : a > c;
}

static double took_ms(uint64_t sample) { return b.took_us[sample] / 1000.0; }

static void compacted(void *ctx, struct job *j) {
    (void)ctx;
    must(j->code, "compaction", &j->err);
    printf("%10s %.2f s, %llu entries, %llu bytes\n", "compacted:", (double)j->result.micros / 1e6,
           (unsigned long long)j->state.entries, (unsigned long long)j->result.bytes);
}

static void compact(void) {
    struct job *j = job_new(JOB_COMPACT);
    must(j != NULL ? 0 : E_NOMEM, "job", NULL);
    j->done = compacted;
    must(keeper_submit(b.keeper, 0, j, NULL), "submit", NULL);
}

static void run(unsigned publishers, double seconds) {
    static struct publisher p[PUBLISHERS_MAX];
    uint64_t groups = board_get(&b.board->zone[0].change_groups);
    b.done = b.failed = b.samples = 0;
    int64_t begun = clock_ns(CLOCK_KIND_MONO);
    b.until_ns = begun + (int64_t)(seconds * 1e9);
    for (unsigned i = 0; i < publishers; i++)
        send_one(&p[i]);
    while (b.under_way > 0)
        loop_turn(b.loop, 10);
    double took = (double)(clock_ns(CLOCK_KIND_MONO) - begun) / 1e9;
    qsort(b.took_us, b.samples, sizeof *b.took_us, rising);
    groups = board_get(&b.board->zone[0].change_groups) - groups;
    printf("%10u %12.0f %12.0f %12.2f %12.2f %12.2f %8llu\n", publishers, (double)b.done / took, (double)groups / took,
           took_ms(b.samples / 2), took_ms(b.samples * 99 / 100), took_ms(b.samples - 1), (unsigned long long)b.failed);
}

static void write_list(const char *folder, unsigned long entries) {
    char path[128];
    snprintf(path, sizeof path, "%s/list", folder);
    FILE *f = fopen(path, "w");
    must(f != NULL ? 0 : E_IO, path, NULL);
    for (unsigned long i = 0; i < entries; i++) {
        uint32_t a = 0x0b000000 + (uint32_t)i;
        fprintf(f, "%u.%u.%u.%u\n", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
    }
    must(fclose(f) == 0 ? 0 : E_IO, path, NULL);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 5;
    unsigned long entries = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
    static const unsigned publishers[] = {1, 10, 100, 1000};
    char folder[96], command[128];
    const char *tmp = getenv("TMPDIR");
    struct err err = {0};
    snprintf(folder, sizeof folder, "%.64s/bench-changes-XXXXXX", tmp != NULL ? tmp : "/tmp");
    must(mkdtemp(folder) != NULL ? 0 : E_IO, folder, NULL);
    write_list(folder, entries);
    static const char text[] = "node: { name: bench, state: state, run: . }\n"
                               "rbl:\n  zones:\n    - { name: bench.test., test: none, limits: { grow: 100000% },\n"
                               "        data: [{ type: ip4trie, files: [list] }] }\n";
    log_open("bench", LEVEL_ERROR, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    must(conf_read_text(&b.conf, text, sizeof text - 1, folder, "bench", &err), "configuration", &err);
    must(board_attach(&b.board, folder, &err), "board", &err);
    must(loop_open(&b.loop, &err), "loop", &err);
    must(keeper_open(&b.keeper, b.loop, b.conf, b.board, &err), "keeper", &err);
    b.took_us = malloc(SAMPLES * sizeof *b.took_us);
    must(b.took_us != NULL ? 0 : E_NOMEM, "samples", NULL);
    while (board_get(&b.board->zone[0].entries) < entries)
        loop_turn(b.loop, 10);
    printf("%lu entries from a file, %.3g s each\n%10s %12s %12s %12s %12s %12s %8s\n", entries, seconds, "publishers",
           "changes/s", "commits/s", "median ms", "99 % ms", "longest ms", "failed");
    for (size_t i = 0; i < ARRAY_SIZE(publishers); i++)
        run(publishers[i], seconds);
    compact(); /* and once more while the store is written anew */
    run(100, seconds);
    while (!keeper_quiet(b.keeper))
        loop_turn(b.loop, 10);
    keeper_close(b.keeper);
    loop_close(b.loop);
    board_detach(b.board);
    conf_free(b.conf);
    free(b.took_us);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : 1; /* NOLINT(cert-env33-c): the folder is its own */
}
