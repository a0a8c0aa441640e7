#include <string.h>
#include <unistd.h>

#include "health/command/dropin.h"
#include "resolver/base/bytes.h"

static char *join(struct dropin *d, const char *a, const char *b, const char *c, struct err *err) {
    char path[3 * DROPIN_PATH];
    const char *part[] = {a, b, c};
    size_t size = 0;
    for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
        const char *from = part[i] + (size > 0 && part[i][0] == '/');
        size_t n = strlen(from);
        if (n == 0 || strcmp(from, ".") == 0)
            continue;
        if (size + n + 2 > sizeof path) {
            (void)err_set(err, E_RANGE, "%s: path too long", part[i]);
            return NULL;
        }
        if (size > 0 && path[size - 1] != '/')
            path[size++] = '/';
        size += text_copy(path + size, sizeof path - size, from);
    }
    if (size >= DROPIN_PATH) {
        (void)err_set(err, E_RANGE, "%.60s...: path too long", path);
        return NULL;
    }
    char *text = arena_text(&d->arena, path, size);
    if (text == NULL)
        (void)err_set(err, E_NOMEM, "no memory");
    return text;
}

char *dropin_path(struct dropin *d, const char *root, const char *work, const char *path, struct err *err) {
    char here[DROPIN_PATH];
    if (path[0] == '/')
        return join(d, root, path + (root[0] != '\0'), "", err);
    if (work[0] == '/' || root[0] != '\0')
        return join(d, root, work, path, err);
    if (getcwd(here, sizeof here) == NULL) {
        (void)err_errno(err, "the current directory");
        return NULL;
    }
    return join(d, here, work, path, err);
}

static int take_files(struct dropin *d, struct dropin_spec *s, const char *list, struct err *err) {
    size_t count = 1;
    for (const char *c = list; *c != '\0'; c++)
        count += *c == ',';
    if (count > LIMIT_FILES)
        return err_set(err, E_FULL, "`%.80s...': at most %d files in one dataset", list, LIMIT_FILES);
    const char **file = arena_alloc(&d->arena, count * sizeof *file);
    if (file == NULL)
        return err_set(err, E_NOMEM, "no memory");
    for (const char *at = list;; at++) {
        size_t size = strcspn(at, ",");
        char *name = arena_text(&d->arena, at, size);
        if (name == NULL)
            return err_set(err, E_NOMEM, "no memory");
        if (size == 0)
            return err_set(err, E_INVALID, "empty file name in `%s'", list);
        if ((file[s->files++] = dropin_path(d, d->root, d->work, name, err)) == NULL)
            return err->code;
        at += size;
        if (*at == '\0')
            break;
    }
    s->file = file;
    return 0;
}

static int take_zone(struct dropin *d, struct dropin_spec *s, const char *text, size_t size, struct err *err) {
    struct name n;
    char *zone = arena_text(&d->arena, text, size), shown[NAME_TEXT_MAX];
    if (zone == NULL)
        return err_set(err, E_NOMEM, "no memory");
    if (size == 0 && s->type == DATASET_ACL) {
        s->zone = ".";
        return 0;
    }
    if (size == 0 || strcmp(zone, ".") == 0)
        return err_set(err, E_INVALID, "missing domain name in `%s'", text);
    if (name_from_text(&n, zone, NULL) < 0)
        return err_set(err, E_INVALID, "invalid domain name in `%s'", text);
    name_lower(&n);
    (void)name_text(&n, shown);
    s->zone = arena_text(&d->arena, shown, strlen(shown));
    return s->zone != NULL ? 0 : err_set(err, E_NOMEM, "no memory");
}

int dropin_spec(struct dropin *d, const char *text, struct err *err) {
    const char *type = strchr(text, ':'), *files = type != NULL ? strchr(type + 1, ':') : NULL;
    struct dropin_spec *s = &d->spec[d->specs];
    if (d->specs == DROPIN_SPECS)
        return err_set(err, E_FULL, "at most %d zone specifications", DROPIN_SPECS);
    if (type == NULL || files == NULL)
        return err_set(err, E_INVALID, "invalid zone data specification `%s'", type != NULL ? type + 1 : text);
    size_t size = (size_t)(files - type - 1);
    for (s->type = 0; s->type < DATASET_TYPES; s->type++)
        if (strlen(conf_dataset_name(s->type)) == size && strncmp(conf_dataset_name(s->type), type + 1, size) == 0)
            break;
    if (s->type == DATASET_TYPES)
        return err_set(err, E_INVALID, "unknown dataset type `%.*s'", (int)size, type + 1);
    int rc = take_zone(d, s, text, (size_t)(type - text), err);
    if (rc == 0)
        rc = take_files(d, s, files + 1, err);
    d->specs += rc == 0;
    return rc;
}
