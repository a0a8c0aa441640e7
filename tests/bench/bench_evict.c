/* What is kept: hit ratio of resolver/cache beside ideal LRU, SIEVE and FIFO of equal memory, on questions drawn from a
 * Zipf distribution, part of them names that nobody asks for again (as a mail filter's), strewn in or in long runs. The
 * others are charged the octets of each record alone, rounded as ours are: no index, no links, no fragmentation; what
 * is real has all of that, so SIEVE is there once more with the room that our index leaves. One name in fifty has a TXT
 * RR of one to four thousand octets. TTLs do not end here. Usage: bench_evict [MiB [NAMES [QUESTIONS]]]. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "resolver/base/bytes.h"
#include "resolver/cache/cache.h"
#include "resolver/dns/writer.h"

enum { RECORD_HEAD = 32, UNIT = 8, LOG_PER_WORD = 48, RUN = 50000, LARGE_ONE_IN = 50, MESSAGE = 8192 };

static uint64_t seed;

static void fail(const char *what) {
    fprintf(stderr, "bench_evict: %s\n", what);
    exit(1);
}

static void *room(size_t n, size_t size) {
    void *p = calloc(n, size);
    if (p == NULL)
        fail("no memory");
    return p;
}

static double draw(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

/* --- the questions: ranks by inversion of the cumulative distribution */

static double *cumulative(unsigned names, double exponent) {
    double *c = room(names, sizeof *c), sum = 0;
    for (unsigned i = 0; i < names; i++)
        c[i] = sum += pow(i + 1, -exponent);
    for (unsigned i = 0; i < names; i++)
        c[i] /= sum;
    return c;
}

