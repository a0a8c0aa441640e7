#include "rbl/publish/commands.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "resolver/base/log.h"

enum { COMMAND_FILES = LIMIT_DATASETS * LIMIT_FILES };

static void answer_json(struct control_call *call, json_t *doc) {
    char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    control_answer(call,
                   text != NULL ? text : "{\"ok\":false,\"code\":\"nomem\",\"error\":\"no memory for the answer\"}");
    free(text);
    json_decref(doc);
}

static void answer_error(struct control_call *call, int code, const char *text) {
    answer_json(call, json_pack("{s:b,s:s,s:s}", "ok", 0, "code", err_name(code), "error", text));
}

/* Text from files may be any bytes: what is no UTF-8 is shown with question marks. */
static json_t *json_bytes(const char *text, size_t size) {
    json_t *s = json_stringn(text, size);
    if (s != NULL)
        return s;
    char clean[512];
    size_t n = size < sizeof clean ? size : sizeof clean;
    for (size_t i = 0; i < n; i++)
        clean[i] = text[i] >= ' ' && text[i] < 127 ? text[i] : '?';
    return json_stringn(clean, n);
}

static json_t *json_text(const char *text) { return json_bytes(text, strlen(text)); }

static json_t *json_time(int64_t wall_s) {
    char text[32];
    time_t t = (time_t)wall_s;
    struct tm tm;
    if (wall_s <= 0 || gmtime_r(&t, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return json_null();
    return json_string(text);
}

static json_t *json_digest(struct digest d) {
    char text[33];
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)d.hi, (unsigned long long)d.lo);
    return json_string(text);
}

static void publish_done(void *ctx, struct job *j) {
    struct control_call *call = ctx;
    if (j->code != 0) {
        answer_error(call, j->code, j->err.text);
        return;
    }
    json_t *first = json_array(), *notes = json_array();
    for (unsigned i = 0; i < j->result.first_count; i++)
        json_array_append_new(first, json_text(j->result.first[i]));
    for (unsigned i = 0; i < j->report.notes; i++) {
        char note[512];
        snprintf(note, sizeof note, "%s:%u: %s", j->report.note[i].file, j->report.note[i].line,
                 j->report.note[i].text);
        json_array_append_new(notes, json_text(note));
    }
    answer_json(call,
                json_pack("{s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:I,s:o,s:o}", "ok", 1, "changed", j->result.changed,
                          "serial", (json_int_t)j->state.serial, "added", (json_int_t)j->result.added, "removed",
                          (json_int_t)j->result.removed, "entries", (json_int_t)j->state.entries, "bytes",
                          (json_int_t)j->result.bytes, "micros", (json_int_t)j->result.micros, "bulk", j->result.bulk,
                          "bad_lines", (json_int_t)j->report.bad_lines, "first", first, "notes", notes));
}

/* The template as a data file would have it: a NUL stands for a dollar sign there. */
static json_t *json_template(const struct value *v) {
    char text[2 * LIMIT_TXT] = {0};
    size_t n = 0;
    for (size_t i = 0; i < v->txt_size && n + 2 <= sizeof text; i++) {
        if (v->txt[i] == '\0')
            text[n++] = '$';
        text[n++] = v->txt[i] == '\0' ? '$' : v->txt[i];
    }
    return json_bytes(text, n);
}

static json_t *match_json(const struct keep_match *m, const struct load_place *p) {
    char a[INET_ADDRSTRLEN];
    snprintf(a, sizeof a, "%u.%u.%u.%u", m->value.a[0], m->value.a[1], m->value.a[2], m->value.a[3]);
    json_t *o = json_pack("{s:o,s:s,s:b}", "entry", json_text(m->entry), "type", conf_dataset_name(m->type), "excluded",
                          m->excluded);
    if (o == NULL)
        return NULL;
    if (!m->excluded) {
        json_object_set_new(o, "a", json_string(a));
        json_object_set_new(o, "txt", m->value.has_txt ? json_template(&m->value) : json_null());
    }
    if (p->line > 0) {
        json_object_set_new(o, "file", json_text(p->file));
        json_object_set_new(o, "line", json_integer(p->line));
        json_object_set_new(o, "text", json_text(p->text));
    }
    if (m->journal_known) {
        json_object_set_new(o, "since_serial", json_integer(m->since_serial));
        json_object_set_new(o, "since", json_time(m->since_wall_s));
        json_object_set_new(o, "source", json_text(m->since_source));
    }
    return o;
}

