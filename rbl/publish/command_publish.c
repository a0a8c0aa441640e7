/* publish: the contents of files become those of a zone. */
#include <stdio.h>

#include "rbl/publish/command.h"

enum { COMMAND_FILES = LIMIT_DATASETS * LIMIT_FILES };

static json_t *first_json(const struct keep_result *r) {
    json_t *first = json_array();
    for (unsigned i = 0; i < r->first_count; i++)
        json_array_append_new(first, json_text(r->first[i]));
    return first;
}

static json_t *notes_json(const struct load_report *r) {
    json_t *notes = json_array();
    for (unsigned i = 0; i < r->notes; i++) {
        char note[512];
        (void)snprintf(note, sizeof note, "%s:%u: %s", r->note[i].file, r->note[i].line, r->note[i].text);
        json_array_append_new(notes, json_text(note));
    }
    return notes;
}

static void publish_done(void *ctx, struct job *j) {
    struct control_call *call = ctx;
    if (j->code != 0) {
        answer_job_error(call, j);
        return;
    }
    answer_json(call, json_pack("{s:b,s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:I,s:o,s:o}", "ok", 1, "changed",
                                j->result.changed, "dry_run", j->load->dry_run, "serial", (json_int_t)j->state.serial,
                                "added", (json_int_t)j->result.added, "removed", (json_int_t)j->result.removed,
                                "entries", (json_int_t)j->state.entries, "bytes", (json_int_t)j->result.bytes, "micros",
                                (json_int_t)j->result.micros, "bulk", j->result.bulk, "bad_lines",
                                (json_int_t)j->load->report.bad_lines, "first", first_json(&j->result), "notes",
                                notes_json(&j->load->report)));
}

static int dataset_type(const char *text) {
    for (int t = 0; t < DATASET_TYPES; t++)
        if (strcmp(text, conf_dataset_name((enum conf_dataset_type)t)) == 0)
            return t;
    return -1;
}

static int unknown_type(const char *type, struct err *err) {
    char names[160] = "";
    size_t n = 0;
    for (int t = 0; t < DATASET_TYPES && n < sizeof names; t++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", t > 0 ? ", " : "",
                              conf_dataset_name((enum conf_dataset_type)t));
    return err_set(err, E_INVALID, "dataset type '%.60s': expected one of %s", type, names);
}

/* Files of one type make one dataset, in order of the type's first appearance. */
static int publish_file(struct job *j, const char *type, const char *path, struct err *err) {
    int t = dataset_type(type);
    if (t < 0)
        return unknown_type(type, err);
    if (path[0] != '/')
        return err_set(err, E_INVALID, "file '%.300s': expected an absolute path", path);
    size_t i = 0;
    while (i < j->load->data_count && (int)j->load->data[i].type != t)
        i++;
    if (i == LIMIT_DATASETS)
        return err_set(err, E_FULL, "at most %d datasets", LIMIT_DATASETS);
    struct conf_dataset *d = &j->load->data[i];
    if (i == j->load->data_count) {
        d->type = (enum conf_dataset_type)t;
        d->files.at = arena_alloc(&j->arena, LIMIT_FILES * sizeof *d->files.at);
        j->load->data_count++;
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

static int check_zone(const struct conf_zone *zone, size_t files, struct err *err) {
    if (files > 0 && zone->data_count > 0)
        return err_set(err, E_INVALID,
                       "zone %s takes its data from the files of its `data:`; change those, or publish without files "
                       "to have them read now",
                       zone->name);
    if (files == 0 && zone->data_count == 0)
        return err_set(err, E_INVALID, "zone %s has no `data:`: name the files to publish, as TYPE:FILE", zone->name);
    if (zone->primaries.count > 0)
        return err_set(err, E_DENIED, "zone %s comes from its primaries: publish there", zone->name);
    if (files > COMMAND_FILES)
        return err_set(err, E_FULL, "at most %d files", COMMAND_FILES);
    return 0;
}

static int publish_fill(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err) {
    const json_t *files = json_object_get(doc, "files"), *force = json_object_get(doc, "force");
    size_t count = json_array_size(files);
    int rc = check_zone(zone, count, err);
    if (rc < 0)
        return rc;
    j->load->dry_run = json_is_true(json_object_get(doc, "dry_run"));
    if (json_is_string(force)) {
        j->load->force = true;
        j->load->reason = arena_text(&j->arena, json_string_value(force), json_string_length(force));
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *f = json_array_get(files, i);
        const char *type = json_string_value(json_object_get(f, "type")),
                   *path = json_string_value(json_object_get(f, "path"));
        if (type == NULL || path == NULL)
            return err_set(err, E_INVALID, "files[%zu]: expected {\"type\", \"path\"}", i);
        rc = publish_file(j, type, path, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

const struct command command_publish = {
    .name = "publish", .kind = JOB_PUBLISH, .fill = publish_fill, .done = publish_done};
