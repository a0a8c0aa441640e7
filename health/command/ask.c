#include "health/command/ask.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/net/control.h"

uint64_t ask_number(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    double n = json_number_value(v);
    if (json_is_integer(v))
        return json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v) : 0;
    return n > 0 && n < 1e18 ? (uint64_t)n : 0;
}

const char *ask_text(const json_t *o, const char *key) {
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

bool ask_true(const json_t *o, const char *key) { return json_is_true(json_object_get(o, key)); }

static int read_answer(const char *line, json_t **answer, struct err *err) {
    json_error_t at;
    json_t *doc = json_loads(line, JSON_REJECT_DUPLICATES, &at);
    if (!json_is_object(doc) || !json_is_boolean(json_object_get(doc, "ok"))) {
        json_decref(doc);
        return err_set(err, E_INVALID, "candor-sync gave an answer that is none (%s)",
                       doc == NULL ? at.text : "no \"ok\"");
    }
    if (ask_true(doc, "ok")) {
        *answer = doc;
        return 0;
    }
    const char *code = ask_text(doc, "code"), *why = ask_text(doc, "error");
    int rc = err_set(err, strcmp(code, "refused") == 0 ? E_REFUSED : E_INVALID, "%s%s%s",
                     code[0] != '\0' ? code : "refused", why[0] != '\0' ? ": " : "", why);
    json_decref(doc);
    return rc;
}

bool ask_unheard(int rc) { return rc == E_NOTFOUND || rc == E_TIMEOUT || rc == E_CLOSED || rc == E_SYSTEM; }

int ask_sync(const struct conf *conf, json_t *request, unsigned timeout_ms, json_t **answer, struct err *err) {
    char path[4096], *got = NULL;
    *answer = NULL;
    char *line = request != NULL ? json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(request);
    if (line == NULL)
        return err_set(err, E_INVALID, "the request can not be written as JSON (is the text UTF-8?)");
    int rc = snprintf(path, sizeof path, "%s/sync.sock", conf->node.run) < (int)sizeof path
                 ? control_ask(path, line, timeout_ms, &got, err)
                 : err_set(err, E_RANGE, "%s: path too long", conf->node.run);
    free(line);
    if (rc == E_NOTFOUND)
        return err_set(err, rc, "candor-sync does not run here: nobody listens on %s", path);
    if (rc == E_TIMEOUT)
        return err_set(err, rc, "candor-sync hangs: no answer on %s within %u s", path, timeout_ms / 1000);
    if (rc == 0)
        rc = read_answer(got, answer, err);
    free(got);
    return rc;
}
