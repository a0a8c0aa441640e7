/* The shape of the tree against the same tables that libcyaml reads: unknown keys, a list where a text belongs, more
 * entries than a list may have. Private to conf*.c. */
#ifndef CANDOR_BASE_CONF_CHECK_H
#define CANDOR_BASE_CONF_CHECK_H

#include "resolver/base/conf_raw.h"
#include "resolver/base/conf_tree.h"

/* Errors: "LABEL:LINE: PATH: expected WHAT, got WHAT". */
int conf_check(const struct conf_tree *root, const char *label, struct err *err) MUST_USE;

#endif
