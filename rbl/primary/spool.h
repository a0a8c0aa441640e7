/* Octets that one thread writes and any number of others read behind it: in memory as long as they are few, then in a
 * file without a name in the state folder. When the disk is full the rest goes to memory that the kernel may swap, as
 * far as SPOOL_SPARE: a full disk does not keep a small zone from going out. */
#ifndef CANDOR_RBL_PRIMARY_SPOOL_H
#define CANDOR_RBL_PRIMARY_SPOOL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "resolver/base/bytes.h"
#include "resolver/base/err.h"

enum { SPOOL_MEMORY = 256 << 10, SPOOL_SPARE = 64 << 20 };

struct spool {
    const char *folder; /* stays the caller's */
    uint8_t *memory;    /* the first SPOOL_MEMORY octets */
    int file, spare;    /* what follows, from `turn` on in `spare`; -1: none */
    _Atomic uint64_t turn;
    _Atomic uint64_t size;
    atomic_bool whole; /* nothing comes any more */
};

int spool_open(struct spool *s, const char *folder, struct err *err) MUST_USE;
/* The writer's. E_FULL: neither disk nor memory. */
int spool_add(struct spool *s, const void *octets, size_t size, struct err *err) MUST_USE;
void spool_end(struct spool *s);
/* Of who reads: how much there is, and whether that is all. */
uint64_t spool_size(const struct spool *s, bool *whole);
/* Octets [at, at + size), which are there: 0 or E_IO. */
int spool_read(const struct spool *s, uint64_t at, uint8_t *to, size_t size) MUST_USE;
void spool_close(struct spool *s);

#endif
