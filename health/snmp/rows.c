#include "health/snmp/rows.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_NODE = 1, TABLE_SCOPE = 2, COLUMN_STATUS = 6 };
enum kind { TEXT, STATE, TRUTH, GAUGE, NUMBER, COUNT, LONG, MOMENT, KEY, WAITING };

struct column {
    uint16_t column;
    enum kind kind;
    const char *key; /* "a.b": b of the object a */
};

static const struct column node[] = {{2, TEXT, "node"},
                                     {3, TEXT, "version"},
                                     {4, TEXT, "boot"},
                                     {5, LONG, "sequence"},
                                     {COLUMN_STATUS, STATE, "status"},
                                     {7, TRUTH, "ready"},
                                     {8, MOMENT, "wallMs"},
                                     {9, GAUGE, "traffic.queries"},
                                     {10, GAUGE, "traffic.p50Us"},
                                     {11, GAUGE, "traffic.p99Us"},
                                     {0}};
static const struct column scope[] = {
    {2, KEY, ""}, {3, STATE, "state"}, {4, MOMENT, "sinceMs"}, {5, TEXT, "cause"}, {0}};
static const struct column worker[] = {
    {2, NUMBER, "worker"},     {3, STATE, "state"},    {4, GAUGE, "heartbeatMs"}, {5, GAUGE, "lagUs"},
    {6, MOMENT, "answeredMs"}, {7, COUNT, "restarts"}, {8, LONG, "queries"},      {0}};
static const struct column probe[] = {{2, TEXT, "scope"},        {3, TEXT, "check"},     {4, TEXT, "id"},
                                      {5, STATE, "state"},       {6, MOMENT, "sinceMs"}, {7, MOMENT, "atMs"},
                                      {8, COUNT, "transitions"}, {9, TEXT, "came"},      {0}};
static const struct column zone[] = {{2, TEXT, "zone"},        {3, TEXT, "state"},
                                     {4, NUMBER, "serial"},    {5, NUMBER, "sourceSerial"},
                                     {6, LONG, "entries"},     {7, MOMENT, "checkedMs"},
                                     {8, MOMENT, "changedMs"}, {9, MOMENT, "expiresMs"},
                                     {10, TEXT, "digest"},     {0}};
static const struct column peer[] = {{2, TEXT, "peer"},      {3, TEXT, "state"},      {4, STATE, "says"},
                                     {5, MOMENT, "heardMs"}, {6, TRUTH, "disagrees"}, {0}};
static const struct column upstream[] = {{2, TEXT, "upstream"},
                                         {3, TRUTH, "up"},
                                         {4, LONG, "queries"},
                                         {5, LONG, "failures"},
                                         {6, MOMENT, "lastSuccessMs"},
                                         {7, GAUGE, "rttUs"},
                                         {0}};
static const struct column monitor[] = {
    {2, TEXT, "kind"},   {3, TEXT, "address"}, {4, TEXT, "name"},    {5, MOMENT, "ackedMs"}, {6, LONG, "delivered"},
    {7, LONG, "failed"}, {8, WAITING, ""},     {9, LONG, "dropped"}, {10, TEXT, "trouble"},  {0}};

static const struct {
    uint16_t table;
    const char *list; /* NULL: the document itself is the one row */
    const struct column *columns;
} tables[] = {{TABLE_NODE, NULL, node},   {TABLE_SCOPE, "scopes", scope},
              {3, "workers", worker},     {4, "probes", probe},
              {5, "zones", zone},         {6, "peers", peer},
              {7, "upstreams", upstream}, {8, "monitors", monitor}};

/* Not into the middle of a character. */
static char *copy_text(const char *from) {
    size_t size = strlen(from);
    if (size > ROWS_TEXT_MAX) {
        size = ROWS_TEXT_MAX;
        while (size > 0 && ((unsigned char)from[size] & 0xC0) == 0x80)
            size--;
    }
    return strndup(from, size);
}

static uint64_t whole(const json_t *v, uint64_t most) {
    double n = json_number_value(v);
    if (json_is_integer(v)) {
        json_int_t i = json_integer_value(v);
        return i < 0 ? 0 : (uint64_t)i > most ? most : (uint64_t)i;
    }
    return !(n > 0) ? 0 : n >= (double)most ? most : (uint64_t)n;
}

static uint64_t state_number(const json_t *v) {
    static const char *const states[] = {"pass", "warn", "fail"};
    const char *text = json_string_value(v);
    for (size_t i = 0; text != NULL && i < sizeof states / sizeof states[0]; i++)
        if (strcmp(states[i], text) == 0)
            return i + 1;
    return 4; /* unknown, and whatever else was said */
}

static const json_t *value_of(const json_t *row, const char *key) {
    const char *dot = strchr(key, '.');
    char outer[32];
    if (dot == NULL)
        return json_object_get(row, key);
    size_t size = (size_t)(dot - key) < sizeof outer ? (size_t)(dot - key) : sizeof outer - 1;
    memcpy(outer, key, size);
    outer[size] = '\0';
    return json_object_get(json_object_get(row, outer), dot + 1);
}

