/* RDATA and types of RRs that come from outside. */
#ifndef CANDOR_RECORDS_RDATA_H
#define CANDOR_RECORDS_RDATA_H

#include <stdbool.h>

#include "resolver/base/bytes.h"
#include "resolver/dns/const.h"

enum { RECORDS_TXT = 254, TYPE_ZONEMD = 63 }; /* octets of a listing's text; a longer one stands as an RR of its own */

/* Types that are no data (RFC 6895 section 3.1); those that a signer makes anew. */
bool records_is_meta(uint16_t type);
bool records_is_dnssec(uint16_t type);
/* Where a domain name stands in the RDATA of types that messages may compress (RFC 1035, RFC 3597 section 4), and SRV
 * and DNAME, which they may not: read kindly. -1: nowhere. */
int records_name_in(uint16_t type);
/* Those names fold case. */
bool records_rdata_same(uint16_t type, struct bytes a, struct bytes b);
/* Whether TXT RDATA is whole character-strings; whether it can be the text of a listing: one string, and no NUL, which
 * stands for a dollar sign. */
bool records_strings_right(struct bytes rdata);
bool records_is_plain(struct bytes txt);

#endif
