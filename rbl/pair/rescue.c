/* What a former active one had acknowledged and the new one never had: lines to be looked at by people, or to be sent
 * again with `candor add` and `candor del`:
 *
 *   add 192.0.2.1/32 :127.0.0.2:text
 *   del name.example :127.0.0.2: */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rbl/keep/walk.h"
#include "rbl/pair/impl.h"

struct rescue {
    FILE *to;
    uint64_t lines;
};

static const char *entry_text(const struct keep_entry *e, char *to, size_t cap) {
    char text[NAME_TEXT_MAX];
    if (e->kind == KEEP_NAME) /* without the final dot, as data files and `candor add` have it */
        (void)snprintf(to, cap, "%s%s%.*s", e->excluded ? "!" : "", e->bits != 0 ? "*." : "",
                       (int)strlen(name_text(&e->name, text)) - 1, text);
    else
        (void)snprintf(to, cap, "%s%s/%u", e->excluded ? "!" : "",
                       inet_ntop(e->kind == KEEP_4 ? AF_INET : AF_INET6, e->addr, text, sizeof text), e->bits);
    return to;
}

static int put(void *ctx, bool removed, const struct keep_entry *e) {
    struct rescue *r = ctx;
    char entry[NAME_TEXT_MAX + 8], value[VALUE_TEXT_MAX] = "";
    if (!e->excluded)
        (void)value_text(&e->value, value);
    r->lines++;
    return fprintf(r->to, "%s %s%s%s\n", removed ? "del" : "add", entry_text(e, entry, sizeof entry),
                   value[0] != '\0' ? " " : "", value) < 0
               ? E_IO
               : 0;
}

static int put_added(void *ctx, const struct keep_entry *e) { return put(ctx, false, e); }

static int write_all(struct rescue *r, const struct pair_zone *z, struct keep *k, const struct keep_state *st,
                     struct err *err) {
    bool known = z->lost_known;
    int rc = fprintf(r->to, "# %s, serial %" PRIu32 " of epoch %" PRIu32 ": changes behind serial %" PRIu32 "\n",
                     z->conf->name, st->serial, z->role.epoch, z->lost_from) < 0
                 ? E_IO
                 : 0;
    if (rc == 0 && known)
        rc = keep_diff(k, z->lost_from, st->serial, put, r, err);
    if (rc == E_NOTFOUND)
        known = false;
    if (rc == 0 || rc == E_NOTFOUND)
        rc = known                                                                                              ? rc
             : fprintf(r->to, "# the journal does not reach back so far: this is all that the zone held\n") < 0 ? E_IO
                                                                                                                : 0;
    if (rc == 0 && !known) {
        r->lines = 0;
        rc = keep_walk(k, put_added, r, err);
    }
    if (rc == 0 && (fflush(r->to) != 0 || fsync(fileno(r->to)) != 0))
        rc = E_IO;
    return rc == E_IO ? err_errno(err, "%.300s", z->lost_path) : rc;
}

/* Whether the other one's line goes on from what we have: then nothing is lost. A standby may have fetched contents of
 * the new epoch before it heard of it; no serial lies between the beginning of an epoch and its jump. */
static bool nothing_lost(const struct pair_zone *z, const struct keep_state *st) {
    uint32_t jump = (z->lost_from / PAIR_JUMP + 1) * (uint32_t)PAIR_JUMP;
    if (st->empty || (z->lost_known && (int32_t)(st->serial - z->lost_from) <= 0))
        return true;
    return z->turn == TURN_NOTE && (!z->lost_known || (int32_t)(st->serial - jump) >= 0);
}

void rescue_find(struct pair_zone *z) {
    char path[PAIR_PATH];
    struct stat st;
    const char *at = NULL;
    if (z->lost_path[0] != '\0' && stat(z->lost_path, &st) == 0)
        return;
    z->rescued[0] = z->lost_path[0] = '\0';
    if (role_path(path, z->p->c.conf->node.state, z->conf->name, ".rescue-", NULL) < 0 ||
        (at = strrchr(path, '/')) == NULL)
        return;
    const char *begins = at + 1;
    size_t size = strlen(begins);
    path[at - path] = '\0';
    DIR *d = opendir(path);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL && z->rescued[0] == '\0';)
        if (strncmp(e->d_name, begins, size) == 0 &&
            snprintf(z->lost_path, sizeof z->lost_path, "%.3500s/%.255s", path, e->d_name) > 0)
            (void)snprintf(z->rescued, sizeof z->rescued, "changes that the new primary does not have: %.160s",
                           z->lost_path);
    if (d != NULL)
        (void)closedir(d);
}

int rescue_write(struct pair_zone *z, struct keep *k, struct err *err) {
    struct rescue r = {0};
    struct keep_state st;
    char what[64];
    keep_state(k, &st);
    z->lost = 0;
    if (nothing_lost(z, &st))
        return 0;
    (void)snprintf(what, sizeof what, ".rescue-%" PRIu32 "-%" PRIu32, z->role.epoch, st.serial);
    int rc = role_path(z->lost_path, z->p->c.conf->node.state, z->conf->name, what, err);
    if (rc < 0)
        return rc;
    r.to = fopen(z->lost_path, "we");
    if (r.to == NULL)
        return err_errno(err, "%.300s", z->lost_path);
    rc = write_all(&r, z, k, &st, err);
    if (fclose(r.to) != 0 && rc == 0)
        rc = err_errno(err, "%.300s", z->lost_path);
    z->lost = r.lines;
    return rc;
}
