#include "resolver/base/conf_take.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "resolver/base/text.h"

static const struct conf_tree *here(const struct conf_reader *r) {
    return r->depth > 0 ? r->at[r->depth - 1].node : NULL;
}

/* The node a message is about: of a key, or of the entry that was entered. */
static const struct conf_tree *node_of(const struct conf_reader *r, const char *key) {
    return key != NULL ? conf_tree_key(here(r), key) : here(r);
}

static void push(struct conf_reader *r, struct conf_place place) {
    if (r->depth < ARRAY_SIZE(r->at))
        r->at[r->depth++] = place;
    else if (r->rc == E_OK) /* the tables are deeper than the text may be */
        r->rc = err_set(r->err, E_RANGE, "%s: expected less nesting", r->label);
}

void conf_enter(struct conf_reader *r, const char *key) {
    push(r, (struct conf_place){.node = conf_tree_key(here(r), key), .key = key});
}

void conf_enter_at(struct conf_reader *r, size_t index) {
    push(r, (struct conf_place){.node = conf_tree_at(here(r), index), .index = index});
}

void conf_leave(struct conf_reader *r) {
    if (r->depth > 1)
        r->depth--;
}

bool conf_given(const struct conf_reader *r, const char *key) { return conf_tree_key(here(r), key) != NULL; }

/* Built from the steps, not from the nodes: a key that is missing has a path too. */
static void path_of(const struct conf_reader *r, const char *key, char to[CONF_PATH_MAX]) {
    size_t n = 0;
    to[0] = '\0';
    for (size_t i = 1; i <= r->depth; i++) {
        const char *step = i < r->depth ? r->at[i].key : key;
        int more = 0;
        if (step != NULL)
            more = snprintf(to + n, CONF_PATH_MAX - n, "%s%s", n > 0 ? "." : "", step);
        else if (i < r->depth)
            more = snprintf(to + n, CONF_PATH_MAX - n, "[%zu]", r->at[i].index);
        n += more > 0 ? (size_t)more : 0;
        if (n >= CONF_PATH_MAX)
            return;
    }
}

static unsigned line_of(const struct conf_reader *r, const char *key) {
    const struct conf_tree *node = node_of(r, key);
    for (size_t i = r->depth; node == NULL && i > 0; i--)
        node = r->at[i - 1].node;
    return node != NULL ? node->line : 1;
}

/* Values of these keys are not shown, not even in a message: it may go into a log. */
static bool is_secret(const struct conf_reader *r, const char *key) {
    for (size_t i = r->depth; key == NULL && i > 0; i--) /* of an entry: the list's */
        key = r->at[i - 1].key;
    return key != NULL && (strcmp(key, "secret") == 0 || strcmp(key, "secrets") == 0 || strcmp(key, "token") == 0);
}

void conf_fail(struct conf_reader *r, int code, const char *key, const char *fmt, ...) {
    const struct conf_tree *node = node_of(r, key);
    char path[CONF_PATH_MAX], what[ERR_TEXT_MAX], shown[TEXT_SHOWN_MAX];
    va_list args;
    if (r->rc != E_OK)
        return;
    va_start(args, fmt);
    if (vsnprintf(what, sizeof(what), fmt, args) < 0)
        what[0] = '\0';
    va_end(args);
    path_of(r, key, path);
    if (node == NULL && key != NULL)
        r->rc = err_set(r->err, code, "%s:%u: %s: expected %s, got nothing", r->label, line_of(r, key), path, what);
    else if (node != NULL && node->kind == CONF_TEXT && !is_secret(r, key))
        r->rc = err_set(r->err, code, "%s:%u: %s: expected %s, got \"%s\"", r->label, line_of(r, key), path, what,
                        text_shown(shown, node->text));
    else
        r->rc = err_set(r->err, code, "%s:%u: %s: expected %s", r->label, line_of(r, key), path, what);
}

