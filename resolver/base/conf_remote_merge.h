/* Two trees of a configuration as one text. Private to conf_remote*.c. */
#ifndef CANDOR_BASE_CONF_REMOTE_MERGE_H
#define CANDOR_BASE_CONF_REMOTE_MERGE_H

#include "resolver/base/conf_remote.h"
#include "resolver/base/conf_tree.h"

struct merge {
    const struct conf *of; /* whose node.remote says which of what came counts; NULL: all does, behind its own */
    bool lines;            /* every key on the line that it has in its own text: for messages */
    char missing[64];      /* out: a key named by what came that rbl.keys does not have; "": none */
};

/* `own` first, key by key, and what `came` has beside it; either may be NULL. *text is to be freed. E_NOMEM. */
int merge_text(struct merge *m, const struct conf_tree *own, const struct conf_tree *came, char **text, size_t *size,
               struct err *err) MUST_USE;

#endif
