/* Reading rbldnsd data files (dnsbl.md, "Datasets"): text in, struct data out. docs/datasets.md is the users' side.
 *
 * What is read is read exactly as rbldnsd reads it, gzip included. One bad line is counted, named and skipped. For the
 * whole zone it is an error, and the caller keeps the old generation, when a file cannot be opened or is no regular
 * file (E_NOTFOUND, E_DENIED, E_INVALID), when its size or time changes while it is read (E_AGAIN), when its $TIMESTAMP
 * lies in the future (E_REFUSED), when its gzip data is broken (E_CORRUPT), when a combined dataset has data in front
 * of its first $DATASET or a part of a type that is none (E_INVALID), or when there are more than DATASET_LOCAL
 * datasets (E_FULL). Never blocks on anything but the files. */
#ifndef CANDOR_RBL_LOAD_H
#define CANDOR_RBL_LOAD_H

#include "rbl/model/data.h"

struct load_note {
    const char *file;
    unsigned line;
    char text[160];
}; /* a skipped line */

struct load_report {
    struct load_note note[LIMIT_LOAD_ERRORS_SHOWN];
    unsigned notes;
    uint64_t lines, bad_lines, bytes;
    int64_t newest_file_wall_s;
};

/* Reads one configured dataset's files in order and appends what it makes to d->dataset[]: one dataset, or one for each
 * part of a combined one (none at all for an empty file). The same files in the same order give the same numbers. */
int load_dataset(struct data *d, enum conf_dataset_type type, const struct conf_list_text *files,
                 struct load_report *report, struct err *err) MUST_USE;

/* The same from memory, for tests, fuzzing and control; `label` stands for the file's name. */
int load_text(struct data *d, enum conf_dataset_type type, const char *text, size_t size, const char *label,
              struct load_report *report, struct err *err) MUST_USE;

/* Where an entry stands: the line of the zone's configured `data` whose entry has the address or name as `bits` say;
 * for candor why. place->line 0: not found, the files have moved on. */
struct load_key {
    unsigned dataset; /* of struct data, as load_dataset numbers them one call after the other */
    enum { LOAD_KEY_4, LOAD_KEY_6, LOAD_KEY_NAME } kind;
    unsigned bits;             /* prefix length; names: 1 for a wildcard */
    uint32_t addr;             /* LOAD_KEY_4: host order */
    uint8_t addr6[16];         /* LOAD_KEY_6 */
    const struct name *name;   /* LOAD_KEY_NAME: the entry's, relative to the zone (or to the subzone) */
    bool excluded;             /* the entry is an exclusion */
    const struct value *value; /* VALUE_RR: the line that has this RR; others, NULL: any */
};
struct load_place {
    const char *file;
    unsigned line;
    char text[256];
};
int load_find(const struct conf_dataset *data, size_t count, const struct load_key *key, struct load_place *place,
              struct err *err) MUST_USE;

#endif
