/* Names that are answered here and nowhere else: the built-in zones of RFC 6303 and RFC 6761 (`local-zones`), RRs of
 * the operator's own (`local-data`), and what stands for a whole zone (`overrides`).
 *
 *   the name has local-data? that, or NODATA; a CNAME is followed to other local-data
 *     -> else the longest zone that holds it decides: static, redirect, nxdomain, nodata, refuse, drop
 *     -> none, or transparent: nobody here, it is asked for
 *
 * A forward, stub or guard zone, the root excepted, takes its names out of the built-in zones: that one, those below
 * it, and its part of one above. Forwarding everything (".") takes nothing out: names of private networks are not to
 * leave, whoever resolves (RFC 6303 section 1). An override says what it says for its names in any case; the longest
 * zone wins.
 *
 * Compiled once, before the workers are forked; read-only from then on, so any process and thread may ask. A look-up
 * costs one probe for each label from the right that any local name has, nothing is allocated. */
#ifndef CANDOR_SERVE_LOCAL_ZONES_H
#define CANDOR_SERVE_LOCAL_ZONES_H

#include "resolver/base/conf.h"
#include "resolver/dns/writer.h"

enum {
    LOCAL_DATA_TTL_S = 3600,    /* of local-data that says none */
    LOCAL_SOA_TTL_S = 10800,    /* of negative answers of built-in and static zones (RFC 6303 section 3) */
    LOCAL_OVERRIDE_TTL_S = 300, /* of negative answers of other overrides: a mistake is over soon */
    LOCAL_CHAIN_MAX = 8,        /* CNAMEs of local-data in one answer */
    LOCAL_NODES_MAX = 65536,    /* names, those between a zone and its data included */
};

struct local_zones;

struct local_answer {
    uint8_t rcode;
    int ede;
    const char *ede_text; /* static */
    bool drop;            /* no reply at all */
};

/* E_INVALID with the entry of local-data that could not be read: an unknown type, a CNAME beside other data or to a
 * name that has no local data (nobody would follow it). */
int local_zones_open(struct local_zones **out, const struct conf *conf, struct err *err) MUST_USE;
void local_zones_close(struct local_zones *z);

/* False: nobody here. Else the RRs stand in `w` behind the question, which stands there already, and *a says the rest;
 * room that runs out sticks in w->error. ANY gets one RRset (RFC 8482 section 4.1). */
bool local_zones_answer(const struct local_zones *z, const struct name *qname, uint16_t qtype, struct dns_writer *w,
                        struct local_answer *a) MUST_USE;

/* Which zone decides what happens to a name, as text for people; NULL: none. */
const char *local_zones_kind(enum conf_local kind);

#endif
