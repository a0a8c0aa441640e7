/* candor publish: hands files to candor-sync, or has it read the configured ones now, and waits until the change is
 * durable. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/out.h"
#include "resolver/base/limits.h"

enum { PUBLISH_ARGUMENTS = 1 + LIMIT_DATASETS * LIMIT_FILES };

/* "ip4set:bl/ip4.txt" -> {"type":"ip4set","path":"/srv/bl/ip4.txt"} */
static json_t *file_argument(const char *text, struct err *err) {
    char path[PATH_MAX];
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0') {
        (void)err_set(err, E_INVALID, "'%s': expected TYPE:FILE, as ip4set:list.txt", text);
        return NULL;
    }
    if (realpath(colon + 1, path) == NULL) {
        (void)err_errno(err, "%s", colon + 1);
        return NULL;
    }
    json_t *o = json_pack("{s:s%,s:s}", "type", text, (size_t)(colon - text), "path", path);
    if (o == NULL)
        (void)err_set(err, E_INVALID, "'%s' is not UTF-8", text);
    return o;
}

static json_t *request(const struct args *a, struct err *err) {
    json_t *files = json_array();
    for (int i = 1; i < a->count; i++) {
        json_t *file = file_argument(a->at[i], err);
        if (file == NULL) {
            json_decref(files);
            return NULL;
        }
        json_array_append_new(files, file);
    }
    json_t *o = json_pack("{s:s,s:s,s:o,s:b,s:s?}", "command", "publish", "zone", a->at[0], "files", files, "dry_run",
                          (int)a->dry_run, "force", a->force);
    if (o == NULL)
        (void)err_set(err, E_INVALID, "the zone or the reason is not UTF-8");
    return o;
}

static void show_lines(const json_t *list, const char *indent) {
    const json_t *line;
    size_t i;
    json_array_foreach(list, i, line) {
        char clean[OUT_CELL_MAX];
        printf("%s%s\n", indent, out_clean(clean, sizeof clean, json_string_value(line), json_string_length(line)));
    }
}

static void show(const struct args *a, const json_t *answer) {
    char added[32], removed[32], entries[32], bytes[32], took[32], zone[OUT_CELL_MAX];
    out_clean(zone, sizeof zone, a->at[0], strlen(a->at[0]));
    bool changed = ask_true(answer, "changed");
    out_count(entries, ask_number(answer, "entries"));
    out_count(added, ask_number(answer, "added"));
    out_count(removed, ask_number(answer, "removed"));
    if (!changed)
        printf("%s: nothing changed, serial %llu, %s entries\n", zone, (unsigned long long)ask_number(answer, "serial"),
               entries);
    else if (a->dry_run)
        printf("%s: would add %s and remove %s of %s (nothing was changed; a changed value is one of each)\n", zone,
               added, removed, entries);
    else
        printf("%s: serial %llu, %s added, %s removed, %s entries now; %s written in %s%s\n", zone,
               (unsigned long long)ask_number(answer, "serial"), added, removed, entries,
               out_bytes(bytes, ask_number(answer, "bytes")), out_age(took, (double)ask_number(answer, "micros") / 1e6),
               ask_true(answer, "bulk") ? " (whole new generation)" : "");
    show_lines(json_object_get(answer, "first"), "  ");
    uint64_t shown = json_array_size(json_object_get(answer, "first")),
             all = ask_number(answer, "added") + ask_number(answer, "removed");
    if (shown > 0 && all > shown)
        printf("  ... and %s more\n", out_count(added, all - shown));
    if (ask_number(answer, "bad_lines") > 0) {
        printf("%s line%s could not be read and were left out:\n", out_count(added, ask_number(answer, "bad_lines")),
               ask_number(answer, "bad_lines") == 1 ? "" : "s");
        show_lines(json_object_get(answer, "notes"), "  ");
    }
}

static int publish(const struct args *a) {
    struct conf *conf;
    struct err err = {0};
    json_t *answer = NULL;
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    json_t *ask = request(a, &err);
    int rc = ask != NULL ? ask_sync(conf, ask, ASK_COMMIT_MS, &answer, &err) : err.code;
    if (rc == 0)
        show(a, answer);
    else
        fprintf(stderr, "candor publish: %s\n", err.text);
    json_decref(answer);
    conf_free(conf);
    return rc == 0 ? EXIT_WELL : EXIT_TROUBLE;
}

const struct command command_publish = {
    .name = "publish",
    .synopsis = "ZONE [TYPE:FILE...]",
    .summary = "replaces what a zone lists by the contents of files, as one change",
    .manual =
        "TYPE is that of an rbldnsd data file: ip4set, ip4tset, ip4trie, ip6tset, ip6trie, dnset, generic, combined,\n"
        "acl; files of one type are read as one. All files together are the new\n"
        "contents of the zone; what differs from the old is committed in one transaction, and the command returns\n"
        "when that is durable. Without files a zone that has `data:` in the configuration reads its files now.\n"
        "--dry-run says what would change. --force REASON skips the limits on how much a zone may shrink or grow;\n"
        "the reason goes into its history. Exit code 0; 2 when it was refused or failed: the old contents stay.",
    .options = OPTION_CONFIG | OPTION_DRY_RUN | OPTION_FORCE,
    .min_args = 1,
    .max_args = PUBLISH_ARGUMENTS,
    .run = publish,
};
