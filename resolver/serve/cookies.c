#include "resolver/serve/cookies.h"

#include <string.h>
#include <sys/mman.h>

#include "resolver/base/board.h"
#include "resolver/base/clock.h"
#include "resolver/base/rand.h"

enum { WORDS = COOKIE_SECRETS * COOKIE_SECRET / sizeof(board_word) };

_Static_assert((int)CONF_COOKIE_SECRETS == (int)COOKIE_SECRETS, "as many in the configuration");
_Static_assert((int)CONF_COOKIE_SECRET == (int)COOKIE_SECRET, "of the same size");

struct cookies {
    board_word version; /* even, from 2 on; odd while the secrets change */
    board_word count;
    board_word secret[WORDS];
    bool fixed;
    int64_t rolled_ms;
};

static void write_secrets(struct cookies *c, const struct cookie_secrets *s) {
    board_word words[WORDS];
    uint64_t version = board_get(&c->version);
    memcpy(words, s->at, sizeof words);
    board_set(&c->version, version | 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (unsigned i = 0; i < WORDS; i++)
        board_set(&c->secret[i], words[i]);
    board_set(&c->count, s->count);
    __atomic_store_n(&c->version, (version | 1) + 1, __ATOMIC_RELEASE);
}

void cookies_read(const struct cookies *c, uint64_t *seen, struct cookie_secrets *copy) {
    board_word words[WORDS];
    uint64_t version = __atomic_load_n(&c->version, __ATOMIC_ACQUIRE);
    if (version == *seen || (version & 1) != 0)
        return;
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = board_get(&c->secret[i]);
    uint64_t count = board_get(&c->count);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (board_get(&c->version) != version)
        return;
    memcpy(copy->at, words, sizeof words);
    copy->count = count <= COOKIE_SECRETS ? (unsigned)count : COOKIE_SECRETS;
    *seen = version;
}

void cookies_tick(struct cookies *c, int64_t now_mono_ms) {
    struct cookie_secrets s = {.count = 2};
    if (c->fixed || now_mono_ms - c->rolled_ms < COOKIES_ROLL_MS)
        return;
    c->rolled_ms = now_mono_ms;
    rand_bytes(s.at[0], COOKIE_SECRET);
    memcpy(s.at[1], c->secret, COOKIE_SECRET); /* nobody else writes */
    write_secrets(c, &s);
}

int cookies_open(struct cookies **out, const struct conf_cookies *conf, struct err *err) {
    struct cookie_secrets s = {.count = conf->count};
    struct cookies *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *out = NULL;
    if (c == MAP_FAILED)
        return err_errno(err, "a page for the secrets of cookies");
    c->fixed = conf->count > 0;
    c->rolled_ms = clock_mono_ms();
    memcpy(s.at, conf->secret, sizeof s.at);
    if (!c->fixed) {
        rand_bytes(s.at[0], COOKIE_SECRET);
        s.count = 1;
    }
    write_secrets(c, &s);
    *out = c;
    return 0;
}

void cookies_close(struct cookies *c) {
    if (c != NULL)
        munmap(c, sizeof *c);
}
