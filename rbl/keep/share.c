/* Reading beside the writer, on any thread (docs/decisions/0018): a handle of its own on the writer's environment, one
 * read transaction from the first moment to the last. A generation that is left behind, and removed, stays there for
 * who has it open. */
#include "rbl/keep/impl.h"
#include "rbl/keep/stream.h"

void keep_set_store(struct keep *k, struct store *s, const char *generation) {
    char name[sizeof k->generation];
    text_copy(name, sizeof name, generation);
    pthread_mutex_lock(&k->share);
    struct store *before = k->store;
    k->store = s;
    memcpy(k->generation, name, sizeof name);
    pthread_mutex_unlock(&k->share);
    store_close(before);
}

/* No guard stands around the lock: a fault would leave it held. store_share has its own. */
static int take_handle(struct keep *k, struct keep *r, struct err *err) {
    pthread_mutex_lock(&k->share);
    memcpy(r->generation, k->generation, sizeof r->generation);
    int rc = k->store != NULL ? store_share(k->store, &r->store, err)
                              : err_set(err, E_NOTFOUND, "zone %s: nothing was ever committed", k->zone->name);
    pthread_mutex_unlock(&k->share);
    return rc;
}

static int read_meta(struct keep *r, struct err *err) {
    struct store_txn *t;
    int rc = store_read_begin(r->store, &t, err);
    if (rc < 0)
        return rc;
    rc = keep_read_meta(t, r->meta, err);
    store_read_end(t);
    return rc;
}

static int meta_guarded(struct keep *r, struct err *err) { KEEP_GUARDED(r, err, read_meta(r, err)); }

int keep_share(struct keep *k, struct keep **reading, struct err *err) {
    *reading = NULL;
    struct keep *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(err, E_NOMEM, "zone %s: no memory", k->zone->name);
    r->zone = k->zone;
    r->lock = -1;
    r->reading = r->fixed = true;
    memcpy(r->dir, k->dir, sizeof r->dir);
    (void)pthread_mutex_init(&r->share, NULL); /* of the default kind: cannot fail */
    r->meta = calloc(1, sizeof *r->meta);
    int rc =
        r->meta == NULL ? err_set(err, E_NOMEM, "zone %s: no memory for meta", k->zone->name) : take_handle(k, r, err);
    if (rc == 0)
        rc = meta_guarded(r, err);
    if (rc < 0)
        keep_close(r);
    else
        *reading = r;
    return rc;
}
