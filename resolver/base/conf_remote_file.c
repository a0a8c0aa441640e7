/* state/remote/NAME (docs/formats/remote.md): lines KEY VALUE, an empty line, the text. */
#include "resolver/base/conf_remote_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/base/bytes.h"
#include "resolver/base/conf_remote.h"
#include "resolver/base/folder.h"

static const char first_line[] = "candor-remote 1";
enum { HEAD_MOST = 2048, DIGITS_MOST = 18 };

int remote_slurp(char **text, size_t *size, const char *path, size_t most, struct err *err) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
    *text = NULL;
    *size = 0;
    if (fd < 0)
        return err_errno(err, "%s", path);
    if (fstat(fd, &st) < 0)
        rc = err_errno(err, "%s", path);
    else if (!S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > most)
        rc = err_set(err, E_FULL, "%s:1: expected a file of at most %zu bytes", path, most);
    else if ((*text = malloc((size_t)st.st_size + 1)) == NULL)
        rc = err_set(err, E_NOMEM, "%s: no memory", path);
    while (rc == 0 && *size < (size_t)st.st_size) {
        ssize_t n = read(fd, *text + *size, (size_t)st.st_size - *size);
        if (n < 0 && errno != EINTR)
            rc = err_errno(err, "%s", path);
        if (n == 0)
            break;
        *size += n > 0 ? (size_t)n : 0;
    }
    (void)close(fd);
    if (rc == 0 && *text != NULL) {
        (*text)[*size] = '\0';
        return 0;
    }
    free(*text);
    *text = NULL;
    return rc;
}

static int path_of(char to[PATH_MAX], const char *state, const char *name, const char *more, struct err *err) {
    int n = snprintf(to, PATH_MAX, "%s/remote%s%s%s", state, name[0] != '\0' ? "/" : "", name, more);
    return n > 0 && n < PATH_MAX ? 0 : err_set(err, E_RANGE, "%s: the path is too long", state);
}

static bool number(const char *text, uint64_t *to) {
    size_t n = strspn(text, "0123456789");
    *to = n > 0 && n <= DIGITS_MOST ? strtoull(text, NULL, 10) : 0;
    return n > 0 && n <= DIGITS_MOST && text[n] == '\0';
}

/* False: a value that is none. What is not known is passed over. */
static bool take(struct remote_version *v, const char *key, const char *value) {
    uint64_t n = 0;
    bool is_number = number(value, &n);
    if (strcmp(key, "version") == 0)
        v->number = n;
    else if (strcmp(key, "at") == 0)
        v->wall_s = (int64_t)n;
    else if (strcmp(key, "tries") == 0)
        v->tries = n > REMOTE_TRIES ? REMOTE_TRIES : (unsigned)n;
    else if (strcmp(key, "ready") == 0)
        v->ready = n != 0;
    else if (strcmp(key, "report") == 0)
        v->report = n != 0;
    else if (strcmp(key, "digest") == 0)
        return text_copy(v->digest, sizeof v->digest, value) == strlen(value);
    else if (strcmp(key, "words") == 0)
        return text_copy(v->words, sizeof v->words, value) == strlen(value);
    else
        return true;
    return is_number;
}

static int take_head(struct remote_version *v, char *head) {
    char *line, *rest = head;
    line = strsep(&rest, "\n");
    if (line == NULL || strcmp(line, first_line) != 0)
        return E_CORRUPT;
    while ((line = strsep(&rest, "\n")) != NULL) {
        char *space = strchr(line, ' ');
        if (space == NULL)
            return E_CORRUPT;
        *space = '\0';
        if (!take(v, line, space + 1))
            return E_CORRUPT;
    }
    return 0;
}

static int take_file(struct remote_version *v, char *file, size_t size) {
    char digest[REMOTE_DIGEST], *end = strstr(file, "\n\n");
    if (strlen(file) != size || end == NULL || end - file > HEAD_MOST)
        return E_CORRUPT;
    *end = '\0';
    const char *text = end + 2;
    size_t n = size - (size_t)(text - file);
    int rc = take_head(v, file);
    if (rc < 0 || n == 0)
        return rc;
    if (n > REMOTE_BYTES || remote_digest(digest, text, n) < 0 || strcmp(digest, v->digest) != 0)
        return E_CORRUPT;
    v->text = strndup(text, n);
    v->size = n;
    return v->text != NULL ? 0 : E_NOMEM;
}

