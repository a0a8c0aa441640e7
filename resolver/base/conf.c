#include "resolver/base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/base/arena.h"
#include "resolver/base/bytes.h"
#include "resolver/base/conf_check.h"
#include "resolver/base/conf_fill.h"
#include "resolver/base/conf_members.h"
#include "resolver/base/conf_raw_health.h"
#include "resolver/base/conf_raw_rbl.h"
#include "resolver/base/conf_raw_resolver.h"

struct whole {
    struct conf conf;
    struct arena arena;           /* all that conf points at */
    struct conf_members *members; /* that end with it; NULL: none do */
};

/* libcyaml says what is wrong to a log only. After conf_check() nothing can be, so its first words are kept as they
 * are, for the case that it knows better. */
struct cyaml_words {
    char text[160];
};

static void keep_words(cyaml_log_t level, void *ctx, const char *fmt, va_list args) {
    struct cyaml_words *w = ctx;
    if (level < CYAML_LOG_ERROR || w->text[0] != '\0')
        return;
    if (vsnprintf(w->text, sizeof(w->text), fmt, args) < 0)
        w->text[0] = '\0';
    w->text[strcspn(w->text, "\n")] = '\0';
}

static int read_raw(struct conf_raw **raw, const cyaml_config_t *config, struct cyaml_words *words, const char *text,
                    size_t size, const char *label, struct err *err) {
    cyaml_err_t rc = cyaml_load_data((const uint8_t *)text, size, config, &conf_schema, (cyaml_data_t **)raw, NULL);
    if (rc == CYAML_OK)
        return E_OK;
    if (rc == CYAML_ERR_OOM || rc == CYAML_ERR_LIBYAML_PARSER_INIT || rc == CYAML_ERR_LIBYAML_EVENT_INIT)
        return err_set(err, E_NOMEM, "%s: no memory", label);
    return err_set(err, E_INVALID, "%s:1: expected a configuration: %s (%s)", label, cyaml_strerror(rc), words->text);
}

static void fill(struct conf_reader *r, const struct conf_raw *in, const struct conf_tree *root) {
    struct conf *out = r->conf;
    conf_fill_node(r, CONF_RAW_OR_EMPTY(in->node), &out->node);
    conf_fill_log(r, CONF_RAW_OR_EMPTY(in->log), &out->log);
    conf_fill_rbl(r, CONF_RAW_OR_EMPTY(in->rbl), &out->rbl);
    conf_fill_resolver(r, CONF_RAW_OR_EMPTY(in->resolver), &out->resolver);
    conf_fill_health(r, CONF_RAW_OR_EMPTY(in->health), &out->health);
    conf_cross_check(r);
    conf_list_later(r, root);
}

/* One entry of rbl.zones alone. */
static void fill_zone(struct conf_reader *r, const struct conf_raw *in) {
    struct conf_zone *z = conf_array(r, 1, sizeof(*z));
    if (in->rbl == NULL || in->rbl->zone_count != 1) {
        conf_fail(r, E_INVALID, NULL, "one zone");
        return;
    }
    conf_enter(r, "rbl");
    conf_enter(r, "zones");
    conf_enter_at(r, 0);
    if (z != NULL)
        conf_fill_zone(r, &in->rbl->zones[0], z);
    conf_leave(r);
    conf_leave(r);
    conf_leave(r);
    r->conf->rbl.zones = z;
    r->conf->rbl.zone_count = 1;
}

/* Both forms of the text into `w`; the forms themselves end here. With `keys_of` it is one zone, whose keys are those
 * of that configuration. */
