/* The property of a catalog that carries options of nodes (RFC 9432 section 4.4, docs/catalogs.md):
 *
 *   config.candor.ext.CATALOG     TXT "version=7" "sha256=HEX" "size=812" "parts=2" "at=1795405196"
 *   0.config.candor.ext.CATALOG   TXT "{\"health\": ..." "..."      the strings of all parts, one behind the other
 *   1.config.candor.ext.CATALOG   TXT ...
 *
 * What is wrong with it is told of it alone: zones are followed whatever stands here. */
#ifndef CANDOR_RBL_CATALOG_REMOTE_H
#define CANDOR_RBL_CATALOG_REMOTE_H

#include "rbl/records/records.h"
#include "resolver/base/arena.h"
#include "resolver/base/conf_remote.h"

enum {
    REMOTE_STRING = 240,             /* octets of a string that we write, ... */
    REMOTE_PART = 2 * REMOTE_STRING, /* ... and of a part: a value of the keep is at most 512 */
    REMOTE_PARTS = REMOTE_BYTES / REMOTE_PART + 1
};

struct catalog_remote {
    bool there;
    char error[160]; /* "": none so far */
    uint64_t number, size, parts, wall_s;
    char digest[REMOTE_DIGEST];
    struct bytes part[REMOTE_PARTS]; /* in the list's arena */
};

/* A TXT at (depth 3) or below (depth 4) config.candor.ext. E_NOMEM. */
int catalog_remote_add(struct catalog_remote *r, struct arena *a, const struct records_rr *rr, unsigned depth,
                       struct err *err) MUST_USE;
/* All of it as a version, checked against its digest: number 0: the catalog has none; words: why it cannot be had. */
int catalog_remote_take(const struct catalog_remote *r, struct remote_version *v, struct err *err) MUST_USE;

#endif
