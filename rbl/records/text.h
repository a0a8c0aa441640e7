/* Addresses and names as '$' has them, and as owners. */
#ifndef CANDOR_RECORDS_TEXT_H
#define CANDOR_RECORDS_TEXT_H

#include "rbl/keep/read.h"
#include "rbl/records/shape.h"

/* None is closed with a NUL; they return its size. An address or name as rbl/answer writes it. */
size_t records_text_addr(char to[NAME_TEXT_MAX], bool is4, read_addr a);
size_t records_text_name(char to[NAME_TEXT_MAX], struct bytes path);
/* What '$' is for an entry wherever it is asked: of a whole address (`k`) or a name; nothing for a network. */
size_t records_own_text(const struct records_key *k, const struct name *n, char to[NAME_TEXT_MAX]);
void records_name_of_path(struct bytes path, struct name *n);
/* The name of a place of so many octets or nibbles, relative. */
void records_name_of(read_addr a, unsigned labels, bool is4, struct name *n);

#endif
