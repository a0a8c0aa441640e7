/* Nanoseconds per question answered by rbl/answer over a kept zone: the median of RUNS runs over all questions, and the
 * fastest. Usage: bench_answer [ENTRIES [BATCH]]. One process, one thread; pin it to a quiet CPU (taskset -c 1). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rbl/answer.h"
#include "rbl/keep/keep.h"

enum { RUNS = 15, QUESTIONS = 200000 };

static struct dns_query *question;
static uint8_t out[1232];
static volatile uint64_t sink;

static uint64_t seed = 88172645463325252u;
static uint64_t any(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void must(int rc, const char *what, const struct err *err) {
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_answer: %s: %s\n", what, err != NULL ? err->text : "failed");
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint32_t *commit(const struct conf *conf, size_t entries) {
    struct data *d = calloc(1, sizeof *d);
    uint32_t *addr = calloc(entries, sizeof *addr), id;
    struct value v = {.a = {127, 0, 0, 2}};
    struct keep_commit how = {.source = "bench", .force = true};
    struct keep_result result;
    struct keep *k;
    struct err err;
    must(d != NULL && addr != NULL ? data_open(d) : E_NOMEM, "memory", NULL);
    d->dataset_count = 1;
    d->dataset[0].type = DATASET_IP4TRIE;
    must(data_value(d, &v, &id), "value", NULL);
    for (size_t i = 0; i < entries; i++) {
        addr[i] = (uint32_t)any();
        must(data_add4(d, 0, addr[i], addr[i], id), "entry", NULL);
    }
    must(data_settle(d, &err), "settle", &err);
    must(keep_open(&k, conf->node.state, &conf->rbl.zones[0], &err), "open", &err);
    must(keep_replace(k, d, &how, &result, &err), "commit", &err);
    keep_close(k);
    data_free(d);
    free(d);
    return addr;
}

/* `hits` of a hundred questions are for what is listed. */
static void ask_for(const uint32_t *addr, size_t entries, unsigned hits) {
    for (size_t i = 0; i < QUESTIONS; i++) {
        uint32_t a = any() % 100 < hits ? addr[any() % entries] : (uint32_t)any();
        char text[64];
        snprintf(text, sizeof text, "%u.%u.%u.%u.bl.test.", a & 255, a >> 8 & 255, a >> 16 & 255, a >> 24);
        question[i] = (struct dns_query){.qtype = TYPE_A, .qclass = CLASS_IN};
        must(name_from_text(&question[i].qname, text, NULL), text, NULL);
    }
}

static void run(struct source *s, size_t batch) {
    static const struct addr client = {.in = {.sin_family = AF_INET}};
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct dns_query *q = &question[i];
        struct source_answer a;
        struct dns_writer w;
        if (i % batch == 0)
            s->ops->begin(s->self);
        int zone = s->ops->zone(s->self, &q->qname);
        dns_writer_open(&w, out, sizeof out, 1, FLAG_QR, OPCODE_QUERY);
        dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
        s->ops->answer(s->self, zone, q, &client, &w, &a);
        sink += (uint64_t)dns_writer_end(&w, FLAG_AA, a.rcode);
        if (i % batch == batch - 1 || i == QUESTIONS - 1)
            s->ops->end(s->self);
    }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(struct source *s, const char *what, size_t batch) {
    double ns[RUNS];
    run(s, batch);
    for (int i = 0; i < RUNS; i++) {
        int64_t start = now_ns();
        run(s, batch);
        ns[i] = (double)(now_ns() - start) / QUESTIONS;
    }
    qsort(ns, RUNS, sizeof ns[0], by_size);
    printf("%-24s median %6.1f ns, fastest %6.1f ns\n", what, ns[RUNS / 2], ns[0]);
}

int main(int argc, char **argv) {
    size_t entries = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000,
           batch = argc > 2 ? strtoul(argv[2], NULL, 10) : 32;
    char dir[] = "/tmp/bench_answer.XXXXXX", text[512], command[128];
    struct conf *conf;
    struct source source;
    struct err err;
    if (entries == 0 || batch == 0 || mkdtemp(dir) == NULL)
        return 2;
    int size = snprintf(text, sizeof text,
                        "node: { state: %s, run: %s }\n"
                        "rbl: { zones: [ { name: bl.test., test: none, data: [ { type: ip4trie, files: [x] } ] } ] }",
                        dir, dir);
    must(conf_read_text(&conf, text, (size_t)size, dir, "bench", &err), "configuration", &err);
    uint32_t *addr = commit(conf, entries);
    must(answer_open(&source, conf, NULL, &err), "open", &err);
    question = calloc(QUESTIONS, sizeof *question);
    if (question == NULL)
        return 2;
    printf("%zu entries, batches of %zu\n", entries, batch);
    ask_for(addr, entries, 0);
    measure(&source, "not listed", batch);
    ask_for(addr, entries, 20);
    measure(&source, "20 % listed", batch);
    ask_for(addr, entries, 100);
    measure(&source, "listed", batch);
    answer_close(&source);
    conf_free(conf);
    free(addr);
    free(question);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : 1;
}
