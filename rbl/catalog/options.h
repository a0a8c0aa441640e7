/* Options of a member as text (conf_read_zone), put together from what its catalog gives: primaries first, then its
 * groups here, then what the catalog says itself; the later one wins, key by key. */
#ifndef CANDOR_RBL_CATALOG_OPTIONS_H
#define CANDOR_RBL_CATALOG_OPTIONS_H

#include "rbl/catalog/list.h"

enum { OPTIONS_MOST = 64 };

struct options {
    struct arena arena;
    struct conf_option at[OPTIONS_MOST]; /* "limits.shrink", value in YAML */
    unsigned count;
};

/* E_FULL, E_NOMEM. Texts are copied. */
int options_set(struct options *o, const char *key, const char *value, struct err *err) MUST_USE;
int options_set_rules(struct options *o, const char *key, const struct conf_rules *rules, struct err *err) MUST_USE;
/* "key=value" of a catalog's candor.ext. Only what does no harm and is known: E_INVALID names what is not. */
int options_say(struct options *o, const char *said, struct err *err) MUST_USE;
/* "{name: ...}", in the arena; NULL: no memory, or longer than LIMIT_CONF_OPTIONS. */
const char *options_text(struct options *o, const char *name);
void options_free(struct options *o);

/* What a member is to be. E_INVALID: an option is refused, with its words; then the member stays as it is. */
int options_of_member(struct options *o, const struct conf_catalog *c, const struct catalog_list *l,
                      const struct catalog_entry *e, struct err *err) MUST_USE;

/* The other way round: what a zone's options differ in from those that every zone has, as "key=value" texts in the
 * arena. Only what options_say takes. */
int options_to_say(struct arena *a, const struct conf_zone *z, const struct conf_zone *plain,
                   struct catalog_texts *out) MUST_USE;

#endif
