/* candor why: which entries of a zone answer for an address or a name, and where they come from. */
#include <stdio.h>
#include <string.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/out.h"

static void show_match(const json_t *m) {
    char entry[OUT_CELL_MAX], line[OUT_CELL_MAX], file[OUT_CELL_MAX];
    const char *txt = ask_text(m, "txt"), *since = ask_text(m, "since"), *text = ask_text(m, "text");
    out_clean(entry, sizeof entry, ask_text(m, "entry"), strlen(ask_text(m, "entry")));
    printf("  %s (%s): ", entry, ask_text(m, "type"));
    if (ask_true(m, "excluded")) {
        printf("excluded, so not listed whatever a wider entry says\n");
    } else {
        printf("A %s", ask_text(m, "a"));
        if (txt[0] != '\0')
            printf(", TXT \"%s\"", out_clean(line, sizeof line, txt, strlen(txt)));
        printf("\n");
    }
    if (ask_number(m, "line") > 0)
        printf("    %s:%llu: %s\n", out_clean(file, sizeof file, ask_text(m, "file"), strlen(ask_text(m, "file"))),
               (unsigned long long)ask_number(m, "line"), out_clean(line, sizeof line, text, strlen(text)));
    if (ask_number(m, "since_serial") > 0)
        printf("    since serial %llu, %s, from %s\n", (unsigned long long)ask_number(m, "since_serial"),
               since[0] != '\0' ? since : "time unknown",
               out_clean(line, sizeof line, ask_text(m, "source"), strlen(ask_text(m, "source"))));
    else
        printf("    since before the journal begins\n");
}

static int why(const struct args *a) {
    struct conf *conf;
    struct err err = {0};
    json_t *answer = NULL;
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    json_t *request = json_pack("{s:s,s:s,s:s}", "command", "why", "zone", a->at[1], "what", a->at[0]);
    int rc = ask_sync(conf, request, ASK_QUICK_MS, &answer, &err);
    conf_free(conf);
    if (rc < 0) {
        fprintf(stderr, "candor why: %s\n", err.text);
        return EXIT_TROUBLE;
    }
    char what[OUT_CELL_MAX], zone[OUT_CELL_MAX];
    bool listed = ask_true(answer, "listed");
    const json_t *matches = json_object_get(answer, "matches"), *m;
    size_t i;
    printf("%s is %s in %s (serial %llu)\n", out_clean(what, sizeof what, a->at[0], strlen(a->at[0])),
           listed ? "listed" : "not listed", out_clean(zone, sizeof zone, a->at[1], strlen(a->at[1])),
           (unsigned long long)ask_number(answer, "serial"));
    json_array_foreach(matches, i, m) show_match(m);
    json_decref(answer);
    return listed ? EXIT_WELL : EXIT_NOT_LISTED;
}

const struct command command_why = {
    .name = "why",
    .synopsis = "ADDRESS|NAME ZONE",
    .summary = "which entries answer for it: file, line, serial and time",
    .manual = "Asks candor-sync for every entry of the zone that matches, exclusions too: what it answers, in which "
              "file and\n"
              "line it stands, and with which serial, when and from what source it came. Exit code 0: listed; 1: not\n"
              "listed; 2: the zone is not on this node, or candor-sync does not answer.",
    .options = OPTION_CONFIG,
    .min_args = 2,
    .max_args = 2,
    .run = why,
};
