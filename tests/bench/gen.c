/* Blocklists and questions about them for the benchmarks: the same numbers give the same octets on every machine.
 *
 *   gen list FROM COUNT             an rbldnsd file of IPv4 entries FROM..FROM+COUNT-1, in rising order
 *   gen names FROM COUNT            one of domain names, every tenth with all names below it
 *   gen ips FROM COUNT              single IPv4 addresses alone, without text: what a zone file says in one RR each
 *   gen zone FROM COUNT SERIAL      the same as a master file
 *   gen ask4|askn FROM COUNT QUESTIONS PERCENT ZONE     "NAME A", PERCENT of them about listed entries
 *   gen name4|namen INDEX ZONE      the name to ask for one entry
 *
 * Entry number i is a fixed permutation of i, so entries are distinct, spread evenly, and a list that churns is a
 * window that moves: FROM 500 beside FROM 0 is a list with 500 entries gone and 500 new. Of the IPv4 entries 97 % are
 * single addresses, 2 % a /24, the others /20 to /30, all outside 0/8, 127/8 and 224/3. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint32_t addr;
    uint8_t bits;
};

/* One to one on 32 bits: every step can be undone. */
static uint32_t shuffled(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    x ^= x >> 16;
    return x;
}

/* One in eight of all numbers falls on an address that no list has; `index` counts the others. */
static bool fit(uint32_t a) { return a >> 24 != 0 && a >> 24 != 127 && a >> 24 < 224; }

static struct entry entry_of(uint32_t number, uint64_t index) {
    static const uint8_t odd[] = {20, 21, 22, 23, 25, 26, 27, 28, 29, 30};
    unsigned kind = (unsigned)(index % 100);
    uint8_t bits = kind == 50 || kind == 75 ? 24 : kind == 99 ? odd[index / 100 % sizeof odd] : 32;
    return (struct entry){.addr = shuffled(number) & (bits == 32 ? ~0U : ~0U << (32 - bits)), .bits = bits};
}

static int rising(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    return x->addr < y->addr ? -1 : x->addr > y->addr ? 1 : y->bits - x->bits;
}

/* Entries from..from+count-1 in the order of their numbers; all of them addresses, if `single`. */
static struct entry *entries_as(uint64_t from, uint64_t count, bool single) {
    struct entry *e = malloc((size_t)(count + 1) * sizeof *e);
    if (e == NULL) {
        perror("gen");
        exit(1);
    }
    uint64_t index = 0;
    for (uint32_t number = 1; index < from + count && number != 0; number++) {
        if (!fit(shuffled(number)))
            continue;
        if (index >= from)
            e[index - from] = single ? (struct entry){shuffled(number), 32} : entry_of(number, index);
        index++;
    }
    return e;
}

static struct entry *entries(uint64_t from, uint64_t count) { return entries_as(from, count, false); }

