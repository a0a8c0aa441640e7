#include "resolver/base/rand.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { POOL = 4096, FAIR_TRIES = 64 /* each fails less than every other time */ };

static struct {
    uint8_t bytes[POOL];
    size_t left; /* the last `left` bytes are unused */
    bool watched;
} pool;

/* The child's copy of the pool is the parent's future: it throws it away. */
static void forget(void) {
    memset(pool.bytes, 0, sizeof(pool.bytes));
    pool.left = 0;
}

/* getrandom fails only when interrupted (requests over 256 bytes before the pool of the kernel is ready) or where the
 * call does not exist; without randomness there is no safe query id, so the second ends the process. */
static void from_kernel(uint8_t *to, size_t size) {
    while (size > 0) {
        ssize_t n = getrandom(to, size, 0);
        if (n > 0) {
            to += n;
            size -= (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            abort();
        }
    }
}

static void refill(void) {
    if (!pool.watched) {
        /* Registered before the first byte is kept; without it nothing may be kept. */
        pool.watched = pthread_atfork(NULL, NULL, forget) == 0;
    }
    from_kernel(pool.bytes, sizeof(pool.bytes));
    pool.left = sizeof(pool.bytes);
}

void rand_bytes(void *to, size_t size) {
    if (size > POOL / 4) {
        from_kernel(to, size);
        return;
    }
    if (size == 0)
        return;
    if (pool.left < size)
        refill();
    uint8_t *from = pool.bytes + POOL - pool.left;
    memcpy(to, from, size);
    memset(from, 0, size); /* what was handed out cannot be read back later */
    pool.left -= size;
    if (!pool.watched)
        forget();
}

uint16_t rand_u16(void) {
    uint16_t v;
    rand_bytes(&v, sizeof(v));
    return v;
}

uint32_t rand_u32(void) {
    uint32_t v;
    rand_bytes(&v, sizeof(v));
    return v;
}

uint64_t rand_u64(void) {
    uint64_t v;
    rand_bytes(&v, sizeof(v));
    return v;
}

uint32_t rand_below(uint32_t bound) {
    uint32_t v = 0, unfair;
    if (bound == 0)
        return 0;
    unfair = -bound % bound; /* 2^32 mod bound: values below it would be drawn once too often */
    for (int i = 0; i < FAIR_TRIES; i++) {
        v = rand_u32();
        if (v >= unfair)
            break;
    }
    return v % bound;
}

void rand_label(char *to, size_t n) {
    static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < n; i++)
        to[i] = set[rand_below(i == 0 ? 26 : 36)];
    to[n] = '\0';
}