static bool fill(struct cell *c, const struct column *col, const json_t *row, const char *name) {
    const json_t *v = value_of(row, col->key);
    c->type = CELL_INTEGER;
    switch (col->kind) {
    case KEY:
    case TEXT:
        c->type = CELL_TEXT;
        c->text = copy_text(col->kind == KEY ? name : json_is_string(v) ? json_string_value(v) : "");
        return c->text != NULL;
    case STATE:
        c->number = state_number(v);
        return true;
    case TRUTH:
        c->number = json_is_true(v) ? 1 : 2;
        return true;
    case MOMENT:
        c->type = CELL_GAUGE;
        c->number = whole(v, (uint64_t)UINT32_MAX * 1000) / 1000;
        return true;
    case WAITING:
        c->type = CELL_GAUGE;
        c->number =
            whole(json_object_get(row, "waiting"), INT32_MAX) + whole(json_object_get(row, "eventsWaiting"), INT32_MAX);
        return true;
    case COUNT:
    case GAUGE:
    case NUMBER:
        c->type = col->kind == COUNT ? CELL_COUNTER32 : CELL_GAUGE;
        c->number = whole(v, UINT32_MAX);
        return true;
    case LONG:
        c->type = CELL_COUNTER64;
        c->number = whole(v, UINT64_MAX);
        return true;
    }
    return false;
}

static bool put(struct rows *r, uint16_t table, const struct column *col, uint32_t number, const json_t *row,
                const char *name) {
    if (r->count == r->cap) {
        size_t cap = r->cap > 0 ? 2 * r->cap : 256;
        struct cell *more = realloc(r->at, cap * sizeof *more);
        if (more == NULL)
            return false;
        r->at = more;
        r->cap = cap;
    }
    struct cell *c = &r->at[r->count];
    *c = (struct cell){.table = table, .column = col->column, .row = number};
    if (!fill(c, col, row, name))
        return false;
    r->count++;
    return true;
}

static bool put_column(struct rows *r, uint16_t table, const struct column *col, const json_t *list) {
    uint32_t number = 0;
    if (json_is_object(list)) {
        const char *name;
        json_t *row;
        json_object_foreach((json_t *)list, name,
                            row) if (number < ROWS_EACH_MAX && !put(r, table, col, ++number, row, name)) return false;
        return true;
    }
    for (; number < json_array_size(list) && number < ROWS_EACH_MAX; number++)
        if (!put(r, table, col, number + 1, json_array_get(list, number), ""))
            return false;
    return true;
}

struct rows *rows_of_detail(const char *json, size_t size) {
    json_t *doc = json_loadb(json, size, 0, NULL);
    struct rows *r = json_is_object(doc) ? calloc(1, sizeof *r) : NULL;
    bool well = r != NULL;
    for (size_t t = 0; well && t < sizeof tables / sizeof tables[0]; t++)
        for (const struct column *c = tables[t].columns; well && c->column != 0; c++)
            well = tables[t].list == NULL ? put(r, tables[t].table, c, 1, doc, "")
                                          : put_column(r, tables[t].table, c, json_object_get(doc, tables[t].list));
    json_decref(doc);
    if (well)
        return r;
    rows_free(r);
    return NULL;
}

struct rows *rows_stale(const struct rows *from) {
    struct rows *r = calloc(1, sizeof *r);
    if (r == NULL || (r->at = calloc(from->count + 1, sizeof *r->at)) == NULL) {
        free(r);
        return NULL;
    }
    for (size_t i = 0; i < from->count && from->at[i].table == TABLE_NODE; i++) {
        struct cell *c = &r->at[r->count++];
        *c = from->at[i];
        if (c->text != NULL && (c->text = strdup(c->text)) == NULL) {
            rows_free(r);
            return NULL;
        }
        if (c->column == COLUMN_STATUS)
            c->number = state_number(NULL);
        if (c->column == COLUMN_STATUS + 1) /* ready */
            c->number = 2;
    }
    return r;
}

void rows_free(struct rows *r) {
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        free(r->at[i].text);
    free(r->at);
    free(r);
}

void cell_oid(const struct cell *c, unsigned long to[ROWS_OID]) {
    const unsigned long oid[ROWS_OID] = {1, c->table, 1, c->column, c->row};
    memcpy(to, oid, sizeof oid);
}

/* < 0: the cell stands before the OID; 0: it is the one. */
static int compare(const struct cell *c, const unsigned long *oid, size_t count) {
    unsigned long own[ROWS_OID];
    cell_oid(c, own);
    for (size_t i = 0; i < ROWS_OID && i < count; i++)
        if (own[i] != oid[i])
            return own[i] < oid[i] ? -1 : 1;
    return count == ROWS_OID ? 0 : count < ROWS_OID ? 1 : -1;
}

const struct cell *rows_find(const struct rows *r, const unsigned long *oid, size_t count, bool next) {
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&r->at[middle], oid, count);
        if (order < 0 || (order == 0 && next))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == r->count)
        return NULL;
    return next || compare(&r->at[low], oid, count) == 0 ? &r->at[low] : NULL;
}