int remote_read(struct remote_version *v, const char *state, const char *name, struct err *err) {
    char path[PATH_MAX], *file = NULL;
    size_t size;
    *v = (struct remote_version){.number = 0};
    int rc = path_of(path, state, name, "", err);
    if (rc == 0)
        rc = remote_slurp(&file, &size, path, REMOTE_BYTES + HEAD_MOST, err);
    if (rc == 0 && file != NULL && (rc = take_file(v, file, size)) < 0) {
        remote_version_free(v);
        rc = err_set(err, rc, "%s:1: expected a version with its digest, this one is damaged", path);
    }
    free(file);
    return rc;
}

static int write_file(const struct remote_version *v, const char *path, struct err *err) {
    char words[REMOTE_WORDS];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL) {
        int rc = err_errno(err, "%s", path);
        if (fd >= 0)
            (void)close(fd);
        return rc;
    }
    text_copy(words, sizeof words, v->words);
    for (char *c = words; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    int n =
        fprintf(f, "%s\nversion %llu\nat %lld\ntries %u\nready %d\nreport %d\ndigest %s\nwords %s\n\n", first_line,
                (unsigned long long)v->number, (long long)v->wall_s, v->tries, v->ready, v->report, v->digest, words);
    bool well = n > 0 && (v->text == NULL || fwrite(v->text, 1, v->size, f) == v->size) && fflush(f) == 0 &&
                fsync(fileno(f)) == 0;
    int rc = well ? 0 : err_errno(err, "%s", path);
    if (fclose(f) != 0 && rc == 0)
        rc = err_errno(err, "%s", path);
    return rc;
}

/* Written before this process gave up root: it belongs to whom the state belongs. */
static int own_as(const char *path, const char *state, struct err *err) {
    struct stat st;
    if (geteuid() != 0)
        return 0;
    if (stat(state, &st) != 0 || lchown(path, st.st_uid, st.st_gid) != 0)
        return err_errno(err, "%s", path);
    return 0;
}

int remote_write(const struct remote_version *v, const char *state, const char *name, struct err *err) {
    char folder[PATH_MAX], path[PATH_MAX], fresh[PATH_MAX];
    int rc = path_of(folder, state, "", "", err);
    if (rc == 0)
        rc = path_of(path, state, name, "", err);
    if (rc == 0)
        rc = path_of(fresh, state, name, ".new", err);
    if (rc == 0 && mkdir(folder, 0750) == 0)
        rc = folder_sync(state, err);
    else if (rc == 0 && errno != EEXIST)
        rc = err_errno(err, "%s", folder);
    if (rc == 0)
        rc = own_as(folder, state, err);
    if (rc == 0)
        rc = write_file(v, fresh, err);
    if (rc == 0)
        rc = own_as(fresh, state, err);
    if (rc == 0 && rename(fresh, path) < 0)
        rc = err_errno(err, "%s", path);
    return rc == 0 ? folder_sync(folder, err) : rc;
}

void remote_name(char to[REMOTE_NAME], const char *kind, const char *catalog) {
    char digest[REMOTE_DIGEST];
    if (remote_digest(digest, catalog, strlen(catalog)) < 0)
        text_copy(digest, sizeof digest, "catalog");
    (void)snprintf(to, REMOTE_NAME, "%.20s-%.16s", kind, digest);
}

int remote_rename(const char *state, const char *from, const char *to, struct err *err) {
    char folder[PATH_MAX], path[PATH_MAX], target[PATH_MAX];
    int rc = path_of(folder, state, "", "", err);
    if (rc == 0)
        rc = path_of(path, state, from, "", err);
    if (rc == 0)
        rc = path_of(target, state, to, "", err);
    if (rc == 0 && rename(path, target) < 0)
        rc = err_errno(err, "%s", path);
    return rc == 0 ? folder_sync(folder, err) : rc;
}

int remote_remove(const char *state, const char *name, struct err *err) {
    char path[PATH_MAX];
    int rc = path_of(path, state, name, "", err);
    return rc < 0 || unlink(path) == 0 || errno == ENOENT ? rc : err_errno(err, "%s", path);
}
