/* SNMP: the tables of CANDOR-MIB by AgentX (RFC 2741) at the master agent of health.report.snmp.agentx, and
 * notifications to the addresses of health.report.snmp.traps. Each is a sink (health/report/sink.h) of its own.
 *
 *   agentx: the sink parses the detail into rows; a thread of its own speaks to the master, whose pings and connects
 *           block inside net-snmp: it may hang there. Transitions go to the master's own trap receivers, too.
 *   traps:  an SNMPv2c InformRequest for each transition; it is delivered when the receiver has answered it.
 *
 * net-snmp reads no configuration, no MIB files and no environment here, keeps nothing on disk, and is given addresses
 * alone: it looks up no name. This room is its one door. */
#ifndef CANDOR_SNMP_AGENT_H
#define CANDOR_SNMP_AGENT_H

#include "health/report/sink.h"
#include "resolver/base/conf.h"

enum {
    SNMP_WAIT_US = 1000000, /* for an answer, ... */
    SNMP_RETRIES = 1,       /* ... and once more */
    SNMP_PING_S = 2,        /* the master is asked whether it is there, or connected to again */
    SNMP_HANGS_MS = 2000,   /* in one call of the library: the master does not answer */
    SNMP_TURN_US = 200000   /* new rows are shown so soon */
};

/* Where SNMP is configured, makes net-snmp deaf to files and environment. It writes the environment: before the process
 * has other threads. */
void snmp_prepare(const struct conf *conf);
/* `push_ms`: rows older than three of these are no longer shown. */
int snmp_agent_open(struct sink **out, const struct conf *conf, const char *folder, uint32_t push_ms,
                    struct err *err) MUST_USE;
int snmp_trap_open(struct sink **out, const struct conf *conf, const struct addr *to, const char *folder,
                   uint32_t retry_ms, struct err *err) MUST_USE;

#endif
