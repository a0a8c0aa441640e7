/* Reading rbldnsd data files (dnsbl.md, "Datasets"): text in, struct data out.
 *
 * What is read is read exactly as rbldnsd reads it, gzip included. One bad line is counted, named and skipped. For the
 * whole zone it is an error, and the caller keeps the old generation, when a file cannot be opened or is no regular
 * file (E_NOTFOUND, E_DENIED, E_INVALID), when its size or time changes while it is read (E_AGAIN), when its $TIMESTAMP
 * lies in the future (E_REFUSED), when its gzip data is broken (E_CORRUPT), or when it wants what this version lacks:
 * $DATASET, another dataset type (E_UNSUPPORTED). Never blocks on anything but the files. */
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

/* Reads one dataset's files in order into d (dataset number `dataset`, already typed). */
int load_dataset(struct data *d, unsigned dataset, const struct conf_list_text *files, struct load_report *report,
                 struct err *err) MUST_USE;

/* The same from memory, for tests, fuzzing and control; `label` stands for the file's name. */
int load_text(struct data *d, unsigned dataset, const char *text, size_t size, const char *label,
              struct load_report *report, struct err *err) MUST_USE;

/* Where an entry stands: the lines of `files` whose entry covers the address (or name) as `bits` say; for candor why.
 * *line 0: not found. */
struct load_place {
    const char *file;
    unsigned line;
    char text[256];
};
int load_find4(enum conf_dataset_type type, const struct conf_list_text *files, uint32_t addr, unsigned bits,
               struct load_place *place, struct err *err) MUST_USE;
int load_find6(enum conf_dataset_type type, const struct conf_list_text *files, const uint8_t addr[16], unsigned bits,
               struct load_place *place, struct err *err) MUST_USE;
int load_find_name(enum conf_dataset_type type, const struct conf_list_text *files, const struct name *n, bool wildcard,
                   struct load_place *place, struct err *err) MUST_USE;

#endif
