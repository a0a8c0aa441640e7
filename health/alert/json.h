/* Alerts as JSON: what Alertmanager's API takes, what a webhook and a command get, and what is kept on disk
 * (docs/formats/alerts.md). All texts are to be freed; NULL without memory. Pure. */
#ifndef CANDOR_ALERT_JSON_H
#define CANDOR_ALERT_JSON_H

#include "health/alert/courier.h"

enum {
    JSON_AHEAD_MS = 300000, /* Alertmanager takes what is not sent again within this for over */
    JSON_OVER_MS = 900000,  /* for so long it is told what ended */
    JSON_STATE_MAX = 4 << 20
};

/* For POST /api/v2/alerts: all that holds, and what ended lately. `url`: where this monitor's page is. */
char *json_manager(const struct alert_list *l, const char *url, int64_t wall_ms);
/* The payload of Alertmanager's webhook (version 4), with what has changed in it. */
char *json_webhook(const struct errand *e, const char *url);
bool json_is_firing(const struct errand *e); /* anything of the news holds: a webhook's `status` */

/* The whole list, and back: any octets are taken. NULL: it is none. */
char *json_state(const struct alert_list *l);
struct alert_list *json_state_read(const char *text, size_t size);

/* "2026-11-22T10:00:00.123Z" (RFC 3339). */
enum { JSON_TIME = 32 };
const char *json_time(int64_t wall_ms, char to[JSON_TIME]);

#endif
