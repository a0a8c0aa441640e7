/* Memory that is freed as a whole: a list of blocks, handed out front to back. For loads and requests on the slow
 * path; the hot path allocates nothing. One thread at a time. */
#ifndef CANDOR_BASE_ARENA_H
#define CANDOR_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *head;
    size_t used;  /* bytes handed out */
    size_t limit; /* arena_alloc returns NULL beyond; 0: no limit */
};

/* 16-byte aligned, not cleared; NULL when memory or the limit is exhausted. */
void *arena_alloc(struct arena *a, size_t size);

/* A NUL-terminated copy of `size` bytes of text; NULL as above. */
char *arena_text(struct arena *a, const char *text, size_t size);

/* Frees all blocks; the arena may be used again. */
void arena_free(struct arena *a);

#endif