/* Doubles its array in the arena; what is left behind ends with the arena. */
static bool later_room(struct conf_reader *r) {
    struct conf_list_text *list = &r->conf->later;
    size_t cap = r->later_cap > 0 ? r->later_cap * 2 : 16;
    const char **at;
    if (list->count < r->later_cap)
        return true;
    at = conf_array(r, cap, sizeof(*at));
    if (at == NULL)
        return false;
    if (list->count > 0)
        memcpy(at, list->at, list->count * sizeof(*at));
    list->at = at;
    r->later_cap = cap;
    return true;
}

void conf_later(struct conf_reader *r, const char *key, const char *what) {
    char path[CONF_PATH_MAX], line[CONF_PATH_MAX + 160];
    char *copy;
    int n;
    path_of(r, key, path);
    n = snprintf(line, sizeof(line), "%s: %s", path, what);
    if (r->rc != E_OK || n < 0 || !later_room(r))
        return;
    copy = arena_text(r->arena, line, strlen(line));
    if (copy != NULL)
        r->conf->later.at[r->conf->later.count++] = copy;
    else
        r->rc = err_set(r->err, E_NOMEM, "%s: no memory", r->label);
}

void *conf_array(struct conf_reader *r, size_t count, size_t size) {
    void *array;
    if (r->rc != E_OK || count == 0)
        return NULL;
    array = arena_alloc(r->arena, count * size);
    if (array == NULL)
        r->rc = err_set(r->err, E_NOMEM, "%s: no memory", r->label);
    else
        memset(array, 0, count * size);
    return array;
}

/* Whether there is a text to look at: the key is in the file and nothing failed before. */
static bool there(const struct conf_reader *r, const char *key, const char *raw) {
    return r->rc == E_OK && raw != NULL && node_of(r, key) != NULL;
}