static void list(uint64_t from, uint64_t count) {
    struct entry *e = entries(from, count);
    qsort(e, (size_t)count, sizeof *e, rising);
    puts("$SOA 3600 ns.bl.test hostmaster.bl.test 0 3600 600 86400 300\n$NS 3600 ns.bl.test\n"
         ":127.0.0.2:Blocked, see https://bl.test/?$\n127.0.0.2");
    for (uint64_t i = 0; i < count; i++) {
        uint32_t a = e[i].addr;
        char text[32];
        int n = snprintf(text, sizeof text, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
        if (e[i].bits < 32)
            snprintf(text + n, sizeof text - (size_t)n, "/%u", e[i].bits);
        puts(text);
    }
    free(e);
}

static void name_of(uint64_t index, char text[64]) {
    static const char digit[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char *const under[] = {"com", "com", "net", "org", "info", "xyz", "top", "co.uk"};
    uint32_t v = shuffled((uint32_t)index + 1), more = shuffled(v ^ 0x5bd1e995U);
    int n = 0;
    for (unsigned i = 0; i < 7; i++, v /= 36)
        text[n++] = digit[v % 36];
    for (unsigned i = 0; i < more % 9; i++)
        text[n++] = digit[shuffled(more + i) % 26];
    snprintf(text + n, 64 - (size_t)n, ".%s", under[more >> 8 & 7]);
}

static void names(uint64_t from, uint64_t count) {
    char text[64];
    puts("$SOA 3600 ns.bl.test hostmaster.bl.test 0 3600 600 86400 300\n$NS 3600 ns.bl.test\n"
         ":127.0.1.2:Blocked, see https://bl.test/?$\ntest");
    for (uint64_t i = from; i < from + count; i++) {
        name_of(i, text);
        printf("%s%s\n", i % 10 == 0 ? "." : "", text);
    }
}

static void print4(uint32_t a, const char *zone) {
    printf("%u.%u.%u.%u.%s", a & 255, a >> 8 & 255, a >> 16 & 255, a >> 24, zone);
}

static void ask(bool is_name, uint64_t from, uint64_t count, uint64_t questions, unsigned percent, const char *zone) {
    struct entry *e = is_name ? NULL : entries(from, count);
    uint32_t at = 1;
    for (uint64_t i = 0; i < questions; i++) {
        bool hit = shuffled((uint32_t)i * 2 + 1) % 100 < percent;
        at = shuffled(at + (uint32_t)i);
        uint64_t which = at % count;
        if (is_name) {
            char text[64];
            name_of(hit ? from + which : which + 2000000000U, text);
            printf("%s.%s", text, zone);
        } else {
            uint32_t a = hit ? e[which].addr : shuffled((uint32_t)which + 4000000000U);
            print4(a, zone);
        }
        puts(" A");
    }
    free(e);
}

/* A serial says that a master file is wanted. */
static void singles(uint64_t from, uint64_t count, const char *serial) {
    struct entry *e = entries_as(from, count, true);
    qsort(e, (size_t)count, sizeof *e, rising);
    if (serial != NULL)
        printf("$TTL 2100\n@ SOA ns.bl.test. hostmaster.bl.test. %s 3600 600 86400 300\n@ NS ns.invalid.\n", serial);
    else
        puts("$SOA 3600 ns.bl.test hostmaster.bl.test 0 3600 600 86400 300\n$NS 3600 ns.invalid\n:127.0.0.2:");
    for (uint64_t i = 0; i < count; i++) {
        uint32_t a = e[i].addr;
        if (serial != NULL)
            printf("%u.%u.%u.%u A 127.0.0.2\n", a & 255, a >> 8 & 255, a >> 16 & 255, a >> 24);
        else
            printf("%u.%u.%u.%u\n", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
    }
    free(e);
}

static uint64_t number(const char *text) { return strtoull(text, NULL, 10); }

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (argc == 4 && strcmp(what, "list") == 0) {
        list(number(argv[2]), number(argv[3]));
    } else if ((argc == 4 && strcmp(what, "ips") == 0) || (argc == 5 && strcmp(what, "zone") == 0)) {
        singles(number(argv[2]), number(argv[3]), argc == 5 ? argv[4] : NULL);
    } else if (argc == 4 && strcmp(what, "names") == 0) {
        names(number(argv[2]), number(argv[3]));
    } else if (argc == 7 && strncmp(what, "ask", 3) == 0) {
        ask(what[3] == 'n', number(argv[2]), number(argv[3]), number(argv[4]), (unsigned)number(argv[5]), argv[6]);
    } else if (argc == 4 && strcmp(what, "name4") == 0) {
        struct entry *e = entries(number(argv[2]), 1);
        print4(e->addr, argv[3]);
        puts("");
        free(e);
    } else if (argc == 4 && strcmp(what, "namen") == 0) {
        char text[64];
        name_of(number(argv[2]), text);
        printf("%s.%s\n", text, argv[3]);
    } else {
        fputs("gen: see the head of gen.c\n", stderr);
        return 2;
    }
    return fflush(stdout) != 0;
}
