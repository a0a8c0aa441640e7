/* candor flush: forgets what the cache has about a name or a zone. */
#include "health/command/cache_reach.h"
#include "health/command/out.h"

static int flush(const struct args *a) {
    struct cache *cache;
    struct name name;
    uint64_t forgotten = 0;
    char number[32];
    if (cache_name(a->at[0], &name) < 0)
        return EXIT_USAGE;
    if (cache_reach(a, &cache) < 0)
        return EXIT_TROUBLE;
    int e = cache_flush(cache, &name, a->zone, &forgotten);
    cache_close(cache);
    if (e < 0) {
        fprintf(stderr, "candor flush: no memory\n");
        return EXIT_TROUBLE;
    }
    printf("%s%s: %s records forgotten\n", a->at[0], a->zone ? " and below" : "", out_count(number, forgotten));
    return EXIT_WELL;
}

const struct command command_flush = {
    .name = "flush",
    .synopsis = "NAME",
    .summary = "forgets what the cache has about a name, or with --zone about all names below it",
    .manual = "All types, denials and failures, answers to other names that lead to it by CNAME, and what denies it\n"
              "from a name above. It counts for all workers once the command has ended; what a server is sending at\n"
              "that moment may come in anew. A name that is not cached is no error.",
    .options = OPTION_CONFIG | OPTION_ZONE,
    .min_args = 1,
    .max_args = 1,
    .run = flush,
};
