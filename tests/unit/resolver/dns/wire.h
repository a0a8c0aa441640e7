/* Messages made octet by octet for the tests of resolver/dns: shares no code with what it tests. */
#ifndef CANDOR_TEST_WIRE_H
#define CANDOR_TEST_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct wire {
    size_t size;
    uint8_t at[66000];
};

void wire_u8(struct wire *w, unsigned v);
void wire_u16(struct wire *w, unsigned v);
void wire_u32(struct wire *w, uint32_t v);
/* "\3www\7example\0" style: exactly `size` octets. */
void wire_raw(struct wire *w, const void *octets, size_t size);
/* Octets in hexadecimal, blanks between them allowed. */
void wire_hex(struct wire *w, const char *hex);
/* "www.example.org": labels without escapes, and the root. */
void wire_name(struct wire *w, const char *dotted);
/* A label of `size` times `c`, length octet included. */
void wire_label(struct wire *w, unsigned size, char c);

/* Starts anew with a header. */
void wire_header(struct wire *w, unsigned flags, unsigned qd, unsigned an, unsigned ns, unsigned ar);
void wire_question(struct wire *w, const char *dotted, unsigned type);
/* An RR of class IN and TTL 300. */
void wire_rr(struct wire *w, const char *dotted, unsigned type, const void *rdata, size_t size);
/* An OPT with a size of 1232 and these options in hexadecimal. */
void wire_opt(struct wire *w, const char *options_hex);

/* A copy on the heap without an octet to spare, so that a sanitizer sees each read beyond its end. Freed by caller. */
uint8_t *wire_exact(const void *octets, size_t size);

#endif
