/* A mail about alerts: RFC 5322 with a body of quoted-printable (RFC 2045), lines of at most 76 octets, ASCII alone.
 * Nothing that an alert says can become a header, or another one's: what is not plain is encoded (RFC 2047). Pure. */
#ifndef CANDOR_ALERT_MESSAGE_H
#define CANDOR_ALERT_MESSAGE_H

#include "health/alert/courier.h"
#include "resolver/base/conf_health.h"

/* The whole message, lines ended by CR LF; `domain` for its Message-ID, `page` a URL to look at. To be freed; NULL
 * without memory. */
char *message_write(const struct errand *e, const struct conf_smtp *to, const char *domain, const char *page,
                    int64_t wall_ms);
/* A node name as a domain: what EHLO and Message-ID bear. Letters, digits, dots, hyphens; never empty. */
void message_domain(const char *node, char to[ALERT_NAME]);

#endif
