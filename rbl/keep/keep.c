#include "rbl/keep/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rbl/keep/values.h"
#include "rbl/keep/walk_impl.h"
#include "rbl/keep/work.h"
#include "resolver/base/clock.h"

static int lock_zone(struct keep *k, struct err *err) {
    char path[KEEP_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/lock", k->dir);
    k->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (k->lock < 0)
        return err_errno(err, "%s", path);
    if (flock(k->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(err, E_EXISTS, "%s: another process keeps this zone", k->dir);
    return err_errno(err, "%s", path);
}

static int read_meta(struct store *s, struct meta *m, struct err *err) {
    struct store_txn *t;
    int rc = store_read_begin(s, &t, err);
    if (rc < 0)
        return rc;
    rc = keep_read_meta(t, m, err);
    store_read_end(t);
    return rc;
}

/* What failed, but not for good, and cannot be closed and opened because it is being read beside. */
static int take_up_again(struct keep *k, struct err *err) {
    k->reopen = true;
    if (store_is_broken(k->store))
        return err_set(err, E_AGAIN, "%s/%s: must be opened again, and is still being read", k->dir, k->generation);
    int rc = read_meta(k->store, k->meta, err);
    k->reopen = rc < 0;
    return rc;
}

int keep_prepare(struct keep_prepared *p, const struct keep *k, const char *generation, unsigned how, struct err *err) {
    *p = (struct keep_prepared){.meta = calloc(1, sizeof *p->meta)};
    if (p->meta == NULL)
        return err_set(err, E_NOMEM, "no memory for meta");
    int rc = keep_open_generation(&p->store, k->dir, generation, GENERATION_WRITE | how, 0, err);
    if (rc == 0)
        rc = read_meta(p->store, p->meta, err);
    if (rc < 0)
        keep_unprepare(p);
    return rc;
}

void keep_unprepare(struct keep_prepared *p) {
    store_close(p->store);
    free(p->meta);
    *p = (struct keep_prepared){.store = NULL};
}

void keep_adopt(struct keep *k, const char *generation, struct keep_prepared *p) {
    if (k->store != NULL) {
        text_copy(k->old, sizeof k->old, k->generation);
        k->old_since_ms = clock_mono_ms();
    }
    keep_set_store(k, p->store, generation);
    free(k->meta);
    k->meta = p->meta;
    k->reopen = false;
    k->damage[0] = '\0';
    k->check_after_ms = k->verify_after_ms = 0;
    *p = (struct keep_prepared){.store = NULL};
}

/* Makes `generation`, which `current` names, the one that is kept. */
int keep_take_over(struct keep *k, const char *generation, unsigned how, struct err *err) {
    struct keep_prepared p;
    if (k->store != NULL &&
        strcmp(k->generation, generation) == 0) { /* LMDB must not have one environment open twice */
        if (store_is_shared(k->store))
            return take_up_again(k, err);
        keep_set_store(k, NULL, k->generation);
    }
    int rc = keep_prepare(&p, k, generation, how, err);
    if (rc == 0)
        keep_adopt(k, generation, &p);
    else
        k->reopen = true;
    return rc;
}

/* `current` is not there. Before the first commit there is nothing to name; else it was lost, and the newest whole
 * generation is what was committed last. */
static int find_lost(struct keep *k, char generation[32], struct err *err) {
    int rc = keep_generation_newest(k->dir, generation);
    if (rc < 0)
        return rc;
    LOG(LEVEL_WARN, "no generation is named as the live one, taking the newest", KS("zone", k->zone->name),
        KS("generation", generation));
    return keep_current_write(k->dir, generation, err);
}

/* A generation that is damaged, or was set aside because it was, leaves an open zone that has nothing: its contents
 * come anew, or its verdict says what is missing. */
static int open_named(struct keep *k, const char *generation, struct err *err) {
    char path[KEEP_PATH_MAX + 64], other[32];
    struct stat st;
    struct err own = {0};
    snprintf(path, sizeof path, "%s/%s", k->dir, generation);
    if (strcmp(k->barred, generation) == 0) {
        k->reopen = false;
        return 0;
    }
    if (k->store != NULL && store_is_lost(k->store)) {
        (void)err_set(&own, E_CORRUPT, "%s: a fault while it was written", path);
        damage_set_aside(k, generation, &own);
        return 0;
    }
    int rc = stat(path, &st) < 0 ? err_errno(&own, "%s", path) : keep_take_over(k, generation, GENERATION_CHECK, &own);
    /* another whole generation beside a name that leads nowhere is a person's doing: nothing is guessed, nothing goes
     */
    bool gone = rc == E_NOTFOUND &&
                (k->store != NULL || damage_is_aside(k) || keep_generation_newest(k->dir, other) == E_NOTFOUND);
    if (rc == E_CORRUPT || gone) {
        damage_set_aside(k, generation, &own);
        return 0;
    }
    if (rc < 0 && err != NULL)
        *err = own;
    return rc;
}

/* Takes up what `current` names; nothing when there is none. Whatever else lies about is half-made or outlived. */
static int open_current(struct keep *k, struct err *err) {
    char generation[32];
    int rc = keep_current_read(k->dir, generation, err);
    if (rc == E_NOTFOUND)
        rc = find_lost(k, generation, err);
    if (rc == E_NOTFOUND && k->meta == NULL) {
        keep_remove_others(k->dir, NULL, NULL);
        return 0;
    }
    if (rc == 0)
        rc = open_named(k, generation, err);
    if (rc == 0 && k->store != NULL)
        keep_remove_others(k->dir, k->generation, k->old[0] != '\0' ? k->old : NULL);
    return rc;
}

int keep_open(struct keep **out, const char *state, const struct conf_zone *zone, struct err *err) {
    *out = NULL;
    struct keep *k = calloc(1, sizeof *k);
    if (k == NULL)
        return err_set(err, E_NOMEM, "zone %s: no memory", zone->name);
    k->zone = zone;
    k->lock = -1;
    (void)pthread_mutex_init(&k->share, NULL); /* of the default kind: cannot fail */
    int rc = keep_dir(k->dir, state, zone->name, err);
    if (rc == 0)
        rc = keep_make_dirs(k->dir, err);
    if (rc == 0)
        rc = lock_zone(k, err);
    if (rc == 0) {
        keep_remove_arriving(k->dir);
        rc = open_current(k, err);
    }
    if (rc < 0) {
        keep_close(k);
        (void)err_prefix(err, "zone %s", zone->name);
        return rc;
    }
    *out = k;
    return 0;
}

void keep_close(struct keep *k) {
    if (k == NULL)
        return;
    keep_set_store(k, NULL, k->generation);
    (void)pthread_mutex_destroy(&k->share);
    if (k->lock >= 0)
        close(k->lock);
    values_free(k->values);
    free(k->meta);
    free(k);
}

int keep_ready(struct keep *k, struct err *err) {
    if (k->reading)
        return reading_ready(k, err);
    if (k->old[0] != '\0' && clock_mono_ms() - k->old_since_ms >= KEEP_OLD_MS) {
        keep_remove_others(k->dir, k->generation, NULL);
        k->old[0] = '\0';
    }
    k->reopen |= k->store != NULL && store_is_broken(k->store);
    return k->reopen ? open_current(k, err) : 0;
}

void keep_state(const struct keep *k, struct keep_state *st) {
    memset(st, 0, sizeof *st);
    st->empty = k->meta == NULL || (k->store == NULL && !k->reopen);
    if (k->meta == NULL)
        return;
    text_copy(st->generation, sizeof st->generation, k->generation);
    st->serial = k->meta->serial;
    st->commits = k->meta->commits;
    st->entries = meta_entries(k->meta);
    st->digest = k->meta->digest;
    st->changed_wall_s = k->meta->changed_wall_s;
    st->bad_lines = k->meta->bad_lines;
    st->expires_wall_s = k->meta->expires_wall_s;
}

int keep_verify(struct keep *k, struct err *err) {
    int rc = keep_ready(k, err);
    if (rc == 0)
        rc = damage_refuses(k, err);
    return rc < 0 || k->store == NULL ? rc : damage_verify(k, err);
}

int keep_stat(struct keep *k, struct store_stat *st, struct err *err) {
    memset(st, 0, sizeof *st);
    int rc = keep_ready(k, err);
    if (rc < 0 || k->store == NULL)
        return rc;
    rc = store_stat(k->store, st, err);
    if (rc == 0) {
        st->stale_cleared += k->stale_cleared;
        k->stale_cleared = 0;
    }
    return rc;
}
