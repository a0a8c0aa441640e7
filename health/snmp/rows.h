/* The tables of CANDOR-MIB (conf/CANDOR-MIB.txt), made of the detail (docs/formats/detail.md): one sorted list of
 * cells, so that GET is a search and GETNEXT the next one. Pure; any text is taken, and what does not fit is left out.
 *
 *   OID of a cell: base . 1 . table . 1 . column . row        (rows from 1, in the order of the detail) */
#ifndef CANDOR_SNMP_ROWS_H
#define CANDOR_SNMP_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROWS_TEXT_MAX = 255, ROWS_EACH_MAX = 1024, ROWS_OID = 5 /* numbers behind the base */ };

enum cell_type { CELL_TEXT, CELL_INTEGER, CELL_GAUGE, CELL_COUNTER32, CELL_COUNTER64 };
struct cell {
    uint16_t table, column;
    uint32_t row;
    enum cell_type type;
    uint64_t number;
    char *text; /* of CELL_TEXT, UTF-8 as it came, at most ROWS_TEXT_MAX octets */
};
struct rows {
    size_t count, cap;
    struct cell *at; /* by table, column, row */
};

/* NULL: no memory, or no JSON object. */
struct rows *rows_of_detail(const char *json, size_t size);
/* What is left when nothing was heard for too long: the node's row with status unknown, nothing else. */
struct rows *rows_stale(const struct rows *r);
void rows_free(struct rows *r); /* NULL is allowed */

/* The cell at the numbers behind the base, or behind them (`next`); NULL: there is none. */
const struct cell *rows_find(const struct rows *r, const unsigned long *oid, size_t count, bool next);
void cell_oid(const struct cell *c, unsigned long to[ROWS_OID]);

#endif
