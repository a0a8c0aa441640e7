#include "health/alert/dead_man.h"

#include <stdlib.h>

#include "resolver/base/aside.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

enum { CLOSE_MS = 500, RETRY_MS = 5000 };

struct dead_man {
    struct aside *aside;
    struct pinned place;
    uint32_t interval_ms;
    int64_t until_ms;          /* atomic: the loop's leave */
    struct dead_man_news *out; /* atomic: for the loop */
    struct dead_man_news said; /* the thread's own */
    struct dead_man_news taken;
};

static void dead_man_end(void *ctx) {
    struct dead_man *d = ctx;
    pinned_close(&d->place);
    free(d->out);
    free(d);
}

static void tell(struct dead_man *d) {
    struct dead_man_news *letter = malloc(sizeof *letter);
    if (letter == NULL)
        return; /* the next one will do */
    *letter = d->said;
    free(__atomic_exchange_n(&d->out, letter, __ATOMIC_ACQ_REL));
}

static bool may(const struct dead_man *d) { return clock_mono_ms() < __atomic_load_n(&d->until_ms, __ATOMIC_ACQUIRE); }

static bool feed(struct dead_man *d) {
    char words[CURL_ERROR_SIZE];
    CURL *c = pinned_easy(&d->place, words);
    int rc = c != NULL ? pinned_perform(c, words, d->said.trouble) : E_NOMEM;
    int64_t until_s = c != NULL ? pinned_not_after_s(c) : 0;
    d->said.not_after_wall_s = until_s > 0 ? until_s : d->said.not_after_wall_s;
    curl_easy_cleanup(c);
    if (rc < 0 && d->said.trouble[0] == '\0')
        text_copy(d->said.trouble, sizeof d->said.trouble, "no memory");
    return rc == 0;
}

/* What failed is tried again soon: one lost packet should not raise the alarm outside. */
static uint32_t turn(struct dead_man *d) {
    struct dead_man_news *n = &d->said;
    if (!may(d)) {
        n->withheld++;
        tell(d);
        return d->interval_ms < RETRY_MS ? d->interval_ms : RETRY_MS;
    }
    n->busy_since_mono_ms = clock_mono_ms();
    tell(d);
    bool well = feed(d);
    n->busy_since_mono_ms = 0;
    if (well) {
        n->fed++;
        n->fed_mono_ms = clock_mono_ms();
        n->fed_wall_ms = clock_wall_ms();
    } else {
        n->failed++;
    }
    tell(d);
    return well || d->interval_ms < RETRY_MS ? d->interval_ms : RETRY_MS;
}

static void work(struct aside *a, void *ctx) {
    struct dead_man *d = ctx;
    while (!aside_is_closing(a))
        aside_nap(a, turn(d));
}

int dead_man_open(struct dead_man **out, const struct conf_sink *to, struct err *err) {
    struct dead_man *d = *out = calloc(1, sizeof *d);
    if (d == NULL)
        return err_set(err, E_NOMEM, "no memory for a dead man's switch");
    d->until_ms = INT64_MIN;
    d->interval_ms = to->interval_s * 1000;
    int rc = pinned_open(&d->place, "https", &to->address, to->tls_name, to->ca, to->path, err);
    if (rc < 0)
        dead_man_end(d);
    else
        rc = aside_open(&d->aside, work, dead_man_end, d, err);
    if (rc < 0)
        *out = NULL;
    return rc;
}

void dead_man_say(struct dead_man *d, int64_t until_mono_ms) {
    __atomic_store_n(&d->until_ms, until_mono_ms, __ATOMIC_RELEASE);
}

const struct dead_man_news *dead_man_news(struct dead_man *d) {
    struct dead_man_news *letter = __atomic_exchange_n(&d->out, NULL, __ATOMIC_ACQ_REL);
    if (letter != NULL)
        d->taken = *letter;
    free(letter);
    return &d->taken;
}

void dead_man_close(struct dead_man *d) {
    if (d != NULL)
        aside_close(d->aside, CLOSE_MS);
}
