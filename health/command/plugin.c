/* candor check: a plug-in for Nagios and its kin. One line, figures behind a bar, an exit code. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/health_port.h"
#include "health/command/judge.h"
#include "health/command/out.h"
#include "health/verdict/verdict.h"

enum { PLUGIN_TIMEOUT_MS = 3000, PLUGIN_TIMEOUT_MAX_S = 600, PLUGIN_FIGURES = 24, PLUGIN_LINE = 4096 };

enum target { TARGET_ALL, TARGET_SCOPE, TARGET_ZONE, TARGET_UPSTREAM, TARGET_WORKER, TARGET_PEER };

struct plugin {
    enum target target;
    const char *name;  /* of the scope, zone, upstream, worker or peer */
    char worker[64];   /* "worker 0" */
    double warn, crit; /* NaN: none */
    unsigned timeout_ms;
    /* what is judged against warn and crit */
    const char *label, *unit;
    double value; /* NaN: not known */
    char figures[PLUGIN_LINE];
    unsigned count;
};

/* --- what is asked for */

static int read_number(const char *text, const char *what, double *to) {
    char *end;
    *to = NAN;
    if (text == NULL)
        return 0;
    errno = 0;
    *to = strtod(text, &end);
    if (end != text && *end == '\0' && errno == 0 && *to >= 0 && isfinite(*to))
        return 0;
    fprintf(stderr, "candor check: --%s wants a number, not '%s'\n", what, text);
    return E_INVALID;
}

static int read_target(struct plugin *p, const struct args *a) {
    static const struct {
        const char *word;
        enum target target;
    } kinds[] = {
        {"zone", TARGET_ZONE}, {"upstream", TARGET_UPSTREAM}, {"worker", TARGET_WORKER}, {"peer", TARGET_PEER}};
    if (a->count == 0)
        return 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && a->count == 2; i++)
        if (strcmp(a->at[0], kinds[i].word) == 0) {
            p->target = kinds[i].target;
            p->name = a->at[1];
            (void)snprintf(p->worker, sizeof p->worker, "worker %.32s", p->name);
            return 0;
        }
    p->target = TARGET_SCOPE;
    p->name = a->at[0];
    if (a->count == 1 && verdict_scope_find(p->name) >= 0)
        return 0;
    fprintf(stderr,
            "candor check: what is to be checked is a scope (process, worker, resolution, zones, replication,\n"
            "upstream, storage, peers, reporting, monitor), or zone NAME, upstream ADDRESS, worker N, peer NAME\n");
    return E_INVALID;
}

static int read_all(struct plugin *p, const struct args *a) {
    double timeout_s;
    *p = (struct plugin){.name = "", .timeout_ms = PLUGIN_TIMEOUT_MS, .value = NAN};
    if (read_target(p, a) < 0 || read_number(a->warning, "warning", &p->warn) < 0 ||
        read_number(a->critical, "critical", &p->crit) < 0 || read_number(a->timeout, "timeout", &timeout_s) < 0)
        return E_INVALID;
    if (isnan(timeout_s))
        return 0;
    if (timeout_s < 0.001 || timeout_s > PLUGIN_TIMEOUT_MAX_S) {
        fprintf(stderr, "candor check: --timeout goes from 0.001 to %d seconds\n", PLUGIN_TIMEOUT_MAX_S);
        return E_INVALID;
    }
    p->timeout_ms = (unsigned)(timeout_s * 1000);
    return 0;
}

/* --- which checks those are */

static bool same_zone(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    n -= n > 1 && a[n - 1] == '.';
    m -= m > 1 && b[m - 1] == '.';
    return n == m && strncasecmp(a, b, n) == 0;
}

/* "192.0.2.53" is "192.0.2.53@53" too. */
static bool same_address(const char *wanted, const char *id) {
    size_t n = strlen(wanted);
    return strncasecmp(wanted, id, n) == 0 && (id[n] == '\0' || (id[n] == '@' && strchr(wanted, '@') == NULL));
}

