/* candor cache: how full the cache is, and what it knows about a name. */
#include <stdlib.h>

#include "health/command/cache_reach.h"
#include "health/command/out.h"

struct sought {
    const struct name *name;
    int type; /* -1: any */
    uint64_t found;
};

static const char *const security_names[] = {"unchecked", "indeterminate", "insecure", "secure", "bogus"};
static const char *const rrset_names[] = {"RRset", "NODATA", "NXDOMAIN"};

static void print_head(const struct cache_item *item) {
    char name[NAME_TEXT_MAX], type[16], rcode[16], age[32], left[32];
    const struct rrset *r = &item->rrset;
    bool nxdomain = item->kind == CACHE_RRSET && r->kind == RRSET_NXDOMAIN;
    printf("%s%s%s ", name_text(&item->name, name), nxdomain ? "" : " ",
           nxdomain ? "" : dns_type_text(item->type, type));
    if (item->kind == CACHE_RRSET)
        printf("%s, trust %s, %s%s", rrset_names[r->kind], cache_trust_names[r->trust], security_names[r->security],
               r->with_dnssec ? ", asked with DO" : "");
    else
        printf("%s %s%s%s", item->kind == CACHE_ANSWER ? "answer" : "failure", dns_rcode_text(item->rcode, rcode),
               item->dnssec_ok ? ", to DO" : "", item->checking_disabled ? ", to CD" : "");
    if (item->kind == CACHE_FAILURE && item->ede != EDE_NONE)
        printf(", EDE %d", item->ede);
    if (item->left_s > 0)
        printf(": ends in %s", out_age(left, item->left_s));
    else
        printf(": ended %s ago", out_age(left, item->ended_s));
    printf(", stored %s ago, %zu B\n", out_age(age, item->age_s), item->octets);
}

static bool look(void *ctx, const struct cache_item *item) {
    struct sought *s = ctx;
    bool above = item->kind == CACHE_RRSET && item->rrset.kind == RRSET_NXDOMAIN && name_under(s->name, &item->name);
    if (!above && (!name_equal(&item->name, s->name) || (s->type >= 0 && item->type != s->type)))
        return false;
    s->found++;
    print_head(item);
    cache_item_print(stdout, "    ", item, NULL);
    return false;
}

static int lookup(struct cache *cache, int count, char *const *at) {
    struct name name;
    struct sought s = {.name = &name, .type = count > 1 ? dns_type_from_text(at[1]) : -1};
    if (cache_name(at[0], &name) < 0)
        return EXIT_USAGE;
    if (count > 1 && s.type < 0) {
        fprintf(stderr, "candor cache: %s: no type\n", at[1]);
        return EXIT_USAGE;
    }
    if (cache_walk(cache, look, &s, NULL) != 0)
        return EXIT_TROUBLE;
    if (s.found == 0)
        printf("nothing is cached about %s\n", at[0]);
    return s.found > 0 ? EXIT_WELL : EXIT_NOT_LISTED;
}

struct tally {
    uint64_t records[CACHE_KINDS], octets[CACHE_KINDS], ended[CACHE_KINDS];
};

static bool count(void *ctx, const struct cache_item *item) {
    struct tally *t = ctx;
    t->records[item->kind]++;
    t->octets[item->kind] += item->octets;
    t->ended[item->kind] += item->left_s == 0;
    return false;
}

static int figures(struct cache *cache) {
    static const char *const names[CACHE_KINDS] = {"answers", "failures", "RRsets"};
    struct tally t = {{0}, {0}, {0}};
    char records[32], ended[32], octets[32], size[32];
    if (cache_walk(cache, count, &t, NULL) != 0)
        return EXIT_TROUBLE;
    for (unsigned i = 0; i < CACHE_KINDS; i++)
        printf("%-8s  %12s records, %s of them ended; %s\n", names[i], out_count(records, t.records[i]),
               out_count(ended, t.ended[i]), out_bytes(octets, t.octets[i]));
    printf("%-8s  %s\n", "size", out_bytes(size, cache_size(cache)));
    return EXIT_WELL;
}

static int show(const struct args *a) {
    struct cache *cache;
    bool looks = a->count > 0;
    if (looks && (strcmp(a->at[0], "lookup") != 0 || a->count < 2)) {
        fprintf(stderr, "candor cache: lookup NAME [TYPE], or nothing\n");
        return EXIT_USAGE;
    }
    if (cache_reach(a, &cache) < 0)
        return EXIT_TROUBLE;
    int code = looks ? lookup(cache, a->count - 1, a->at + 1) : figures(cache);
    cache_close(cache);
    return code;
}

const struct command command_cache = {
    .name = "cache",
    .synopsis = "[lookup NAME [TYPE]]",
    .summary = "what the resolver has cached about a name, and how full the cache is",
    .manual = "Reads the cache's file beside the running node; nobody is asked and nothing changes.\n"
              "\n"
              "`lookup` shows every record about the name: answers to clients, RRsets of iteration with how far they\n"
              "are trusted, denials (of names above, too), failures; how long each still counts, or since when it has\n"
              "ended. Exit code 0: something is there; 1: nothing; 2: the cache cannot be read.\n"
              "\n"
              "Without an argument: how many records there are, and what room they take.",
    .options = OPTION_CONFIG,
    .min_args = 0,
    .max_args = 3,
    .run = show,
};
