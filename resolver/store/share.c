/* More than one reader beside the writer in one process, and the end of an environment that several have open: LMDB
 * must not have it open twice, and its map must not move while anybody reads (docs/decisions/0018). */
#include <errno.h>
#include <stdlib.h>

#include "resolver/base/clock.h"
#include "resolver/store/impl.h"

bool store_is_shared(struct store *s) {
    pthread_mutex_lock(&s->gate);
    bool shared = s->shares > 0;
    pthread_mutex_unlock(&s->gate);
    return shared;
}

int store_remap(struct store *s, uint64_t bytes) {
    pthread_mutex_lock(&s->gate);
    int rc = s->shares > 0 ? EBUSY : 0;
    if (rc == 0) {
        s->map = NULL;
        store_fault_map(s, NULL, 0);
        rc = mdb_env_set_mapsize(s->env, bytes);
        if (rc != 0)
            s->broken = true; /* LMDB has let go of the old map */
    }
    pthread_mutex_unlock(&s->gate);
    return rc;
}

static void store_free(struct store *s) {
    (void)pthread_mutex_destroy(&s->gate);
    free(s->path);
    free(s);
}

/* What the handle has of its own. */
static void end_reading(struct store *s) {
    for (unsigned i = 0; i < STORE_CURSORS; i++)
        if (s->cursor[i].at != NULL)
            mdb_cursor_close(s->cursor[i].at);
    if (s->read.txn != NULL)
        mdb_txn_abort(s->read.txn);
    memset(s->cursor, 0, sizeof s->cursor);
    s->read.txn = NULL;
    s->read.active = false;
}

static void close_env(struct store *s) {
    store_fault_map(s, NULL, 0);
    if (store_is_mine(s) && s->env != NULL && !s->lost)
        mdb_env_close(s->env);
    store_free(s);
}

static void close_handle(struct store *h) {
    struct store *s = h->of;
    store_fault_map(h, NULL, 0);
    bool mine = store_is_mine(h), last = false;
    if (mine) {
        if (!h->lost)
            end_reading(h);
        pthread_mutex_lock(&s->gate);
        last = --s->shares == 0 && s->closed;
        pthread_mutex_unlock(&s->gate);
    }
    store_free(h);
    if (last)
        close_env(s);
}

/* After fork() the child owns nothing of LMDB's: it frees its copy of the handle and leaves the rest alone. */
void store_close(struct store *s) {
    if (s == NULL)
        return;
    if (s->of != NULL) {
        close_handle(s);
        return;
    }
    if (!store_is_mine(s)) {
        close_env(s);
        return;
    }
    if (s->env != NULL && !s->lost)
        end_reading(s);
    pthread_mutex_lock(&s->gate);
    s->closed = true;
    bool last = s->shares == 0;
    pthread_mutex_unlock(&s->gate);
    if (last)
        close_env(s);
}

/* The gate is held: the map stays where it is until the handle counts. */
static int begin_handle(struct store *s, struct store *h, struct err *err) {
    struct store_txn *t;
    if (s->broken || s->closed)
        return err_set(err, E_IO, "%s: failed before, must be opened again", s->path);
    int rc = store_read_begin(h, &t, err);
    if (rc == 0)
        s->shares++;
    return rc;
}

int store_share(struct store *s, struct store **handle, struct err *err) {
    *handle = NULL;
    int rc = store_usable(s, err);
    if (rc < 0)
        return rc;
    if (!s->writer || s->of != NULL)
        return err_set(err, E_INVALID, "%s: a writer's is shared", s->path);
    struct store *h = calloc(1, sizeof *h);
    if (h == NULL || (h->path = strdup(s->path)) == NULL) {
        free(h);
        return err_set(err, E_NOMEM, "%s: no memory to read it", s->path);
    }
    (void)pthread_mutex_init(&h->gate, NULL); /* of the default kind: cannot fail */
    h->of = s;
    h->env = s->env;
    h->pid = s->pid;
    h->forks = s->forks;
    h->page_bytes = s->page_bytes;
    h->table_count = s->table_count;
    memcpy(h->table, s->table, sizeof h->table);
    h->read.store = h->write.store = h;
    pthread_mutex_lock(&s->gate);
    rc = begin_handle(s, h, err);
    pthread_mutex_unlock(&s->gate);
    if (rc < 0) {
        if (!h->lost)
            end_reading(h);
        store_fault_map(h, NULL, 0);
        store_free(h);
        return rc;
    }
    *handle = h;
    return 0;
}
