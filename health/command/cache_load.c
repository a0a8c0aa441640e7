/* candor load-cache: what dump-cache wrote, checked line by line, into the cache of the running node. */
#include <errno.h>
#include <stdlib.h>

#include "health/command/cache_lines.h"
#include "health/command/cache_reach.h"
#include "health/command/out.h"

enum { LINE_MAX_OCTETS = 1 << 19 };

struct reading {
    FILE *from;
    const char *name;
    unsigned long line;
    char *text; /* LINE_MAX_OCTETS */
    unsigned long wrong;
};

static void complain(void *ctx, unsigned long line, const char *why) {
    struct reading *r = ctx;
    if (r->wrong++ < LIMIT_LOAD_ERRORS_SHOWN)
        fprintf(stderr, "%s:%lu: %s\n", r->name, line, why);
}

/* The next line without its end; false: there is none. One that is too long, or no text, is passed over whole. */
static bool line_read(struct reading *r) {
    for (;;) {
        size_t n = 0;
        bool good = true;
        int c;
        r->line++;
        while ((c = getc(r->from)) != EOF && c != '\n') {
            good &= c != '\0' && n + 1 < LINE_MAX_OCTETS;
            if (good)
                r->text[n++] = (char)c;
        }
        r->text[n] = '\0';
        if (c == EOF && n == 0 && good)
            return false;
        if (good)
            return true;
        complain(r, r->line, "a line that is too long, or has a zero octet");
        if (c == EOF)
            return false;
    }
}

static int load_all(struct cache *cache, struct reading *r) {
    struct cache_lines *lines = cache_lines_new(cache, complain, r);
    char loaded[32], ended[32];
    r->text = malloc(LINE_MAX_OCTETS);
    if (lines == NULL || r->text == NULL) {
        fprintf(stderr, "candor load-cache: no memory\n");
        cache_lines_free(lines);
        return EXIT_TROUBLE;
    }
    while (line_read(r))
        cache_lines_take(lines, r->line, r->text);
    if (ferror(r->from))
        complain(r, r->line, strerror(errno));
    struct cache_lines_sum sum = cache_lines_end(lines, r->line);
    cache_lines_free(lines);
    printf("%s records loaded, %s had ended", out_count(loaded, sum.loaded), out_count(ended, sum.ended));
    if (r->wrong > 0)
        printf(", %lu lines are wrong%s", r->wrong,
               r->wrong > LIMIT_LOAD_ERRORS_SHOWN ? " (the first ones are shown)" : "");
    printf("\n");
    return r->wrong == 0 ? EXIT_WELL : EXIT_DIFFERS;
}

static int load(const struct args *a) {
    struct cache *cache;
    bool standard = strcmp(a->at[0], "-") == 0;
    struct reading r = {.name = standard ? "standard input" : a->at[0]};
    r.from = standard ? stdin : fopen(a->at[0], "re");
    if (r.from == NULL) {
        fprintf(stderr, "candor load-cache: %s: %s\n", a->at[0], strerror(errno));
        return EXIT_TROUBLE;
    }
    int code = EXIT_TROUBLE;
    if (cache_reach(a, &cache) == 0) {
        code = load_all(cache, &r);
        cache_close(cache);
    }
    free(r.text);
    if (!standard)
        (void)fclose(r.from);
    return code;
}

const struct command command_load_cache = {
    .name = "load-cache",
    .synopsis = "FILE",
    .summary = "puts what dump-cache wrote into the resolver's cache",
    .manual =
        "FILE or - for standard input. What has ended since it was dumped is passed over, TTLs count from then on,\n"
        "and the limits of the configuration hold. A record with a wrong line is left out and the line named with\n"
        "its number. Whoever writes the file decides what clients are told: take none from strangers. Exit code\n"
        "0: all of it is in the cache; 1: something is wrong in it, the rest is; 2: nothing could be loaded.",
    .options = OPTION_CONFIG,
    .min_args = 1,
    .max_args = 1,
    .run = load,
};
