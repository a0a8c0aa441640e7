#include "resolver/base/conf_tree.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "resolver/base/limits.h"
#include "resolver/base/text.h"

struct reading {
    struct arena *arena;
    const char *label;
    struct err *err;
    struct conf_tree *root, *open; /* open: the collection that takes the next node */
    const char *key;               /* read, its value not yet */
    unsigned key_line;
    unsigned depth, documents;
    bool done;
};

static unsigned line_of(const yaml_event_t *e) { return (unsigned)e->start_mark.line + 1; }

static int fail(struct reading *r, unsigned line, const char *path, const char *what) {
    return err_set(r->err, E_INVALID, "%s:%u: %s%sexpected %s", r->label, line, path, *path != '\0' ? ": " : "", what);
}

/* Where the next node goes, for messages. */
static const char *place(const struct reading *r, char to[CONF_PATH_MAX]) {
    size_t n;
    if (r->open == NULL) {
        to[0] = '\0';
        return to;
    }
    conf_tree_path(r->open, to);
    n = strlen(to);
    if (r->open->kind == CONF_SEQUENCE)
        (void)snprintf(to + n, CONF_PATH_MAX - n, "[%zu]", r->open->count);
    else if (r->key != NULL)
        (void)snprintf(to + n, CONF_PATH_MAX - n, "%s%s", n > 0 ? "." : "", r->key);
    return to;
}

static int fail_here(struct reading *r, unsigned line, const char *what) {
    char path[CONF_PATH_MAX];
    return fail(r, line, place(r, path), what);
}

static struct conf_tree *add(struct reading *r, enum conf_kind kind, unsigned line) {
    struct conf_tree *node = arena_alloc(r->arena, sizeof(*node));
    if (node == NULL)
        return NULL;
    *node = (struct conf_tree){.kind = kind, .line = line, .key = r->key, .key_line = r->key_line, .parent = r->open};
    if (kind != CONF_TEXT && r->key != NULL)
        node->line = r->key_line;
    r->key = NULL;
    if (r->open == NULL)
        r->root = node;
    else if (r->open->last != NULL)
        r->open->last->next = node;
    else
        r->open->first = node;
    if (r->open != NULL) {
        r->open->last = node;
        r->open->count++;
    }
    return node;
}

static bool is_null(const char *text) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
        if (strcmp(text, nulls[i]) == 0)
            return true;
    return false;
}

static bool has_control(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return true;
    return false;
}

static bool wants_key(const struct reading *r) {
    return r->open != NULL && r->open->kind == CONF_MAPPING && r->key == NULL;
}

static int take_key(struct reading *r, const char *text, unsigned line) {
    char path[CONF_PATH_MAX], what[128], shown[TEXT_SHOWN_MAX];
    for (const struct conf_tree *c = r->open->first; c != NULL; c = c->next) {
        if (strcmp(c->key, text) != 0)
            continue;
        r->key = c->key;
        (void)snprintf(what, sizeof(what), "each key once, got it again (first on line %u)", c->line);
        return fail(r, line, place(r, path), what);
    }
    if (strlen(text) > CONF_PATH_MAX / LIMIT_CONF_DEPTH) {
        (void)snprintf(what, sizeof(what), "a key of the configuration, got \"%s\"", text_shown(shown, text));
        return fail_here(r, line, what);
    }
    r->key = text;
    r->key_line = line;
    return E_OK;
}

static int take_text(struct reading *r, const yaml_event_t *e) {
    const char *value = (const char *)e->data.scalar.value;
    size_t size = e->data.scalar.length;
    struct conf_tree *node;
    char *copy;
    if (e->data.scalar.tag != NULL || e->data.scalar.anchor != NULL)
        return fail_here(r, line_of(e), "plain YAML, got an anchor or a tag");
    if (has_control(value, size))
        return fail_here(r, line_of(e), "text without control characters");
    if (size > LIMIT_CONF_TEXT)
        return fail_here(r, line_of(e), "a text of at most 1024 bytes");
    copy = arena_text(r->arena, value, size);
    if (copy == NULL)
        return err_set(r->err, E_NOMEM, "%s: no memory", r->label);
    if (wants_key(r))
        return take_key(r, copy, line_of(e));
    node = add(r, CONF_TEXT, line_of(e));
    if (node == NULL)
        return err_set(r->err, E_NOMEM, "%s: no memory", r->label);
    node->text = copy;
    node->null = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_null(copy);
    return E_OK;
}

static int open_collection(struct reading *r, enum conf_kind kind, const yaml_event_t *e, bool decorated) {
    struct conf_tree *node;
    if (decorated)
        return fail_here(r, line_of(e), "plain YAML, got an anchor or a tag");
    if (wants_key(r))
        return fail_here(r, line_of(e), "a word as key, got a mapping or a list");
    if (r->depth == LIMIT_CONF_DEPTH)
        return fail_here(r, line_of(e), "less nesting: no key is that deep");
    node = add(r, kind, line_of(e));
    if (node == NULL)
        return err_set(r->err, E_NOMEM, "%s: no memory", r->label);
    r->open = node;
    r->depth++;
    return E_OK;
}

static int open_document(struct reading *r, const yaml_event_t *e) {
    if (r->documents++ > 0)
        return fail(r, line_of(e), "", "one YAML document, got a second one");
    return E_OK;
}

