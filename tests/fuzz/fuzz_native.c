/* The native option: nothing is read beyond its end, and what was read, written again, is the same octets. Input: the
 * data of one option. */
#include <stdlib.h>

#include "rbl/replicate/native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

static void ends(const char name[NATIVE_NODE]) { must(strnlen(name, NATIVE_NODE) < NATIVE_NODE); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t again[LIMIT_MESSAGE];
    struct native n;
    int rc = native_read(&n, (struct bytes){data, size});
    must(rc == 0 || rc == E_INVALID || rc == E_UNSUPPORTED);
    if (rc != 0)
        return 0;
    if (n.kind == NATIVE_PART)
        must(n.part.at >= data && n.part.at + n.part.size == data + size);
    if (n.kind == NATIVE_ASK)
        ends(n.ask.node);
    if (n.kind == NATIVE_STATUS || n.kind >= NATIVE_END) {
        must(n.state.path_count <= NATIVE_PATH);
        for (unsigned i = 0; i < n.state.path_count; i++)
            ends(n.state.path[i]);
    }
    if (size > sizeof again)
        return 0;
    int back = native_write(&n, again, sizeof again);
    must(back == (int)size && memcmp(again, data, size) == 0);
    return 0;
}
