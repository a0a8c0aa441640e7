/* Nanoseconds per message read and written by resolver/dns: the median of RUNS runs of ROUNDS each, and the fastest.
 * Usage: bench_wire. One process, one thread; pin it to a quiet CPU (taskset -c 1). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "resolver/dns/writer.h"

enum { RUNS = 31, ROUNDS = 200000 };

static uint8_t question[512], with_opt[512], answer[1232], out[1232];
static int question_size, with_opt_size, answer_size;
static struct name qname, zone, host;
static struct dns_query query;
static struct dns_soa soa;
static volatile uint64_t sink;

static void keep(int64_t value) { sink += (uint64_t)value; }

static struct name name(const char *text) {
    struct name n;
    struct err err;
    if (name_from_text(&n, text, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return n;
}

static void read_plain(void) { keep(dns_query_read(&query, question, (size_t)question_size)); }
static void read_opt(void) { keep(dns_query_read(&query, with_opt, (size_t)with_opt_size)); }

static void read_answer(void) {
    struct dns_reader r;
    struct dns_rr rr;
    keep(dns_reader_open(&r, answer, (size_t)answer_size, NULL, NULL, NULL));
    while (dns_reader_next(&r, &rr) == 0)
        keep(rr.type);
}

static void write_listed(void) {
    struct dns_opt opt = DNS_OPT_INIT(1232);
    struct dns_writer w;
    size_t octets = dns_opt_size(&opt);
    dns_writer_open(&w, out, sizeof out, 1, FLAG_QR | FLAG_RD, OPCODE_QUERY);
    dns_writer_question(&w, &qname, TYPE_A, CLASS_IN);
    dns_writer_reserve(&w, octets);
    dns_writer_a(&w, SECTION_ANSWER, &qname, 60, (const uint8_t[]){127, 0, 0, 2});
    dns_writer_release(&w, octets);
    dns_writer_opt(&w, &opt);
    keep(dns_writer_end(&w, FLAG_AA, RCODE_NOERROR));
}

static int write_negative(uint8_t *to) {
    struct dns_opt opt = DNS_OPT_INIT(1232);
    struct dns_writer w;
    dns_writer_open(&w, to, sizeof out, 1, FLAG_QR | FLAG_RD, OPCODE_QUERY);
    dns_writer_question(&w, &qname, TYPE_A, CLASS_IN);
    dns_writer_soa(&w, SECTION_AUTHORITY, &zone, 60, &soa);
    dns_writer_opt(&w, &opt);
    return dns_writer_end(&w, FLAG_AA, RCODE_NXDOMAIN);
}

static void write_nxdomain(void) { keep(write_negative(out)); }

static void write_query(void) {
    struct dns_opt opt = DNS_OPT_INIT(1232);
    keep(dns_query_write(out, sizeof out, 1, FLAG_RD, &qname, TYPE_A, CLASS_IN, &opt));
}

static void hash(void) { keep((int64_t)name_hash(&qname, 42)); }
static void under(void) { keep(name_under(&qname, &zone)); }
static void equal(void) { keep(name_equal(&qname, &query.qname)); }

static const struct {
    const char *what;
    void (*run)(void);
} benches[] = {
    {"read question, no EDNS", read_plain},
    {"read question with OPT", read_opt},
    {"read NXDOMAIN answer (SOA, OPT)", read_answer},
    {"write listed answer (A, OPT)", write_listed},
    {"write NXDOMAIN answer (SOA, OPT)", write_nxdomain},
    {"write question with OPT", write_query},
    {"name_hash", hash},
    {"name_under", under},
    {"name_equal", equal},
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *what, void (*run)(void)) {
    double ns[RUNS];
    for (int i = 0; i < RUNS; i++) {
        int64_t start = now_ns();
        for (int j = 0; j < ROUNDS; j++)
            run();
        ns[i] = (double)(now_ns() - start) / ROUNDS;
    }
    qsort(ns, RUNS, sizeof *ns, by_value);
    printf("%-34s %7.1f ns median %7.1f ns fastest\n", what, ns[RUNS / 2], ns[0]);
}

int main(void) {
    struct dns_opt opt = DNS_OPT_INIT(1232);
    qname = name("4.3.2.1.zen.example.org");
    zone = name("zen.example.org");
    host = name("ns1.example.org");
    soa = (struct dns_soa){.primary = host, .contact = name("hostmaster.example.org"), .serial = 1, .minimum = 150};
    question_size = dns_query_write(question, sizeof question, 1, FLAG_RD, &qname, TYPE_A, CLASS_IN, NULL);
    with_opt_size = dns_query_write(with_opt, sizeof with_opt, 1, FLAG_RD, &qname, TYPE_A, CLASS_IN, &opt);
    answer_size = write_negative(answer);
    if (question_size < 0 || with_opt_size < 0 || answer_size < 0 ||
        dns_query_read(&query, with_opt, (size_t)with_opt_size) != 0) {
        fprintf(stderr, "bench_wire: the messages to measure with could not be made\n");
        return 1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(benches); i++)
        measure(benches[i].what, benches[i].run);
    return 0;
}
