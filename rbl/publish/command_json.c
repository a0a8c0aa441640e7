#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rbl/publish/command.h"

void answer_json(struct control_call *call, json_t *doc) {
    char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    control_answer(call,
                   text != NULL ? text : "{\"ok\":false,\"code\":\"nomem\",\"error\":\"no memory for the answer\"}");
    free(text);
    json_decref(doc);
}

void answer_error(struct control_call *call, int code, const char *text) {
    answer_json(call, json_pack("{s:b,s:s,s:o}", "ok", 0, "code", err_name(code), "error", json_text(text)));
}

void answer_job_error(struct control_call *call, const struct job *j) {
    json_t *o = json_pack("{s:b,s:s,s:o}", "ok", 0, "code", err_name(j->code), "error", json_text(j->err.text));
    if (o != NULL && !j->state.empty && j->state.serial != 0) {
        json_object_set_new(o, "serial", json_integer((json_int_t)j->state.serial));
        json_object_set_new(o, "entries", json_integer((json_int_t)j->state.entries));
    }
    if (o != NULL && j->code == E_REFUSED && (j->result.added > 0 || j->result.removed > 0)) {
        json_object_set_new(o, "added", json_integer((json_int_t)j->result.added));
        json_object_set_new(o, "removed", json_integer((json_int_t)j->result.removed));
    }
    answer_json(call, o);
}

json_t *json_bytes(const char *text, size_t size) {
    json_t *s = json_stringn(text, size);
    if (s != NULL)
        return s;
    char clean[512];
    size_t n = size < sizeof clean ? size : sizeof clean;
    for (size_t i = 0; i < n; i++)
        clean[i] = text[i] >= ' ' && text[i] < 127 ? text[i] : '?';
    return json_stringn(clean, n);
}

json_t *json_text(const char *text) { return json_bytes(text, strlen(text)); }

json_t *json_time(int64_t wall_s) {
    char text[32];
    time_t t = (time_t)wall_s;
    struct tm tm;
    if (wall_s <= 0 || gmtime_r(&t, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return json_null();
    return json_string(text);
}

json_t *json_digest(struct digest d) {
    char text[33];
    (void)snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)d.hi, (unsigned long long)d.lo);
    return json_string(text);
}
