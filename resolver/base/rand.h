/* Random bytes from the kernel (getrandom(2)), buffered per process; safe after fork: a child never repeats its
 * parent's bytes. One thread at a time. Query ids, ports, boot ids and labels come from here. */
#ifndef CANDOR_BASE_RAND_H
#define CANDOR_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *to, size_t size);
uint16_t rand_u16(void);
uint32_t rand_u32(void);
uint64_t rand_u64(void);

/* Uniform in [0, bound); 0 when bound is 0. */
uint32_t rand_below(uint32_t bound);

/* `n` characters of [a-z0-9], the first a letter, then a NUL: `to` holds n + 1. A label that nobody has cached. */
void rand_label(char *to, size_t n);

#endif
