#include "rbl/load/load.h"

#include <stdio.h>
#include <stdlib.h>

#include "rbl/load/impl.h"
#include "resolver/base/text.h"

/* Text that stands for a file. */
struct load_memory {
    const char *label, *text;
    size_t size;
};

void load_note(struct load *l, const char *what, const char *text) {
    struct load_report *r = l->report;
    char shown[TEXT_SHOWN_MAX];
    r->bad_lines += l->noted != l->line;
    l->noted = l->line;
    if (r->notes >= LIMIT_LOAD_ERRORS_SHOWN)
        return;
    struct load_note *n = &r->note[r->notes++];
    n->file = l->file;
    n->line = l->line;
    snprintf(n->text, sizeof n->text, "%s: \"%s\"", what, text_shown(shown, text));
}

/* The line for candor why, in UTF-8 without control characters. */
static void place_text(char *to, size_t cap, const char *text) {
    size_t at = 0, left = strlen(text);
    while (left > 0) {
        size_t n = text_utf8((const uint8_t *)text, left);
        bool plain = n > 0 && (unsigned char)*text >= ' ' && *text != 0x7f;
        if (n == 0)
            n = 1;
        if (at + n >= cap)
            break;
        memcpy(to + at, plain ? text : "?", plain ? n : 1);
        at += plain ? n : 1;
        text += n;
        left -= n;
    }
    to[at] = '\0';
}

static int found(struct load *l, const char *text) {
    l->place->file = l->file;
    l->place->line = l->line;
    place_text(l->place->text, sizeof l->place->text, text);
    return E_EXISTS;
}

/* The value that a line gives; E_INVALID when the line is to be skipped. */
static int entry_value(struct load *l, const char *text, uint32_t *value) {
    const struct load_entry *e = &l->entry;
    if (e->excluded) {
        *value = VALUE_EXCLUDED;
        return 0;
    }
    const char *s = load_skip(e->rest);
    *value = l->default_value;
    if (l->type->value == NULL || ((*s == '\0' || load_comment(*s)) && !(l->type->flags & LOAD_RRS)))
        return 0;
    int rc = 0;
    const char *wrong = l->type->value(l, s, l->default_value, value, &rc);
    if (wrong == NULL)
        return rc;
    load_note(l, wrong, text);
    return E_INVALID;
}

/* Whether this line is the one that is looked for; 0: another. */
static int look(struct load *l, const struct load_entry *e, uint32_t value, const char *text) {
    const struct load_key *key = l->key;
    if (key->dataset != l->dataset || e->excluded != key->excluded || !l->type->holds(e, key))
        return 0;
    if (key->value != NULL && l->type->flags & LOAD_RRS && !value_same(&l->d->value[value], key->value))
        return 0;
    return found(l, text);
}

static int entry_line(struct load *l, const char *text) {
    struct load_entry *e = &l->entry;
    const char *s = text;
    uint32_t value;
    e->excluded = *s == '!' && !(l->type->flags & LOAD_NO_BANG);
    if (e->excluded)
        s = load_skip(s + 1);
    e->host_bits = false;
    const char *wrong = l->type->parse(s, e);
    if (wrong == NULL && e->host_bits && !l->d->host_bits && l->key == NULL)
        wrong = "bits behind the prefix are set";
    if (wrong != NULL) {
        load_note(l, wrong, text);
        return 0;
    }
    if (l->maxrange != 0 && e->last - e->first >= l->maxrange) {
        load_note(l, "range larger than $MAXRANGE4", text);
        return 0;
    }
    int rc = entry_value(l, text, &value);
    if (rc == E_INVALID)
        return 0;
    if (rc == 0 && l->key != NULL)
        return look(l, e, value, text);
    return rc == 0 && !l->ignored ? l->type->add(l, e, value) : rc;
}

/* ":A:TXT": for the entries below it, up to the end of the file. */
static int default_line(struct load *l, const char *text) {
    int rc = 0;
    bool one = l->type->flags & LOAD_ONE_VALUE;
    uint32_t value = l->default_value;
    if (one && l->default_given)
        return 0;
    const char *wrong = (one ? load_value : l->type->value)(l, text, l->first_default, &value, &rc);
    if (wrong != NULL)
        load_note(l, wrong, text);
    else
        l->default_given = true;
    l->default_value = value;
    return rc;
}

static bool is_default(const struct load *l, const char *text) {
    unsigned flags = l->type->flags;
    if (text[0] == '=')
        return l->type->type == DATASET_ACL;
    return text[0] == ':' && !(flags & LOAD_RRS) && !(flags & LOAD_COLON_PAIR && text[1] == ':');
}

