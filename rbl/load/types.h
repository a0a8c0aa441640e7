/* Inside of rbl/load: what the table in type.c is made of. */
#ifndef CANDOR_RBL_LOAD_TYPES_H
#define CANDOR_RBL_LOAD_TYPES_H

#include "rbl/load/impl.h"

const char *ip4set_parse(const char *s, struct load_entry *e);
const char *ip4trie_parse(const char *s, struct load_entry *e);
int ip4_add(struct load *l, const struct load_entry *e, uint32_t value);
bool ip4_holds(const struct load_entry *e, const struct load_key *key);

const char *ip6trie_parse(const char *s, struct load_entry *e);
int ip6_add(struct load *l, const struct load_entry *e, uint32_t value);
bool ip6_holds(const struct load_entry *e, const struct load_key *key);

const char *dnset_parse(const char *s, struct load_entry *e);
int dnset_add(struct load *l, const struct load_entry *e, uint32_t value);
bool dnset_holds(const struct load_entry *e, const struct load_key *key);

#endif
