/* Small work on texts from outside: showing them in a message, and base64. */
#ifndef CANDOR_BASE_TEXT_H
#define CANDOR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/bytes.h"

enum { TEXT_SHOWN_MAX = 96 };

/* A copy fit for a message on a terminal: printable ASCII as it is, every other byte as \xNN, cut with "...".
 * Returns `to`. */
const char *text_shown(char to[TEXT_SHOWN_MAX], const char *text);

/* Length of the UTF-8 sequence (RFC 3629) at the start of `size` bytes: 1..4, or 0 when they start with none. */
size_t text_utf8(const uint8_t *at, size_t size);

/* RFC 4648 section 4, padding required, no blanks; bits behind the last byte are ignored, as others do. Returns the
 * number of bytes written, or -1 when the text is not base64 or has more than `cap` bytes in it. `to` may be NULL to
 * check only (cap is then the greatest length). */
long text_base64(uint8_t *to, size_t cap, const char *text);

/* An address as rbldnsd writes it where a TXT has a '$': IPv6 after RFC 5952, but never with IPv4 at the end. `addr` in
 * host order. Returns the size; no NUL. */
enum { TEXT_ADDR_MAX = 40 };
size_t text_addr4(char to[TEXT_ADDR_MAX], uint32_t addr);
size_t text_addr6(char to[TEXT_ADDR_MAX], const uint8_t addr[16]);

#endif