static void why_done(void *ctx, struct job *j) {
    struct control_call *call = ctx;
    if (j->code != 0) {
        answer_error(call, j->code, j->err.text);
        return;
    }
    json_t *matches = json_array();
    bool listed = false;
    for (unsigned i = 0; i < j->matches; i++) {
        listed |= !j->match[i].excluded;
        json_array_append_new(matches, match_json(&j->match[i], &j->place[i]));
    }
    answer_json(call, json_pack("{s:b,s:b,s:I,s:o}", "ok", 1, "listed", listed, "serial", (json_int_t)j->state.serial,
                                "matches", matches));
}

static void history_done(void *ctx, struct job *j) {
    struct control_call *call = ctx;
    if (j->code != 0) {
        answer_error(call, j->code, j->err.text);
        return;
    }
    json_t *list = json_array();
    for (unsigned i = 0; i < j->history_count; i++) {
        const struct keep_history *h = &j->history[i];
        json_array_append_new(list, json_pack("{s:I,s:o,s:o,s:I,s:I,s:I,s:o,s:o}", "serial", (json_int_t)h->serial,
                                              "time", json_time(h->wall_s), "source", json_text(h->source), "added",
                                              (json_int_t)h->added, "removed", (json_int_t)h->removed, "entries",
                                              (json_int_t)h->entries, "digest", json_digest(h->digest), "reason",
                                              json_text(h->reason)));
    }
    answer_json(call, json_pack("{s:b,s:o}", "ok", 1, "history", list));
}

static void verify_done(void *ctx, struct job *j) {
    struct control_call *call = ctx;
    if (j->code != 0)
        answer_error(call, j->code, j->err.text);
    else
        answer_json(call, json_pack("{s:b,s:I,s:I,s:o}", "ok", 1, "serial", (json_int_t)j->state.serial, "entries",
                                    (json_int_t)j->state.entries, "digest", json_digest(j->state.digest)));
}

static int dataset_type(const char *text) {
    for (int t = 0; t < DATASET_TYPES; t++)
        if (strcmp(text, conf_dataset_name((enum conf_dataset_type)t)) == 0)
            return t;
    return -1;
}

/* Files of one type make one dataset, in order of the type's first appearance. */
static int publish_file(struct job *j, const char *type, const char *path, struct err *err) {
    int t = dataset_type(type);
    if (t < 0)
        return err_set(err, E_INVALID, "dataset type '%s': expected ip4set, ip4trie, ip6trie or dnset", type);
    if (path[0] != '/')
        return err_set(err, E_INVALID, "file '%s': expected an absolute path", path);
    size_t i = 0;
    while (i < j->data_count && (int)j->data[i].type != t)
        i++;
    if (i == LIMIT_DATASETS)
        return err_set(err, E_FULL, "at most %d datasets", LIMIT_DATASETS);
    struct conf_dataset *d = &j->data[i];
    if (i == j->data_count) {
        d->type = (enum conf_dataset_type)t;
        d->files.at = arena_alloc(&j->arena, LIMIT_FILES * sizeof *d->files.at);
        j->data_count++;
    }
    if (d->files.at == NULL)
        return err_set(err, E_NOMEM, "no memory");
    if (d->files.count >= LIMIT_FILES)
        return err_set(err, E_FULL, "at most %d files of type %s", LIMIT_FILES, type);
    char *copy = arena_text(&j->arena, path, strlen(path));
    if (copy == NULL)
        return err_set(err, E_NOMEM, "no memory");
    d->files.at[d->files.count++] = copy;
    return 0;
}

