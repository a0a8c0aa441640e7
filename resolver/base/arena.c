#include "resolver/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16, BLOCK_MIN = 4096, BLOCK_MAX = 1 << 20 };

struct arena_block {
    struct arena_block *next;
    size_t size, used; /* of `data` */
    _Alignas(ALIGN) char data[];
};

/* Blocks double, so that a large load costs few calls and a small one little memory. */
static size_t block_size(const struct arena *a, size_t need) {
    size_t size = a->head != NULL ? a->head->size * 2 : BLOCK_MIN;
    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    return need > size ? need : size;
}

static struct arena_block *block_add(struct arena *a, size_t need) {
    size_t size = block_size(a, need);
    struct arena_block *b = malloc(sizeof(*b) + size);
    if (b == NULL)
        return NULL;
    b->size = size;
    b->used = 0;
    b->next = a->head;
    a->head = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t size) {
    struct arena_block *b = a->head;
    void *at;
    if (size > SIZE_MAX / 4)
        return NULL;
    size = size == 0 ? ALIGN : (size + ALIGN - 1) / ALIGN * ALIGN;
    if (a->limit != 0 && (a->used > a->limit || size > a->limit - a->used))
        return NULL;
    if (b == NULL || b->size - b->used < size)
        b = block_add(a, size);
    if (b == NULL)
        return NULL;
    at = b->data + b->used;
    b->used += size;
    a->used += size;
    return at;
}

char *arena_text(struct arena *a, const char *text, size_t size) {
    char *copy = size < SIZE_MAX ? arena_alloc(a, size + 1) : NULL;
    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

void arena_free(struct arena *a) {
    while (a->head != NULL) {
        struct arena_block *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    a->used = 0;
}
