/* Between the files of this room: what both ways of telling share. */
#ifndef CANDOR_SNMP_IMPL_H
#define CANDOR_SNMP_IMPL_H

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include "health/snmp/agent.h"
#include "health/snmp/rows.h"

enum { SNMP_NODE = 256 };

struct snmp_base {
    oid at[MAX_OID_LEN];
    size_t count;
};

/* net-snmp's start and the opening of sessions write what all of it shares: one at a time. */
void snmp_enter(void);
void snmp_leave(void);
/* The numbers of health.report.snmp.base-oid, which the configuration has checked. */
void snmp_base_read(struct snmp_base *b, const char *text);
/* Whether there is a notification for it. */
bool snmp_is_told(const struct event *e);
/* The varbinds: sysUpTime.0, snmpTrapOID.0, and what the MIB says. NULL without memory. */
netsnmp_variable_list *snmp_varbinds(const struct snmp_base *b, const char *node, const struct event *e, u_long uptime);

#endif
