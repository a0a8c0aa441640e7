/* Written in YAML's flow style, every value in quotes: what a value says can then mean nothing else than a text. */
#include "resolver/base/conf_remote_merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "resolver/base/bytes.h"

struct out {
    struct merge *m;
    FILE *f;
    unsigned line;
};

static void go_to_line(struct out *o, unsigned line) {
    for (; o->m->lines && o->line < line; o->line++)
        (void)fputc('\n', o->f);
}

/* Texts of a tree are free of control bytes. */
static void quoted(struct out *o, const char *text) {
    (void)fputc('"', o->f);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', o->f);
        (void)fputc(*text, o->f);
    }
    (void)fputc('"', o->f);
}

static bool is_listed(const struct conf_list_text *list, const char *path) {
    for (size_t i = 0; i < list->count; i++) {
        size_t n = strlen(list->at[i]);
        if (strcmp(list->at[i], "*") == 0 ||
            (strncmp(path, list->at[i], n) == 0 && (path[n] == '.' || path[n] == '\0')))
            return true;
    }
    return false;
}

static bool same_key(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    n -= n > 0 && a[n - 1] == '.';
    m -= m > 0 && b[m - 1] == '.';
    return n == m && strncasecmp(a, b, n) == 0;
}

static void check_key(struct out *o, const char *name) {
    const struct conf_rbl *rbl = &o->m->of->rbl;
    for (size_t i = 0; i < rbl->key_count; i++)
        if (same_key(rbl->keys[i].name, name))
            return;
    if (name[0] != '\0')
        text_copy(o->m->missing, sizeof o->m->missing, name);
}

static void node_out(struct out *o, const struct conf_tree *n, const char *path, bool came);

static void entry_out(struct out *o, const struct conf_tree *n, const char *path, bool came) {
    bool first = true, has_ca = false;
    (void)fputc('{', o->f);
    for (const struct conf_tree *c = n->first; c != NULL; c = c->next) {
        if (c->null)
            continue;
        (void)fputs(first ? "" : ", ", o->f);
        first = false;
        go_to_line(o, c->key_line);
        quoted(o, c->key);
        (void)fputs(": ", o->f);
        node_out(o, c, path, came);
        has_ca |= strcmp(c->key, "ca") == 0;
        if (came && c->kind == CONF_TEXT && strcmp(c->key, "key") == 0)
            check_key(o, c->text);
    }
    if (came && !has_ca && strcmp(path, "health.report.https") == 0 && o->m->of->node.remote.ca[0] != '\0') {
        (void)fputs(first ? "\"ca\": " : ", \"ca\": ", o->f);
        quoted(o, o->m->of->node.remote.ca);
    }
    (void)fputc('}', o->f);
}

/* The entry of a list for all nodes that is this node itself. */
static bool is_myself(const struct out *o, const struct conf_tree *entry, const char *path) {
    const struct conf_tree *name = conf_tree_key(entry, "name");
    return strcmp(path, "health.peers") == 0 && name != NULL && name->kind == CONF_TEXT &&
           strcmp(name->text, o->m->of->node.name) == 0;
}

static void list_out(struct out *o, const struct conf_tree *n, const char *path, bool came) {
    bool first = true;
    (void)fputc('[', o->f);
    for (const struct conf_tree *c = n->first; c != NULL; c = c->next) {
        if (came && is_myself(o, c, path))
            continue;
        (void)fputs(first ? "" : ", ", o->f);
        first = false;
        go_to_line(o, c->line);
        node_out(o, c, path, came);
    }
    (void)fputc(']', o->f);
}

/* As deep as a tree may be: LIMIT_CONF_DEPTH. */
static void node_out(struct out *o, const struct conf_tree *n, const char *path, bool came) {
    go_to_line(o, n->line);
    if (n->null)
        (void)fputc('~', o->f);
    else if (n->kind == CONF_TEXT)
        quoted(o, n->text);
    else if (n->kind == CONF_SEQUENCE)
        list_out(o, n, path, came);
    else
        entry_out(o, n, path, came);
}

static void both_out(struct out *o, const struct conf_tree *own, const struct conf_tree *came, const char *path);

/* One key of both: which of them counts, or what both have below it. */
static bool key_out(struct out *o, const struct conf_tree *own, const struct conf_tree *came, const char *above,
                    bool first) {
    const struct conf *of = o->m->of;
    const struct conf_tree *n = own != NULL ? own : came;
    char path[CONF_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s%s%s", above, above[0] != '\0' ? "." : "", n->key);
    bool section = (own == NULL || own->kind == CONF_MAPPING) && (came == NULL || came->kind == CONF_MAPPING);
    if (!section && came != NULL && of != NULL && !is_listed(&of->node.remote.allow, path))
        came = NULL;
    if (own == NULL && came == NULL)
        return false;
    (void)fputs(first ? "" : ", ", o->f);
    go_to_line(o, n->key_line);
    quoted(o, n->key);
    (void)fputs(": ", o->f);
    if (section)
        both_out(o, own, came, path);
    else if (own != NULL && (came == NULL || of == NULL || !is_listed(&of->node.remote.over, path)))
        node_out(o, own, path, false);
    else
        node_out(o, came, path, of != NULL);
    return true;
}

static void both_out(struct out *o, const struct conf_tree *own, const struct conf_tree *came, const char *path) {
    bool first = true;
    (void)fputc('{', o->f);
    for (const struct conf_tree *c = own != NULL ? own->first : NULL; c != NULL; c = c->next)
        if (!c->null)
            first &= !key_out(o, c, conf_tree_key(came, c->key), path, first);
    for (const struct conf_tree *c = came != NULL ? came->first : NULL; c != NULL; c = c->next)
        if (!c->null && conf_tree_key(own, c->key) == NULL)
            first &= !key_out(o, NULL, c, path, first);
    (void)fputc('}', o->f);
}

int merge_text(struct merge *m, const struct conf_tree *own, const struct conf_tree *came, char **text, size_t *size,
               struct err *err) {
    *text = NULL;
    m->missing[0] = '\0';
    struct out o = {.m = m, .f = open_memstream(text, size), .line = 1};
    if (o.f == NULL)
        return err_set(err, E_NOMEM, "no memory for a configuration");
    both_out(&o, own, came, "");
    (void)fputc('\n', o.f);
    bool bad = ferror(o.f) != 0;
    if (fclose(o.f) == 0 && !bad)
        return 0;
    free(*text);
    *text = NULL;
    return err_set(err, E_NOMEM, "no memory for a configuration");
}