/* A mapping with more keys than there are, or a list with more entries than any may have, is refused while it is
 * read: looking for keys that come twice would otherwise take the square of its length. */
static int check_room(struct reading *r, const yaml_event_t *e) {
    bool ends = e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT;
    if (r->open == NULL || ends)
        return E_OK;
    if (r->open->kind == CONF_MAPPING && r->open->count >= LIMIT_CONF_KEYS)
        return fail_here(r, line_of(e), "fewer keys: no section has that many");
    if (r->open->kind == CONF_SEQUENCE && r->open->count >= LIMIT_CONF_LIST)
        return fail_here(r, line_of(e), "at most 1024 entries in a list");
    return E_OK;
}

static int take_event(struct reading *r, const yaml_event_t *e) {
    int rc = check_room(r, e);
    if (rc != E_OK)
        return rc;
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return take_text(r, e);
    case YAML_MAPPING_START_EVENT:
        return open_collection(r, CONF_MAPPING, e,
                               e->data.mapping_start.anchor != NULL || e->data.mapping_start.tag != NULL);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(r, CONF_SEQUENCE, e,
                               e->data.sequence_start.anchor != NULL || e->data.sequence_start.tag != NULL);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        r->open = r->open != NULL ? r->open->parent : NULL;
        r->depth--;
        return E_OK;
    case YAML_DOCUMENT_START_EVENT:
        return open_document(r, e);
    case YAML_ALIAS_EVENT:
        return fail_here(r, line_of(e), "plain YAML, got an alias");
    case YAML_STREAM_END_EVENT:
        r->done = true;
        return E_OK;
    default:
        return E_OK;
    }
}

/* libyaml puts the end of the text on a line of its own; people look at the last one that there is. */
static size_t lines_in(const char *text, size_t size) {
    size_t lines = 1;
    for (size_t i = 0; i + 1 < size; i++)
        lines += text[i] == '\n';
    return lines;
}

static int broken_yaml(struct reading *r, const yaml_parser_t *p, size_t lines) {
    size_t line = p->problem_mark.line < lines ? p->problem_mark.line : lines - 1;
    if (p->error == YAML_MEMORY_ERROR)
        return err_set(r->err, E_NOMEM, "%s: no memory", r->label);
    if (p->error == YAML_READER_ERROR)
        return err_set(r->err, E_INVALID, "%s:%zu: expected YAML in UTF-8: %s", r->label, p->mark.line + 1, p->problem);
    return err_set(r->err, E_INVALID, "%s:%zu: expected YAML: %s%s%s", r->label, line + 1,
                   p->context != NULL ? p->context : "", p->context != NULL ? ", " : "",
                   p->problem != NULL ? p->problem : "not understood");
}

int conf_tree_read(struct conf_tree **root, struct arena *a, const char *text, size_t size, const char *label,
                   struct err *err) {
    struct reading r = {.arena = a, .label = label, .err = err};
    yaml_parser_t parser;
    yaml_event_t event;
    int rc = E_OK;
    *root = NULL;
    if (yaml_parser_initialize(&parser) == 0)
        return err_set(err, E_NOMEM, "%s: no memory", label);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    while (rc == E_OK && !r.done) {
        if (yaml_parser_parse(&parser, &event) == 0) {
            rc = broken_yaml(&r, &parser, lines_in(text, size));
        } else {
            rc = take_event(&r, &event);
            yaml_event_delete(&event);
        }
    }
    yaml_parser_delete(&parser);
    if (rc == E_OK)
        *root = r.root;
    return rc;
}

const struct conf_tree *conf_tree_key(const struct conf_tree *node, const char *key) {
    if (node == NULL || node->kind != CONF_MAPPING)
        return NULL;
    for (const struct conf_tree *c = node->first; c != NULL; c = c->next)
        if (strcmp(c->key, key) == 0)
            return c->null ? NULL : c;
    return NULL;
}

const struct conf_tree *conf_tree_at(const struct conf_tree *node, size_t i) {
    const struct conf_tree *c = node != NULL && node->kind == CONF_SEQUENCE ? node->first : NULL;
    for (; c != NULL && i > 0; i--)
        c = c->next;
    return c;
}

static size_t index_of(const struct conf_tree *node) {
    size_t i = 0;
    for (const struct conf_tree *c = node->parent->first; c != node; c = c->next)
        i++;
    return i;
}

const char *conf_tree_path(const struct conf_tree *node, char to[CONF_PATH_MAX]) {
    const struct conf_tree *up[LIMIT_CONF_DEPTH + 1];
    size_t depth = 0, n = 0;
    for (; node != NULL && node->parent != NULL && depth <= LIMIT_CONF_DEPTH; node = node->parent)
        up[depth++] = node;
    to[0] = '\0';
    while (depth > 0 && n < CONF_PATH_MAX) {
        const struct conf_tree *at = up[--depth];
        int more = at->key != NULL ? snprintf(to + n, CONF_PATH_MAX - n, "%s%s", n > 0 ? "." : "", at->key)
                                   : snprintf(to + n, CONF_PATH_MAX - n, "[%zu]", index_of(at));
        n += more > 0 ? (size_t)more : 0;
    }
    return to;
}
