#include "resolver/net/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BUFFER_FIRST = 512 };

uint8_t *buffer_room(struct buffer *b, size_t more) {
    if (b->start > 0 && b->start + b->size + more > b->cap) {
        memmove(b->at, b->at + b->start, b->size);
        b->start = 0;
    }
    if (b->size + more > b->cap) {
        size_t cap = b->cap * 2 > BUFFER_FIRST ? b->cap * 2 : BUFFER_FIRST;
        if (cap < b->size + more)
            cap = b->size + more;
        uint8_t *at = realloc(b->at, cap);
        if (at == NULL)
            return NULL;
        b->at = at;
        b->cap = cap;
    }
    return b->at + b->start + b->size;
}

void buffer_added(struct buffer *b, size_t size) { b->size += size; }

bool buffer_add(struct buffer *b, const void *from, size_t size) {
    uint8_t *to = buffer_room(b, size);
    if (to == NULL)
        return false;
    if (size > 0)
        memcpy(to, from, size);
    b->size += size;
    return true;
}

void buffer_take(struct buffer *b, size_t size) {
    b->start += size;
    b->size -= size;
    if (b->size > 0)
        return;
    b->start = 0;
    if (b->cap > BUFFER_KEEP)
        buffer_free(b);
}

void buffer_free(struct buffer *b) {
    free(b->at);
    *b = (struct buffer){0};
}

static bool try_later(int number) { return number == EAGAIN || number == EWOULDBLOCK || number == EINTR; }

int buffer_send(struct buffer *b, int fd) {
    while (b->size > 0) {
        ssize_t n = send(fd, buffer_at(b), b->size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return try_later(errno) ? 0 : E_CLOSED;
        buffer_take(b, (size_t)n);
    }
    return 0;
}

int buffer_receive(struct buffer *b, int fd, size_t most) {
    uint8_t *to = buffer_room(b, most);
    if (to == NULL)
        return E_NOMEM;
    ssize_t n = recv(fd, to, most, MSG_DONTWAIT);
    if (n < 0)
        return try_later(errno) ? E_AGAIN : E_SYSTEM;
    b->size += (size_t)n;
    return n == 0 ? E_CLOSED : 0;
}