bool conf_take_bool(struct conf_reader *r, const char *key, const char *raw, bool fallback) {
    static const struct conf_word words[] = {{"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0},
                                             {"on", 1},   {"off", 0},   {NULL, 0}};
    return conf_take_word(r, key, raw, fallback, words) != 0;
}

int conf_take_word(struct conf_reader *r, const char *key, const char *raw, int fallback,
                   const struct conf_word *words) {
    char list[192] = "";
    size_t n = 0;
    if (!there(r, key, raw))
        return fallback;
    for (const struct conf_word *w = words; w->word != NULL; w++) {
        int more;
        if (strcmp(raw, w->word) == 0)
            return w->value;
        more = snprintf(list + n, sizeof(list) - n, "%s%s", n > 0 ? ", " : "", w->word);
        if (more > 0 && n + (size_t)more < sizeof(list))
            n += (size_t)more;
    }
    list[n] = '\0';
    conf_fail(r, E_INVALID, key, "one of %s", list);
    return fallback;
}

/* The digits at the start of a text; false when there are none, or too many. */
static bool digits(const char **text, uint64_t *value) {
    const char *at = *text;
    *value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
            return false;
    if (at == *text)
        return false;
    *text = at;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* "64M" in a system of units that ends with a NULL name. */
static bool with_unit(const char *text, const struct unit *units, uint64_t *value) {
    if (!digits(&text, value))
        return false;
    for (; units->name != NULL; units++)
        if (strcmp(text, units->name) == 0)
            return !__builtin_mul_overflow(*value, units->factor, value);
    return *value == 0 && *text == '\0'; /* nothing is nothing in every unit */
}

static const struct unit units_bytes[] = {{"", 1},           {"K", 1ULL << 10}, {"k", 1ULL << 10},
                                          {"M", 1ULL << 20}, {"m", 1ULL << 20}, {"G", 1ULL << 30},
                                          {"g", 1ULL << 30}, {"T", 1ULL << 40}, {NULL, 0}};
static const struct unit units_things[] = {{"", 1},        {"K", 1000},       {"k", 1000},       {"M", 1000000},
                                           {"m", 1000000}, {"G", 1000000000}, {"g", 1000000000}, {NULL, 0}};
static const struct unit units_time_ms[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                            {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

/* The value as people would write it: the largest unit that leaves no rest. */
static const char *shown_in(char to[32], uint64_t value, const struct unit *units) {
    const struct unit *best = NULL;
    for (; units->name != NULL; units++)
        if (value != 0 && value % units->factor == 0 && (best == NULL || units->factor > best->factor))
            best = units;
    (void)snprintf(to, 32, "%llu%s", (unsigned long long)(best != NULL ? value / best->factor : value),
                   best != NULL ? best->name : "");
    return to;
}

static uint64_t take_units(struct conf_reader *r, const char *key, const char *raw, uint64_t fallback, uint64_t min,
                           uint64_t max, const struct unit *units, const char *what) {
    uint64_t value;
    char low[32], high[32];
    if (!there(r, key, raw))
        return fallback;
    if (!with_unit(raw, units, &value)) {
        conf_fail(r, E_INVALID, key, "%s", what);
        return fallback;
    }
    if (value < min || value > max) {
        conf_fail(r, E_RANGE, key, "%s from %s to %s", what, shown_in(low, min, units), shown_in(high, max, units));
        return fallback;
    }
    return value;
}

uint64_t conf_take_size(struct conf_reader *r, const char *key, const char *raw, uint64_t fallback, uint64_t min,
                        uint64_t max) {
    return take_units(r, key, raw, fallback, min, max, units_bytes, "a size in bytes such as 512K, 64M or 2G");
}

uint64_t conf_take_count(struct conf_reader *r, const char *key, const char *raw, uint64_t fallback, uint64_t min,
                         uint64_t max) {
    return take_units(r, key, raw, fallback, min, max, units_things, "a number such as 5000, 20K or 100M");
}

uint32_t conf_take_ms(struct conf_reader *r, const char *key, const char *raw, uint32_t fallback, uint32_t min,
                      uint32_t max) {
    return (uint32_t)take_units(r, key, raw, fallback, min, max, units_time_ms, "a time such as 500ms, 30s, 5m or 1d");
}

uint32_t conf_take_s(struct conf_reader *r, const char *key, const char *raw, uint32_t fallback, uint32_t min,
                     uint32_t max) {
    uint64_t ms = take_units(r, key, raw, fallback * 1000ULL, min * 1000ULL, max * 1000ULL, units_time_ms,
                             "a time such as 30s, 5m, 2h or 1d");
    if (ms % 1000 != 0)
        conf_fail(r, E_INVALID, key, "whole seconds");
    return (uint32_t)(ms / 1000);
}

uint32_t conf_take_number(struct conf_reader *r, const char *key, const char *raw, uint32_t fallback, uint32_t min,
                          uint32_t max) {
    const char *rest = raw;
    uint64_t value;
    if (!there(r, key, raw))
        return fallback;
    if (!digits(&rest, &value) || *rest != '\0') {
        conf_fail(r, E_INVALID, key, "a whole number from %u to %u", min, max);
    } else if (value < min || value > max) {
        conf_fail(r, E_RANGE, key, "a whole number from %u to %u", min, max);
    } else {
        return (uint32_t)value;
    }
    return fallback;
}

/* "50%" or "0.5%": two numbers of digits, so that no locale has a say. */
double conf_take_share(struct conf_reader *r, const char *key, const char *raw, double fallback, double max) {
    const char *rest = raw;
    uint64_t whole, part = 0;
    double share, scale = 1;
    bool good;
    if (!there(r, key, raw))
        return fallback;
    good = digits(&rest, &whole);
    if (good && *rest == '.') {
        const char *start = ++rest;
        good = digits(&rest, &part);
        for (; good && start < rest; start++)
            scale *= 10;
    }
    if (!good || strcmp(rest, "%") != 0) {
        conf_fail(r, E_INVALID, key, "a share such as 50%%");
        return fallback;
    }
    share = ((double)whole + (double)part / scale) / 100;
    if (share > max) {
        conf_fail(r, E_RANGE, key, "a share from 0%% to %.0f%%", max * 100);
        return fallback;
    }
    return share;
}
