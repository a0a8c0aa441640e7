/* candor diff: what changed in a zone from one serial to another, from its journal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/command/zone.h"

struct diff {
    bool json;
    uint64_t changes;
};

static int line(void *ctx, bool removed, const struct keep_entry *e) {
    struct diff *d = ctx;
    char entry[ZONE_ENTRY_MAX], value[VALUE_TEXT_MAX];
    d->changes++;
    if (d->json) {
        zone_entry_json(stdout, e, removed ? "removed" : "added", e->dataset == DATASET_LOCAL ? "local" : "file");
        return ferror(stdout) ? E_IO : 0;
    }
    (void)zone_entry_text(e, entry);
    printf("%c%s%s%s%s\n", removed ? '-' : '+', e->excluded ? "!" : "", entry, e->excluded ? "" : " ",
           e->excluded ? "" : value_text(&e->value, value));
    return ferror(stdout) ? E_IO : 0;
}

static bool serial_of(const char *text, uint32_t *serial) {
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    *serial = (uint32_t)n;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && n <= UINT32_MAX;
}

static int diff(const struct args *a) {
    struct zone z;
    struct err err = {0};
    struct diff d = {.json = a->json};
    struct keep_state now;
    uint32_t from, to = 0;
    if (!serial_of(a->at[1], &from) || (a->count > 2 && !serial_of(a->at[2], &to))) {
        fprintf(stderr, "candor diff: '%s' is no serial: candor history shows them\n",
                serial_of(a->at[1], &from) ? a->at[2] : a->at[1]);
        return EXIT_USAGE;
    }
    int code = zone_open(&z, a, "diff", a->at[0]);
    if (code == 0) {
        keep_state(z.keep, &now);
        int rc = keep_diff(z.keep, from, a->count > 2 ? to : now.serial, line, &d, &err);
        if (rc == 0 && fflush(stdout) != 0)
            rc = err_errno(&err, "standard output");
        if (rc < 0)
            fprintf(stderr, "candor diff: %s\n", err.text[0] != '\0' ? err.text : err_name(rc));
        code = rc < 0 ? EXIT_TROUBLE : d.changes > 0 ? EXIT_DIFFERS : EXIT_WELL;
    }
    zone_close(&z);
    return code;
}

const struct command command_diff = {
    .name = "diff",
    .synopsis = "ZONE SERIAL [SERIAL]",
    .summary = "what changed in a zone between two serials",
    .manual =
        "One line an entry: + came, - went; a changed value is both. What came and went between the two is not\n"
        "told. Without the second serial up to now. Read from the journal of the zone: candor-sync need not run.\n"
        "--json: one object a line. Exit code 0: no difference; 1: differences; 2: a serial is not, or no longer,\n"
        "in the journal, or the zone can not be read.",
    .options = OPTION_CONFIG | OPTION_JSON,
    .min_args = 2,
    .max_args = 3,
    .run = diff,
};