/* A check of several things has their names in its id, apart by spaces. */
static bool has_word(const char *id, const char *word, bool (*same)(const char *a, const char *b)) {
    char part[512];
    while (*id != '\0') {
        size_t n = strcspn(id, " ,()");
        if (n > 0 && n < sizeof part) {
            memcpy(part, id, n);
            part[n] = '\0';
            if (same(word, part))
                return true;
        }
        id += n + (id[n] != '\0');
    }
    return false;
}

static bool same_text(const char *a, const char *b) { return strcasecmp(a, b) == 0; }

static bool wanted(const void *ctx, const char *name, const json_t *check) {
    const struct plugin *p = ctx;
    const char *id = ask_text(check, "componentId");
    switch (p->target) {
    case TARGET_ZONE:
        return strncmp(name, "process:", 8) != 0 && has_word(id, p->name, same_zone);
    case TARGET_UPSTREAM:
        return strncmp(name, "upstream:", 9) == 0 && same_address(p->name, id);
    case TARGET_WORKER:
        return strcmp(id, p->worker) == 0;
    case TARGET_PEER:
        return strncmp(name, "peer:", 5) == 0 && has_word(id, p->name, same_text);
    default:
        return true;
    }
}

/* --- figures */

/* Units that the plug-in convention knows; others are left away. */
static const char *unit_of(const char *unit) {
    static const char *const known[] = {"s", "ms", "us", "%"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(unit, known[i]) == 0)
            return known[i];
    return strcmp(unit, "bytes") == 0 ? "B" : "";
}

static const char *plain(char *to, size_t cap, const char *text) {
    out_clean(to, cap, text, strlen(text));
    for (char *c = to; *c != '\0'; c++)
        if (*c == '|' || *c == '\'' || *c == '=')
            *c = '/';
    return to;
}

static void figure(struct plugin *p, const char *label, double value, const char *unit, bool judged) {
    char clean[300], warn[32] = "", crit[32] = "";
    size_t at = strlen(p->figures);
    if (p->count++ >= PLUGIN_FIGURES || !isfinite(value) || sizeof p->figures - at < 512)
        return;
    if (judged && !isnan(p->warn))
        (void)snprintf(warn, sizeof warn, "%.15g", p->warn);
    if (judged && !isnan(p->crit))
        (void)snprintf(crit, sizeof crit, "%.15g", p->crit);
    bool whole = value == floor(value) && value < 1e15;
    at += (size_t)snprintf(p->figures + at, sizeof p->figures - at, whole ? "%s'%s'=%.0f%s" : "%s'%s'=%.6g%s",
                           at > 0 ? " " : "", plain(clean, sizeof clean, label), value, unit);
    if (warn[0] != '\0' || crit[0] != '\0')
        (void)snprintf(p->figures + at, sizeof p->figures - at, ";%s;%s", warn, crit);
}

static void measure(struct plugin *p, const char *label, double value, const char *unit) {
    p->label = label;
    p->value = value;
    p->unit = unit;
    if (!isnan(value))
        figure(p, label, value, unit, true);
}

struct slowest {
    const struct plugin *p;
    double ms;
};

static void took(void *ctx, const char *name, const json_t *check) {
    struct slowest *s = ctx;
    const json_t *evidence = json_object_get(check, "evidence"), *ms = json_object_get(evidence, "tookMs");
    if (!wanted(s->p, name, check) || !json_is_number(ms) || ask_text(evidence, "server")[0] == '\0')
        return;
    if (isnan(s->ms) || json_number_value(ms) > s->ms)
        s->ms = json_number_value(ms);
}

