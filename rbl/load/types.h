/* Inside of rbl/load: what the table in type.c is made of. */
#ifndef CANDOR_RBL_LOAD_TYPES_H
#define CANDOR_RBL_LOAD_TYPES_H

#include "rbl/load/impl.h"

const char *ip4set_parse(const char *s, struct load_entry *e);
const char *ip4tset_parse(const char *s, struct load_entry *e);
const char *ip4trie_parse(const char *s, struct load_entry *e);
int ip4_add(struct load *l, const struct load_entry *e, uint32_t value);
bool ip4_holds(const struct load_entry *e, const struct load_key *key);

const char *ip6tset_parse(const char *s, struct load_entry *e);
const char *ip6trie_parse(const char *s, struct load_entry *e);
int ip6_add(struct load *l, const struct load_entry *e, uint32_t value);
bool ip6_holds(const struct load_entry *e, const struct load_key *key);

const char *dnset_parse(const char *s, struct load_entry *e);
int dnset_add(struct load *l, const struct load_entry *e, uint32_t value);
bool dnset_holds(const struct load_entry *e, const struct load_key *key);

const char *generic_parse(const char *s, struct load_entry *e);
const char *generic_value(struct load *l, const char *s, uint32_t base, uint32_t *id, int *rc);

const char *acl_parse(const char *s, struct load_entry *e);
const char *acl_value(struct load *l, const char *s, uint32_t base, uint32_t *id, int *rc);
int acl_add(struct load *l, const struct load_entry *e, uint32_t value);
bool acl_holds(const struct load_entry *e, const struct load_key *key);

#endif
