#include "health/monitor/intake.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "health/monitor/facts.h"
#include "resolver/base/bytes.h"

enum { TIME_MOST_MS = 1LL << 48, BOOT_DIGITS = 16 };

static bool fits(unsigned char c) { return c >= 0x20 && c < 0x7f; }

/* Texts that go into tables and pages: what is not visible ASCII stands as '?'. False: nested too deep. */
static bool clean(json_t *j, int depth) {
    const char *key;
    json_t *value;
    size_t i;
    if (depth > INTAKE_DEPTH)
        return false;
    if (json_is_string(j)) {
        const char *text = json_string_value(j);
        size_t size = json_string_length(j);
        char *plain = NULL;
        for (i = 0; i < size; i++)
            if (!fits((unsigned char)text[i]) && (plain != NULL || (plain = strdup(text)) != NULL))
                plain[i] = '?';
        bool well = plain == NULL || json_string_set(j, plain) == 0;
        free(plain);
        return well;
    }
    json_object_foreach(j, key, value) {
        for (const char *c = key; *c != '\0'; c++)
            if (!fits((unsigned char)*c))
                return false;
        if (!clean(value, depth + 1))
            return false;
    }
    json_array_foreach(j, i, value) if (!clean(value, depth + 1)) return false;
    return true;
}

/* A whole number from 0 up to `most`; what is missing is 0. False: it is something else. */
static bool number(const json_t *o, const char *key, int64_t most, int64_t *to) {
    const json_t *j = json_object_get(o, key);
    *to = json_integer_value(j);
    return j == NULL || (json_is_integer(j) && *to >= 0 && *to <= most);
}

/* Cut to fit; what is missing is "". False: no string. */
static bool words(const json_t *o, const char *key, char *to, size_t size) {
    const json_t *j = json_object_get(o, key);
    const char *text = json_string_value(j);
    text_copy(to, size, text != NULL ? text : "");
    return j == NULL || text != NULL;
}

static bool hex(const json_t *o, uint64_t *boot) {
    const char *text = json_string_value(json_object_get(o, "boot"));
    *boot = 0;
    if (text == NULL || strlen(text) != BOOT_DIGITS || strspn(text, "0123456789abcdef") != BOOT_DIGITS)
        return false;
    *boot = strtoull(text, NULL, 16);
    return *boot != 0;
}

static int state_of(const char *name) {
    for (int s = 0; name != NULL && s < VERDICT_STATES; s++)
        if (strcmp(verdict_state_name((enum verdict_state)s), name) == 0)
            return s;
    return -1;
}

/* A name as in unpack_name (resolver/base/pack.h): printable, no blank, quote or backslash. */
static bool is_name(const char *text) {
    for (const char *c = text; *c != '\0'; c++)
        if (!fits((unsigned char)*c) || strchr(" \"'\\/?", *c) != NULL)
            return false;
    return text[0] != '\0';
}

static bool read_report(struct report *r, const json_t *j) {
    const char *key;
    json_t *value;
    int64_t sequence, revision, lag;
    bool well = hex(j, &r->boot) && words(j, "node", r->node, sizeof r->node) && is_name(r->node) &&
                words(j, "version", r->version, sizeof r->version) && words(j, "cause", r->cause, sizeof r->cause) &&
                number(j, "sequence", INT64_MAX, &sequence) && number(j, "wallMs", TIME_MOST_MS, &r->wall_ms) &&
                number(j, "revision", INT64_MAX, &revision) && number(j, "lagMs", UINT32_MAX, &lag);
    int overall = state_of(json_string_value(json_object_get(j, "status")));
    if (!well || overall < 0 || !json_is_boolean(json_object_get(j, "ready")))
        return false;
    r->sequence = (uint64_t)sequence;
    r->revision = (uint64_t)revision;
    r->lag_ms = (uint32_t)lag;
    r->overall = (uint8_t)overall;
    r->ready = json_is_true(json_object_get(j, "ready"));
    memset(r->scope, REPORT_ABSENT, sizeof r->scope);
    json_object_foreach(json_object_get(j, "scopes"), key, value) {
        int scope = verdict_scope_find(key), state = state_of(json_string_value(value));
        if (state < 0)
            return false;
        if (scope >= 0) /* a node may be newer than its monitor */
            r->scope[scope] = (uint8_t)state;
    }
    return true;
}

static bool read_event(struct event *e, const json_t *j) {
    char word[32];
    int64_t sequence;
    bool well = hex(j, &e->boot) && number(j, "sequence", INT64_MAX, &sequence) && sequence > 0 &&
                number(j, "wallMs", TIME_MOST_MS, &e->wall_ms) && number(j, "seenMs", TIME_MOST_MS, &e->seen_wall_ms) &&
                words(j, "what", e->what, sizeof e->what) && words(j, "cause", e->cause, sizeof e->cause) &&
                words(j, "kind", word, sizeof word);
    if (!well)
        return false;
    e->sequence = (uint64_t)sequence;
    int kind = 0;
    while (kind < EVENT_KINDS && strcmp(event_kind_name((enum event_kind)kind), word) != 0)
        kind++;
    int scope = verdict_scope_find(
        json_string_value(json_object_get(j, "scope")) != NULL ? json_string_value(json_object_get(j, "scope")) : "");
    int from = state_of(json_string_value(json_object_get(j, "from")));
    int to = state_of(json_string_value(json_object_get(j, "to")));
    e->kind = (uint8_t)kind;
    e->scope = scope < 0 ? SCOPE_COUNT : (uint8_t)scope;
    e->from = from < 0 ? VERDICT_STATES : (uint8_t)from;
    e->to = to < 0 ? VERDICT_STATES : (uint8_t)to;
    return kind < EVENT_KINDS && (kind == EVENT_START || (from >= 0 && to >= 0));
}

