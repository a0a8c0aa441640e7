/* The list on disk: how it is written, and how it is read as if an enemy had written it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "health/alert/impl.h"
#include "health/alert/json.h"
#include "resolver/base/bytes.h"

enum { STATE_FORMAT = 1 };

static json_t *members_json(const char *names) {
    json_t *list = json_array();
    for (const char *end; names != NULL && (end = strchr(names, '\n')) != NULL; names = end + 1)
        (void)json_array_append_new(list, json_stringn(names, (size_t)(end - names)));
    return list;
}

static json_t *alert_json(const struct alert *a) {
    return json_pack("{s:I,s:I,s:s,s:s,s:I,s:I,s:I,s:s,s:s,s:s,s:o}", "id", (json_int_t)a->id, "change",
                     (json_int_t)a->change, "kind", alert_kind_name(a->kind), "news", alert_news_name(a->news),
                     "beganMs", (json_int_t)a->began_wall_ms, "endedMs", (json_int_t)a->ended_wall_ms, "total",
                     (json_int_t)a->total, "node", a->node, "summary", a->summary, "description", a->description,
                     "members", members_json(a->members));
}

char *json_state(const struct alert_list *l) {
    json_t *all = json_array();
    for (size_t i = 0; i < l->count; i++)
        if (json_array_append_new(all, alert_json(&l->at[i])) != 0) {
            json_decref(all);
            return NULL;
        }
    json_t *doc = json_pack("{s:i,s:s,s:I,s:o}", "format", STATE_FORMAT, "monitor", l->monitor, "change",
                            (json_int_t)l->change, "alerts", all);
    char *text = doc != NULL ? json_dumps(doc, JSON_INDENT(1)) : NULL;
    json_decref(doc);
    return text;
}

static void take_text(const json_t *from, const char *key, char *to, size_t cap) {
    words_clean(to, cap, json_string_value(json_object_get(from, key)));
}

/* With line breaks: cleaned line by line. */
static void take_lines(const json_t *from, const char *key, char *to, size_t cap) {
    const char *text = json_string_value(json_object_get(from, key));
    size_t at = 0;
    to[0] = '\0';
    while (text != NULL && *text != '\0' && at + 1 < cap) {
        char line[ALERT_TEXT];
        size_t n = strcspn(text, "\n"), take = n < sizeof line ? n : sizeof line - 1;
        memcpy(line, text, take);
        line[take] = '\0';
        words_clean(to + at, cap - at, line);
        at += strlen(to + at);
        text += n;
        if (*text == '\n' && text[1] != '\0' && at + 1 < cap) {
            to[at++] = '\n';
            to[at] = '\0';
        }
        text += *text == '\n';
    }
}

static char *take_members(const json_t *list) {
    size_t count = json_array_size(list);
    if (count > ALERT_SUBJECTS)
        count = ALERT_SUBJECTS;
    char *names = calloc(count + 1, ALERT_NAME + 1), *at = names;
    for (size_t i = 0; names != NULL && i < count; i++) {
        words_clean(at, ALERT_NAME, json_string_value(json_array_get(list, i)));
        size_t n = strlen(at);
        if (n > 0) {
            at[n] = '\n';
            at += n + 1;
        }
        *at = '\0';
    }
    return names;
}

static int64_t number(const json_t *from, const char *key) {
    json_int_t n = json_integer_value(json_object_get(from, key));
    return n > 0 ? n : 0;
}

static bool take_alert(struct alert *a, const json_t *from) {
    int kind = alert_kind_find(json_string_value(json_object_get(from, "kind")));
    int news = alert_news_find(json_string_value(json_object_get(from, "news")));
    if (kind < 0 || news < 0)
        return false;
    *a = (struct alert){.id = (uint64_t)number(from, "id"),
                        .change = (uint64_t)number(from, "change"),
                        .kind = (enum alert_kind)kind,
                        .news = (enum alert_news)news,
                        .began_wall_ms = number(from, "beganMs"),
                        .ended_wall_ms = number(from, "endedMs"),
                        .total = (size_t)number(from, "total")};
    take_text(from, "node", a->node, sizeof a->node);
    take_text(from, "summary", a->summary, sizeof a->summary);
    take_lines(from, "description", a->description, sizeof a->description);
    a->members = take_members(json_object_get(from, "members"));
    return a->id > 0 && a->members != NULL;
}

struct alert_list *json_state_read(const char *text, size_t size) {
    json_t *doc = json_loadb(text, size, 0, NULL);
    const json_t *all = json_object_get(doc, "alerts");
    size_t count = json_array_size(all);
    struct alert_list *l = NULL;
    if (json_integer_value(json_object_get(doc, "format")) == STATE_FORMAT && json_is_array(all))
        l = alert_list_new(count < ALERT_MAX ? count : ALERT_MAX);
    if (l != NULL) {
        l->change = (uint64_t)number(doc, "change");
        take_text(doc, "monitor", l->monitor, sizeof l->monitor);
        for (size_t i = 0; i < l->count; i++)
            if (!take_alert(&l->at[i], json_array_get(all, i)))
                l->at[i].id = 0; /* passed over by alerts_restore */
    }
    json_decref(doc);
    return l;
}
