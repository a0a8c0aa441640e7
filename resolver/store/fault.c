#include "resolver/store/fault.h"

#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <ucontext.h>

#include "resolver/store/impl.h"

enum {
    FAULT_MAPS = 4096,
    FAULT_SLACK = 1 << 17, /* an offset of 16 bits behind the last page, and a key */
    FAULT_NULL = 1 << 16   /* below: a pointer that is none, and a member's offset */
};

__thread struct store_fault *store_fault_now;

/* Maps that are open: read by the handler, so plain atomics. low 0: free. */
static struct { _Atomic uintptr_t low, high; } maps[FAULT_MAPS];
static pthread_mutex_t maps_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before[2];
static _Atomic unsigned faults;

static void jump(struct store_fault *f, int signum, uintptr_t at) {
    f->signum = signum;
    f->at = at;
    store_fault_now = f->outer;
    atomic_fetch_add(&faults, 1);
    siglongjmp(f->back, 1);
}

/* LMDB's code. */
static uintptr_t code_low, code_high;

static int on_object(struct dl_phdr_info *info, size_t size, void *ctx) {
    uintptr_t in = (uintptr_t)mdb_get, ours = (uintptr_t)store_fault_watch;
    (void)size, (void)ctx;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t low = info->dlpi_addr + p->p_vaddr, high = low + p->p_memsz;
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || in < low || in >= high || (ours >= low && ours < high))
            continue; /* linked in with ours, it cannot be told from it */
        code_low = low;
        code_high = high;
    }
    return 0;
}

/* A flag that a damaged node must not have makes LMDB use what this kind of table has not: a null pointer, in its own
 * code. */
static bool is_astray(uintptr_t at, const void *context) {
    const ucontext_t *u = context;
#if defined(__x86_64__)
    uintptr_t pc = (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    uintptr_t pc = (uintptr_t)u->uc_mcontext.pc;
#else
    uintptr_t pc = (void)u, 0;
#endif
    return at < FAULT_NULL && pc >= code_low && pc < code_high;
}

static void on_fault(int signum, siginfo_t *info, void *context) {
    struct store_fault *f = store_fault_now;
    uintptr_t at = (uintptr_t)info->si_addr;
    if (f != NULL && info->si_code > 0) { /* not sent by anybody */
        for (unsigned i = 0; i < FAULT_MAPS; i++) {
            uintptr_t low = atomic_load(&maps[i].low);
            if (low != 0 && at >= low && at < atomic_load(&maps[i].high))
                jump(f, signum, at - low);
        }
        if (f->any || is_astray(at, context))
            jump(f, signum, at);
    }
    (void)sigaction(signum, &before[signum == SIGSEGV], NULL); /* as if this had not been here: it happens again */
}

void store_fault_watch(void) {
    static const int signums[] = {SIGBUS, SIGSEGV};
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER}, old;
    (void)sigemptyset(&a.sa_mask);
    for (unsigned i = 0; i < ARRAY_SIZE(signums); i++)
        if (sigaction(signums[i], &a, &old) == 0 && old.sa_sigaction != on_fault)
            before[i] = old;
}

static void find_code(void) {
    (void)dl_iterate_phdr(on_object, NULL);
    store_fault_watch();
}

void store_fault_install(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_code);
}

/* LMDB calls this instead of dying, and dies when it returns. */
void store_fault_assert(MDB_env *env, const char *text) {
    (void)env, (void)text;
    if (store_fault_now != NULL)
        jump(store_fault_now, SIGABRT, 0);
}

void store_fault_map(struct store *s, const void *low, size_t size) {
    pthread_mutex_lock(&maps_lock);
    if (s->fault_slot != 0) {
        atomic_store(&maps[s->fault_slot - 1].low, 0);
        s->fault_slot = 0;
    }
    for (unsigned i = 0; low != NULL && i < FAULT_MAPS; i++)
        if (atomic_load(&maps[i].low) == 0) {
            atomic_store(&maps[i].high, (uintptr_t)low + size + FAULT_SLACK);
            atomic_store(&maps[i].low, (uintptr_t)low);
            s->fault_slot = i + 1;
            break;
        }
    pthread_mutex_unlock(&maps_lock);
}

int store_faulted(const struct store_fault *f, struct err *err) {
    if (f->signum == SIGABRT)
        return err_set(err, E_CORRUPT, "damaged pages: LMDB met what cannot be");
    return err_set(err, E_CORRUPT, "damaged pages: %s at octet %llu of the map",
                   f->signum == SIGBUS ? "the file ends, or cannot be read," : "led astray", (unsigned long long)f->at);
}

unsigned store_faults(void) { return atomic_load(&faults); }
