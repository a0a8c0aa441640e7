/* change: single entries are added to a zone or taken away, beside what its files say. Entries are read by rbl/load,
 * as a line of a data file would be. */
#include <stdlib.h>

#include "rbl/publish/command.h"
#include "resolver/base/clock.h"

/* One request; lives in the job's arena. */
struct change_call {
    struct control_call *call;
    struct arena *arena;
    bool removes;
    struct change_edit {
        struct keep_entry entry;
        bool any_value;
    } * edit;
    size_t count, cap;
    uint64_t added, removed; /* by the last call of apply() */
};

/* --- text to entries --- */

static bool looks_like_ip4(const char *s) { return s[strspn(s, "0123456789./-")] == '\0' && strchr(s, '.') != NULL; }

static bool looks_like_ip6(const char *s) {
    return strchr(s, ':') != NULL && s[strspn(s, "0123456789abcdefABCDEF:./")] == '\0';
}

static bool holds_one(const struct conf_zone *zone, enum conf_dataset_type type) {
    for (size_t i = 0; i < zone->data_count; i++)
        if (zone->data[i].type == type)
            return true;
    return false;
}

/* By the rules of which dataset the text is to be read: what it looks like, if the zone holds such. */
static int find_type(const struct conf_zone *zone, const char *text, enum conf_dataset_type *type, struct err *err) {
    unsigned holds = command_holds(zone);
    const char *s = text[0] == '!' ? text + 1 + strspn(text + 1, " \t") : text;
    bool names = (holds & (HOLDS_NAMES | HOLDS_RRS)) != 0, addresses = (holds & (HOLDS_IP4 | HOLDS_IP6)) != 0;
    if (zone->data_count > 0 && holds == 0)
        return err_set(err, E_UNSUPPORTED, "zone %s holds an access list alone: change its file", zone->name);
    if (looks_like_ip6(s) && (addresses || !names))
        *type = DATASET_IP6TRIE;
    else if (looks_like_ip4(s) && (addresses || !names))
        *type = strchr(s, '-') != NULL ? DATASET_IP4SET : DATASET_IP4TRIE;
    else if (addresses && !names)
        return err_set(err, E_INVALID, "'%.100s': expected an address, as zone %s holds", text, zone->name);
    else
        *type = holds_one(zone, DATASET_GENERIC) && !(holds & HOLDS_NAMES) ? DATASET_GENERIC : DATASET_DNSET;
    return 0;
}

/* One line of a data file, and an entry at that: neither a directive, a comment, nor a value for the lines below. */
static int make_line(char line[LIMIT_LOAD_LINE], const char *entry, const char *value, struct err *err) {
    size_t n = strlen(entry), v = value != NULL ? strlen(value) : 0;
    if (n == 0 || strchr("#;$", entry[0]) != NULL || (entry[0] == ':' && entry[1] != ':'))
        return err_set(err, E_INVALID, "'%.100s': expected an address, a prefix or a name", entry);
    if (n + v + 2 > LIMIT_LOAD_LINE)
        return err_set(err, E_FULL, "'%.100s': longer than %d octets", entry, LIMIT_LOAD_LINE - 2);
    if (v > 0 && strchr("#;", value[0]) != NULL)
        return err_set(err, E_INVALID, "'%.100s': the value begins as a comment does", entry);
    memcpy(line, entry, n);
    line[n] = ' ';
    memcpy(line + n + 1, value != NULL ? value : "", v);
    line[n + 1 + v] = '\0';
    for (size_t i = 0; i < n + 1 + v; i++)
        if ((unsigned char)line[i] < ' ' || (i < n && line[i] == ' ' && (i == 0 || line[i - 1] != '!')))
            return err_set(err, E_INVALID, "'%.100s': blanks or control characters inside", entry);
    return 0;
}

