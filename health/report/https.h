/* Reports over HTTPS: POST of JSON to health.report.https, from a sink's thread (sink.h).
 *
 * The address is the configuration's, the name in `tls-name` only what the certificate must say: libcurl is told both
 * (CURLOPT_RESOLVE), uses no proxy, follows nothing, asks no OCSP or CRL by name, and trusts `ca` alone. What it saw of
 * the certificate's end goes into the news, so that it is known 21 days before. */
#ifndef CANDOR_REPORT_HTTPS_H
#define CANDOR_REPORT_HTTPS_H

#include "health/report/sink.h"
#include "resolver/base/conf.h"

enum { HTTPS_TIMEOUT_MS = 10000, HTTPS_CONNECT_MS = 5000, HTTPS_BODY_MAX = 4096 };

int https_open(struct sink **out, const struct conf_sink *to, uint32_t retry_ms, struct err *err) MUST_USE;
/* The report as JSON, at most HTTPS_BODY_MAX octets; to be freed. NULL without memory. */
char *https_body(const struct report *r);

#endif