static int convert(struct whole *w, const char *text, size_t size, const char *base_dir, const char *label,
                   const struct conf *keys_of, struct err *err) {
    struct arena scratch = {0};
    struct conf_tree *root = NULL;
    struct conf_raw *raw = NULL, empty = {0};
    struct cyaml_words words = {""};
    cyaml_config_t config = {.log_fn = keep_words,
                             .log_ctx = &words,
                             .mem_fn = cyaml_mem,
                             .log_level = CYAML_LOG_ERROR,
                             .flags = CYAML_CFG_NO_ALIAS};
    struct conf_reader r = {.arena = &w->arena, .err = err, .label = label, .base_dir = base_dir, .conf = &w->conf};
    int rc = conf_tree_read(&root, &scratch, text, size, label, err);
    if (rc != E_OK)
        goto out;
    if (root != NULL && root->null)
        root = NULL;
    if (root != NULL) {
        rc = conf_check(root, label, err);
        if (rc == E_OK)
            rc = read_raw(&raw, &config, &words, text, size, label, err);
        if (rc != E_OK)
            goto out;
    }
    r.at[0].node = root;
    r.depth = 1;
    if (keys_of != NULL) {
        w->conf.rbl.keys = keys_of->rbl.keys;
        w->conf.rbl.key_count = keys_of->rbl.key_count;
        fill_zone(&r, raw != NULL ? raw : &empty);
    } else {
        fill(&r, raw != NULL ? raw : &empty, root);
    }
    rc = r.rc;
out:
    (void)cyaml_free(&config, &conf_schema, raw, 0);
    arena_free(&scratch);
    return rc;
}

/* The directory that the file is named in, links not followed: what stands beside it is meant. */
static void directory_of(char to[PATH_MAX], const char *path) {
    const char *slash = strrchr(path, '/');
    size_t n = slash != NULL && slash != path ? (size_t)(slash - path) : 1;
    memcpy(to, path, n);
    to[n] = '\0';
}

/* `path` is absolute or "". */
static int read_text(struct conf **conf, const char *text, size_t size, const char *base_dir, const char *label,
                     const char *path, const struct conf *keys_of, struct err *err) {
    struct whole *w = calloc(1, sizeof(*w));
    int rc = E_NOMEM;
    *conf = NULL;
    if (w == NULL)
        return err_set(err, E_NOMEM, "%s: no memory", label);
    if (size > LIMIT_CONF_BYTES)
        rc = err_set(err, E_FULL, "%s:1: expected at most %d bytes, got %zu", label, LIMIT_CONF_BYTES, size);
    else
        rc = convert(w, text, size, base_dir, label, keys_of, err);
    if (rc == E_OK) {
        w->conf.path = arena_text(&w->arena, path, strlen(path));
        if (w->conf.path == NULL)
            rc = err_set(err, E_NOMEM, "%s: no memory", label);
    }
    if (rc == E_OK)
        *conf = &w->conf;
    else
        conf_free(&w->conf);
    return rc;
}

int conf_read_text(struct conf **conf, const char *text, size_t size, const char *base_dir, const char *label,
                   struct err *err) {
    return read_text(conf, text, size, base_dir, label, "", NULL, err);
}

int conf_read_instead(struct conf **conf, const struct conf *of, const char *text, size_t size, const char *label,
                      struct err *err) {
    char directory[PATH_MAX] = "/";
    if (of->path[0] != '\0')
        directory_of(directory, of->path);
    int rc = read_text(conf, text, size, directory, label, of->path, NULL, err);
    if (rc == E_OK && *conf != NULL)
        (*conf)->changed_wall_s = of->changed_wall_s;
    return rc;
}

int conf_read_zone(struct conf **conf, const struct conf *of, const char *options, const char *label, struct err *err) {
    static const char front[] = "rbl: {zones: [", back[] = "]}";
    char directory[PATH_MAX] = "/";
    size_t size = strlen(options);
    *conf = NULL;
    if (size > LIMIT_CONF_OPTIONS || strchr(options, '\n') != NULL)
        return err_set(err, E_RANGE, "%s:1: expected one line of at most %d bytes", label, LIMIT_CONF_OPTIONS);
    char *text = malloc(size + sizeof front + sizeof back);
    if (text == NULL)
        return err_set(err, E_NOMEM, "%s: no memory", label);
    if (of->path[0] != '\0')
        directory_of(directory, of->path);
    int n = snprintf(text, size + sizeof front + sizeof back, "%s%s%s", front, options, back);
    int rc = read_text(conf, text, (size_t)n, directory, label, "", of, err);
    free(text);
    return rc;
}

