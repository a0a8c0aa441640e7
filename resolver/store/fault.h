/* Faults while a map is read, turned into E_CORRUPT for whoever reads.
 *
 * A map of a file can be cut short, or a disk can refuse a page, at any time: SIGBUS. Bits that flip inside of pages
 * can lead LMDB to the end of the map: SIGSEGV; or into one of its assertions: abort. None of these is the process's
 * end:
 *
 *     struct store_fault f;
 *     if (sigsetjmp(f.back, 0) != 0)
 *         return store_faulted(&f, err);   what was being read is damaged; E_CORRUPT
 *     store_fault_arm(&f);
 *     rc = look_into_the_map(...);
 *     store_fault_disarm(&f);
 *
 * Between arm and disarm no lock may be taken that others wait for, and what is changed there and used after the jump
 * is volatile or in memory. Only faults inside of the maps that this room has open are taken (and LMDB's assertions,
 * and null pointers in its own code, where damaged flags of a node lead it); any other goes its way as if this were not
 * here. It costs two stores and the saving of eight registers. A guard may stand inside of another: the inner one is
 * told. One thread's guards are its own.
 *
 * Behind a fault the store that was read is good for closing alone. */
#ifndef CANDOR_STORE_FAULT_H
#define CANDOR_STORE_FAULT_H

#include <setjmp.h>

#include "resolver/store/env.h"

struct store_fault {
    sigjmp_buf back;
    struct store_fault *outer;
    bool any; /* of this room alone: a map is being made, its place is not known yet */
    int signum;
    uintptr_t at; /* offset in the map */
};

extern __thread struct store_fault *store_fault_now;

static inline void store_fault_arm(struct store_fault *f) {
    f->outer = store_fault_now;
    f->any = false;
    __asm__ volatile("" ::: "memory");
    store_fault_now = f;
}
static inline void store_fault_disarm(struct store_fault *f) {
    __asm__ volatile("" ::: "memory");
    store_fault_now = f->outer;
}
/* Disarmed already. */
int store_faulted(const struct store_fault *f, struct err *err);
/* Takes SIGBUS and SIGSEGV; done by the first store_open, again by whoever gave them away meanwhile. */
void store_fault_watch(void);
/* How many faults this process has survived. */
unsigned store_faults(void);

#endif