static int add_edit(struct change_call *c, const struct keep_entry *e, bool any_value, struct err *err) {
    if (c->count == CHANGE_EDITS)
        return err_set(err, E_FULL, "more than %d prefixes and names in one request", CHANGE_EDITS);
    if (c->count == c->cap) {
        size_t cap = c->cap == 0 ? 1 : 4 * c->cap;
        struct change_edit *more = arena_alloc(c->arena, cap * sizeof *more);
        if (more == NULL)
            return err_set(err, E_NOMEM, "no memory for the entries");
        if (c->count > 0)
            memcpy(more, c->edit, c->count * sizeof *more);
        c->edit = more;
        c->cap = cap;
    }
    c->edit[c->count++] = (struct change_edit){.entry = *e, .any_value = any_value};
    return 0;
}

/* "\3com\7example" becomes "example.com.". */
static void forward_name(struct name *n, const uint8_t *reversed, size_t size) {
    size_t to = size;
    n->labels = 0;
    n->size = (uint8_t)(size + 1);
    n->wire[size] = 0;
    for (size_t at = 0; at < size; at += 1u + reversed[at]) {
        size_t label = 1u + reversed[at];
        if (label > to)
            return; /* cannot be: the labels fill the name */
        to -= label;
        memcpy(n->wire + to, reversed + at, label);
        n->labels++;
    }
}

static void take_value(struct keep_entry *e, const struct data *d, uint32_t value) {
    e->excluded = value == VALUE_EXCLUDED;
    if (!e->excluded)
        e->value = d->value[value];
}

/* All entries that the line made. */
static int take_entries(struct change_call *c, const struct data *d, struct keep_entry *e, bool any_value,
                        struct err *err) {
    int rc = 0;
    for (size_t i = 0; i < d->n4 && rc == 0; i++) {
        e->kind = KEEP_4;
        e->bits = d->e4[i].bits;
        put_u32(e->addr, d->e4[i].addr);
        take_value(e, d, d->e4[i].value);
        rc = add_edit(c, e, any_value, err);
    }
    for (size_t i = 0; i < d->n6 && rc == 0; i++) {
        e->kind = KEEP_6;
        e->bits = d->e6[i].bits;
        memcpy(e->addr, d->e6[i].addr, sizeof e->addr);
        take_value(e, d, d->e6[i].value);
        rc = add_edit(c, e, any_value, err);
    }
    for (size_t i = 0; i < d->nn && rc == 0; i++) {
        e->kind = KEEP_NAME;
        e->bits = d->en[i].wildcard;
        forward_name(&e->name, d->en[i].name, d->en[i].size);
        take_value(e, d, d->en[i].value);
        rc = add_edit(c, e, any_value, err);
    }
    return rc;
}

static int read_line(struct data *d, enum conf_dataset_type type, const char *line, struct err *err) {
    struct load_report *report = calloc(1, sizeof *report);
    if (report == NULL)
        return err_set(err, E_NOMEM, "no memory");
    int rc = load_text(d, type, line, strlen(line), "entry", report, err);
    if (rc == 0 && report->notes > 0)
        rc = err_set(err, E_INVALID, "%s", report->note[0].text);
    else if (rc == 0 && data_entries(d) == 0)
        rc = err_set(err, E_INVALID, "\"%.200s\" lists nothing", line);
    free(report);
    return rc;
}

static int read_entry(struct change_call *c, const struct conf_zone *zone, struct data *d, const json_t *item,
                      struct err *err) {
    const char *text = json_string_value(json_object_get(item, "entry")),
               *value = json_string_value(json_object_get(item, "value"));
    json_int_t for_s = json_integer_value(json_object_get(item, "for_s"));
    enum conf_dataset_type type = DATASET_DNSET;
    char line[LIMIT_LOAD_LINE];
    if (text == NULL)
        return err_set(err, E_INVALID, "expected {\"entry\", \"value\", \"for_s\"}");
    if (for_s < 0 || for_s > CHANGE_FOR_MAX_S)
        return err_set(err, E_RANGE, "\"for_s\": expected 0 to %d seconds", CHANGE_FOR_MAX_S);
    int rc = find_type(zone, text, &type, err);
    if (rc < 0)
        return rc;
    bool any_value = c->removes && value == NULL;
    if (type == DATASET_GENERIC && any_value)
        value = "TXT any"; /* no line is without an RR */
    else if (type == DATASET_GENERIC && value != NULL && value[0] == ':')
        value++;
    rc = make_line(line, text, value, err);
    if (rc == 0)
        rc = read_line(d, type, line, err);
    struct keep_entry e = {.until_wall_s = for_s > 0 ? clock_wall_s() + for_s : 0};
    return rc == 0 ? take_entries(c, d, &e, any_value, err) : rc;
}