/* Up to one byte more than a configuration may have, so that the caller sees that it has more. */
static int slurp(char **text, size_t *size, int64_t *changed_wall_s, const char *path, struct err *err) {
    const size_t cap = LIMIT_CONF_BYTES + 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = E_OK;
    ssize_t n = 1;
    struct stat st;
    *size = 0;
    *text = NULL;
    if (fd < 0)
        return err_errno(err, "%s", path);
    *changed_wall_s = fstat(fd, &st) == 0 ? (int64_t)st.st_mtime : 0;
    *text = malloc(cap);
    if (*text == NULL)
        rc = err_set(err, E_NOMEM, "%s: no memory", path);
    while (rc == E_OK && n != 0 && *size < cap) {
        n = read(fd, *text + *size, cap - *size);
        if (n < 0 && errno != EINTR)
            rc = err_errno(err, "%s", path);
        *size += n > 0 ? (size_t)n : 0;
    }
    (void)close(fd);
    return rc;
}

static int absolute(char to[PATH_MAX], const char *path, struct err *err) {
    char cwd[PATH_MAX] = "";
    int n;
    if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
        return err_errno(err, "%s: working directory", path);
    n = snprintf(to, PATH_MAX, "%s%s%s", cwd, cwd[0] != '\0' && cwd[1] != '\0' ? "/" : "", path);
    return n > 0 && n < PATH_MAX ? E_OK : err_set(err, E_RANGE, "%s: the path is too long", path);
}

int conf_read(struct conf **conf, const char *path, struct err *err) {
    char full[PATH_MAX], directory[PATH_MAX], *text = NULL;
    size_t size = 0;
    int64_t changed_wall_s = 0;
    int rc;
    *conf = NULL;
    if (path == NULL)
        return read_text(conf, "", 0, "/", "defaults", "", NULL, err);
    rc = absolute(full, path, err);
    if (rc == E_OK)
        rc = slurp(&text, &size, &changed_wall_s, path, err);
    if (rc == E_OK) {
        directory_of(directory, full);
        rc = read_text(conf, text, size, directory, path, full, NULL, err);
    }
    if (rc == E_OK && *conf != NULL)
        (*conf)->changed_wall_s = changed_wall_s;
    free(text);
    return rc;
}

void conf_free(struct conf *conf) {
    struct whole *w;
    struct arena arena;
    if (conf == NULL)
        return;
    w = CONTAINER_OF(conf, struct whole, conf);
    conf_members_close(w->members);
    arena = w->arena;
    arena_free(&arena);
    free(w);
}

int conf_read_members(struct conf *conf, struct err *err) {
    struct whole *w = CONTAINER_OF(conf, struct whole, conf);
    int rc = w->members == NULL ? conf_members_open(&w->members, conf, err) : 0;
    return rc == 0 ? conf_members_read(w->members, NULL, NULL, err) : rc;
}

size_t conf_upstreams(const struct conf *conf, struct addr *to, size_t cap) {
    const struct conf_resolver *r = &conf->resolver;
    size_t count = 0;
    for (size_t i = 0; i < r->forward_count; i++) {
        for (size_t j = 0; j < r->forward[i].to.count; j++) {
            const struct addr *a = &r->forward[i].to.at[j];
            size_t k = 0;
            while (k < count && k < cap && !addr_same(&to[k], a))
                k++;
            if (k < count && k < cap)
                continue;
            if (count < cap)
                to[count] = *a;
            count++;
        }
    }
    return count;
}
