#include "rbl/load/types.h"

static const struct load_type types[] = {
    {DATASET_IP4SET, 0, ip4set_parse, load_value, ip4_add, ip4_holds},
    {DATASET_IP4TSET, LOAD_ONE_VALUE | LOAD_NO_BANG, ip4tset_parse, NULL, ip4_add, ip4_holds},
    {DATASET_IP4TRIE, 0, ip4trie_parse, load_value, ip4_add, ip4_holds},
    {DATASET_IP6TSET, LOAD_ONE_VALUE, ip6tset_parse, NULL, ip6_add, ip6_holds},
    {DATASET_IP6TRIE, LOAD_COLON_PAIR, ip6trie_parse, load_value, ip6_add, ip6_holds},
    {DATASET_DNSET, 0, dnset_parse, load_value, dnset_add, dnset_holds},
    {DATASET_GENERIC, LOAD_NO_BANG | LOAD_RRS, generic_parse, generic_value, dnset_add, dnset_holds},
    {DATASET_ACL, LOAD_COLON_PAIR | LOAD_NO_BANG, acl_parse, acl_value, acl_add, acl_holds},
};

const struct load_type *load_type(enum conf_dataset_type type) {
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (types[i].type == type)
            return &types[i];
    return NULL;
}
