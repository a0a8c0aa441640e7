/* candor export: a zone for other programs, and in two formats of one entry a line. */
#include "health/command/export.h"

#include <stdlib.h>
#include <string.h>

enum { OUTPUT_BUFFER = 1 << 20 };

static const struct {
    const char *name;
    int (*write)(struct export *x, struct err *err);
} formats[] = {{"rbldnsd", export_rbldnsd}, {"bind", export_bind}, {"plain", export_plain}, {"json", export_json}};

const char *export_type(const struct export *x, unsigned dataset) {
    return dataset < x->datasets ? conf_dataset_name(x->dataset[dataset].type) : "local";
}

bool export_attached(const struct export *x, unsigned dataset, const struct name *sub) {
    const struct dataset *d = dataset < x->datasets ? &x->dataset[dataset] : NULL;
    if (d == NULL || d->sub_count == 0)
        return sub->labels == 0;
    for (unsigned i = 0; i < d->sub_count; i++)
        if (name_equal(&d->sub[i], sub))
            return true;
    return false;
}

static int plain_line(void *ctx, const struct keep_entry *e) {
    struct export *x = ctx;
    char text[ZONE_ENTRY_MAX + 1];
    size_t size = zone_entry_text(e, text);
    text[size++] = '\n';
    if (e->excluded)
        fputc('!', x->to);
    return fwrite(text, 1, size, x->to) == size ? 0 : E_IO;
}

int export_plain(struct export *x, struct err *err) { return keep_walk(x->keep, plain_line, x, err); }

static int json_line(void *ctx, const struct keep_entry *e) {
    struct export *x = ctx;
    zone_entry_json(x->to, e, NULL, export_type(x, e->dataset));
    return ferror(x->to) ? E_IO : 0;
}

int export_json(struct export *x, struct err *err) { return keep_walk(x->keep, json_line, x, err); }

static int write_zone(struct zone *z, size_t format, struct err *err) {
    struct keep_state st;
    struct export x = {.to = stdout, .keep = z->keep, .zone = z->zone->name};
    keep_state(z->keep, &st);
    x.serial = st.serial;
    x.apex = keep_apex(z->keep, &x.dataset, &x.datasets);
    if (x.apex == NULL)
        return err_set(err, E_NOTFOUND, "zone %s: nothing was ever committed", z->zone->name);
    (void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER);
    int rc = formats[format].write(&x, err);
    if (ferror(stdout) || fflush(stdout) != 0)
        rc = err_errno(err, "standard output");
    return rc;
}

static int export(const struct args *a) {
    struct zone z;
    struct err err = {0};
    size_t format = 0, count = sizeof formats / sizeof formats[0];
    while (a->format != NULL && format < count && strcmp(formats[format].name, a->format) != 0)
        format++;
    if (format == count) {
        fprintf(stderr, "candor export: --format %s: expected rbldnsd, bind, plain or json\n", a->format);
        return EXIT_USAGE;
    }
    int code = zone_open(&z, a, "export", a->at[0]);
    if (code == 0) {
        int rc = write_zone(&z, format, &err);
        if (rc < 0)
            fprintf(stderr, "candor export: %s\n", err.text[0] != '\0' ? err.text : err_name(rc));
        code = rc < 0 ? EXIT_TROUBLE : EXIT_WELL;
    }
    zone_close(&z);
    return code;
}

const struct command command_export = {
    .name = "export",
    .synopsis = "ZONE",
    .summary = "writes all entries of a zone: for rbldnsd, for BIND or NSD, plain, JSON",
    .manual =
        "Reads one state of the zone from its file, so candor-sync need not run. Formats:\n\n"
        "  rbldnsd  a data file with the same answers: of the dataset's type, or a combined one when there are "
        "several\n"
        "           or changes by hand; what it has no word for (acl beside data, times of entries) is in comments\n"
        "  bind     a master file: networks become wildcards, what is excluded from one a name with an HINFO alone.\n"
        "           $ in a TXT stands for the network there. Wildcards match names that are no addresses, too\n"
        "  plain    one entry a line, ! in front of what is excluded\n"
        "  json     one object a line: entry, type, dataset, excluded, a and txt, rr or act, ttl, until\n\n"
        "Exit code 0; 2 when the zone is not on this node or can not be read: what was written is not whole then.",
    .options = OPTION_CONFIG | OPTION_FORMAT,
    .min_args = 1,
    .max_args = 1,
    .run = export,
};