static void observed(void *ctx, const char *name, const json_t *check) {
    struct plugin *p = ctx;
    const json_t *value = json_object_get(check, "observedValue");
    char label[256];
    if (!wanted(p, name, check) || !json_is_number(value))
        return;
    (void)snprintf(label, sizeof label, "%.100s", name);
    if (p->target != TARGET_UPSTREAM && p->target != TARGET_WORKER && p->target != TARGET_ZONE)
        (void)snprintf(label, sizeof label, "%.100s %.120s", name, ask_text(check, "componentId"));
    figure(p, label, json_number_value(value), unit_of(ask_text(check, "observedUnit")), false);
}

static const json_t *zone_member(const json_t *doc, const char *list, const char *name) {
    json_t *zones = json_object_get(doc, list), *zone;
    const char *key;
    json_object_foreach(zones, key, zone) if (same_zone(key, name)) return zone;
    return NULL;
}

/* How old the zone is: since its source last said that this is all, else since its files were last looked at. */
static void measure_zone(struct plugin *p, const json_t *doc) {
    const json_t *kept = zone_member(doc, "zones", p->name), *copy = zone_member(doc, "replication", p->name);
    double checked = health_port_age_s(ask_text(kept, "lastCheck"));
    const json_t *age = json_object_get(copy, "dataAge"), *lag = json_object_get(copy, "lag");
    measure(p, "age", json_is_number(age) ? json_number_value(age) : checked >= 0 ? checked : NAN, "s");
    if (json_is_number(lag))
        figure(p, "lag", json_number_value(lag), "", false);
    if (kept == NULL)
        return;
    figure(p, "entries", (double)ask_number(kept, "entries"), "", false);
    figure(p, "serial", (double)ask_number(kept, "serial"), "", false);
    figure(p, "refused", (double)ask_number(kept, "refused"), "c", false);
}

static void measure_all(struct plugin *p, const json_t *doc, const struct judgement *j) {
    const json_t *age = json_object_get(doc, "ageMs");
    struct slowest s = {p, NAN};
    switch (p->target) {
    case TARGET_ALL:
    case TARGET_SCOPE:
        measure(p, "age", json_is_number(age) ? json_number_value(age) / 1000 : NAN, "s");
        break;
    case TARGET_ZONE:
        measure_zone(p, doc);
        break;
    default:
        judge_each(doc, took, &s);
        measure(p, "time", s.ms, "ms");
    }
    figure(p, "checks", (double)j->checks, "", false);
    figure(p, "pass", (double)j->counts[JUDGE_OK], "", false);
    figure(p, "warn", (double)j->counts[JUDGE_WARNING], "", false);
    figure(p, "fail", (double)j->counts[JUDGE_CRITICAL], "", false);
    figure(p, "unknown", (double)j->counts[JUDGE_UNKNOWN], "", false);
    if (p->target != TARGET_ALL)
        judge_each(doc, observed, p);
}

/* --- the verdict */

static void hold_against_limits(const struct plugin *p, struct judgement *j) {
    bool crit = p->value > p->crit, warn = p->value > p->warn; /* false for NaN */
    enum judge_state s = crit ? JUDGE_CRITICAL : warn ? JUDGE_WARNING : JUDGE_OK;
    size_t at = strlen(j->sentence);
    if (isnan(p->value) && !(isnan(p->warn) && isnan(p->crit))) {
        s = JUDGE_UNKNOWN;
        (void)snprintf(j->sentence + at, sizeof j->sentence - at, ", and its %s is not known", p->label);
    } else if (s != JUDGE_OK) {
        (void)snprintf(j->sentence + at, sizeof j->sentence - at, ", %s %.3g %s is above %g", p->label, p->value,
                       p->unit, crit ? p->crit : p->warn);
    }
    if (judge_badness(s) > judge_badness(j->state))
        j->state = s;
}

static const char *target_words(const struct plugin *p) {
    static const char *const words[] = {"", "", "zone ", "upstream ", "worker ", "peer "};
    return words[p->target];
}

