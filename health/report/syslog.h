/* Events as messages of syslog (health.report.syslog), from a sink's thread (sink.h): transitions of scopes and of
 * checks, and starts of this node. Not syslog(3), which may wait for its daemon as long as that one likes.
 *
 * To an address: RFC 5424 over UDP (RFC 5426), a message a datagram. Nobody acknowledges; that a port is closed is
 * known where its ICMP error comes back within SYSLOG_LISTEN_MS, and then all of the notice comes again.
 *   <28>1 2026-11-23T15:27:30.123Z scan1 candor-health 411 scope [candor@8072.9999.9999 node="scan1" event="90"
 *   boot="0123456789abcdef" kind="scope" scope="worker" what="" from="pass" to="fail"] worker: pass -> fail: why
 *
 * To the socket of the local daemon: what rsyslogd, syslog-ng and journald all read there, with the same data (and
 * at="...", the time) as the message's beginning; they would take the head of RFC 5424 for text.
 *   <28>candor-health[411]: [candor@8072.9999.9999 node="scan1" at="2026-11-23T15:27:30.123Z" ...] worker: pass -> ...
 * It never blocks: a daemon that is away, or whose queue is full, gets them later.
 *
 * Severity by the new state: fail and unknown 3 (error), warn 4 (warning), pass and starts 5 (notice). */
#ifndef CANDOR_REPORT_SYSLOG_H
#define CANDOR_REPORT_SYSLOG_H

#include "health/report/sink.h"
#include "resolver/base/conf.h"

enum { SYSLOG_MESSAGE_MAX = 1024, SYSLOG_LISTEN_MS = 50 };

/* `folder`: where the mark is kept (struct sink_plan). E_RANGE: the socket's path is too long for one. */
int syslog_open(struct sink **out, const struct conf *conf, const char *folder, uint32_t retry_ms,
                struct err *err) MUST_USE;

/* One message, a text in ASCII; its size, less than SYSLOG_MESSAGE_MAX: the cause is cut. `lost`: events before it. */
size_t syslog_message(const struct event *e, const char *node, const struct conf_syslog *to, int pid, uint64_t lost,
                      char text[SYSLOG_MESSAGE_MAX]);

#endif
