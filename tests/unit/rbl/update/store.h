/* A zone's store in memory that keeps the contract of rbl/keep/edit.h, and entries and messages as text. */
#ifndef CANDOR_TEST_UPDATE_STORE_H
#define CANDOR_TEST_UPDATE_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rbl/keep/edit.h"
#include "rbl/keep/view.h"

enum { STORE_ENTRIES = 300 };
struct keep_batch {
    struct keep_entry e[STORE_ENTRIES];
    unsigned count;
    unsigned edits;
    int fail_at; /* the edit that fails with E_FULL; 0: none */
    struct view_apex apex;
    bool has_apex;
};

/* Entries, separated by newlines: "192.0.2.2/32 127.0.0.2 300 text", "2001:db8::/32 127.0.0.3", "name 127.0.0.2",
 * "*name 127.0.0.2", "name 300 TYPE15 hex", "@ ..."; "file " in front: of dataset 0; "!" behind it an exclusion. In a
 * text '$' is the template's, "\$" a literal one. TTL 0 is left out. */
/* The apex has SOA "ns.list.example. host.list.example. 7 2 3 4 5" and NS a. and b. */
void store_fill(struct keep_batch *b, const char *entries);
/* The same, sorted. */
const char *store_text(const struct keep_batch *b);

/* A message with opcode UPDATE for list.example., one line each:
 *   yxdomain NAME, nxdomain NAME, yxrrset NAME TYPE [DATA], nxrrset NAME TYPE
 *   add NAME TTL TYPE DATA, del NAME [TYPE [DATA]]
 *   raw p|u NAME CLASS TYPE TTL HEX
 * NAME is relative, "@" the apex, with a final dot absolute. Returns the size. */
size_t message(uint8_t *to, size_t cap, const char *lines);

#endif
