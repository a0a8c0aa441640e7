/* Taking values out of the text form: each function looks at one key of the section that is entered, checks it and
 * gives its value or the default. Private to conf*.c.
 *
 * Errors stick: after the first, every call is a no-op and gives the default, so that a section reads as a list of its
 * keys. `raw` is what libcyaml put into the raw structure, NULL when the key is not there. */
#ifndef CANDOR_BASE_CONF_TAKE_H
#define CANDOR_BASE_CONF_TAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "resolver/base/conf.h"
#include "resolver/base/conf_raw.h"
#include "resolver/base/conf_tree.h"
#include "resolver/base/limits.h"

struct conf_place {
    const struct conf_tree *node; /* NULL: not in the file */
    const char *key;              /* NULL: entry `index` of a list */
    size_t index;
};

struct conf_reader {
    struct arena *arena; /* of the configuration */
    struct err *err;
    int rc;
    const char *label, *base_dir;
    struct conf *conf;
    struct conf_place at[LIMIT_CONF_DEPTH + 2];
    size_t depth;
    size_t later_cap;
};

/* Steps into a key or an entry, and back. */
void conf_enter(struct conf_reader *r, const char *key);
void conf_enter_at(struct conf_reader *r, size_t index);
void conf_leave(struct conf_reader *r);
bool conf_given(const struct conf_reader *r, const char *key);

/* "LABEL:LINE: PATH: expected ..." with the line of the key (of the section when the key is not there; of the entry
 * entered when key is NULL). The value that stands there is added: `, got "..."`. */
void conf_fail(struct conf_reader *r, int code, const char *key, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* One line for conf.later: "PATH: what". */
void conf_later(struct conf_reader *r, const char *key, const char *what);

/* `count` zeroed structures in the arena of the configuration; NULL when count is 0 or after an error. */
void *conf_array(struct conf_reader *r, size_t count, size_t size);

struct conf_word {
    const char *word;
    int value;
};

bool conf_take_bool(struct conf_reader *r, const char *key, const char *raw, bool fallback);
uint32_t conf_take_number(struct conf_reader *r, const char *key, const char *raw, uint32_t fallback, uint32_t min,
                          uint32_t max);
/* Bytes: K M G T are powers of 1024. */
uint64_t conf_take_size(struct conf_reader *r, const char *key, const char *raw, uint64_t fallback, uint64_t min,
                        uint64_t max);
/* Things: K M G are powers of 1000. */
uint64_t conf_take_count(struct conf_reader *r, const char *key, const char *raw, uint64_t fallback, uint64_t min,
                         uint64_t max);
/* Times; the limits and the result are seconds (whole ones) or milliseconds. */
uint32_t conf_take_s(struct conf_reader *r, const char *key, const char *raw, uint32_t fallback, uint32_t min,
                     uint32_t max);
uint32_t conf_take_ms(struct conf_reader *r, const char *key, const char *raw, uint32_t fallback, uint32_t min,
                      uint32_t max);
/* "50%" is 0.5; `max` is a share too. */
double conf_take_share(struct conf_reader *r, const char *key, const char *raw, double fallback, double max);
/* One of the words; the list ends with a NULL word. */
int conf_take_word(struct conf_reader *r, const char *key, const char *raw, int fallback,
                   const struct conf_word *words);

const char *conf_take_text(struct conf_reader *r, const char *key, const char *raw, const char *fallback);
/* A file: absolute, relative ones start at base_dir; "" stays "". */
const char *conf_take_path(struct conf_reader *r, const char *key, const char *raw, const char *fallback);
/* A domain name: lower-case, with final dot; "" is allowed only when it is the fallback. */
const char *conf_take_name(struct conf_reader *r, const char *key, const char *raw, const char *fallback);
/* The same without the final dot, for names of certificates. */
const char *conf_take_tls_name(struct conf_reader *r, const char *key, const char *raw);
/* The name of an entry in rbl.keys; "" when not given. */
const char *conf_take_key_name(struct conf_reader *r, const char *key, const char *raw);

/* Port 0: must be written. Not given: family 0. */
void conf_take_addr(struct conf_reader *r, const char *key, const char *raw, uint16_t port, struct addr *to);
void conf_take_prefix(struct conf_reader *r, const char *key, const char *raw, struct prefix *to);

/* Lists: `fallback` is a list of texts that ends with NULL (NULL: empty), used when the key is not there. */
struct conf_list_addr conf_take_addrs(struct conf_reader *r, const char *key, struct conf_raw_list raw, uint16_t port,
                                      const char *const *fallback);
/* The same without ports, for sources. */
struct conf_list_addr conf_take_hosts(struct conf_reader *r, const char *key, struct conf_raw_list raw);
struct conf_list_prefix conf_take_prefixes(struct conf_reader *r, const char *key, struct conf_raw_list raw,
                                           const char *const *fallback);
struct conf_list_text conf_take_names(struct conf_reader *r, const char *key, struct conf_raw_list raw);
/* Texts that are not empty. */
struct conf_list_text conf_take_texts(struct conf_reader *r, const char *key, struct conf_raw_list raw);
struct conf_list_text conf_take_paths(struct conf_reader *r, const char *key, struct conf_raw_list raw,
                                      const char *const *fallback);

#endif
