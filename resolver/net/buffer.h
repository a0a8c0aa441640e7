/* A queue of bytes: filled at the end, taken from the front; for the streams of this room only. All zero is empty. */
#ifndef CANDOR_NET_BUFFER_H
#define CANDOR_NET_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/err.h"

struct buffer {
    uint8_t *at;
    size_t start, size, cap; /* `size` bytes from at + start */
};

/* Room for `more` bytes behind the last; returns where, NULL when memory is out. Then buffer_added(). */
uint8_t *buffer_room(struct buffer *b, size_t more);
void buffer_added(struct buffer *b, size_t size);
bool buffer_add(struct buffer *b, const void *from, size_t size) MUST_USE;
static inline uint8_t *buffer_at(const struct buffer *b) { return b->at + b->start; }
/* From the front; an empty buffer gives back memory beyond BUFFER_KEEP. */
enum { BUFFER_KEEP = 8192 };
void buffer_take(struct buffer *b, size_t size);
void buffer_free(struct buffer *b);

/* Sends from the front as much as `fd` takes now. 0, E_CLOSED when the connection is broken (errno says how). */
int buffer_send(struct buffer *b, int fd) MUST_USE;
/* Receives once, at most `most` bytes. 0, E_AGAIN, E_CLOSED at the end of the stream, E_SYSTEM (errno), E_NOMEM. */
int buffer_receive(struct buffer *b, int fd, size_t most) MUST_USE;

#endif
