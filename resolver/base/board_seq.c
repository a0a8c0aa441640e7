/* Sequence locks of the board's slots: the writer never waits, a reader retries a bounded number of times. */
#include <string.h>
#include <time.h>

#include "resolver/base/board.h"

enum {
    READ_SPINS = 32,  /* reads of a slot at once ... */
    READ_PAUSES = 50, /* ... then with a pause each: the writer may have lost its CPU half-way */
    READ_PAUSE_US = 200,
};

typedef uint64_t aliased_word __attribute__((may_alias));
_Static_assert(sizeof(struct board_zone) % sizeof(aliased_word) == 0, "slots are copied by words");
_Static_assert(sizeof(struct board_link) % sizeof(aliased_word) == 0, "slots are copied by words");

/* The thread sanitizer of gcc knows no fences and warns of each; it sees one process only, and these slots are written
 * by one and read by others. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
static void fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
static void fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

static void seq_open(board_word *word) {
    uint64_t seq = board_get(word);
    /* Odd already: a predecessor died half-way; still another number, for who is reading right now. */
    board_set(word, (seq & 1) != 0 ? seq + 2 : seq + 1);
    fence_release();
}

static void seq_close(board_word *word) {
    uint64_t seq = board_get(word);
    __atomic_store_n(word, (seq & 1) != 0 ? seq + 1 : seq, __ATOMIC_RELEASE);
}

static bool read_once(const board_word *word, const void *slot, void *copy, size_t size) {
    const aliased_word *from = slot;
    aliased_word *to = copy;
    uint64_t before = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    for (size_t i = 0; i < size / sizeof(*from); i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    fence_acquire();
    return (before & 1) == 0 && before == board_get(word);
}

static bool read_slot(const board_word *word, const void *slot, void *copy, size_t size) {
    const struct timespec pause = {.tv_nsec = READ_PAUSE_US * 1000L};
    bool whole = false;
    for (int i = 0; i < READ_SPINS + READ_PAUSES && !whole; i++) {
        if (i >= READ_SPINS)
            (void)nanosleep(&pause, NULL);
        whole = read_once(word, slot, copy, size);
    }
    return whole;
}

#define CLOSED(text) ((text)[sizeof(text) - 1] = '\0')

void board_zone_open(struct board_zone *z) { seq_open(&z->seq); }
void board_zone_close(struct board_zone *z) { seq_close(&z->seq); }

bool board_zone_read(const struct board_zone *z, struct board_zone *copy) {
    bool whole = read_slot(&z->seq, z, copy, sizeof(*copy));
    CLOSED(copy->name);
    CLOSED(copy->generation);
    CLOSED(copy->error);
    CLOSED(copy->change_error);
    CLOSED(copy->waiting);
    if (copy->state >= ZONE_STATES)
        copy->state = ZONE_ERROR;
    if (copy->role > ROLE_SECONDARY)
        copy->role = ROLE_SOLE;
    return whole;
}

void board_link_open(struct board_link *k) { seq_open(&k->seq); }
void board_link_close(struct board_link *k) { seq_close(&k->seq); }

bool board_link_read(const struct board_link *k, struct board_link *copy) {
    bool whole = read_slot(&k->seq, k, copy, sizeof(*copy));
    CLOSED(copy->peer);
    CLOSED(copy->node);
    CLOSED(copy->path);
    CLOSED(copy->error);
    if (copy->way > LINK_BESIDE)
        copy->way = LINK_BESIDE;
    if (copy->state > LINK_BROKEN)
        copy->state = LINK_BROKEN;
    if (copy->zone > LIMIT_ZONES)
        copy->zone = LIMIT_ZONES;
    return whole;
}
