#include "rbl/load/types.h"

static const struct load_type types[] = {
    {DATASET_IP4SET, false, ip4set_parse, ip4_add, ip4_holds},
    {DATASET_IP4TRIE, false, ip4trie_parse, ip4_add, ip4_holds},
    {DATASET_IP6TRIE, true, ip6trie_parse, ip6_add, ip6_holds},
    {DATASET_DNSET, false, dnset_parse, dnset_add, dnset_holds},
};

const struct load_type *load_type(enum conf_dataset_type type) {
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (types[i].type == type)
            return &types[i];
    return NULL;
}