/* --- the job --- */

enum { ENTRIES_AT = 1 };

/* How many entries stand at this place. */
static int count_at(struct keep_batch *b, const struct keep_entry *e, unsigned *count, struct err *err) {
    struct keep_entry found[ENTRIES_AT];
    return keep_batch_at(b, e, found, ENTRIES_AT, count, err);
}

/* An exclusion lists nothing: it counts for itself. */
static void count_exclusion(struct change_call *c, bool changed) {
    c->added += changed && !c->removes;
    c->removed += changed && c->removes;
}

static int apply_one(struct change_call *c, struct keep_batch *b, const struct change_edit *edit, struct err *err) {
    unsigned before = 0, after = 0;
    size_t mark = keep_batch_mark(b);
    int rc = count_at(b, &edit->entry, &before, err);
    if (rc == 0)
        rc = c->removes ? keep_batch_remove(b, &edit->entry, edit->any_value, err)
                        : keep_batch_add(b, &edit->entry, err);
    if (rc == 0)
        rc = count_at(b, &edit->entry, &after, err);
    if (rc < 0)
        return rc;
    if (edit->entry.excluded) {
        count_exclusion(c, keep_batch_mark(b) != mark);
        return 0;
    }
    c->added += after > before ? after - before : 0;
    c->removed += before > after ? before - after : 0;
    return 0;
}

static int apply(void *ctx, struct keep_batch *b, struct err *err) {
    struct change_call *c = ctx;
    int rc = 0;
    c->added = c->removed = 0;
    for (size_t i = 0; i < c->count && rc == 0; i++)
        rc = apply_one(c, b, &c->edit[i], err);
    return rc;
}

static void change_done(void *ctx, struct job *j) {
    struct change_call *c = ctx;
    if (j->code != 0)
        answer_job_error(c->call, j);
    else
        answer_json(c->call, json_pack("{s:b,s:b,s:I,s:I,s:I,s:I,s:I}", "ok", 1, "changed", j->result.changed, "serial",
                                       (json_int_t)j->state.serial, "added", (json_int_t)c->added, "removed",
                                       (json_int_t)c->removed, "entries", (json_int_t)j->state.entries, "micros",
                                       (json_int_t)j->result.micros));
}

static int read_entries(struct change_call *c, const struct conf_zone *zone, const json_t *entries, struct err *err) {
    size_t count = json_array_size(entries);
    if (count == 0 || count > CHANGE_ENTRIES)
        return err_set(err, E_INVALID, "\"entries\": expected 1 to %d of them", CHANGE_ENTRIES);
    struct data *d = malloc(sizeof *d);
    if (d == NULL)
        return err_set(err, E_NOMEM, "no memory");
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = data_open(d) < 0 ? err_set(err, E_NOMEM, "no memory")
                              : read_entry(c, zone, d, json_array_get(entries, i), err);
        data_free(d);
        if (rc < 0)
            (void)err_prefix(err, "entries[%zu]", i);
    }
    free(d);
    return rc;
}

static int change_fill(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err) {
    struct change_call *c = arena_alloc(&j->arena, sizeof *c);
    if (c == NULL)
        return err_set(err, E_NOMEM, "no memory");
    *c = (struct change_call){
        .call = j->ctx, .arena = &j->arena, .removes = json_is_true(json_object_get(doc, "remove"))};
    if (zone->primaries.count > 0)
        return err_set(err, E_DENIED, "zone %s comes from its primaries: change it there", zone->name);
    int rc = read_entries(c, zone, json_object_get(doc, "entries"), err);
    if (rc < 0)
        return rc;
    const json_t *force = json_object_get(doc, "force");
    if (json_is_string(force))
        j->force = arena_text(&j->arena, json_string_value(force), json_string_length(force));
    j->change = apply;
    j->change_source = c->removes ? "del" : "add";
    j->ctx = c;
    return 0;
}

const struct command command_change = {.name = "change", .kind = JOB_CHANGE, .fill = change_fill, .done = change_done};