static int publish_fill(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err) {
    const json_t *files = json_object_get(doc, "files"), *force = json_object_get(doc, "force");
    size_t count = json_array_size(files);
    if (count > 0 && zone->data_count > 0)
        return err_set(err, E_INVALID,
                       "zone %s takes its data from the files of its `data:`; change those, or publish without files "
                       "to have them read now",
                       zone->name);
    if (count == 0 && zone->data_count == 0)
        return err_set(err, E_INVALID, "zone %s has no `data:`: name the files to publish, as TYPE:FILE", zone->name);
    if (zone->primaries.count > 0)
        return err_set(err, E_DENIED, "zone %s comes from its primaries: publish there", zone->name);
    if (count > COMMAND_FILES)
        return err_set(err, E_FULL, "at most %d files", COMMAND_FILES);
    j->dry_run = json_is_true(json_object_get(doc, "dry_run"));
    if (json_is_string(force)) {
        j->force = true;
        j->reason = arena_text(&j->arena, json_string_value(force), json_string_length(force));
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *f = json_array_get(files, i);
        const char *type = json_string_value(json_object_get(f, "type")),
                   *path = json_string_value(json_object_get(f, "path"));
        if (type == NULL || path == NULL)
            return err_set(err, E_INVALID, "files[%zu]: expected {\"type\", \"path\"}", i);
        int rc = publish_file(j, type, path, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The name as the zone sees it: relative when it is given below the zone. */
static int why_fill(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err) {
    const char *what = json_string_value(json_object_get(doc, "what"));
    if (what == NULL)
        return err_set(err, E_INVALID, "\"what\": expected an address or a name");
    if (addr_parse(&j->why_addr, what, 53, NULL) == 0)
        return 0;
    j->why_is_name = true;
    int rc = name_from_text(&j->why_name, what, err);
    if (rc < 0)
        return rc;
    name_lower(&j->why_name);
    struct name apex;
    rc = name_from_text(&apex, zone->name, err);
    if (rc < 0)
        return rc;
    if (!name_under(&j->why_name, &apex))
        return 0;
    /* Keep the labels in front of the apex, then the root. */
    struct name *n = &j->why_name;
    size_t keep = (size_t)n->size - apex.size;
    n->wire[keep] = 0;
    n->size = (uint8_t)(keep + 1);
    n->labels = (uint8_t)(n->labels - apex.labels);
    return 0;
}

static int plain_fill(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err) {
    (void)j;
    (void)zone;
    (void)doc;
    (void)err;
    return 0;
}

static const struct command {
    const char *name;
    enum job_kind kind;
    int (*fill)(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err);
    void (*done)(void *ctx, struct job *j);
} commands[] = {
    {"publish", JOB_PUBLISH, publish_fill, publish_done},
    {"why", JOB_WHY, why_fill, why_done},
    {"history", JOB_HISTORY, plain_fill, history_done},
    {"verify", JOB_VERIFY, plain_fill, verify_done},
};

static int command_start(struct keeper *k, const struct command *c, struct control_call *call, const json_t *doc,
                         struct err *err) {
    const char *zone = json_string_value(json_object_get(doc, "zone"));
    if (zone == NULL)
        return err_set(err, E_INVALID, "\"zone\": expected the name of a zone");
    int at = keeper_find(k, zone);
    if (at < 0)
        return err_set(err, E_NOTFOUND, "zone %s is not in this node's configuration", zone);
    struct job *j = job_new(c->kind);
    if (j == NULL)
        return err_set(err, E_NOMEM, "no memory");
    int rc = c->fill(j, keeper_zone_conf(k, at), doc, err);
    if (rc == 0) {
        j->done = c->done;
        j->ctx = call;
        rc = keeper_submit(k, at, j, err);
    }
    if (rc < 0)
        job_free(j);
    return rc;
}

void commands_handle(void *ctx, struct control_call *call, const char *line, size_t size) {
    struct keeper *k = ctx;
    struct err err = {0};
    json_error_t at;
    json_t *doc = json_loadb(line, size, JSON_REJECT_DUPLICATES, &at);
    int rc = 0;
    if (!json_is_object(doc)) {
        rc = err_set(&err, E_INVALID, "expected one JSON object a line: %s at column %d", at.text, at.column);
    } else {
        const char *name = json_string_value(json_object_get(doc, "command"));
        size_t i = 0;
        while (i < ARRAY_SIZE(commands) && (name == NULL || strcmp(name, commands[i].name) != 0))
            i++;
        if (i < ARRAY_SIZE(commands))
            rc = command_start(k, &commands[i], call, doc, &err);
        else
            rc = err_set(&err, E_INVALID, "\"command\": expected publish, why, history or verify");
    }
    json_decref(doc);
    if (rc < 0)
        answer_error(call, rc, err.text);
}
