/* candor dump-cache: the cache as text. */
#include <errno.h>
#include <unistd.h>

#include "health/command/cache_reach.h"
#include "resolver/base/clock.h"

struct dump {
    FILE *to;
    uint64_t records;
};

static void section(FILE *to, enum dns_section s) {
    fputs(s == SECTION_AUTHORITY ? "$AUTHORITY\n" : "$ADDITIONAL\n", to);
}

/* What has ended, and what failed, is not worth keeping. */
static bool put(void *ctx, const struct cache_item *item) {
    static const char *const kinds[] = {"$RRSET", "$NODATA", "$NXDOMAIN"};
    struct dump *d = ctx;
    char name[NAME_TEXT_MAX], type[16], rcode[16];
    const struct rrset *r = &item->rrset;
    if (item->left_s == 0 || item->kind == CACHE_FAILURE || ferror(d->to))
        return false;
    d->records++;
    name_text(&item->name, name);
    if (item->kind == CACHE_ANSWER)
        fprintf(d->to, "$ANSWER %s %u %s %s%s%s\n", name, item->klass, dns_type_text(item->type, type),
                dns_rcode_text(item->rcode, rcode), item->dnssec_ok ? " DO" : "", item->checking_disabled ? " CD" : "");
    else
        fprintf(d->to, "%s %s %u %s %u %s%s\n", kinds[r->kind], name, item->klass,
                r->kind == RRSET_NXDOMAIN ? "-" : dns_type_text(item->type, type), r->ttl_s,
                cache_trust_names[r->trust], r->with_dnssec ? " DO" : "");
    cache_item_print(d->to, "", item, section);
    return false;
}

static int write_all(struct cache *cache, FILE *to) {
    struct dump d = {.to = to};
    fprintf(to, "; what candor-resolver has cached; docs/formats/cache-text.md\n$TIME %lld\n",
            (long long)clock_wall_s());
    if (cache_walk(cache, put, &d, NULL) != 0)
        return -1;
    fprintf(to, "$END %llu\n", (unsigned long long)d.records);
    return fflush(to) == 0 && !ferror(to) ? 0 : -1;
}

/* Beside it first: a dump that is there is whole. */
static int write_file(struct cache *cache, const char *path) {
    char fresh[4096];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) {
        errno = ENAMETOOLONG;
        return -1;
    }
    FILE *to = fopen(fresh, "we");
    if (to == NULL)
        return -1;
    int e = write_all(cache, to);
    if (e == 0)
        e = fsync(fileno(to));
    if (fclose(to) != 0 || e != 0 || rename(fresh, path) != 0) {
        int number = errno;
        unlink(fresh);
        errno = number;
        return -1;
    }
    return 0;
}

static int dump(const struct args *a) {
    struct cache *cache;
    bool file = a->count > 0 && strcmp(a->at[0], "-") != 0;
    if (cache_reach(a, &cache) < 0)
        return EXIT_TROUBLE;
    int e = file ? write_file(cache, a->at[0]) : write_all(cache, stdout);
    if (e != 0)
        fprintf(stderr, "candor dump-cache: %s: %s\n", file ? a->at[0] : "standard output", strerror(errno));
    cache_close(cache);
    return e == 0 ? EXIT_WELL : EXIT_TROUBLE;
}

const struct command command_dump_cache = {
    .name = "dump-cache",
    .synopsis = "[FILE]",
    .summary = "what the resolver has cached, as text: for reading, and for load-cache",
    .manual =
        "To FILE, or standard output. Answers and RRsets that still count, in lines like those of a zone file, under\n"
        "lines that begin with $ and say of what they are part (docs/formats/cache-text.md). The node goes on\n"
        "meanwhile; what it changes may be in the dump or not, never half of it.",
    .options = OPTION_CONFIG,
    .min_args = 0,
    .max_args = 1,
    .run = dump,
};
