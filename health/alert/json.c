#include "health/alert/json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *json_time(int64_t wall_ms, char to[JSON_TIME]) {
    struct tm tm;
    time_t s = (time_t)(wall_ms / 1000);
    if (wall_ms < 0 || gmtime_r(&s, &tm) == NULL || strftime(to, JSON_TIME, "%Y-%m-%dT%H:%M:%S", &tm) != 19)
        return "1970-01-01T00:00:00.000Z";
    (void)snprintf(to + 19, JSON_TIME - 19, ".%03uZ", (unsigned)(wall_ms % 1000));
    return to;
}

static char *text_of(json_t *j) {
    char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    return text;
}

/* They say who an alert is to Alertmanager: they never change while it holds. */
static json_t *labels(const struct alert_list *l, const struct alert *a) {
    char group[24];
    json_t *j = json_pack("{s:s,s:s,s:s}", "alertname", alert_kind_name(a->kind), "severity",
                          alert_is_critical(a->kind) ? "critical" : "warning", "monitor", l->monitor);
    if (a->node[0] != '\0')
        (void)json_object_set_new(j, "node", json_string(a->node));
    (void)snprintf(group, sizeof group, "%llu", (unsigned long long)a->id);
    if (a->kind == ALERT_NODES)
        (void)json_object_set_new(j, "group", json_string(group));
    return j;
}

static json_t *annotations(const struct alert *a) {
    return json_pack("{s:s,s:s}", "summary", a->summary, "description", a->description);
}

/* An earlier one of the list has the same labels: it holds, or ended later. To Alertmanager both are one alert, and the
 * last word on it would be that it is over. */
static bool is_past(const struct alert_list *l, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (l->at[k].kind == l->at[i].kind && l->at[i].kind != ALERT_NODES && strcmp(l->at[k].node, l->at[i].node) == 0)
            return true;
    return false;
}

char *json_manager(const struct alert_list *l, const char *url, int64_t wall_ms) {
    char starts[JSON_TIME], ends[JSON_TIME];
    json_t *all = json_array();
    for (size_t i = 0; i < l->count; i++) {
        const struct alert *a = &l->at[i];
        bool over = a->ended_wall_ms != 0;
        if (over && (wall_ms - a->ended_wall_ms > JSON_OVER_MS || is_past(l, i)))
            continue;
        json_t *one =
            json_pack("{s:o,s:o,s:s,s:s,s:s}", "labels", labels(l, a), "annotations", annotations(a), "startsAt",
                      json_time(a->began_wall_ms, starts), "endsAt",
                      json_time(over ? a->ended_wall_ms : wall_ms + JSON_AHEAD_MS, ends), "generatorURL", url);
        if (json_array_append_new(all, one) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return text_of(all);
}

bool json_is_firing(const struct errand *e) {
    for (size_t i = 0; i < e->count; i++)
        if (e->news[i]->ended_wall_ms == 0)
            return true;
    return false;
}

static json_t *webhook_alert(const struct alert_list *l, const struct alert *a, const char *url) {
    char starts[JSON_TIME], ends[JSON_TIME], id[24];
    bool over = a->ended_wall_ms != 0;
    (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)a->id);
    return json_pack("{s:s,s:s,s:o,s:o,s:s,s:s,s:s,s:s,s:I,s:I}", "status", over ? "resolved" : "firing", "news",
                     alert_news_name(a->news), "labels", labels(l, a), "annotations", annotations(a), "startsAt",
                     json_time(a->began_wall_ms, starts), "endsAt",
                     over ? json_time(a->ended_wall_ms, ends) : "0001-01-01T00:00:00Z", "generatorURL", url,
                     "fingerprint", id, "ill", (json_int_t)a->ill, "total", (json_int_t)a->total);
}

char *json_webhook(const struct errand *e, const char *url) {
    char key[ALERT_NAME + 16];
    json_t *all = json_array();
    for (size_t i = 0; i < e->count; i++)
        if (json_array_append_new(all, webhook_alert(e->list, e->news[i], url)) != 0) {
            json_decref(all);
            return NULL;
        }
    (void)snprintf(key, sizeof key, "candor:%s", e->list->monitor);
    return text_of(json_pack("{s:s,s:s,s:s,s:s,s:{},s:{s:s},s:{},s:s,s:i,s:o}", "version", "4", "groupKey", key,
                             "status", json_is_firing(e) ? "firing" : "resolved", "receiver", "candor", "groupLabels",
                             "commonLabels", "monitor", e->list->monitor, "commonAnnotations", "externalURL", url,
                             "truncatedAlerts", 0, "alerts", all));
}
