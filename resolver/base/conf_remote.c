#include "resolver/base/conf_remote.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"
#include "resolver/base/conf_check.h"
#include "resolver/base/conf_remote_file.h"
#include "resolver/base/conf_remote_merge.h"
#include "resolver/base/text.h"

/* Each with all that is below it, but for the lists whose entries are told key by key. */
static const char *const options[] = {
    "health.peers",
    "health.interval",
    "health.canary",
    "health.service-addresses",
    "health.fall",
    "health.rise",
    "health.report.datagram",
    "health.report.https[].address",
    "health.report.https[].tls-name",
    "health.report.https[].key",
    "health.monitor.nodes",
};
const char conf_remote_options[] =
    "health.peers, health.interval, health.canary, health.service-addresses, health.fall, "
    "health.rise, health.report.datagram, health.report.https (address, tls-name, key), "
    "health.monitor.nodes";

void remote_version_free(struct remote_version *v) {
    free(v->text);
    *v = (struct remote_version){.number = 0};
}

int remote_digest(char to[REMOTE_DIGEST], const char *text, size_t size) {
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    to[0] = '\0';
    if (EVP_Digest(text, size, hash, &n, EVP_sha256(), NULL) != 1 || 2 * n + 1 != REMOTE_DIGEST)
        return E_SYSTEM;
    for (unsigned i = 0; i < n; i++)
        (void)snprintf(to + 2 * (size_t)i, 3, "%02x", hash[i]);
    return 0;
}

/* --- what may travel --- */

enum may { MAY_NOT, MAY_BELOW, MAY };

static bool goes_on(const char *from, size_t at) { return from[at] == '.' || from[at] == '['; }

static enum may judge(const char *path) {
    size_t n = strlen(path);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        size_t m = strlen(options[i]);
        if (strcmp(options[i], path) == 0 || (n > m && strncmp(options[i], path, m) == 0 && goes_on(path, m)))
            return MAY;
        if (m > n && strncmp(options[i], path, n) == 0 && goes_on(options[i], n))
            return MAY_BELOW;
    }
    return MAY_NOT;
}

bool conf_remote_option(const char *text) {
    return strcmp(text, "*") == 0 || (strchr(text, '[') == NULL && judge(text) != MAY_NOT);
}

/* `pattern`: the path within a node's part, [] for every index. */
static int check_options(const struct conf_tree *n, const char *pattern, const char *label, struct err *err) {
    char path[CONF_PATH_MAX], deeper[CONF_PATH_MAX];
    int rc = 0;
    for (const struct conf_tree *c = n->first; c != NULL && rc == 0; c = c->next) {
        (void)snprintf(deeper, sizeof deeper, "%s%s%s", pattern,
                       c->key == NULL       ? "[]"
                       : pattern[0] != '\0' ? "."
                                            : "",
                       c->key != NULL ? c->key : "");
        enum may may = judge(deeper);
        unsigned line = c->key != NULL ? c->key_line : c->line;
        if (may == MAY_NOT)
            return err_set(err, E_INVALID, "%s:%u: %s: expected an option that may come from a catalog: %s", label,
                           line, conf_tree_path(c, path), conf_remote_options);
        if (may == MAY_BELOW && c->kind != CONF_TEXT)
            rc = check_options(c, deeper, label, err);
    }
    return rc;
}

/* Read as candor.yaml is, every key on its line. */
static int check_values(const struct conf_tree *n, const char *label, struct err *err) {
    struct merge m = {.lines = true};
    struct conf *conf = NULL;
    char *text;
    size_t size;
    int rc = merge_text(&m, n, NULL, &text, &size, err);
    if (rc == 0)
        rc = conf_read_text(&conf, text, size, "/", label, err);
    conf_free(conf);
    free(text);
    return rc;
}

static int check_part(const struct conf_tree *n, const char *label, struct err *err) {
    if (n->null)
        return 0;
    if (n->kind != CONF_MAPPING)
        return err_set(err, E_INVALID, "%s:%u: expected a section of keys", label, n->line);
    int rc = check_options(n, "", label, err);
    if (rc == 0)
        rc = conf_check(n, label, err);
    return rc == 0 ? check_values(n, label, err) : rc;
}

/* --- a fragment --- */

struct fragment {
    struct arena arena;
    struct conf_tree *all, *nodes; /* NULL: nothing for any, for some */
};

/* The part for single nodes goes out of the tree: what is left reads as a candor.yaml. */
static int take_nodes(struct fragment *f, const char *label, struct err *err) {
    struct conf_tree **at = &f->all->first;
    while (*at != NULL && strcmp((*at)->key, "nodes") != 0)
        at = &(*at)->next;
    f->nodes = *at;
    if (f->nodes == NULL)
        return 0;
    *at = f->nodes->next;
    f->nodes->next = NULL;
    if (f->nodes->null || f->nodes->kind == CONF_MAPPING)
        return 0;
    return err_set(err, E_INVALID, "%s:%u: nodes: expected { NAME: { health: ... } }", label, f->nodes->line);
}

