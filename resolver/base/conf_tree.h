/* The text of candor.yaml as a tree that knows its lines. Private to conf*.c.
 *
 * libcyaml fills structures but keeps no lines; every message of ours names one. So the text is read twice: into this
 * tree, which bounds it (size, depth, number of keys, no aliases, no tags, one document) and refuses keys that come
 * twice, and then by libcyaml. */
#ifndef CANDOR_BASE_CONF_TREE_H
#define CANDOR_BASE_CONF_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "resolver/base/arena.h"
#include "resolver/base/err.h"

enum conf_kind { CONF_TEXT, CONF_MAPPING, CONF_SEQUENCE };

struct conf_tree {
    enum conf_kind kind;
    bool null; /* written as nothing, ~ or null: as if the key were not there */
    unsigned line, key_line;
    const char *key;  /* of this node in its mapping; NULL in a sequence and at the root */
    const char *text; /* CONF_TEXT: free of control bytes */
    size_t count;     /* children, in order */
    struct conf_tree *parent, *first, *last, *next;
};

/* *root is NULL when the text holds no document. Nodes live in the arena. Errors: "LABEL:LINE: expected WHAT". */
int conf_tree_read(struct conf_tree **root, struct arena *a, const char *text, size_t size, const char *label,
                   struct err *err) MUST_USE;

/* The value of a key; NULL when it is not there, is null, or `node` is NULL or no mapping. */
const struct conf_tree *conf_tree_key(const struct conf_tree *node, const char *key);
/* The i-th entry of a sequence; NULL as above. */
const struct conf_tree *conf_tree_at(const struct conf_tree *node, size_t i);

enum { CONF_PATH_MAX = 320 };
/* "rbl.zones[2].limits.shrink" into `to`; returns `to`. */
const char *conf_tree_path(const struct conf_tree *node, char to[CONF_PATH_MAX]);

#endif
