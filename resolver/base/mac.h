/* HMAC-SHA256 (RFC 2104) in hexadecimal: how documents that travel by HTTP are proved with the secret of a key of
 * rbl.keys. Pure. */
#ifndef CANDOR_BASE_MAC_H
#define CANDOR_BASE_MAC_H

#include <stdbool.h>

#include "resolver/base/bytes.h"
#include "resolver/base/err.h"

enum { MAC_TEXT = 65 }; /* hex and a NUL */

/* Over all parts, one behind the other. 0, or E_SYSTEM: then `to` is "". */
int mac_text(struct bytes secret, const struct bytes *parts, size_t count, char to[MAC_TEXT]) MUST_USE;
/* In a time that tells nothing of how much was right. */
bool mac_same(const char *given, const char right[MAC_TEXT]);

#endif