static void judge_target(struct plugin *p, struct judgement *j, const json_t *doc) {
    if (p->target == TARGET_ALL)
        judge(j, doc);
    else
        judge_some(j, doc, wanted, p);
    if (j->checks == 0 && j->sentence[0] == '\0')
        (void)snprintf(j->sentence, sizeof j->sentence, "this node has no such %s",
                       p->target == TARGET_ZONE       ? "zone"
                       : p->target == TARGET_UPSTREAM ? "upstream"
                       : p->target == TARGET_WORKER   ? "worker"
                                                      : "peer");
    if (doc != NULL)
        measure_all(p, doc, j);
    if (j->checks > 0)
        hold_against_limits(p, j);
}

static void print_line(const struct plugin *p, const struct judgement *j) {
    char name[300], sentence[sizeof j->sentence];
    printf("CANDOR %s - %s%s%s%s", judge_name(j->state), target_words(p), plain(name, sizeof name, p->name),
           p->name[0] != '\0' ? ": " : "", plain(sentence, sizeof sentence, j->sentence));
    if (p->figures[0] != '\0')
        printf(" | %s", p->figures);
    printf("\n");
}

static enum judge_state report(struct plugin *p, const struct conf *conf) {
    struct judgement j = {0};
    struct err err = {0};
    char path[64] = "/health";
    json_t *doc = NULL;
    if (p->target == TARGET_SCOPE)
        (void)snprintf(path, sizeof path, "/health/%s", p->name);
    int rc = health_port_get(conf, path, p->timeout_ms, &doc, &err);
    if (rc == 0) {
        judge_target(p, &j, doc);
    } else {
        /* Silence is an alarm: whoever should know says nothing. What answered in another way is not ours to judge. */
        j.state = rc == E_INVALID ? JUDGE_UNKNOWN : JUDGE_CRITICAL;
        (void)snprintf(j.sentence, sizeof j.sentence, "%s", err.text);
    }
    print_line(p, &j);
    json_decref(doc);
    return j.state;
}

static int plugin(const struct args *a) {
    struct plugin p;
    struct conf *conf;
    if (read_all(&p, a) < 0)
        return JUDGE_UNKNOWN;
    if (args_config(a, &conf) < 0)
        return JUDGE_UNKNOWN;
    enum judge_state s = health_port_there(conf, "check") ? report(&p, conf) : JUDGE_UNKNOWN;
    conf_free(conf);
    return (int)s;
}

const struct command command_plugin = {
    .name = "check",
    .synopsis = "[SCOPE | zone NAME | upstream ADDRESS | worker N | peer NAME]",
    .summary = "a plug-in for Nagios: one line, figures, exit code 0 to 3",
    .manual =
        "Asks the health port of this node, at its address in the configuration, and says what it knows of the whole\n"
        "node, of one scope (process, worker, resolution, zones, replication, upstream, storage, peers, reporting,\n"
        "monitor), or of one zone, upstream, worker or peer. No probe is made for it, and no name is looked up.\n"
        "\n"
        "Exit code 0 OK, 1 WARNING, 2 CRITICAL, also when the health port gives no answer in time, 3 UNKNOWN: the\n"
        "evidence is too old, there is no such thing, or the command line or the configuration is wrong.\n"
        "\n"
        "Figures for graphs stand behind the bar. -w and -C are limits for the first of them: the age in seconds of\n"
        "the verdict, or of a zone's data (since its source last said that this is all, or its files were looked at);\n"
        "the time in milliseconds of the slowest answer of an upstream, a worker or a peer.\n"
        "\n"
        "  candor check                          candor check resolution\n"
        "  candor check zone bl.example -w 600 -C 3600\n"
        "  candor check upstream 192.0.2.53 -w 100 -C 500",
    .options = OPTION_CONFIG | OPTION_WARNING | OPTION_CRITICAL | OPTION_TIMEOUT,
    .max_args = 2,
    .run = plugin,
};
