#include "resolver/base/conf_check.h"

#include <stdio.h>
#include <string.h>

#include "resolver/base/text.h"

struct checking {
    const char *label;
    struct err *err;
};

enum { KEYS_SHOWN_MAX = 256, NEAR_MAX = 32 };

static const char *kind_name(const struct conf_tree *node) {
    static const char *const names[] = {
        [CONF_TEXT] = "a text", [CONF_MAPPING] = "a section of keys", [CONF_SEQUENCE] = "a list"};
    return node->null ? "nothing" : names[node->kind];
}

static int wrong_kind(const struct checking *c, const struct conf_tree *node, const char *want) {
    char path[CONF_PATH_MAX], shown[TEXT_SHOWN_MAX];
    conf_tree_path(node, path);
    if (node->kind == CONF_TEXT && !node->null)
        return err_set(c->err, E_INVALID, "%s:%u: %s%sexpected %s, got \"%s\"", c->label, node->line, path,
                       path[0] != '\0' ? ": " : "", want, text_shown(shown, node->text));
    return err_set(c->err, E_INVALID, "%s:%u: %s%sexpected %s, got %s", c->label, node->line, path,
                   path[0] != '\0' ? ": " : "", want, kind_name(node));
}

/* Levenshtein's distance, for a hint; long words are not worth one. */
static unsigned distance(const char *a, const char *b) {
    unsigned row[NEAR_MAX + 1];
    size_t n = strlen(b);
    if (n > NEAR_MAX || strlen(a) > NEAR_MAX)
        return NEAR_MAX;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

static int unknown_key(const struct checking *c, const struct conf_tree *child, const cyaml_schema_field_t *fields) {
    char keys[KEYS_SHOWN_MAX] = "", path[CONF_PATH_MAX], shown[TEXT_SHOWN_MAX];
    const char *near = NULL;
    unsigned nearest = 3; /* more than two typing errors are another word */
    size_t n = 0;
    for (const cyaml_schema_field_t *f = fields; f->key != NULL; f++) {
        unsigned d = distance(child->key, f->key);
        int more = snprintf(keys + n, sizeof(keys) - n, "%s%s", n > 0 ? ", " : "", f->key);
        if (more > 0 && n + (size_t)more < sizeof(keys))
            n += (size_t)more;
        if (d < nearest) {
            nearest = d;
            near = f->key;
        }
    }
    keys[n] = '\0';
    conf_tree_path(child, path);
    return err_set(c->err, E_INVALID, "%s:%u: %s: expected one of the keys %s, got \"%s\"%s%s%s", c->label,
                   child->key_line, path, keys, text_shown(shown, child->key), near != NULL ? " (did you mean " : "",
                   near != NULL ? near : "", near != NULL ? "?)" : "");
}

static const cyaml_schema_field_t *field_of(const cyaml_schema_field_t *fields, const char *key) {
    for (; fields->key != NULL; fields++)
        if (strcmp(fields->key, key) == 0)
            return fields;
    return NULL;
}

/* Recursion is as deep as the tables are, and the tree no deeper than LIMIT_CONF_DEPTH. */
static int check_node(const struct checking *c, const struct conf_tree *node, const cyaml_schema_value_t *want);

static int check_mapping(const struct checking *c, const struct conf_tree *node, const cyaml_schema_field_t *fields) {
    int rc = E_OK;
    if (node->kind != CONF_MAPPING)
        return wrong_kind(c, node, "a section, { key: value, ... }");
    for (const struct conf_tree *child = node->first; child != NULL && rc == E_OK; child = child->next) {
        const cyaml_schema_field_t *f = field_of(fields, child->key);
        if (f == NULL)
            return unknown_key(c, child, fields);
        if (!child->null)
            rc = check_node(c, child, &f->value);
    }
    return rc;
}

static int check_sequence(const struct checking *c, const struct conf_tree *node, const cyaml_schema_value_t *want) {
    char path[CONF_PATH_MAX];
    int rc = E_OK;
    if (node->kind != CONF_SEQUENCE)
        return wrong_kind(c, node, "a list, [ ... ]");
    if (node->count > want->sequence.max)
        return err_set(c->err, E_FULL, "%s:%u: %s: expected at most %u entries, got %zu", c->label, node->line,
                       conf_tree_path(node, path), want->sequence.max, node->count);
    for (const struct conf_tree *child = node->first; child != NULL && rc == E_OK; child = child->next)
        rc = check_node(c, child, want->sequence.entry);
    return rc;
}

static int check_node(const struct checking *c, const struct conf_tree *node, const cyaml_schema_value_t *want) {
    if (want->type == CYAML_MAPPING)
        return check_mapping(c, node, want->mapping.fields);
    if (want->type == CYAML_SEQUENCE)
        return check_sequence(c, node, want);
    if (node->kind != CONF_TEXT || node->null)
        return wrong_kind(c, node, "one value");
    return E_OK;
}

int conf_check(const struct conf_tree *root, const char *label, struct err *err) {
    const struct checking c = {.label = label, .err = err};
    return check_node(&c, root, &conf_schema);
}
