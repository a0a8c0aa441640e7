/* What a zone costs on its way to another node. Usage: bench_stream [ENTRIES...] (random /32 with one value; default
 * 1000000 and 10000000), in a directory below TMPDIR or /tmp that is removed afterwards. CPU time; one thread.
 *
 *   snapshot    out and in, octets before and after zstd -1 and -3
 *   a day       4 % of the entries others, out and in
 *   one change  out and in, beside a commit by hand */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "rbl/keep/edit.h"
#include "rbl/keep/stream.h"
#include "tests/bench/bench.h"

enum { PIECE = 32 << 10, ONES = 21, CHURN = 50 /* one in so many goes, and as many come */ };

struct told {
    uint8_t *at;
    size_t size, cap;
};

static struct keep *keep_of(const char *dir, const struct conf_zone *z) {
    struct keep *k;
    struct err err;
    must(keep_open(&k, dir, z, &err), "open", &err);
    return k;
}

static void replace(struct keep *k, size_t n, unsigned day) {
    struct value v = {.a = {127, 0, 0, 2}, .has_txt = true, .txt_size = 22, .txt = "https://x.example/ip/$"};
    struct keep_commit c = {.source = "bench"};
    struct keep_result r;
    struct err err;
    struct data d;
    uint32_t id;
    must(data_open(&d), "data", NULL);
    d.dataset_count = 1;
    d.dataset[0].type = DATASET_IP4TRIE;
    must(data_value(&d, &v, &id), "value", NULL);
    state = 4711;
    for (size_t i = 0; i < n; i++) {
        uint32_t a = any32();
        if (day > 0 && i % CHURN == day)
            a = a * 2654435761u + day;
        must(data_add4(&d, 0, a, a, id), "add", NULL);
    }
    must(data_settle(&d, &err), "settle", &err);
    must(keep_replace(k, &d, &c, &r, &err), "replace", &err);
    data_free(&d);
}

/* The stream from what `other` has; all of it when that is nothing. Returns CPU seconds. */
static double out(struct keep *k, const struct keep_state *other, struct told *t) {
    struct stream_out *o;
    struct stream_head h;
    struct keep *r;
    struct err err;
    size_t n;
    double used = cpu_s();
    must(keep_share(k, &r, &err), "share", &err);
    must(other == NULL ? stream_out_snapshot(&o, r, &h, &err)
                       : stream_out_open(&o, r, other->serial, &other->digest, &h, &err),
         "stream", &err);
    t->size = 0;
    do {
        if (t->cap - t->size < PIECE) {
            t->cap = t->cap * 2 + PIECE;
            t->at = realloc(t->at, t->cap);
            if (t->at == NULL)
                exit(1);
        }
        must(stream_out_read(o, t->at + t->size, PIECE, &n, &err), "read", &err);
        t->size += n;
    } while (n > 0);
    stream_out_close(o);
    keep_close(r);
    return cpu_s() - used;
}

static double in(struct keep *k, const struct told *t) {
    struct keep_commit c = {.source = "transfer"};
    struct keep_result r;
    struct stream_in *s;
    struct err err;
    double used = cpu_s();
    must(stream_in_open(&s, k, &err), "open", &err);
    for (size_t at = 0; at < t->size; at += PIECE)
        must(stream_in_write(s, (struct bytes){t->at + at, t->size - at < PIECE ? t->size - at : PIECE}, &err), "write",
             &err);
    must(stream_in_commit(s, &c, &r, &err), "commit", &err);
    stream_in_close(s);
    return cpu_s() - used;
}

/* As the sync port compresses it: one stream, flushed with every part. */
static void compressed(const struct told *t, int level) {
    size_t cap = ZSTD_compressBound(t->size) + t->size / 64, size = 0;
    uint8_t *to = malloc(cap);
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_outBuffer o = {to, cap, 0};
    double used = cpu_s();
    if (to == NULL || z == NULL)
        exit(1);
    (void)ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, level);
    for (size_t at = 0; at < t->size; at += 4 * PIECE) {
        size_t n = t->size - at < 4 * PIECE ? t->size - at : 4 * PIECE;
        ZSTD_inBuffer i = {t->at + at, n, 0};
        (void)ZSTD_compressStream2(z, &o, &i, at + n == t->size ? ZSTD_e_end : ZSTD_e_flush);
    }
    size = o.pos;
    printf(", zstd -%d %.3f MB in %.3f s", level, (double)size / 1e6, cpu_s() - used);
    ZSTD_freeCCtx(z);
    free(to);
}

static void told(const char *what, size_t n, double o, const struct told *t, double i) {
    printf("%-10s %9zu entries: out %.3f s, in %.3f s, %.3f MB", what, n, o, i, (double)t->size / 1e6);
    compressed(t, 1);
    compressed(t, 3);
    printf("\n");
    fflush(stdout);
}

static void one_change(struct keep *a, struct keep *b, struct told *t) {
    double by_hand[ONES], o[ONES], i[ONES];
    for (unsigned n = 0; n < ONES; n++) {
        struct keep_entry e = {.kind = KEEP_4, .bits = 32, .value = {.a = {127, 0, 0, 3}}};
        struct keep_commit c = {.source = "add"};
        struct keep_batch *batch;
        struct keep_result r;
        struct keep_state st;
        struct err err;
        put_u32(e.addr, any32());
        keep_state(b, &st);
        double used = cpu_s();
        must(keep_batch_open(&batch, a, &err), "batch", &err);
        must(keep_batch_add(batch, &e, &err), "add", &err);
        must(keep_batch_commit(batch, &c, &r, &err), "commit", &err);
        keep_batch_close(batch);
        by_hand[n] = cpu_s() - used;
        o[n] = out(a, &st, t);
        i[n] = in(b, t);
    }
    printf("one change: by hand %.0f us, out %.0f us, in %.0f us, %zu octets\n", 1e6 * median(by_hand, ONES),
           1e6 * median(o, ONES), 1e6 * median(i, ONES), t->size);
}

static void run(const char *dir, size_t n) {
    struct conf_zone za = {.name = "a.example.", .ttl_s = 2100, .journal = 256 << 20};
    za.limits.shrink = za.limits.grow = 1e9;
    struct conf_zone zb = za;
    zb.name = "b.example.";
    struct keep *a = keep_of(dir, &za), *b = keep_of(dir, &zb);
    struct told t = {0};
    struct keep_state st;
    replace(a, n, 0);
    double o = out(a, NULL, &t);
    told("snapshot", n, o, &t, in(b, &t));
    keep_state(b, &st);
    replace(a, n, 1);
    o = out(a, &st, &t);
    told("a day", n, o, &t, in(b, &t));
    one_change(a, b, &t);
    keep_close(a);
    keep_close(b);
    free(t.at);
}

int main(int argc, char **argv) {
    const char *tmp = getenv("TMPDIR");
    char dir[256], command[300];
    for (int i = 1; i < (argc > 1 ? argc : 3); i++) {
        snprintf(dir, sizeof dir, "%s/bench_stream.XXXXXX", tmp != NULL ? tmp : "/tmp");
        if (mkdtemp(dir) == NULL)
            return 1;
        run(dir, argc > 1 ? strtoul(argv[i], NULL, 10) : i == 1 ? 1000000 : 10000000);
        snprintf(command, sizeof command, "rm -rf '%s'", dir);
        if (system(command) != 0)
            return 1;
    }
    return 0;
}
