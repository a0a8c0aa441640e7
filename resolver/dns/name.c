/* Names in wire form: reading them out of messages, comparing, hashing, cutting. */
#include "resolver/dns/name.h"

#include <xxhash.h>

#include "resolver/base/bytes.h"
#include "resolver/dns/const.h"
#include "resolver/dns/fold.h"

enum { POINTER = 0xC0 };

/* What one run of labels, up to its pointer or root label, came to. */
struct run {
    size_t end;  /* offset of the octet that ends it */
    size_t size; /* octets of the labels */
    unsigned labels;
};

/* Walks labels from `at` on; at most `room` octets of them. */
static int run_walk(struct run *run, const uint8_t *msg, size_t size, size_t at, size_t room) {
    size_t start = at;
    unsigned labels = 0;
    for (;;) {
        if (at >= size)
            return E_INVALID;
        uint8_t len = msg[at];
        if (len == 0 || len >= POINTER)
            break;
        if (len > 63)
            return E_INVALID;
        at += (size_t)len + 1;
        labels++;
        if (at - start > room)
            return E_INVALID;
    }
    *run = (struct run){.end = at, .size = at - start, .labels = labels};
    return 0;
}

int name_read(struct name *n, const uint8_t *msg, size_t size, size_t offset, size_t *next) {
    size_t used = 0, at = offset, behind = 0;
    unsigned labels = 0;
    for (unsigned hops = 0;; hops++) {
        struct run run;
        if (run_walk(&run, msg, size, at, LIMIT_NAME_WIRE - 1 - used) != 0)
            return E_INVALID;
        memcpy(n->wire + used, msg + at, run.size);
        used += run.size;
        labels += run.labels;
        if (msg[run.end] == 0) {
            n->wire[used++] = 0;
            n->size = (uint8_t)used;
            n->labels = (uint8_t)labels;
            *next = hops == 0 ? run.end + 1 : behind;
            return 0;
        }
        if (run.end + 2 > size || hops == LIMIT_POINTER_HOPS)
            return E_INVALID;
        if (hops == 0)
            behind = run.end + 2;
        /* Backward from where this run began, not from the pointer: else a name could point into itself. */
        size_t target = get_u16(msg + run.end) & 0x3FFF;
        if (target >= at || target < DNS_HEADER)
            return E_INVALID;
        at = target;
    }
}

void name_lower(struct name *n) { fold_copy(n->wire, n->wire, n->size); }

bool name_equal(const struct name *a, const struct name *b) {
    return a->size == b->size && fold_equal(a->wire, b->wire, a->size);
}

size_t name_label_at(const struct name *n, unsigned index) {
    size_t at = 0;
    for (unsigned i = 0; i < index && n->wire[at] != 0; i++)
        at += (size_t)n->wire[at] + 1;
    return at;
}

bool name_under(const struct name *n, const struct name *zone) {
    if (n->size < zone->size || n->labels < zone->labels)
        return false;
    size_t at = name_label_at(n, (unsigned)(n->labels - zone->labels));
    return at == (size_t)(n->size - zone->size) && fold_equal(n->wire + at, zone->wire, zone->size);
}

/* Two labels, length octet first, as left-justified strings of octets. */
static int label_compare(const uint8_t *a, const uint8_t *b) {
    uint8_t shorter = a[0] < b[0] ? a[0] : b[0];
    for (unsigned i = 1; i <= shorter; i++) {
        int diff = fold1(a[i]) - fold1(b[i]);
        if (diff != 0)
            return diff;
    }
    return a[0] - b[0];
}

static void label_offsets(const struct name *n, uint8_t offsets[LIMIT_LABELS]) {
    size_t at = 0;
    for (unsigned i = 0; i < n->labels; i++, at += (size_t)n->wire[at] + 1)
        offsets[i] = (uint8_t)at;
}

int name_compare(const struct name *a, const struct name *b) {
    uint8_t in_a[LIMIT_LABELS], in_b[LIMIT_LABELS];
    label_offsets(a, in_a);
    label_offsets(b, in_b);
    unsigned common = a->labels < b->labels ? a->labels : b->labels;
    for (unsigned i = 1; i <= common; i++) {
        int diff = label_compare(a->wire + in_a[a->labels - i], b->wire + in_b[b->labels - i]);
        if (diff != 0)
            return diff;
    }
    return a->labels - b->labels;
}

void name_strip(struct name *to, const struct name *n, unsigned count) {
    if (count > n->labels)
        count = n->labels;
    size_t at = name_label_at(n, count);
    uint8_t labels = (uint8_t)(n->labels - count);
    to->size = (uint8_t)(n->size - at);
    to->labels = labels;
    memmove(to->wire, n->wire + at, to->size);
}

int name_prepend(struct name *n, const char *label) {
    size_t len = strlen(label);
    if (len == 0)
        return E_INVALID;
    if (len > 63 || n->size + len + 1 > LIMIT_NAME_WIRE)
        return E_RANGE;
    memmove(n->wire + len + 1, n->wire, n->size);
    n->wire[0] = (uint8_t)len;
    memcpy(n->wire + 1, label, len);
    n->size = (uint8_t)(n->size + len + 1);
    n->labels++;
    return 0;
}

uint64_t name_hash(const struct name *n, uint64_t key) {
    uint8_t folded[LIMIT_NAME_WIRE];
    fold_copy(folded, n->wire, n->size);
    return XXH3_64bits_withSeed(folded, n->size, key);
}