static int data_line(struct load *l, const char *text) {
    if (l->outside)
        return err_set(l->err, E_INVALID, "%s:%u: data in front of the first $DATASET", l->file, l->line);
    int rc = is_default(l, text) ? default_line(l, text) : entry_line(l, text);
    if (rc == E_NOMEM || rc == E_FULL)
        return err_set(l->err, rc, "%s:%u: %s", l->file, l->line,
                       rc == E_NOMEM ? "no memory" : "too many entries or different values");
    return rc;
}

int load_one_line(struct load *l, char *text) {
    if (text[0] == '\0')
        return 0;
    if (text[0] == '$')
        return load_special(l, text + 1);
    if ((load_comment(text[0]) || text[0] == ':') && text[1] == '$')
        return load_special(l, text + 2);
    return load_comment(text[0]) ? 0 : data_line(l, text);
}

void load_begin_file(struct load *l, const char *file) {
    l->file = file;
    l->line = l->noted = 0;
    l->outside = l->combined;
    if (l->type == NULL || !(l->type->flags & LOAD_ONE_VALUE))
        l->default_value = l->first_default;
}

/* What an entry says that says nothing. */
static int first_default(struct load *l, enum conf_dataset_type type) {
    static const struct value listed = {.a = {127, 0, 0, 2}};
    static const struct value acl = {.kind = VALUE_ACL, .act = ACL_IGNORE};
    int rc = data_value(&l->raw, type == DATASET_ACL ? &acl : &listed, &l->first_default);
    l->default_value = l->first_default;
    l->default_given = false;
    return rc < 0 ? err_set(l->err, rc, "no memory to read a dataset") : 0;
}

int load_begin_dataset(struct load *l, enum conf_dataset_type type) {
    struct data *d = l->d;
    if (d->dataset_count >= DATASET_LOCAL)
        return err_set(l->err, E_FULL, "%s%smore than %d datasets in one zone, the parts of combined ones counted",
                       l->file != NULL ? l->file : "", l->file != NULL ? ": " : "", DATASET_LOCAL);
    l->type = load_type(type);
    if (l->type == NULL)
        return err_set(l->err, E_INVALID, "no dataset type %d", (int)type);
    l->dataset = d->dataset_count++;
    d->dataset[l->dataset] = (struct dataset){.type = type, .source = (uint8_t)(d->source_count - 1)};
    l->from4 = d->n4;
    l->from6 = d->n6;
    l->fromn = d->nn;
    return first_default(l, type);
}

int load_open(struct load *l, struct data *d, enum conf_dataset_type type, struct load_report *report,
              struct err *err) {
    memset(l, 0, sizeof *l);
    l->d = d;
    l->report = report;
    l->err = err;
    l->combined = type == DATASET_COMBINED;
    d->source_count++;
    int rc = data_open(&l->raw);
    if (rc < 0)
        return err_set(err, rc, "no memory to read a dataset");
    return l->combined ? 0 : load_begin_dataset(l, type);
}

int load_close(struct load *l, int rc) {
    if (rc == 0)
        rc = load_resolve(l);
    load_drop_ignored(l);
    if (rc == 0 && l->d->has_soa && l->d->soa_by_time)
        l->d->soa.serial = (uint32_t)l->report->newest_file_wall_s;
    data_free(&l->raw);
    return rc;
}

int load_files(struct load *l, const struct conf_list_text *files) {
    int rc = files->count <= LIMIT_FILES
                 ? 0
                 : err_set(l->err, E_FULL, "%zu files in one dataset, at most %d", files->count, LIMIT_FILES);
    for (size_t i = 0; i < files->count && rc == 0; i++) {
        load_begin_file(l, files->at[i]);
        rc = load_lines_file(l, files->at[i], load_one_line);
    }
    return rc;
}

/* The whole of a dataset, from files or from memory. */
static int whole(struct data *d, enum conf_dataset_type type, const struct conf_list_text *files,
                 const struct load_memory *memory, struct load_report *report, struct err *err) {
    struct load *l = malloc(sizeof *l);
    if (l == NULL)
        return err_set(err, E_NOMEM, "no memory to read a dataset");
    int rc = load_open(l, d, type, report, err);
    if (rc == 0 && files != NULL)
        rc = load_files(l, files);
    if (rc == 0 && memory != NULL) {
        load_begin_file(l, memory->label);
        rc = load_lines_text(l, memory->text, memory->size, load_one_line);
    }
    rc = load_close(l, rc);
    free(l);
    return rc;
}

int load_dataset(struct data *d, enum conf_dataset_type type, const struct conf_list_text *files,
                 struct load_report *report, struct err *err) {
    return whole(d, type, files, NULL, report, err);
}

int load_text(struct data *d, enum conf_dataset_type type, const char *text, size_t size, const char *label,
              struct load_report *report, struct err *err) {
    return whole(d, type, NULL, &(struct load_memory){label, text, size}, report, err);
}
