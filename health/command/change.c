/* candor add, candor del: entries of a zone one by one, durable when the command returns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/command/ask.h"
#include "health/command/command.h"
#include "health/command/dropin.h"
#include "health/command/out.h"

/* Standard input goes to candor-sync in requests of this size, each one commit; a control line has 1 MiB. */
enum { CHANGE_ENTRIES = 4096, CHANGE_BYTES = 256 << 10, CHANGE_LINE = 4096, CHANGE_ARGUMENTS = 4096 };

struct change {
    const struct args *a;
    const struct conf *conf;
    bool remove;
    uint32_t for_s; /* 0: they stay */
    json_t *list;
    size_t bytes;
    uint64_t serial, added, removed, entries, micros;
};

static int send_list(struct change *c, struct err *err) {
    json_t *answer = NULL;
    if (json_array_size(c->list) == 0)
        return 0;
    json_t *ask = json_pack("{s:s,s:s,s:b,s:O,s:s?}", "command", "change", "zone", c->a->at[0], "remove",
                            (int)c->remove, "entries", c->list, "force", c->a->force);
    int rc = ask_sync(c->conf, ask, ASK_COMMIT_MS, &answer, err);
    json_array_clear(c->list);
    c->bytes = 0;
    if (rc < 0)
        return rc;
    c->serial = ask_number(answer, "serial");
    c->added += ask_number(answer, "added");
    c->removed += ask_number(answer, "removed");
    c->entries = ask_number(answer, "entries");
    c->micros += ask_number(answer, "micros");
    json_decref(answer);
    return 0;
}

/* `value` "": none given. */
static int put(struct change *c, const char *entry, const char *value, struct err *err) {
    json_t *o = json_pack("{s:s}", "entry", entry);
    int rc = o == NULL ? -1 : 0;
    if (rc == 0 && value[0] != '\0')
        rc = json_object_set_new(o, "value", json_string(value));
    if (rc == 0 && c->for_s > 0)
        rc = json_object_set_new(o, "for_s", json_integer(c->for_s));
    if (rc != 0 || json_array_append_new(c->list, o) != 0)
        return err_set(err, E_INVALID, "entry or value is not UTF-8");
    c->bytes += strlen(entry) + strlen(value) + 64;
    if (json_array_size(c->list) < CHANGE_ENTRIES && c->bytes < CHANGE_BYTES)
        return 0;
    return send_list(c, err);
}

/* "ENTRY [VALUE]" as in a data file; comments and empty lines are passed over. */
static int put_line(struct change *c, char *line, struct err *err) {
    char *entry = line + strspn(line, " \t");
    size_t size = strcspn(entry, " \t\r\n");
    char *value = entry + size + strspn(entry + size, " \t");
    value[strcspn(value, "\r\n")] = '\0';
    entry[size] = '\0';
    if (size == 0 || entry[0] == '#' || entry[0] == ';')
        return 0;
    return put(c, entry, value[0] == '#' || value[0] == ';' ? "" : value, err);
}

static int put_input(struct change *c, struct err *err) {
    char line[CHANGE_LINE];
    for (unsigned long n = 1; fgets(line, sizeof line, stdin) != NULL; n++) {
        if (strlen(line) == sizeof line - 1 && line[sizeof line - 2] != '\n')
            return err_set(err, E_RANGE, "standard input, line %lu: longer than %d", n, CHANGE_LINE);
        int rc = put_line(c, line, err);
        if (rc < 0)
            return err_prefix(err, "standard input, line %lu or up to %d before it", n, CHANGE_ENTRIES);
    }
    return ferror(stdin) ? err_errno(err, "standard input") : 0;
}

static int put_all(struct change *c, struct err *err) {
    const struct args *a = c->a;
    int last = a->count - 1, rc = 0;
    /* No entry begins with a colon, every value does. */
    bool has_value = last > 0 && a->at[last][0] == ':';
    for (int i = 1; i < a->count - has_value && rc == 0; i++)
        rc = strcmp(a->at[i], "-") == 0 ? put_input(c, err) : put(c, a->at[i], has_value ? a->at[last] : "", err);
    return rc == 0 ? send_list(c, err) : rc;
}

