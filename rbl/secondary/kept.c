/* What outlives a restart: when each zone was last known to be right, and its epoch. A text file in the state folder,
 * one line a zone, replaced by rename at most every KEPT_EVERY_MS, never synced: what a power cut takes away makes a
 * zone expire a little earlier, not later.
 *
 *   ZONE CHECKED_MS EPOCH SERIAL COMMITTED_MS STAMP_MS */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rbl/secondary/impl.h"
#include "resolver/base/log.h"

enum { KEPT_EVERY_MS = 5000, KEPT_LINE = BOARD_NAME_MAX * 4 + 128, KEPT_PATH = 4096, NAME_TEXT = 1024 };

struct kept_zone {
    char name[NAME_TEXT];
    int64_t checked_ms, committed_ms, stamp_ms;
    uint32_t epoch, serial;
};

struct kept_text {
    struct secondary *in;
    char path[KEPT_PATH], made[KEPT_PATH];
    char *text;
    size_t size;
    bool failed;
};

static int path_of(const struct secondary *in, char to[KEPT_PATH], const char *end) {
    int n = snprintf(to, KEPT_PATH, "%s/secondary%s", in->c.conf->node.state, end);
    return n > 0 && n < KEPT_PATH ? 0 : E_RANGE;
}

static bool read_line(const char *line, struct kept_zone *k) {
    int n = sscanf(line, "%1023s %" SCNd64 " %" SCNu32 " %" SCNu32 " %" SCNd64 " %" SCNd64, k->name, &k->checked_ms,
                   &k->epoch, &k->serial, &k->committed_ms, &k->stamp_ms);
    int64_t most = clock_wall_ms(); /* nothing was checked in the future */
    if (n == 6 && k->checked_ms > most)
        k->checked_ms = most;
    return n == 6 && k->checked_ms >= 0 && k->committed_ms >= 0 && k->stamp_ms >= 0;
}

void kept_read(struct secondary *in) {
    char path[KEPT_PATH], line[KEPT_LINE];
    FILE *f = path_of(in, path, "") == 0 ? fopen(path, "re") : NULL;
    if (f == NULL)
        return;
    in->kept = calloc(LIMIT_ZONES, sizeof *in->kept);
    while (in->kept != NULL && in->kept_count < LIMIT_ZONES && fgets(line, sizeof line, f) != NULL)
        in->kept_count += read_line(line, &in->kept[in->kept_count]);
    (void)fclose(f);
}

void kept_free(struct secondary *in) {
    free(in->kept);
    in->kept = NULL;
    in->kept_count = 0;
}

void kept_take(struct sec_zone *z) {
    const struct secondary *in = z->in;
    struct keep_state st;
    for (size_t i = 0; i < in->kept_count; i++) {
        const struct kept_zone *k = &in->kept[i];
        if (strcmp(k->name, z->conf->name) != 0)
            continue;
        z->checked_wall_ms = k->checked_ms;
        if (z->epoch < k->epoch)
            z->epoch = k->epoch;
        if (keeper_state(in->c.keeper, z->index, &st, NULL) < 0 || st.serial != k->serial)
            continue;
        z->fresh = (struct native_state){
            .serial = k->serial, .committed_ms = k->committed_ms, .stamp_ms = k->stamp_ms, .digest = st.digest};
        z->fresh_known = k->committed_ms > 0 || k->stamp_ms > 0;
    }
}

/* --- writing */

static void write_file(struct kept_text *k) {
    int fd = open(k->made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    k->failed = fd < 0 || write(fd, k->text, k->size) != (ssize_t)k->size;
    if (fd >= 0 && close(fd) != 0)
        k->failed = true;
    if (!k->failed)
        k->failed = rename(k->made, k->path) != 0;
}

static void kept_free_text(struct kept_text *k) {
    free(k->text);
    free(k);
}

static void work(void *ctx) { write_file(ctx); }

static void written(void *ctx) {
    struct kept_text *k = ctx;
    k->in->working--;
    k->in->kept_writing = false;
    if (k->failed && !k->in->kept_failed)
        LOG(LEVEL_WARN, "when zones were last checked cannot be written down", KS("file", k->path));
    k->in->kept_failed = k->failed;
    kept_free_text(k);
}

static struct kept_text *make_text(struct secondary *in) {
    struct kept_text *k = calloc(1, sizeof *k);
    FILE *f = k != NULL && path_of(in, k->path, "") == 0 && path_of(in, k->made, ".new") == 0
                  ? open_memstream(&k->text, &k->size)
                  : NULL;
    if (f == NULL) {
        free(k);
        return NULL;
    }
    k->in = in;
    for (size_t i = 0; i < LIMIT_ZONES; i++) {
        const struct sec_zone *z = in->zone[i];
        if (z != NULL && z->ready && (z->s.count > 0 || z->epoch > 0))
            (void)fprintf(f, "%s %" PRId64 " %u %u %" PRId64 " %" PRId64 "\n", z->conf->name, z->checked_wall_ms,
                          z->epoch, z->fresh_known ? z->fresh.serial : 0, z->fresh_known ? z->fresh.committed_ms : 0,
                          z->fresh_known ? z->fresh.stamp_ms : 0);
    }
    if (fclose(f) == 0)
        return k;
    kept_free_text(k);
    return NULL;
}

void kept_tick(struct secondary *in, int64_t now_ms, bool now) {
    bool due = in->kept_changed && now_ms - in->kept_written_ms >= KEPT_EVERY_MS;
    if ((!due && !now) || in->kept_writing)
        return;
    struct kept_text *k = make_text(in);
    if (k == NULL)
        return;
    in->kept_changed = false;
    in->kept_written_ms = now_ms;
    if (now) {
        write_file(k);
        kept_free_text(k);
        return;
    }
    in->kept_writing = true;
    in->working++;
    if (loop_work(in->c.loop, work, written, k) == 0)
        return;
    in->working--;
    in->kept_writing = false;
    in->kept_changed = true;
    kept_free_text(k);
}
