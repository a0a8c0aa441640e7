/* A body made small for who can take it (RFC 1952, RFC 9110, 8.4.1.3): pages and documents grow with nodes and zones,
 * and phones look at them. */
#ifndef CANDOR_WEB_GZIP_H
#define CANDOR_WEB_GZIP_H

#include "resolver/base/bytes.h"

enum { GZIP_LEAST = 4096 }; /* octets from which it is worth the time */

/* The parts, one behind the other, as one gzip member: *at is malloc's. Its size; 0: no memory, send it as it is. */
size_t gzip_make(const struct bytes *part, size_t count, uint8_t **at);

#endif