static void show(const struct change *c) {
    char added[32], removed[32], entries[32], took[32], zone[OUT_CELL_MAX];
    if (c->a->json) {
        printf("{\"serial\":%llu,\"added\":%llu,\"removed\":%llu,\"entries\":%llu,\"micros\":%llu}\n",
               (unsigned long long)c->serial, (unsigned long long)c->added, (unsigned long long)c->removed,
               (unsigned long long)c->entries, (unsigned long long)c->micros);
        return;
    }
    out_clean(zone, sizeof zone, c->a->at[0], strlen(c->a->at[0]));
    if (c->added == 0 && c->removed == 0)
        printf("%s: nothing changed, serial %llu\n", zone, (unsigned long long)c->serial);
    else
        printf("%s: serial %llu, %s added, %s removed, %s entries now; durable after %s\n", zone,
               (unsigned long long)c->serial, out_count(added, c->added), out_count(removed, c->removed),
               out_count(entries, c->entries), out_age(took, (double)c->micros / 1e6));
}

static int change(const struct args *a, const char *name, bool remove) {
    struct conf *conf;
    struct err err = {0};
    struct change c = {.a = a, .remove = remove, .list = json_array()};
    if (a->ttl_of_entry != NULL && (!dropin_time(a->ttl_of_entry, &c.for_s) || c.for_s == 0)) {
        fprintf(stderr, "candor %s: --ttl-of-entry %s: expected a time such as 90s, 30m, 1h or 7d\n", name,
                a->ttl_of_entry);
        json_decref(c.list);
        return EXIT_USAGE;
    }
    if (args_config(a, &conf) < 0) {
        json_decref(c.list);
        return EXIT_TROUBLE;
    }
    c.conf = conf;
    int rc = c.list != NULL ? put_all(&c, &err) : err_set(&err, E_NOMEM, "no memory");
    if (rc == 0 || c.added + c.removed > 0)
        show(&c);
    if (rc < 0)
        fprintf(stderr, "candor %s: %s\n", name, err.text);
    json_decref(c.list);
    conf_free(conf);
    return rc == 0 ? EXIT_WELL : EXIT_TROUBLE;
}

static int add(const struct args *a) { return change(a, "add", false); }

static int del(const struct args *a) { return change(a, "del", true); }

const struct command command_add = {
    .name = "add",
    .synopsis = "ZONE ENTRY... [:A:TXT]",
    .summary = "lists addresses, networks or names by hand, durably",
    .manual =
        "ENTRY is one of a data file: an address, a network, a name, *.name; with ! in front it is excluded: not\n"
        "listed whatever a wider entry says. In a zone of generic data ENTRY is a name and the last argument its RR,\n"
        "as \":A 192.0.2.1\". \"-\" reads lines \"ENTRY [VALUE]\" from standard input, 4096 a commit. The last "
        "argument,\n"
        "when it begins with a colon, is the value of all entries (\":127.0.0.4:\", \":4:text about $\"); else it is\n"
        ":127.0.0.2:. What was added this way stays when the files of the zone change, until `candor del` or the end\n"
        "of its time. --force REASON skips the limits on how much a zone may grow or shrink; the reason goes into its\n"
        "history. Exit code 0 when all of it is durable; 2 when not: what was not told as done, was not done.",
    .options = OPTION_CONFIG | OPTION_JSON | OPTION_TTL_OF_ENTRY | OPTION_FORCE,
    .min_args = 2,
    .max_args = CHANGE_ARGUMENTS,
    .run = add,
};

const struct command command_del = {
    .name = "del",
    .synopsis = "ZONE ENTRY... [:A:TXT]",
    .summary = "takes entries away by hand, those of files too, durably",
    .manual =
        "ENTRY as in `candor add`, exactly as it is listed: to take one address out of a listed network, add it as\n"
        "an exclusion (!ADDRESS). An entry that a file lists stays away when the file comes again. With a value\n"
        "only the entry with this value goes. \"-\" reads entries from standard input. --ttl-of-entry: what a file\n"
        "lists comes back by itself after this time. --force and the exit code as with `candor add`.",
    .options = OPTION_CONFIG | OPTION_JSON | OPTION_TTL_OF_ENTRY | OPTION_FORCE,
    .min_args = 2,
    .max_args = CHANGE_ARGUMENTS,
    .run = del,
};
