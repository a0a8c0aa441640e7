/* The file of members: reading what differs, writing all (docs/formats/members.md). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/base/conf_members_impl.h"
#include "resolver/base/folder.h"
#include "resolver/base/log.h"

static const char first_line[] = "candor-members 1";

enum { FIELDS = 5, NUMBER_DIGITS = 18 };

struct reading {
    struct conf_members *m;
    char path[PATH_MAX];
    char *text;
    struct conf_member *entry;
    unsigned *line;
    size_t count;
    bool taken[LIMIT_ZONES + 1]; /* places; the last: no room */
};

static int path_of(const struct conf *conf, const char *file, char to[PATH_MAX], struct err *err) {
    int n = snprintf(to, PATH_MAX, "%s/catalog%s%s", conf->node.state, file[0] != '\0' ? "/" : "", file);
    return n > 0 && n < PATH_MAX ? 0 : err_set(err, E_RANGE, "%s: the path is too long", conf->node.state);
}

static int slurp(struct reading *r, struct err *err) {
    struct stat st;
    int fd = open(r->path, O_RDONLY | O_CLOEXEC), rc = 0;
    if (fd < 0)
        return err_errno(err, "%s", r->path);
    if (fstat(fd, &st) < 0)
        rc = err_errno(err, "%s", r->path);
    else if (!S_ISREG(st.st_mode) || st.st_size > MEMBERS_FILE_MAX)
        rc = err_set(err, E_CORRUPT, "%s:1: expected a file of at most %d bytes", r->path, MEMBERS_FILE_MAX);
    else if ((r->text = malloc((size_t)st.st_size + 1)) == NULL)
        rc = err_set(err, E_NOMEM, "%s: no memory", r->path);
    size_t size = 0;
    while (rc == 0 && size < (size_t)st.st_size) {
        ssize_t n = read(fd, r->text + size, (size_t)st.st_size - size);
        if (n < 0 && errno != EINTR)
            rc = err_errno(err, "%s", r->path);
        if (n == 0)
            break;
        size += n > 0 ? (size_t)n : 0;
    }
    (void)close(fd);
    if (rc != 0)
        return rc;
    r->text[size] = '\0';
    return strlen(r->text) == size ? 0 : err_set(err, E_CORRUPT, "%s:1: expected text", r->path);
}

static int broken(const struct reading *r, unsigned line, const char *what, struct err *err) {
    return err_set(err, E_CORRUPT, "%s:%u: expected %s", r->path, line, what);
}

/* A decimal number without sign. */
static bool number(const char *text, int64_t *to) {
    size_t n = strspn(text, "0123456789");
    *to = n > 0 && n <= NUMBER_DIGITS ? strtoll(text, NULL, 10) : -1;
    return *to >= 0 && text[n] == '\0';
}

/* PLACE CATALOG LABEL LEFT OPTIONS */
static int take_line(struct reading *r, char *line, unsigned at, struct err *err) {
    char *field[FIELDS], *rest = line;
    int64_t place, left;
    for (int i = 0; i < FIELDS; i++) {
        field[i] = i < FIELDS - 1 ? strsep(&rest, " ") : rest;
        if (field[i] == NULL || field[i][0] == '\0')
            return broken(r, at, "a place, a catalog, a label, a time and options", err);
    }
    if (!number(field[0], &place) || place >= LIMIT_ZONES)
        return broken(r, at, "the number of a place", err);
    if (!number(field[3], &left))
        return broken(r, at, "a time in seconds", err);
    if (strlen(field[2]) >= MEMBERS_LABEL_MAX)
        return broken(r, at, "a label", err);
    if (field[4][0] != '{' || strlen(field[4]) > LIMIT_CONF_OPTIONS)
        return broken(r, at, "options in { }", err);
    if (r->taken[place])
        return broken(r, at, "each place once", err);
    if (r->count >= LIMIT_ZONES)
        return broken(r, at, "fewer members", err);
    r->taken[place] = true;
    r->line[r->count] = at;
    r->entry[r->count++] = (struct conf_member){
        .place = (size_t)place, .catalog = field[1], .label = field[2], .left_wall_s = left, .options = field[4]};
    return 0;
}

