/* What goes to the operator's terminal. Text from elsewhere (zones, files, the network, other processes) passes
 * out_clean() first: printable ASCII as it is, every other byte as \DDD, so that nothing can steer the terminal. */
#ifndef CANDOR_COMMAND_OUT_H
#define CANDOR_COMMAND_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "resolver/base/arena.h"

/* Cut with "..." when it does not fit. Returns `to`. */
const char *out_clean(char *to, size_t cap, const char *from, size_t size);

/* "250 ms", "12 s", "5 min", "3 h", "2 d"; "never" below 0. Returns `to`. */
const char *out_age(char to[32], double seconds);

/* 1234567 -> "1,234,567". Returns `to`. */
const char *out_count(char to[32], uint64_t n);

/* "812 B", "1.5 MiB". Returns `to`. */
const char *out_bytes(char to[32], uint64_t n);

/* Columns side by side, each as wide as its widest cell but the last, which is as long as it is, or cut at the width of
 * the terminal when `to` is one. Rows beyond OUT_ROWS, and cells when memory is out, are left away and counted. */
enum { OUT_COLUMNS = 10, OUT_ROWS = 2048, OUT_CELL_MAX = 512 };

struct out_table {
    struct arena arena;
    unsigned columns;
    size_t rows, lost;
    const char *cell[OUT_ROWS][OUT_COLUMNS];
};

struct out_table *out_table_new(unsigned columns); /* NULL: no memory */
/* `columns` texts, NULL for an empty cell; copied and cleaned. */
void out_row(struct out_table *t, ...);
void out_table_free(struct out_table *t); /* NULL is none */
/* Prints and frees; `t` may be NULL. */
void out_table_print(struct out_table *t, FILE *to, const char *indent);

#endif
