/* What a catalog zone says (RFC 9432), taken from its RRs; and what makes it one that must not be processed. No part of
 * it is believed for being signed: names, labels, counts and texts come from outside. */
#ifndef CANDOR_RBL_CATALOG_LIST_H
#define CANDOR_RBL_CATALOG_LIST_H

#include "rbl/catalog/remote.h"
#include "rbl/records/records.h"
#include "resolver/base/conf_members.h"

enum {
    CATALOG_GROUPS = 8,   /* of one member; more are passed over */
    CATALOG_OPTIONS = 32, /* of one member, and of the whole catalog; more are E_FULL */
    CATALOG_RRS = 65536   /* a catalog of more is refused: LIMIT_ZONES members with all they may have are fewer */
};

struct catalog_texts {
    const char *at[CATALOG_OPTIONS];
    unsigned count;
};

struct catalog_entry {
    char label[MEMBERS_LABEL_MAX]; /* unique-N; what is no plain label is told by its hash */
    const char *name;              /* of the zone, lower-case; NULL: no PTR, then the entry says nothing */
    const char *coo;               /* the catalog that the zone goes over to (section 4.3.1); NULL: stays */
    const char *group[CATALOG_GROUPS];
    unsigned groups;
    struct catalog_texts options; /* "key=value", property candor.ext */
};

struct catalog_list {
    struct arena arena;
    struct name apex;
    struct catalog_entry *at; /* by label while it is read, by name after catalog_list_end */
    size_t count;
    struct catalog_texts options; /* of all members: candor.ext of the catalog */
    struct catalog_remote remote; /* options of nodes */
    unsigned versions;
    size_t rrs, newest;
};

/* E_NOMEM. */
int catalog_list_open(struct catalog_list *l, const char *name, struct err *err) MUST_USE;
/* One RR of the zone, in any order. E_INVALID: the catalog is broken, with the words; E_FULL. */
int catalog_list_add(struct catalog_list *l, const struct records_rr *rr, struct err *err) MUST_USE;
/* E_INVALID: no version or another than 2, or a zone that is listed twice (sections 4.2.1 and 4.1). */
int catalog_list_end(struct catalog_list *l, struct err *err) MUST_USE;
void catalog_list_close(struct catalog_list *l);
/* NULL: no member has this name. After catalog_list_end. */
const struct catalog_entry *catalog_list_find(const struct catalog_list *l, const char *name);

/* All of it out of a keep: on a thread of the pool. */
int catalog_list_read(struct catalog_list *l, const char *name, struct keep *reading, struct err *err) MUST_USE;

#endif