/* The last line says how many there are: what ends before is half a file. */
static int take_lines(struct reading *r, struct err *err) {
    char *rest = r->text, *line, last[32];
    unsigned at = 1;
    line = strsep(&rest, "\n");
    if (line == NULL || strcmp(line, first_line) != 0)
        return broken(r, 1, first_line, err);
    while ((line = strsep(&rest, "\n")) != NULL && strncmp(line, "end ", 4) != 0) {
        int rc = take_line(r, line, ++at, err);
        if (rc < 0)
            return rc;
    }
    (void)snprintf(last, sizeof last, "end %zu", r->count);
    if (line == NULL || strcmp(line, last) != 0 || rest == NULL || rest[0] != '\0')
        return broken(r, at + 1, last, err);
    return 0;
}

/* The configuration has grown over some of the places: every process moves those members alike, in their order. */
static void move_aside(struct reading *r) {
    size_t to = r->m->conf->rbl.zone_fixed;
    for (size_t i = 0; i < r->count; i++) {
        if (r->entry[i].place >= r->m->conf->rbl.zone_fixed)
            continue;
        while (to < LIMIT_ZONES && r->taken[to])
            to++;
        r->taken[to] = true;
        r->entry[i].place = to; /* LIMIT_ZONES: no room */
    }
}

/* What cannot be taken now is said; an older version of it stays. */
static int take_entry(struct reading *r, size_t i, struct member **fresh, struct err *err) {
    char label[PATH_MAX + 16];
    const struct conf_member *e = &r->entry[i];
    struct err words = {.text = ""};
    (void)snprintf(label, sizeof label, "%s:%u", r->path, r->line[i]);
    int rc = member_new(fresh, r->m->conf, e, label, &words);
    if (rc < 0)
        return err_set(err, rc, "%s: no memory", r->path);
    if (words.code != 0)
        LOG(LEVEL_ERROR, "a zone that was added at run time does not fit this configuration", KS("why", words.text));
    else if (members_in_file(r->m, (*fresh)->public.zone->name))
        words.code = E_EXISTS;
    if (words.code == E_EXISTS) {
        LOG(LEVEL_WARN, "a zone of the configuration takes the place of one that was added at run time",
            KS("zone", (*fresh)->public.zone->name));
        member_free(*fresh);
        *fresh = NULL;
    }
    return 0;
}

