/* What becomes of a store whose pages or records are not what they should be (docs/decisions/0017). */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rbl/keep/work.h"
#include "resolver/base/clock.h"
#include "resolver/store/fault.h"

int keep_faulted(struct keep *k, const struct store_fault *f, struct err *err) {
    k->reopen = true;
    return store_faulted(f, err);
}

int keep_guarded(struct keep *k, int (*body)(void *ctx, struct err *err), void *ctx, struct err *err) {
    struct store_fault f;
    if (sigsetjmp(f.back, 0) != 0)
        return keep_faulted(k, &f, err);
    store_fault_arm(&f);
    int rc = body(ctx, err);
    store_fault_disarm(&f);
    return rc;
}

void damage_note(struct keep *k, const struct err *err) {
    const char *why = err != NULL && err->text[0] != '\0' ? err->text : "the store is damaged";
    if (k->damage[0] == '\0')
        LOG(LEVEL_ERROR, "the stored zone is damaged", KS("zone", k->zone->name), KS("generation", k->generation),
            KS("why", why), KU("local", keep_local_entries(k)));
    snprintf(k->damage, sizeof k->damage, "%.*s", KEEP_DAMAGE - 1, why);
}

int damage_refuses(const struct keep *k, struct err *err) {
    if (k->damage[0] == '\0')
        return 0;
    if (k->zone->data_count > 0)
        return err_set(err, E_CORRUPT, "zone %s: its store is damaged (%s): written anew when its files are read",
                       k->zone->name, k->damage);
    return err_set(err, E_CORRUPT,
                   "zone %s: its store is damaged (%s), and it has no files to be made from again: put its contents in "
                   "place with \"candor publish %s FILE...\", or its folder %s back from a copy",
                   k->zone->name, k->damage, k->zone->name, k->dir);
}

/* Whatever the damaged one had by hand is not in the next one: its counts must not be either. */
static void forget_local(struct meta *m) {
    const struct counts *c = &m->counts[DATASET_LOCAL];
    for (unsigned kind = 0; kind < COUNT_KINDS; kind++)
        for (unsigned length = 0; length < COUNT_LENGTHS; length++) {
            uint64_t *sum = &m->entries[kind == COUNT_4 ? 0 : kind == COUNT_6 ? 1 : 2];
            *sum -= c->n[kind][length] < *sum ? c->n[kind][length] : *sum;
        }
    memset(&m->counts[DATASET_LOCAL], 0, sizeof m->counts[DATASET_LOCAL]);
}

struct looking {
    struct keep *k;
    struct store *s;
    struct meta *m;
};

static int read_meta(void *ctx, struct err *err) {
    struct looking *l = ctx;
    struct store_txn *t;
    int rc = store_read_begin(l->s, &t, err);
    if (rc < 0)
        return rc;
    rc = keep_read_meta(t, l->m, err);
    store_read_end(t);
    return rc;
}

/* Serial and number of commits of a generation that does not bear the light, if they can be had. */
static void try_meta(struct keep *k, const char *generation) {
    struct looking l = {.k = k, .m = calloc(1, sizeof *l.m)};
    struct err err;
    if (k->meta == NULL && l.m != NULL && keep_open_generation(&l.s, k->dir, generation, 0, 0, &err) == 0 &&
        keep_guarded(k, read_meta, &l, &err) == 0) {
        k->meta = l.m;
        l.m = NULL;
    }
    store_close(l.s);
    free(l.m);
}

void damage_set_aside(struct keep *k, const char *generation, const struct err *err) {
    char from[KEEP_PATH_MAX + 64], to[KEEP_PATH_MAX + 64];
    try_meta(k, generation);
    damage_note(k, err);
    keep_set_store(k, NULL, k->generation);
    k->reopen = false;
    if (k->meta != NULL)
        forget_local(k->meta);
    snprintf(from, sizeof from, "%s/%s", k->dir, generation);
    snprintf(to, sizeof to, "%s/damaged", k->dir);
    keep_remove_generation(k->dir, "damaged");
    if (rename(from, to) == 0 || errno == ENOENT)
        return;
    text_copy(k->barred, sizeof k->barred, generation);
    LOG(LEVEL_ERROR, "the damaged generation stays where it is", KS("from", from), KS("why", strerror(errno)));
}

bool damage_is_aside(const struct keep *k) {
    char path[KEEP_PATH_MAX + 64];
    struct stat st;
    snprintf(path, sizeof path, "%s/damaged", k->dir);
    return stat(path, &st) == 0;
}

static int verify(void *ctx, struct err *err) {
    struct looking *l = ctx;
    struct store_txn *t;
    int rc = store_read_begin(l->s, &t, err);
    if (rc < 0)
        return rc;
    rc = keep_read_meta(t, l->m, err);
    if (rc == 0)
        rc = verify_all(t, l->m, err);
    store_read_end(t);
    return rc;
}

int damage_verify(struct keep *k, struct err *err) {
    struct looking l = {.k = k, .s = k->store, .m = calloc(1, sizeof *l.m)};
    int rc = l.m == NULL ? err_set(err, E_NOMEM, "no memory for meta") : keep_guarded(k, verify, &l, err);
    free(l.m);
    return rc;
}

/* The next time a check is due that began at `begun`. */
static int64_t after(int64_t begun, int64_t least) {
    int64_t now = clock_mono_ms(), took = (now - begun) * KEEP_CHECK_REST;
    return now + (took > least ? took : least);
}

int keep_look_after(struct keep *k, struct err *err) {
    if (k->reading)
        return 0;
    int64_t now = clock_mono_ms();
    int rc = keep_ready(k, err);
    if (rc == 0 && k->store != NULL && k->damage[0] == '\0') {
        if (k->verify_after_ms == 0)
            k->verify_after_ms = now + KEEP_VERIFY_MS;
        if (now >= k->check_after_ms) {
            rc = store_check(k->store, err);
            k->check_after_ms = after(now, KEEP_CHECK_MS);
        }
        if (rc == 0 && now >= k->verify_after_ms) {
            rc = damage_verify(k, err);
            k->verify_after_ms = after(now, KEEP_VERIFY_MS);
        }
        if (rc == E_CORRUPT)
            damage_note(k, err);
    }
    return rc < 0 && rc != E_CORRUPT ? rc : damage_refuses(k, err);
}
