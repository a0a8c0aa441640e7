#include "rbl/load/load.h"

#include <stdio.h>
#include <stdlib.h>

#include "rbl/load/impl.h"
#include "resolver/base/text.h"

void load_note(struct load *l, const char *what, const char *text) {
    struct load_report *r = l->report;
    char shown[TEXT_SHOWN_MAX];
    r->bad_lines++;
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
    if (*s == '\0' || load_comment(*s))
        return 0;
    int rc = 0;
    const char *wrong = load_value(l, s, l->default_value, value, &rc);
    if (wrong == NULL)
        return rc;
    load_note(l, wrong, text);
    return E_INVALID;
}

static int entry_line(struct load *l, const char *text) {
    struct load_entry *e = &l->entry;
    const char *s = text;
    uint32_t value;
    e->excluded = *s == '!';
    if (e->excluded)
        s = load_skip(s + 1);
    const char *wrong = l->type->parse(s, e);
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
        return l->type->holds(e, l->key) ? found(l, text) : 0;
    return rc == 0 ? l->type->add(l, e, value) : rc;
}

/* ":A:TXT": for the entries below it, up to the end of the file. */
static int default_line(struct load *l, const char *text) {
    int rc = 0;
    const char *wrong = load_value(l, text, l->first_default, &l->default_value, &rc);
    if (wrong != NULL)
        load_note(l, wrong, text);
    return rc;
}

int load_one_line(struct load *l, char *text) {
    int rc;
    if (text[0] == '\0')
        return 0;
    if (text[0] == '$')
        rc = load_special(l, text + 1);
    else if ((load_comment(text[0]) || text[0] == ':') && text[1] == '$')
        rc = load_special(l, text + 2);
    else if (load_comment(text[0]))
        return 0;
    else if (text[0] == ':' && !(l->type->colon_pair && text[1] == ':'))
        rc = default_line(l, text);
    else
        rc = entry_line(l, text);
    if (rc == E_NOMEM || rc == E_FULL)
        return err_set(l->err, rc, "%s:%u: %s", l->file, l->line,
                       rc == E_NOMEM ? "no memory" : "too many entries or different values");
    return rc;
}

void load_begin_file(struct load *l, const char *file) {
    l->file = file;
    l->line = 0;
    l->default_value = l->first_default;
}

int load_open(struct load *l, struct data *d, unsigned dataset, enum conf_dataset_type type, struct load_report *report,
              struct err *err) {
    static const struct value plain = {.a = {127, 0, 0, 2}};
    memset(l, 0, sizeof *l);
    l->d = d;
    l->dataset = dataset;
    l->type = load_type(type);
    l->report = report;
    l->err = err;
    l->from4 = d->n4;
    l->from6 = d->n6;
    l->fromn = d->nn;
    if (l->type == NULL)
        return err_set(err, E_UNSUPPORTED, "dataset type %s is not supported by this version", conf_dataset_name(type));
    int rc = data_open(&l->raw);
    if (rc == 0)
        rc = data_value(&l->raw, &plain, &l->first_default);
    if (rc < 0)
        return err_set(err, rc, "no memory to read a dataset");
    l->default_value = l->first_default;
    return 0;
}

int load_close(struct load *l, int rc) {
    if (rc == 0)
        rc = load_resolve(l);
    if (rc == 0 && l->d->has_soa && l->d->soa_by_time)
        l->d->soa.serial = (uint32_t)l->report->newest_file_wall_s;
    data_free(&l->raw);
    return rc;
}

static int check(const struct data *d, unsigned dataset, struct err *err) {
    if (dataset >= LIMIT_DATASETS || dataset >= d->dataset_count)
        return err_set(err, E_RANGE, "no dataset %u", dataset);
    return 0;
}

int load_dataset(struct data *d, unsigned dataset, const struct conf_list_text *files, struct load_report *report,
                 struct err *err) {
    struct load *l = malloc(sizeof *l);
    if (l == NULL)
        return err_set(err, E_NOMEM, "no memory to read a dataset");
    int rc = check(d, dataset, err);
    if (rc == 0)
        rc = load_open(l, d, dataset, d->dataset[dataset].type, report, err);
    if (rc == 0 && files->count > LIMIT_FILES)
        rc = err_set(err, E_FULL, "%zu files in one dataset, at most %d", files->count, LIMIT_FILES);
    if (rc == 0) {
        for (size_t i = 0; i < files->count && rc == 0; i++) {
            load_begin_file(l, files->at[i]);
            rc = load_lines_file(l, files->at[i], load_one_line);
        }
        rc = load_close(l, rc);
    }
    free(l);
    return rc;
}

int load_text(struct data *d, unsigned dataset, const char *text, size_t size, const char *label,
              struct load_report *report, struct err *err) {
    struct load *l = malloc(sizeof *l);
    if (l == NULL)
        return err_set(err, E_NOMEM, "no memory to read a dataset");
    int rc = check(d, dataset, err);
    if (rc == 0)
        rc = load_open(l, d, dataset, d->dataset[dataset].type, report, err);
    if (rc == 0) {
        load_begin_file(l, label);
        rc = load_close(l, load_lines_text(l, text, size, load_one_line));
    }
    free(l);
    return rc;
}
