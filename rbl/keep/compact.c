/* Compaction: the live generation copied record by record, in key order, into a new one whose pages are full. Readers
 * stay where they are until `current` names the new one. */
#include <sys/statvfs.h>

#include "rbl/keep/work.h"
#include "resolver/base/clock.h"

enum { WEIGH_AGAIN_PERCENT = 5 }; /* so much more must be in use before it is weighed again */

/* The octets in use never get fewer, so a file that is no larger than it was is as it was. A commit leaves behind about
 * as many free pages as it wrote, which the next ones use: that is why compaction also rests in between, or a busy zone
 * would be compacted for every few commits. */
bool keep_wants_compaction(struct keep *k) {
    struct store_stat st;
    struct err err = {0};
    uint64_t need;
    if (k->reading || k->store == NULL || k->reopen || clock_mono_ms() < k->compact_after_ms)
        return false;
    if (store_stat(k->store, &st, &err) < 0)
        return false;
    k->stale_cleared += st.stale_cleared;
    if (k->weighed != 0 && st.used_bytes >= k->weighed &&
        st.used_bytes - k->weighed <= k->weighed / 100 * WEIGH_AGAIN_PERCENT && !k->too_heavy)
        return false;
    if (st.used_bytes <= KEEP_COMPACT_SPARE || store_weigh(k->store, &need, &err) < 0)
        return false;
    k->weighed = st.used_bytes;
    k->too_heavy = st.used_bytes > need / 100 * KEEP_COMPACT_SHARE + KEEP_COMPACT_SPARE;
    return k->too_heavy;
}

/* A disk that the copy would fill is left alone: others write there too. */
static int check_room(struct keep *k, uint64_t need, struct err *err) {
    struct statvfs fs;
    if (statvfs(k->dir, &fs) < 0)
        return err_errno(err, "%s", k->dir);
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room / 10 * 9 >= need)
        return 0;
    return err_set(err, E_FULL, "%s: compaction needs %llu octets, %llu are free", k->dir, (unsigned long long)need,
                   (unsigned long long)room);
}

static int copy_all(struct store *s, struct store_txn *t, struct err *err) {
    struct meta *m = calloc(1, sizeof *m);
    uint64_t bytes;
    int rc = m == NULL ? err_set(err, E_NOMEM, "no memory for meta") : keep_read_meta(t, m, err);
    for (unsigned table = 0; table < TABLES && rc == 0; table++)
        rc = copy_table(s, t, table, (struct bytes){NULL, 0}, &bytes, err);
    if (rc == 0)
        rc = copy_check(s, m, err);
    if (rc == 0)
        rc = store_sync(s, err);
    free(m);
    return rc;
}

static int make(struct keep *k, const char *folder, uint64_t need, struct err *err) {
    struct store *s = NULL;
    struct store_txn *t = NULL;
    int rc = keep_open_generation(&s, k->dir, folder, GENERATION_WRITE | GENERATION_BULK, need, err);
    if (rc == 0)
        rc = store_read_begin(k->store, &t, err);
    if (rc == 0)
        rc = copy_all(s, t, err);
    store_read_end(t);
    store_close(s);
    return rc;
}

static int compact(struct keep *k, struct keep_result *r, struct err *err) {
    struct making m;
    uint64_t need;
    int rc = store_weigh(k->store, &need, err);
    if (rc == 0)
        rc = check_room(k, need, err);
    if (rc < 0)
        return rc;
    making_name(&m, k);
    rc = make(k, m.folder, need, err);
    rc = making_finish(&m, k, rc, &r->bytes, err);
    r->changed = r->bulk = rc == 0;
    return rc;
}

struct compacting {
    struct keep *k;
    struct keep_result *r;
};
static int compact_body(void *ctx, struct err *err) {
    const struct compacting *x = ctx;
    return compact(x->k, x->r, err);
}

int keep_compact(struct keep *k, struct keep_result *r, struct err *err) {
    int64_t begun = clock_ns(CLOCK_KIND_MONO);
    memset(r, 0, sizeof *r);
    if (k->reading)
        return err_set(err, E_DENIED, "zone %s: opened for reading alone", k->zone->name);
    int rc = keep_ready(k, err);
    if (rc == 0)
        rc = damage_refuses(k, err);
    if (rc < 0 || k->store == NULL)
        return rc;
    struct compacting x = {k, r};
    rc = keep_guarded(k, compact_body, &x, err);
    if (rc == E_CORRUPT)
        damage_note(k, err);
    r->micros = (uint64_t)(clock_ns(CLOCK_KIND_MONO) - begun) / 1000;
    k->weighed = 0;
    k->compact_after_ms = clock_mono_ms() + (int64_t)(r->micros / 1000 * KEEP_COMPACT_REST);
    if (rc < 0) {
        k->compact_after_ms = clock_mono_ms() + KEEP_COMPACT_AGAIN_MS;
        err_prefix(err, "zone %s: compaction", k->zone->name);
    }
    return rc;
}
