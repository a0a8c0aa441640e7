/* Text that grows, with the escapes of JSON, HTML and Prometheus. Errors stick (no memory, too long): check `failed`
 * once at the end. What comes from outside (zone names, addresses, evidence) goes through one of the escapes, never
 * raw. */
#ifndef CANDOR_WEB_TEXT_H
#define CANDOR_WEB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/err.h"

enum { TEXT_MAX = 64 << 20 };

struct text {
    char *at; /* size bytes and a NUL; NULL while empty */
    size_t size, cap;
    bool failed;
};

void text_put(struct text *t, const char *s);
void text_putn(struct text *t, const char *s, size_t n);
void text_fmt(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A number in decimal, with zeros in front up to `digits` (at most 20). */
void text_digits(struct text *t, uint64_t n, unsigned digits);
/* A JSON string with its quotes (RFC 8259); bytes that are no UTF-8 stand as '?'. */
void text_json(struct text *t, const char *s);
/* For element content and quoted attributes. */
void text_html(struct text *t, const char *s);
/* A Prometheus label value, without quotes. */
void text_label(struct text *t, const char *s);
/* "2026-11-22T10:00:00.123Z" (RFC 3339); "1970-..." never: 0 gives "". */
void text_time(struct text *t, int64_t wall_ms);
void text_free(struct text *t);

#endif
