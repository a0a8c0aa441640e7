/* Inside of rbl/load: one dataset on its way from text to struct data.
 *
 *   lines.c    file or memory -> lines   load.c   a line -> directive, default value or entry
 *   special.c  $SOA and its kin          part.c   the parts of a combined dataset
 *   type.c     the table of types        ip4.c ip6.c name.c generic.c acl.c   one entry
 *   value.c    ":A:TXT" and templates    find.c   which line holds an entry
 *
 * Lines are C strings: what stands behind a NUL byte is not seen, as rbldnsd does not see it. */
#ifndef CANDOR_RBL_LOAD_IMPL_H
#define CANDOR_RBL_LOAD_IMPL_H

#include "rbl/load/load.h"

enum { LOAD_SUBSTS = 11, LOAD_BASE = 10 };

/* What one line lists. */
struct load_entry {
    bool excluded;
    const char *rest;     /* behind the address or name */
    uint32_t first, last; /* IPv4 */
    uint8_t addr[16];     /* IPv6 */
    uint8_t bits;         /* IPv6 */
    bool six;             /* acl: it is IPv6 */
    bool host_bits;       /* bits behind the prefix were set; they are taken off */
    bool exact, wild;     /* names: the name, what is below it */
    struct name name;
};

struct load;

/* One dataset type. `parse` and `value` return NULL or what is wrong; *rc < 0 is an error that ends the load. `holds`:
 * whether the entry that the key names came from this line. */
struct load_type {
    enum conf_dataset_type type;
    unsigned flags;
    const char *(*parse)(const char *s, struct load_entry *e);
    /* The value behind the entry, or of a default line; `base`: the one that holds there. NULL: entries have none. */
    const char *(*value)(struct load *l, const char *s, uint32_t base, uint32_t *id, int *rc);
    int (*add)(struct load *l, const struct load_entry *e, uint32_t value);
    bool (*holds)(const struct load_entry *e, const struct load_key *key);
};
enum load_flag {
    LOAD_COLON_PAIR = 1, /* a line may begin with "::" and be an entry */
    LOAD_ONE_VALUE = 2,  /* the first good default line holds for all, those above it too */
    LOAD_NO_BANG = 4,    /* '!' excludes nothing */
    LOAD_RRS = 8,        /* no default lines, and values are final as they stand */
};
/* NULL: not in this version. */
const struct load_type *load_type(enum conf_dataset_type type);

struct load {
    struct data *d;
    unsigned dataset;
    const struct load_type *type;
    struct load_report *report;
    struct err *err;
    const char *file;
    unsigned line, noted;       /* the last one with a note: a line is counted once */
    struct data raw;            /* values as written; entries carry its ids until load_resolve() */
    size_t from4, from6, fromn; /* where this dataset's entries begin */
    uint32_t first_default, default_value;
    bool default_given;
    const char *subst[LOAD_SUBSTS]; /* $0..$9 and $=; NULL: not set */
    uint32_t maxrange;              /* of a combined dataset as a whole, as in rbldnsd */
    bool combined;
    bool outside; /* combined: no $DATASET in this file yet */
    bool ignored; /* a part without subzones */
    struct {
        const char *subst[LOAD_SUBSTS];
        uint32_t ttl;
    } common; /* what stands in front of the first part */
    struct load_entry entry;
    const struct load_key *key; /* looking for it instead of loading */
    struct load_place *place;
};

/* A copy, for a value that is made out of another. */
static inline void value_start(struct value *v, const struct value *from) {
    memcpy(v, from, offsetof(struct value, txt) + from->txt_size);
}

static inline bool load_space(char c) { return c == ' ' || c == '\t'; }
static inline bool load_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool load_comment(char c) { return c == '#' || c == ';'; }
static inline const char *load_skip(const char *s) {
    while (load_space(*s))
        s++;
    return s;
}

/* lines.c: calls `line` with each line, blanks around it and the newline taken off, until it returns other than 0. */
typedef int (*load_line)(struct load *l, char *text);
int load_lines_file(struct load *l, const char *path, load_line line) MUST_USE;
int load_lines_text(struct load *l, const char *text, size_t size, load_line line) MUST_USE;

/* load.c: counts and notes a line that is skipped. */
void load_note(struct load *l, const char *what, const char *text);

/* ip4.c: 1 to 4 octets; the number of bits they make (8..32), -1: not octets. *text moves behind them. */
int load_octets(const char **text, uint32_t *addr);

/* The same as an address: "2" is 0.0.0.2, "1.2" is 1.0.0.2; false: none. */
bool load_ip4(const char **text, uint32_t *addr);

/* name.c: a domain name of `size` bytes as rbldnsd writes it; false: none. */
bool load_name(struct name *n, const char *text, size_t size);
/* The word at *s as a name; *s moves to the next word. */
bool load_name_word(struct name *n, const char **s);

/* special.c: a line behind its '$'. 0 (bad ones are noted), or an error that ends the load. */
int load_special(struct load *l, const char *s) MUST_USE;

/* The TTL at *s within the bounds of the zone, 0 as it is; *s moves to the next word. */
bool load_ttl(struct load *l, const char **s, uint32_t *to);
/* The TTL that holds where it is not given: $TTL's, or else the zone's. */
uint32_t load_preset_ttl(const struct load *l);

/* value.c: ":A:TXT" or "TXT" over *v, which holds the default. NULL, or what is wrong. */
const char *load_template(const char *s, struct value *v);
/* The same as a load_type has it. */
const char *load_value(struct load *l, const char *s, uint32_t base, uint32_t *id, int *rc);
/* Turns the values of this dataset's entries into final ones. */
int load_resolve(struct load *l) MUST_USE;

/* part.c: the words behind $DATASET; begins a part. */
int load_part(struct load *l, const char *s) MUST_USE;
/* Takes back the dataset of a part without subzones, which has no entries: attached nowhere, it is none. */
void load_drop_ignored(struct load *l);

/* load.c: the whole of one configured dataset; `line` as above. */
int load_open(struct load *l, struct data *d, enum conf_dataset_type type, struct load_report *report,
              struct err *err) MUST_USE;
/* One more dataset of d, empty. */
int load_begin_dataset(struct load *l, enum conf_dataset_type type) MUST_USE;
int load_one_line(struct load *l, char *text);
/* The files as if they were one. */
int load_files(struct load *l, const struct conf_list_text *files) MUST_USE;
int load_close(struct load *l, int rc) MUST_USE;
void load_begin_file(struct load *l, const char *file);

#endif
