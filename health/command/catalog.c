/* candor zone-add, zone-del, catalog: zones that come and go while the node runs. */
#include <stdio.h>
#include <string.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/out.h"

/* Sends it and shows the error, if there is one. */
static int ask(const struct args *a, const char *command, json_t *request, json_t **answer) {
    struct conf *conf;
    struct err err = {0};
    *answer = NULL;
    if (args_config(a, &conf) < 0) {
        json_decref(request);
        return EXIT_TROUBLE;
    }
    int rc = request != NULL ? ask_sync(conf, request, ASK_QUICK_MS, answer, &err)
                             : err_set(&err, E_INVALID, "an argument is not UTF-8");
    conf_free(conf);
    if (rc == 0)
        return EXIT_WELL;
    fprintf(stderr, "candor %s: %s\n", command, err.text);
    return EXIT_TROUBLE;
}

static void done(const struct args *a, json_t *answer, const char *what) {
    char zone[OUT_CELL_MAX];
    const char *name = ask_text(answer, "zone");
    if (a->json) {
        (void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
        printf("\n");
    } else {
        printf("%s: %s\n", out_clean(zone, sizeof zone, name, strlen(name)), what);
    }
    json_decref(answer);
}

static int zone_add(const struct args *a) {
    json_t *answer, *options = json_object(),
                    *request = json_pack("{s:s,s:s}", "command", "zone-add", "zone", a->at[0]);
    for (int i = 1; i < a->count; i++) {
        char key[64];
        const char *equals = strchr(a->at[i], '=');
        if (equals == NULL || (size_t)(equals - a->at[i]) >= sizeof key) {
            fprintf(stderr, "candor zone-add: \"%s\": expected KEY=VALUE\n", a->at[i]);
            json_decref(options);
            json_decref(request);
            return EXIT_USAGE;
        }
        memcpy(key, a->at[i], (size_t)(equals - a->at[i]));
        key[equals - a->at[i]] = '\0';
        (void)json_object_set_new(strcmp(key, "group") == 0 ? request : options, key, json_string(equals + 1));
    }
    (void)json_object_set_new(request, "options", options);
    int status = ask(a, "zone-add", request, &answer);
    if (status == EXIT_WELL)
        done(a, answer, "added; it is on the disk, and on its way to who follows a catalog of this node");
    return status;
}

static int zone_del(const struct args *a) {
    json_t *answer;
    int status =
        ask(a, "zone-del", json_pack("{s:s,s:s,s:b}", "command", "zone-del", "zone", a->at[0], "now", a->now), &answer);
    if (status == EXIT_WELL)
        done(a, answer, a->now ? "taken away" : "taken out of the catalogs; served until its grace is over");
    return status;
}

static void show_members(struct out_table *t, const char *catalog, const json_t *members) {
    size_t i;
    json_t *m;
    json_array_foreach(members, i, m) {
        const char *left = ask_text(m, "left");
        out_row(t, ask_text(m, "zone"), catalog, left[0] != '\0' ? "left" : "member", left, ask_text(m, "group"));
    }
}

static void show(const json_t *answer) {
    struct out_table *catalogs = out_table_new(5), *members = out_table_new(5);
    const json_t *list = json_object_get(answer, "catalogs");
    size_t i;
    json_t *c;
    out_row(catalogs, "catalog", "serial", "how", "members", "trouble");
    out_row(members, "zone", "catalog", "state", "left at", "group");
    json_array_foreach(list, i, c) {
        char serial[24], count[24];
        const char *name = ask_text(c, "catalog");
        bool made = ask_true(c, "produced");
        (void)snprintf(serial, sizeof serial, "%llu", (unsigned long long)ask_number(c, "serial"));
        (void)snprintf(count, sizeof count, "%zu", json_array_size(json_object_get(c, "members")));
        out_row(catalogs, name, serial, made ? "made here" : "followed", made ? "" : count, ask_text(c, "error"));
        show_members(members, name, json_object_get(c, "members"));
    }
    show_members(members, "(added here)", json_object_get(answer, "added"));
    out_table_print(catalogs, stdout, "");
    printf("\n");
    out_table_print(members, stdout, "");
}

/* 1: one of them is not followed. */
static int state_of(const json_t *answer) {
    const json_t *list = json_object_get(answer, "catalogs");
    size_t i;
    json_t *c;
    int status = EXIT_WELL;
    json_array_foreach(list, i, c) {
        if (ask_text(c, "error")[0] != '\0')
            status = EXIT_DIFFERS;
    }
    return status;
}

static int catalog(const struct args *a) {
    json_t *answer;
    bool accept = a->count == 2 && strcmp(a->at[0], "accept") == 0;
    if (a->count > 0 && !accept) {
        fprintf(stderr, "candor catalog: expected nothing, or accept CATALOG\n");
        return EXIT_USAGE;
    }
    json_t *request = accept ? json_pack("{s:s,s:s}", "command", "catalog", "accept", a->at[1])
                             : json_pack("{s:s}", "command", "catalog");
    int status = ask(a, "catalog", request, &answer);
    if (status != EXIT_WELL)
        return status;
    if (a->json) {
        (void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
        printf("\n");
    } else if (accept) {
        printf("%s: what was held back is followed now\n", ask_text(answer, "catalog"));
    } else {
        show(answer);
    }
    if (!accept)
        status = state_of(answer);
    json_decref(answer);
    return status;
}

const struct command command_zone_add = {
    .name = "zone-add",
    .synopsis = "ZONE [KEY=VALUE...]",
    .summary = "adds a zone while the node runs",
    .manual =
        "The zone is there at once, in every process of the node, and stays over restarts; it stands in the catalogs\n"
        "that this node makes (`rbl.catalogs` without primaries), so that every node that follows them has it too.\n"
        "\n"
        "Keys and values are those of a zone in candor.yaml, the values in YAML: ttl=60s, 'update=[{key: pub.}]',\n"
        "limits.shrink=80%, 'data=[{type: ip4set, files: [/srv/list]}]'. Without data and primaries it lives from\n"
        "updates and `candor add`. group=NAME puts it into a group of the catalogs. Exit code 0: done, durably; 2: "
        "not.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .min_args = 1,
    .max_args = 64,
    .run = zone_add,
};

const struct command command_zone_del = {
    .name = "zone-del",
    .synopsis = "ZONE",
    .summary = "takes away a zone that was added by zone-add",
    .manual =
        "It leaves the catalogs of this node at once; here it is served until the grace of the catalogs is over (one\n"
        "day), then its files are deleted. `candor zone-add` before that brings it back as it was. --now: without\n"
        "grace; its entries are gone then. Exit code 0: done, durably; 2: not.",
    .options = OPTION_CONFIG | OPTION_JSON | OPTION_NOW,
    .min_args = 1,
    .max_args = 1,
    .run = zone_del,
};

const struct command command_catalog = {
    .name = "catalog",
    .synopsis = "[accept CATALOG]",
    .summary = "catalogs of this node, their zones, and what is wrong with them",
    .manual =
        "Catalogs that are followed and made, the zones that came with them or were added here, which of them left\n"
        "and when, and why a catalog is not followed. `accept CATALOG` follows a change that was held back because\n"
        "it would take away more zones than `shrink` lets. Exit code 0: all are followed; 1: one is not; 2: an error.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .max_args = 2,
    .run = catalog,
};
