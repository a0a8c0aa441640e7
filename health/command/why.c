/* candor why: which entries of which zones answer for an address or a name, and where they come from. */
#include "health/command/why.h"

#include <stdio.h>
#include <string.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/out.h"

/* A member, cleaned for the terminal, in one of two places that take turns. */
static const char *shown(const json_t *o, const char *key) {
    static char text[4][OUT_CELL_MAX];
    static unsigned turn;
    const char *from = ask_text(o, key);
    turn = (turn + 1) % 4;
    return out_clean(text[turn], sizeof text[turn], from, strlen(from));
}

static void show_source(const json_t *m) {
    if (ask_number(m, "line") > 0)
        printf("    %s:%llu: %s\n", shown(m, "file"), (unsigned long long)ask_number(m, "line"), shown(m, "text"));
    if (ask_number(m, "since_serial") > 0)
        printf("    since serial %llu, %s, from %s\n", (unsigned long long)ask_number(m, "since_serial"),
               ask_text(m, "since")[0] != '\0' ? shown(m, "since") : "time unknown", shown(m, "source"));
    else
        printf("    since before the journal begins\n");
    if (ask_text(m, "until")[0] != '\0')
        printf("    until %s\n", shown(m, "until"));
}

static void show_match(const json_t *m) {
    printf("  %s (%s): ", shown(m, "entry"), ask_true(m, "local") ? "by hand" : shown(m, "type"));
    if (ask_true(m, "excluded"))
        printf("excluded, so not listed whatever a wider entry says\n");
    else
        printf("%s%s\n", shown(m, "value"), ask_true(m, "silenced") ? ", but an exclusion by hand silences it" : "");
    show_source(m);
}

static void show_zone(const char *what, const json_t *z) {
    char clean[OUT_CELL_MAX];
    const json_t *matches = json_object_get(z, "matches"), *m;
    size_t i;
    if (!ask_true(z, "ok")) {
        printf("%s: %s\n", shown(z, "zone"), shown(z, "error"));
        return;
    }
    printf("%s is %s in %s (serial %llu)%s\n", out_clean(clean, sizeof clean, what, strlen(what)),
           ask_true(z, "listed") ? "listed" : "not listed", shown(z, "zone"),
           (unsigned long long)ask_number(z, "serial"), json_array_size(matches) == 0 ? ": no entry holds it" : "");
    json_array_foreach(matches, i, m) show_match(m);
}

/* Asks candor-sync, which knows files and lines, too; when it can not answer, the zones themselves. An array of zones.
 */
static json_t *ask(const struct conf *conf, const struct args *a, struct err *err) {
    const char *zone = a->count > 1 ? a->at[1] : NULL;
    json_t *answer = NULL, *zones = NULL;
    json_t *request = json_pack("{s:s,s:s}", "command", "why", "what", a->at[0]);
    if (zone != NULL)
        json_object_set_new(request, "zone", json_string(zone));
    int rc = ask_sync(conf, request, ASK_QUICK_MS, &answer, err);
    if (rc == 0 && zone != NULL) {
        json_object_set_new(answer, "zone", json_string(zone));
        return json_pack("[o]", answer);
    }
    if (rc == 0) {
        zones = json_incref(json_object_get(answer, "zones"));
        if (ask_number(answer, "left_off") > 0)
            fprintf(stderr, "candor why: %llu more entries match: name the zone\n",
                    (unsigned long long)ask_number(answer, "left_off"));
        json_decref(answer);
        return zones;
    }
    if (!ask_unheard(rc))
        return NULL;
    fprintf(stderr, "candor why: %s; read from the zones themselves, which do not know files and lines\n", err->text);
    return why_read(conf, zone, a->at[0], err);
}

static int why(const struct args *a) {
    struct conf *conf;
    struct err err = {0};
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    json_t *zones = ask(conf, a, &err);
    const json_t *z;
    size_t i;
    bool listed = false, well = zones != NULL;
    json_array_foreach(zones, i, z) {
        listed |= ask_true(z, "listed");
        well &= ask_true(z, "ok");
        if (!a->json)
            show_zone(a->at[0], z);
    }
    if (zones == NULL)
        fprintf(stderr, "candor why: %s\n", err.text);
    else if (a->json && json_dumpf(zones, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) == 0)
        printf("\n");
    else if (json_array_size(zones) == 0)
        printf("no zone of this node has an entry for it\n");
    json_decref(zones);
    conf_free(conf);
    return listed ? EXIT_WELL : well ? EXIT_NOT_LISTED : EXIT_TROUBLE;
}

const struct command command_why = {
    .name = "why",
    .synopsis = "ADDRESS|NAME [ZONE]",
    .summary = "which entries answer for it: file, line, who, serial and time; or why none does",
    .manual =
        "Every entry that holds the address or name, exclusions too, in one zone or in all: what it answers, in which\n"
        "file and line it stands or who added it, with which serial, when, and until when. candor-sync is asked; when\n"
        "it does not run or hangs, the zones are read themselves, without files and lines. Exit code 0: listed; 1: "
        "not\n"
        "listed; 2: the zone is not on this node, or can not be read.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .min_args = 1,
    .max_args = 2,
    .run = why,
};