static int read_events(struct intake *i, const json_t *list, struct err *err) {
    size_t count = json_array_size(list);
    if (list != NULL && !json_is_array(list))
        return err_set(err, E_INVALID, "events: a list");
    if (count > NOTICE_EVENTS)
        return err_set(err, E_INVALID, "events: at most %d", (int)NOTICE_EVENTS);
    if (count > 0 && (i->event = calloc(count, sizeof *i->event)) == NULL)
        return err_set(err, E_NOMEM, "no memory for events");
    for (; i->events < count; i->events++) {
        struct event *e = &i->event[i->events];
        if (!read_event(e, json_array_get(list, i->events)) || (i->events > 0 && e->sequence <= e[-1].sequence))
            return err_set(err, E_INVALID, "events: entry %zu is none, or out of order", i->events);
    }
    return 0;
}

static int read_detail(struct intake *i, json_t *j, struct err *err) {
    if (!json_is_object(j))
        return err_set(err, E_INVALID, "detail: an object");
    char *text = json_dumps(j, JSON_COMPACT);
    i->detail = text != NULL ? detail_make(text, strlen(text)) : NULL;
    free(text);
    i->facts = i->detail != NULL ? facts_make(j) : NULL;
    return i->facts != NULL ? 0 : err_set(err, E_NOMEM, "no memory for a detail");
}

/* One of the places that may say whose it is: all that do say the same. */
static int add_name(struct intake *i, const json_t *o, const char *where, struct err *err) {
    char name[REPORT_NODE];
    if (!words(o, "node", name, sizeof name) || !is_name(name))
        return err_set(err, E_INVALID, "%snode: a name", where);
    if (i->name[0] != '\0' && strcmp(name, i->name) != 0)
        return err_set(err, E_INVALID, "%snode: it is of another one before", where);
    text_copy(i->name, sizeof i->name, name);
    return 0;
}

static int read_name(struct intake *i, const json_t *doc, const json_t *detail, struct err *err) {
    int rc = 0;
    if (i->has_report)
        text_copy(i->name, sizeof i->name, i->report.node);
    if (json_object_get(doc, "node") != NULL)
        rc = add_name(i, doc, "", err);
    return rc == 0 && detail != NULL ? add_name(i, detail, "detail: ", err) : rc;
}

static int read_all(struct intake *i, json_t *doc, struct err *err) {
    json_t *report = json_object_get(doc, "report"), *detail = json_object_get(doc, "detail");
    int64_t lost;
    if (!json_is_object(doc) || !clean(doc, 0))
        return err_set(err, E_INVALID, "an object of %d levels at most is wanted", (int)INTAKE_DEPTH);
    i->has_report = report != NULL;
    if (report != NULL && !read_report(&i->report, report))
        return err_set(err, E_INVALID, "report: not as it should be");
    if (!number(doc, "eventsLost", INT64_MAX, &lost))
        return err_set(err, E_INVALID, "eventsLost: a number");
    i->events_lost = (uint64_t)lost;
    int rc = read_events(i, json_object_get(doc, "events"), err);
    if (rc == 0 && detail != NULL)
        rc = read_detail(i, detail, err);
    return rc == 0 ? read_name(i, doc, detail, err) : rc;
}

int intake_read(struct intake **out, const char *body, size_t size, struct err *err) {
    json_error_t e;
    struct intake *i = calloc(1, sizeof *i);
    *out = NULL;
    if (i == NULL)
        return err_set(err, E_NOMEM, "no memory for a report");
    json_t *doc = size <= INTAKE_BYTES ? json_loadb(body, size, JSON_REJECT_DUPLICATES, &e) : NULL;
    int rc = doc != NULL ? read_all(i, doc, err)
                         : err_set(err, E_INVALID, "no JSON: %.80s", size <= INTAKE_BYTES ? e.text : "too long");
    json_decref(doc);
    if (rc < 0)
        intake_free(i);
    else
        *out = i;
    return rc;
}

struct intake *intake_of(const struct report *r) {
    struct intake *i = calloc(1, sizeof *i);
    if (i == NULL)
        return NULL;
    i->has_report = true;
    i->report = *r;
    text_copy(i->name, sizeof i->name, r->node);
    return i;
}

void intake_free(struct intake *i) {
    if (i == NULL)
        return;
    free(i->event);
    detail_unref(i->detail);
    facts_free(i->facts);
    free(i);
}