static int compare(struct reading *r, struct member **fresh, bool *keep, struct err *err) {
    for (size_t i = 0; i < r->count; i++) {
        size_t place = r->entry[i].place;
        if (place >= LIMIT_ZONES) {
            LOG(LEVEL_ERROR, "no place for a zone that was added at run time", KS("options", r->entry[i].options));
            continue;
        }
        struct member *old = r->m->at[place];
        keep[place] = old != NULL && member_same(old, &r->entry[i]);
        int rc = keep[place] ? 0 : take_entry(r, i, &fresh[place], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* No name twice, in the file and in one place after the other. */
static int check_names(const struct reading *r, struct member *const *fresh, const bool *keep, struct err *err) {
    const char *seen[LIMIT_ZONES];
    size_t count = 0;
    for (size_t i = 0; i < LIMIT_ZONES; i++) {
        const struct member *m = keep[i] ? r->m->at[i] : fresh[i];
        if (m == NULL || m->parsed == NULL)
            continue;
        seen[count++] = m->public.zone->name;
    }
    qsort(seen, count, sizeof *seen, by_text);
    for (size_t i = 1; i < count; i++)
        if (strcmp(seen[i - 1], seen[i]) == 0)
            return err_set(err, E_CORRUPT, "%s:1: expected each zone once, got %s twice", r->path, seen[i]);
    return 0;
}

static void apply(struct conf_members *m, struct member **fresh, const bool *keep, conf_members_fn fn, void *ctx) {
    for (size_t i = 0; i < LIMIT_ZONES; i++) {
        if (keep[i] || (fresh[i] == NULL && m->at[i] == NULL))
            continue;
        member_place(m, i, fresh[i]);
        fresh[i] = NULL;
        if (fn != NULL)
            fn(ctx, i);
    }
}

int conf_members_read(struct conf_members *m, conf_members_fn fn, void *ctx, struct err *err) {
    struct reading r = {.m = m};
    struct member *fresh[LIMIT_ZONES] = {NULL};
    bool keep[LIMIT_ZONES] = {false};
    int rc = path_of(m->conf, "members", r.path, err);
    if (rc < 0)
        return rc;
    rc = slurp(&r, err);
    if (rc == E_NOTFOUND) {
        apply(m, fresh, keep, fn, ctx);
        return rc;
    }
    r.entry = calloc(LIMIT_ZONES, sizeof *r.entry);
    r.line = calloc(LIMIT_ZONES, sizeof *r.line);
    if (rc == 0 && (r.entry == NULL || r.line == NULL))
        rc = err_set(err, E_NOMEM, "%s: no memory", r.path);
    if (rc == 0)
        rc = take_lines(&r, err);
    if (rc == 0) {
        move_aside(&r);
        rc = compare(&r, fresh, keep, err);
    }
    if (rc == 0)
        rc = check_names(&r, fresh, keep, err);
    if (rc == 0)
        apply(m, fresh, keep, fn, ctx);
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        member_free(fresh[i]);
    free(r.entry);
    free(r.line);
    free(r.text);
    return rc;
}

static int write_lines(const struct conf_members *m, FILE *f) {
    size_t count = 0;
    int n = fprintf(f, "%s\n", first_line);
    for (size_t i = 0; i < LIMIT_ZONES && n >= 0; i++) {
        if (m->at[i] == NULL)
            continue;
        const struct conf_member *p = &m->at[i]->public;
        n = fprintf(f, "%zu %s %s %lld %s\n", i, p->catalog, p->label, (long long)p->left_wall_s, p->options);
        count++;
    }
    return n >= 0 ? fprintf(f, "end %zu\n", count) : n;
}

int conf_members_text(const struct conf_members *m, char **text, size_t *size, struct err *err) {
    *text = NULL;
    FILE *f = open_memstream(text, size);
    int n = f != NULL ? write_lines(m, f) : -1;
    if (f != NULL && fclose(f) != 0)
        n = -1;
    if (n >= 0)
        return 0;
    free(*text);
    *text = NULL;
    return err_set(err, E_NOMEM, "no memory for the list of members");
}

static int write_file(const char *path, const char *text, size_t size, struct err *err) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640), rc = 0;
    if (fd < 0)
        return err_errno(err, "%s", path);
    while (rc == 0 && size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno != EINTR)
            rc = err_errno(err, "%s", path);
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    if (rc == 0 && fsync(fd) < 0)
        rc = err_errno(err, "%s: fsync", path);
    if (close(fd) < 0 && rc == 0)
        rc = err_errno(err, "%s", path);
    return rc;
}

int conf_members_store(const struct conf *conf, const char *text, size_t size, struct err *err) {
    char folder[PATH_MAX], path[PATH_MAX], fresh[PATH_MAX];
    int rc = path_of(conf, "", folder, err);
    if (rc == 0)
        rc = path_of(conf, "members", path, err);
    if (rc == 0)
        rc = path_of(conf, "members.new", fresh, err);
    if (rc < 0)
        return rc;
    if (mkdir(folder, 0750) == 0)
        rc = folder_sync(conf->node.state, err);
    else if (errno != EEXIST)
        rc = err_errno(err, "%s", folder);
    if (rc == 0)
        rc = write_file(fresh, text, size, err);
    if (rc == 0 && rename(fresh, path) < 0)
        rc = err_errno(err, "%s", path);
    return rc == 0 ? folder_sync(folder, err) : rc;
}

int conf_members_write(const struct conf_members *m, struct err *err) {
    char *text;
    size_t size;
    int rc = conf_members_text(m, &text, &size, err);
    if (rc == 0)
        rc = conf_members_store(m->conf, text, size, err);
    free(text);
    return rc;
}
