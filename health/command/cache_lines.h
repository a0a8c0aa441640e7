/* The lines of a dumped cache (docs/formats/cache-text.md, CACHE_TEXT_DEF), one after the other, into a cache. Each
 * record is put when its last line was taken; one with a wrong line is left out. */
#ifndef CANDOR_COMMAND_CACHE_LINES_H
#define CANDOR_COMMAND_CACHE_LINES_H

#include "resolver/cache/inside.h"

struct cache_lines;

struct cache_lines_sum {
    uint64_t loaded, ended; /* ended: since it was dumped */
};

typedef void (*cache_lines_wrong)(void *ctx, unsigned long line, const char *why);

struct cache_lines *cache_lines_new(struct cache *cache, cache_lines_wrong wrong, void *ctx); /* NULL: no memory */
void cache_lines_take(struct cache_lines *l, unsigned long line, const char *text);
/* Puts the last record, and says that the file is not whole when it is not. */
struct cache_lines_sum cache_lines_end(struct cache_lines *l, unsigned long line);
void cache_lines_free(struct cache_lines *l); /* NULL is none */

#endif
