#include "health/monitor/index.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "resolver/base/limits.h"

enum { SLOTS = 2 * LIMIT_NODES }; /* a power of two, at most half of it full */

struct node_index {
    const struct conf_peer *nodes;
    uint16_t slot[SLOTS]; /* number of the node and 1; 0: free */
};

static size_t place(const char *name) { return (size_t)XXH3_64bits(name, strlen(name)) % SLOTS; }

struct node_index *node_index_make(const struct conf *conf) {
    struct node_index *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->nodes = conf->health.monitor.nodes;
    for (size_t i = 0; i < conf->health.monitor.node_count && i < LIMIT_NODES; i++) {
        size_t at = place(x->nodes[i].name);
        while (x->slot[at] != 0)
            at = (at + 1) % SLOTS;
        x->slot[at] = (uint16_t)(i + 1);
    }
    return x;
}

void node_index_free(struct node_index *x) { free(x); }

size_t node_index_find(const struct node_index *x, const char *name) {
    for (size_t at = place(name); x->slot[at] != 0; at = (at + 1) % SLOTS)
        if (strcmp(x->nodes[x->slot[at] - 1].name, name) == 0)
            return (size_t)x->slot[at] - 1;
    return SIZE_MAX;
}
