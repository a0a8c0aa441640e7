#include "health/command/judge.h"

#include <string.h>

#include "health/command/ask.h"
#include "health/command/out.h"

const char *judge_name(enum judge_state s) {
    static const char *const names[JUDGE_STATES] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    return s < JUDGE_STATES ? names[s] : "UNKNOWN";
}

enum judge_state judge_status(const char *status) {
    static const struct {
        const char *text;
        enum judge_state state;
    } words[] = {{"pass", JUDGE_OK},       {"ok", JUDGE_OK},          {"up", JUDGE_OK},        {"warn", JUDGE_WARNING},
                 {"fail", JUDGE_CRITICAL}, {"error", JUDGE_CRITICAL}, {"down", JUDGE_CRITICAL}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(status, words[i].text) == 0)
            return words[i].state;
    return JUDGE_UNKNOWN;
}

unsigned judge_badness(enum judge_state s) {
    static const unsigned badness[JUDGE_STATES] = {0, 1, 3, 2};
    return s < JUDGE_STATES ? badness[s] : 2;
}

static enum judge_state worse(enum judge_state a, enum judge_state b) {
    return judge_badness(b) > judge_badness(a) ? b : a;
}

/* "worker:answers w2: no answer in 1000 ms" */
static void label(const char *name, const json_t *check, char *to, size_t cap) {
    const char *id = ask_text(check, "componentId"), *output = ask_text(check, "output");
    char clean_id[OUT_CELL_MAX], clean_output[OUT_CELL_MAX], clean_name[OUT_CELL_MAX];
    (void)snprintf(to, cap, "%s%s%s%s%s", out_clean(clean_name, sizeof clean_name, name, strlen(name)),
                   id[0] != '\0' ? " " : "", out_clean(clean_id, sizeof clean_id, id, strlen(id)),
                   output[0] != '\0' ? ": " : "", out_clean(clean_output, sizeof clean_output, output, strlen(output)));
}

/* Calls `each` for every check in the document; a member of "checks" that is no list of objects counts as unknown. */
void judge_each(const json_t *doc, void (*each)(void *ctx, const char *name, const json_t *check), void *ctx) {
    json_t *checks = json_object_get(doc, "checks"), *list;
    const char *name;
    json_object_foreach(checks, name, list) {
        const json_t *check;
        size_t i;
        if (json_array_size(list) == 0)
            each(ctx, name, NULL);
        json_array_foreach(list, i, check) each(ctx, name, check);
    }
}

struct walk_judge {
    struct judgement *j;
    judge_wanted wanted;
    const void *ctx;
    enum judge_state worst;
    char cause[OUT_CELL_MAX];
};

static void judge_one(void *ctx, const char *name, const json_t *check) {
    struct walk_judge *w = ctx;
    if (w->wanted != NULL && !w->wanted(w->ctx, name, check))
        return;
    enum judge_state s = judge_status(ask_text(check, "status"));
    w->j->checks++;
    w->j->counts[s]++;
    if (judge_badness(s) > judge_badness(w->worst)) {
        w->worst = s;
        label(name, check, w->cause, sizeof w->cause);
    }
}

static bool is_document(struct judgement *j, const json_t *doc) {
    memset(j, 0, sizeof *j);
    if (json_is_object(doc) && json_is_string(json_object_get(doc, "status")))
        return true;
    j->state = JUDGE_UNKNOWN;
    (void)snprintf(j->sentence, sizeof j->sentence, "the health port gave something that is no health document");
    return false;
}

static void say_worst(struct judgement *j, const struct walk_judge *w) {
    (void)snprintf(j->sentence, sizeof j->sentence, "%s%s", w->cause,
                   j->checks - j->counts[JUDGE_OK] > 1 ? ", and more" : "");
}

void judge(struct judgement *j, const json_t *doc) {
    struct walk_judge w = {.j = j};
    if (!is_document(j, doc))
        return;
    judge_each(doc, judge_one, &w);
    j->state = worse(judge_status(ask_text(doc, "status")), w.worst);
    const char *output = ask_text(doc, "output");
    if (w.worst != JUDGE_OK)
        say_worst(j, &w);
    else if (output[0] != '\0')
        out_clean(j->sentence, sizeof j->sentence, output, strlen(output));
    else if (j->checks > 0)
        (void)snprintf(j->sentence, sizeof j->sentence, "all %zu checks pass", j->checks);
    else
        (void)snprintf(j->sentence, sizeof j->sentence, "the health document has no checks");
    /* Nothing was looked at: that is not well. */
    if (j->checks == 0)
        j->state = worse(j->state, JUDGE_UNKNOWN);
}

void judge_some(struct judgement *j, const json_t *doc, judge_wanted wanted, const void *ctx) {
    struct walk_judge w = {.j = j, .wanted = wanted, .ctx = ctx};
    if (!is_document(j, doc))
        return;
    judge_each(doc, judge_one, &w);
    j->state = j->checks > 0 ? w.worst : JUDGE_UNKNOWN;
    const char *output = ask_text(doc, "output");
    if (w.worst != JUDGE_OK)
        say_worst(j, &w);
    else if (j->checks > 0)
        (void)snprintf(j->sentence, sizeof j->sentence, j->checks > 1 ? "%zu checks pass" : "%zu check passes",
                       j->checks);
    else if (judge_status(ask_text(doc, "status")) == JUDGE_UNKNOWN)
        out_clean(j->sentence, sizeof j->sentence, output, strlen(output));
}

struct walk_print {
    struct out_table *t;
    enum judge_state want;
};

static void print_one(void *ctx, const char *name, const json_t *check) {
    struct walk_print *w = ctx;
    const char *status = ask_text(check, "status");
    char value[64] = "";
    if (judge_status(status) != w->want)
        return;
    if (json_is_number(json_object_get(check, "observedValue")))
        (void)snprintf(value, sizeof value, "%g %s", json_number_value(json_object_get(check, "observedValue")),
                       ask_text(check, "observedUnit"));
    out_row(w->t, status[0] != '\0' ? status : "unknown", name, ask_text(check, "componentId"), ask_text(check, "time"),
            value, ask_text(check, "output"));
}

void judge_print_checks(const json_t *doc, FILE *to) {
    static const enum judge_state order[] = {JUDGE_CRITICAL, JUDGE_UNKNOWN, JUDGE_WARNING};
    struct walk_print w = {.t = out_table_new(6)};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        w.want = order[i];
        judge_each(doc, print_one, &w);
    }
    out_table_print(w.t, to, "  ");
}

void judge_print_scopes(const json_t *doc, FILE *to) {
    json_t *scopes = json_object_get(doc, "scopes"), *scope;
    const char *name, *between = "  ";
    json_object_foreach(scopes, name, scope) {
        char clean_name[64], clean_status[64];
        const char *status = ask_text(scope, "status");
        fprintf(to, "%s%s %s", between, out_clean(clean_name, sizeof clean_name, name, strlen(name)),
                out_clean(clean_status, sizeof clean_status, status, strlen(status)));
        between = ", ";
    }
    if (json_object_size(scopes) > 0)
        fprintf(to, "\n");
}
