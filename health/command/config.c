/* candor config: options of nodes that travel in a catalog, published on one node, shown on each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/out.h"
#include "health/command/shown.h"
#include "resolver/base/bytes.h"
#include "resolver/base/conf_remote.h"

static int trouble(const char *what) {
    fprintf(stderr, "candor config: %s\n", what);
    return EXIT_TROUBLE;
}

/* "-": standard input. One octet more than may be, so that it is seen. */
static int slurp(const char *path, char **text, size_t *size, struct err *err) {
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    *size = 0;
    *text = malloc(REMOTE_BYTES + 2);
    int rc = f == NULL ? err_errno(err, "%s", path) : *text == NULL ? err_set(err, E_NOMEM, "no memory") : 0;
    if (rc == 0) {
        *size = fread(*text, 1, REMOTE_BYTES + 1, f);
        (*text)[*size] = '\0';
        if (ferror(f) != 0)
            rc = err_errno(err, "%s", path);
        else if (strlen(*text) != *size)
            rc = err_set(err, E_INVALID, "%s:1: expected text", path);
    }
    if (f != NULL && f != stdin)
        (void)fclose(f);
    return rc;
}

static int tell_sync(const struct args *a, json_t *request) {
    struct conf *conf = NULL;
    struct err err = {.text = ""};
    json_t *answer = NULL;
    if (a->count > (strcmp(a->at[0], "publish") == 0 ? 2 : 1))
        (void)json_object_set_new(request, "catalog", json_string(a->at[a->count - 1]));
    if (args_config(a, &conf) < 0) {
        json_decref(request);
        return EXIT_TROUBLE;
    }
    int rc = ask_sync(conf, request, ASK_QUICK_MS, &answer, &err);
    conf_free(conf);
    if (rc < 0)
        return trouble(err.text);
    if (a->json) {
        (void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
        printf("\n");
    } else {
        printf("%s: version %llu %s\n", ask_text(answer, "catalog"), (unsigned long long)ask_number(answer, "version"),
               ask_true(answer, "changed") ? "is on its way to who follows the catalog" : "says the same already");
    }
    json_decref(answer);
    return EXIT_WELL;
}

/* Checked here first, so that what is wrong is told with the name of the file. */
static int publish(const struct args *a) {
    struct remote_version v = {.number = 0};
    struct err err = {.text = ""};
    char *text = NULL;
    size_t size;
    int rc = slurp(a->at[1], &text, &size, &err);
    if (rc == 0)
        rc = conf_remote_make(&v, text, size, a->at[1], &err);
    free(text);
    int status = EXIT_WELL;
    if (rc < 0)
        status = trouble(err.text);
    else if (a->dry_run)
        printf("%s\n", v.text);
    else
        status = tell_sync(a, json_pack("{s:s,s:s}", "command", "config-publish", "text", v.text));
    remote_version_free(&v);
    return status;
}

/* --- show: what the files say, whether the node runs or not --- */

struct shown {
    const struct conf *conf;
    struct out_table *table;
    json_t *list;
    bool bad;
};

static void at_text(char to[32], int64_t wall_s) {
    time_t t = (time_t)wall_s;
    struct tm tm;
    to[0] = '\0';
    if (wall_s > 0 && gmtime_r(&t, &tm) != NULL)
        (void)strftime(to, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* A version that is there, as a row. */
static bool row(struct shown *s, const char *catalog, const char *file, const char *what, struct remote_version *v) {
    struct err err = {.text = ""};
    char number[24], at[32];
    int rc = remote_read(v, s->conf->node.state, file, &err);
    if (rc == E_NOTFOUND)
        return false;
    if (rc < 0) {
        s->bad = true;
        out_row(s->table, catalog, what, "", "", err.text);
        return false;
    }
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)v->number);
    at_text(at, v->wall_s);
    out_row(s->table, catalog, what, number, at, v->words);
    (void)json_array_append_new(s->list,
                                json_pack("{s:s,s:s,s:I,s:s,s:I,s:s,s:s}", "catalog", catalog, "is", what, "version",
                                          (json_int_t)v->number, "digest", v->digest, "at", (json_int_t)v->wall_s,
                                          "words", v->words, "text", v->text != NULL ? v->text : ""));
    return true;
}

static void show_followed(struct shown *s, const char *catalog) {
    struct remote_version applied, trying, offered, refused;
    bool has = row(s, catalog, "applied", "holds", &applied);
    if (row(s, catalog, "trying", "on trial", &trying))
        remote_version_free(&trying);
    bool said = row(s, catalog, "offered", "the catalog says", &offered);
    bool given_up = row(s, catalog, "refused", "given up", &refused);
    bool holds = has && said && remote_same(&applied, &offered);
    s->bad |= said && ((given_up && !holds && remote_same(&offered, &refused)) || offered.words[0] != '\0');
    if (has)
        remote_version_free(&applied);
    if (said)
        remote_version_free(&offered);
    if (given_up)
        remote_version_free(&refused);
}

static int show(const struct args *a) {
    struct conf *conf;
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    struct shown s = {.conf = conf, .table = out_table_new(5), .list = json_array()};
    struct remote_version v;
    char name[REMOTE_NAME];
    out_row(s.table, "catalog", "", "version", "at", "trouble");
    for (size_t i = 0; i < conf->rbl.catalog_count; i++) {
        const char *catalog = conf->rbl.catalogs[i].name;
        remote_name(name, "published", catalog);
        if (conf->rbl.catalogs[i].primaries.count == 0 && row(&s, catalog, name, "published", &v))
            remote_version_free(&v);
    }
    if (conf->node.remote.catalog[0] != '\0')
        show_followed(&s, conf->node.remote.catalog);
    if (a->json) {
        (void)json_dumpf(s.list, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
        printf("\n");
        out_table_free(s.table);
    } else {
        out_table_print(s.table, stdout, "");
    }
    json_decref(s.list);
    conf_free(conf);
    return s.bad ? EXIT_DIFFERS : EXIT_WELL;
}

/* The versions alone; reading fails without a word: `candor config show` has them. */
static uint64_t number_of(const struct conf *conf, const char *file, char words[REMOTE_WORDS]) {
    struct remote_version v;
    struct err err = {.text = ""};
    if (remote_read(&v, conf->node.state, file, &err) < 0)
        return 0;
    uint64_t n = v.number;
    text_copy(words, REMOTE_WORDS, v.words);
    remote_version_free(&v);
    return n;
}

void config_status_line(const struct conf *conf, FILE *to) {
    char words[REMOTE_WORDS] = "", clean[OUT_CELL_MAX], none[REMOTE_WORDS];
    const char *catalog = conf->node.remote.catalog;
    if (catalog[0] == '\0')
        return;
    unsigned long long holds = number_of(conf, "applied", none), tried = number_of(conf, "trying", none),
                       said = number_of(conf, "offered", words), refused = number_of(conf, "refused", none);
    if (words[0] == '\0' && refused == said && said != holds)
        text_copy(words, sizeof words, none);
    (void)fprintf(to, "  options from %s: version ", out_clean(clean, sizeof clean, catalog, strlen(catalog)));
    (void)fprintf(to, "%llu holds", holds);
    if (tried > 0)
        (void)fprintf(to, ", %llu is on trial", tried);
    if (said != holds && said != tried)
        (void)fprintf(to, ", the catalog says %llu%s", said, said > 0 && refused == said ? ", which was given up" : "");
    (void)fprintf(to, "%s%s (candor config)\n", words[0] != '\0' ? ": " : "",
                  out_clean(clean, sizeof clean, words, strlen(words)));
}

static int config(const struct args *a) {
    const char *what = a->count > 0 ? a->at[0] : "show";
    if (strcmp(what, "show") == 0 && a->count <= 1)
        return show(a);
    if (strcmp(what, "publish") == 0 && (a->count == 2 || a->count == 3))
        return publish(a);
    if (strcmp(what, "rollback") == 0 && a->count <= 2)
        return tell_sync(a, json_pack("{s:s}", "command", "config-rollback"));
    fprintf(stderr, "candor config: expected show, publish FILE [CATALOG] or rollback [CATALOG]\n");
    return EXIT_USAGE;
}

const struct command command_config = {
    .name = "config",
    .synopsis = "[show | publish FILE [CATALOG] | rollback [CATALOG]]",
    .summary = "options of nodes that travel in a catalog: publish them, see which version holds",
    .manual =
        "publish, on the node that makes the catalog: checks FILE (\"-\": standard input) as candor.yaml is checked "
        "and\n"
        "puts it into the catalog as the next version. It may hold health.peers, interval, canary, service-addresses,\n"
        "fall, rise, report.datagram, report.https (address, tls-name, key) and monitor.nodes, for all nodes or below\n"
        "nodes.NAME for one; never secrets, files, commands or ports. --dry-run: shows how it would travel. rollback\n"
        "publishes the version before, as a new one.\n"
        "\n"
        "show: what was published here; of node.remote, which version holds, which is on trial, what the catalog says\n"
        "and what was given up, with the reason. Exit code 0: well; 1: the catalog's version was given up or cannot "
        "be\n"
        "had; 2: an error, such as an option that may not travel.",
    .options = OPTION_CONFIG | OPTION_JSON | OPTION_DRY_RUN,
    .max_args = 3,
    .run = config,
};
