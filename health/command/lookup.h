/* What `candor lookup` asks for an address or a name: the part without a network. */
#ifndef CANDOR_COMMAND_LOOKUP_H
#define CANDOR_COMMAND_LOOKUP_H

#include "resolver/base/conf.h"
#include "resolver/dns/name.h"

/* What a zone of the configuration can hold, told by its datasets; by its `test` when it has none; else anything. */
enum lookup_kind { LOOKUP_IP4 = 1, LOOKUP_IP6 = 2, LOOKUP_NAMES = 4 };
unsigned lookup_kinds(const struct conf_zone *z);

struct lookup {
    enum lookup_kind kind;
    struct addr addr;
    struct name name;
};

/* An address without a port, or a name. */
int lookup_parse(struct lookup *l, const char *what, struct err *err) MUST_USE;

/* 192.0.2.1 -> 1.2.0.192.ZONE, 2001:db8::1 -> 32 nibbles.ZONE, a name -> NAME.ZONE. E_RANGE when that is too long for a
 * name. */
int lookup_below(const struct lookup *l, const char *zone, struct name *qname) MUST_USE;

#endif