static unsigned rank_of(const double *c, unsigned names, double x) {
    unsigned low = 0, high = names - 1;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (c[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A run: RUN names that are asked for once, nothing else between, as often as makes up the share. */
static uint32_t *questions_make(unsigned names, unsigned count, double exponent, double once, bool runs) {
    double *c = cumulative(names, exponent);
    uint32_t *q = room(count, sizeof *q), fresh = names;
    for (unsigned i = 0; i < count; i++) {
        bool fresh_one = runs ? i % (unsigned)(RUN / (once > 0 ? once : 1)) < RUN && once > 0 : draw() < once;
        q[i] = fresh_one ? fresh++ : rank_of(c, names, draw());
    }
    free(c);
    return q;
}

/* --- names and their answers: one to four A RRs or a large TXT RR, labels of different lengths */

static bool is_large(uint32_t id) { return id * 2654435761u % LARGE_ONE_IN == 0; }

static size_t text_of(uint32_t id) { return 1000 + id % 3000; }

static size_t answer_make(uint8_t *msg, size_t cap, struct name *n, uint32_t id) {
    char text[64];
    struct dns_writer w;
    snprintf(text, sizeof text, "%s%u.%s.example.", &"mail-relay-"[id % 11], id, &"customers"[id % 9]);
    if (name_from_text(n, text, NULL) != 0)
        fail("a name");
    if (msg == NULL)
        return 0;
    dns_writer_open(&w, msg, cap, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&w, n, TYPE_A, CLASS_IN);
    static const uint8_t filler[4096];
    if (is_large(id))
        dns_writer_txt(&w, SECTION_ANSWER, n, 86400, (struct bytes){filler, text_of(id)});
    for (uint32_t i = 0; i <= id % 4; i++)
        dns_writer_a(&w, SECTION_ANSWER, n, 86400, (const uint8_t[]){192, 0, 2, (uint8_t)i});
    int size = dns_writer_end(&w, FLAG_QR, RCODE_NOERROR);
    if (size < 0)
        fail("an answer");
    return (size_t)size;
}

static uint32_t octets_of(uint32_t id) {
    uint8_t msg[MESSAGE];
    struct name n;
    size_t size =
        RECORD_HEAD + answer_make(msg, sizeof msg, &n, id) - DNS_HEADER + 2 * (size_t)(id % 4 + 1 + is_large(id));
    return (uint32_t)((size + UNIT - 1) / UNIT * UNIT);
}

static double real_cache(const uint32_t *q, unsigned count, uint64_t size, double *octets) {
    struct cache *c;
    struct cache_config config = {.size = size, .max_ttl_s = 86400, .max_negative_ttl_s = 3600};
    static uint8_t msg[MESSAGE];
    struct cache_hit hit;
    unsigned hits = 0;
    if (cache_open(&c, &config, NULL) != 0)
        fail("no cache");
    for (unsigned i = 0; i < count; i++) {
        struct name n;
        (void)answer_make(NULL, 0, &n, q[i]);
        struct cache_key key = {.qname = &n, .qtype = TYPE_A, .qclass = CLASS_IN};
        if (i % 32 == 0)
            cache_tick(c);
        if (cache_get(c, &key, msg, sizeof msg, &hit) == 0) {
            hits += i >= count / 2;
        } else {
            size_t answer = answer_make(msg, sizeof msg, &n, q[i]);
            if (cache_put(c, &key, msg, answer) != 0)
                fail("not stored");
        }
    }
    *octets = (double)size / (double)cache_count(c);
    cache_close(c);
    return hits / (count / 2.0);
}

/* --- the ideal ones: a list from the newest to the oldest, every name in one array */

struct entry {
    uint32_t newer, older, octets;
    bool in, visited;
};

struct list {
    struct entry *e;
    uint32_t newest, oldest, hand; /* names + 1; 0: none */
    uint64_t octets, most;
};

static void unlink_entry(struct list *l, uint32_t id) {
    struct entry *e = &l->e[id];
    *(e->newer ? &l->e[e->newer].older : &l->newest) = e->older;
    *(e->older ? &l->e[e->older].newer : &l->oldest) = e->newer;
}

static void push(struct list *l, uint32_t id) {
    struct entry *e = &l->e[id];
    e->newer = 0;
    e->older = l->newest;
    *(l->newest ? &l->e[l->newest].newer : &l->oldest) = id;
    l->newest = id;
}

static void drop(struct list *l, uint32_t id) {
    unlink_entry(l, id);
    l->e[id].in = false;
    l->octets -= l->e[id].octets;
}

enum policy { FIFO, LRU, SIEVE };

/* SIEVE: the hand goes from the oldest to the newest, spares each that was visited once, and stays where it evicted. */
static void evict(struct list *l, enum policy p) {
    if (p != SIEVE) {
        drop(l, l->oldest);
        return;
    }
    uint32_t at = l->hand ? l->hand : l->oldest;
    while (l->e[at].visited) {
        l->e[at].visited = false;
        at = l->e[at].newer ? l->e[at].newer : l->oldest;
    }
    l->hand = l->e[at].newer;
    drop(l, at);
}

static double ideal(const uint32_t *q, unsigned count, uint32_t ids, uint64_t size, enum policy p) {
    struct list l = {.e = room(ids + 1, sizeof *l.e), .most = size};
    unsigned hits = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t id = q[i] + 1;
        struct entry *e = &l.e[id];
        if (e->in) {
            hits += i >= count / 2;
            e->visited = true;
            if (p == LRU) {
                unlink_entry(&l, id);
                push(&l, id);
            }
            continue;
        }
        e->octets = octets_of(q[i]);
        while (l.octets + e->octets > l.most)
            evict(&l, p);
        e->in = true;
        e->visited = false;
        l.octets += e->octets;
        push(&l, id);
    }
    free(l.e);
    return hits / (count / 2.0);
}

int main(int argc, char **argv) {
    static const struct {
        double exponent, once;
        bool runs;
    } mixes[] = {{0.7, 0, false},   {0.8, 0, false},   {0.9, 0, false},   {1.0, 0, false},  {1.1, 0, false},
                 {0.9, 0.3, false}, {1.0, 0.3, false}, {1.1, 0.3, false}, {0.9, 0.3, true}, {1.0, 0.3, true}};
    uint64_t size = (uint64_t)(argc > 1 ? atoi(argv[1]) : 8) << 20;
    unsigned names = argc > 2 ? (unsigned)atoi(argv[2]) : 500000;
    unsigned count = argc > 3 ? (unsigned)atoi(argv[3]) : 3000000;
    printf("%llu MiB, %u names, %u questions; hit ratio over the second half\n", (unsigned long long)(size >> 20),
           names, count);
    for (size_t i = 0; i < ARRAY_SIZE(mixes); i++) {
        double octets;
        seed = 0x9e3779b97f4a7c15;
        uint32_t *q = questions_make(names, count, mixes[i].exponent, mixes[i].once, mixes[i].runs);
        uint32_t ids = 0;
        for (unsigned k = 0; k < count; k++)
            ids = q[k] >= ids ? q[k] + 1 : ids;
        double ours = real_cache(q, count, size, &octets);
        printf("zipf %.1f, %2.0f %% asked once%s: ours %.4f (%.0f octets a name)", mixes[i].exponent,
               100 * mixes[i].once, mixes[i].runs ? " in runs" : "", ours, octets);
        printf("; ideal fifo %.4f", ideal(q, count, ids, size, FIFO));
        printf(", lru %.4f", ideal(q, count, ids, size, LRU));
        printf(", sieve %.4f", ideal(q, count, ids, size, SIEVE));
        printf(", with our index %.4f\n", ideal(q, count, ids, size * LOG_PER_WORD / (LOG_PER_WORD + 8), SIEVE));
        fflush(stdout);
        free(q);
    }
    return 0;
}