static int fragment_read(struct fragment *f, const char *text, size_t size, const char *label, struct err *err) {
    if (size > REMOTE_BYTES)
        return err_set(err, E_FULL, "%s:1: expected at most %d bytes, got %zu", label, REMOTE_BYTES, size);
    int rc = conf_tree_read(&f->all, &f->arena, text, size, label, err);
    if (rc < 0 || f->all == NULL || f->all->null) {
        f->all = NULL;
        return rc;
    }
    if (f->all->kind != CONF_MAPPING)
        return err_set(err, E_INVALID, "%s:%u: expected a section of keys", label, f->all->line);
    rc = take_nodes(f, label, err);
    if (rc == 0)
        rc = check_part(f->all, label, err);
    for (const struct conf_tree *c = f->nodes != NULL ? f->nodes->first : NULL; c != NULL && rc == 0; c = c->next)
        rc = check_part(c, label, err);
    return rc;
}

/* {"health": ..., "nodes": {...}} */
static int canonical(struct fragment *f, struct remote_version *v, struct err *err) {
    struct merge m = {.lines = false};
    if (f->all != NULL && f->nodes != NULL && !f->nodes->null) {
        f->nodes->next = f->all->first;
        f->all->first = f->nodes;
    }
    return merge_text(&m, f->all, NULL, &v->text, &v->size, err);
}

int conf_remote_make(struct remote_version *v, const char *text, size_t size, const char *label, struct err *err) {
    struct fragment f = {.all = NULL};
    *v = (struct remote_version){.number = 0};
    int rc = fragment_read(&f, text, size, label, err);
    if (rc == 0)
        rc = canonical(&f, v, err);
    if (rc == 0 && v->size > REMOTE_BYTES)
        rc = err_set(err, E_FULL, "%s:1: expected at most %d bytes, got %zu", label, REMOTE_BYTES, v->size);
    if (rc == 0 && remote_digest(v->digest, v->text, v->size) < 0)
        rc = err_set(err, E_SYSTEM, "%s: no SHA-256", label);
    if (rc < 0)
        remote_version_free(v);
    arena_free(&f.arena);
    return rc;
}

/* --- laid over a file --- */

/* What is for this node: its own part, and what is for all beside that. */
static int mine(const struct fragment *f, const char *node, struct arena *a, struct conf_tree **to, const char *label,
                struct err *err) {
    struct merge m = {.lines = false};
    const struct conf_tree *own = NULL;
    char *text;
    size_t size;
    for (const struct conf_tree *c = f->nodes != NULL ? f->nodes->first : NULL; c != NULL; c = c->next)
        if (strcmp(c->key, node) == 0 && !c->null)
            own = c;
    int rc = merge_text(&m, own, f->all, &text, &size, err);
    if (rc == 0)
        rc = conf_tree_read(to, a, text, size, label, err);
    free(text);
    return rc;
}

/* `file`: of the owner, as a tree; NULL: it is empty. */
static int lay(struct conf **out, const struct conf *local, const struct conf_tree *file, const struct conf_tree *came,
               const char *label, struct err *err) {
    struct merge m = {.of = local};
    char *text;
    size_t size;
    int rc = merge_text(&m, file, came, &text, &size, err);
    if (rc == 0 && m.missing[0] != '\0')
        rc = err_set(err, E_NOTFOUND, "%s: key %s is not in rbl.keys of this node", label, m.missing);
    if (rc == 0)
        rc = conf_read_instead(out, local, text, size, label, err);
    free(text);
    return rc;
}

int conf_remote_merge(struct conf **out, const struct conf *local, const struct remote_version *v, struct err *err) {
    struct fragment f = {.all = NULL};
    struct arena arena = {.head = NULL};
    struct conf_tree *file = NULL, *came = NULL;
    char label[160], *text = NULL;
    size_t size = 0;
    (void)snprintf(label, sizeof label, "version %llu of %.100s", (unsigned long long)v->number,
                   local->node.remote.catalog);
    *out = NULL;
    int rc = v->text != NULL ? fragment_read(&f, v->text, v->size, label, err)
                             : err_set(err, E_NOTFOUND, "%s: there is no text", label);
    if (rc == 0 && f.all != NULL)
        rc = mine(&f, local->node.name, &arena, &came, label, err);
    if (rc == 0 && local->path[0] != '\0')
        rc = remote_slurp(&text, &size, local->path, LIMIT_CONF_BYTES, err);
    if (rc == 0 && text != NULL)
        rc = conf_tree_read(&file, &arena, text, size, local->path, err);
    if (rc == 0)
        rc = lay(out, local, file != NULL && !file->null ? file : NULL, came, label, err);
    free(text);
    arena_free(&arena);
    arena_free(&f.arena);
    return rc;
}
