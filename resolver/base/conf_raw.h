/* The text form of the configuration, as libcyaml fills it: every value a text, every section and list absent (NULL)
 * unless it is in the file. What the texts must be is checked where they are taken (conf_take.h). Private to conf*.c.
 */
#ifndef CANDOR_BASE_CONF_RAW_H
#define CANDOR_BASE_CONF_RAW_H

#include <cyaml/cyaml.h>

#include "resolver/base/limits.h"

struct conf_raw_list {
    char **at;
    unsigned count;
};

struct conf_raw_tls {
    char *ca;
    char *certificate, *key;
    struct conf_raw_list listen;
};

struct conf_raw_remote {
    char *catalog, *ca, *trial;
    struct conf_raw_list allow, over;
};

struct conf_raw_node {
    char *name, *state, *run, *user;
    struct conf_raw_remote *remote;
};

struct conf_raw_log {
    char *level, *format, *target;
};

struct conf_raw_resolver; /* conf_raw_resolver.h */
struct conf_raw_rbl;      /* conf_raw_rbl.h */
struct conf_raw_health;   /* conf_raw_health.h */

struct conf_raw {
    struct conf_raw_node *node;
    struct conf_raw_log *log;
    struct conf_raw_resolver *resolver;
    struct conf_raw_rbl *rbl;
    struct conf_raw_health *health;
};

/* A section that is not in the file reads as one without keys. */
#define CONF_RAW_OR_EMPTY(p) ((p) != NULL ? (p) : &(__typeof__(*(p))){0})

/* One key of a section: a text, a section, a list of texts (conf_raw_list), a list of sections. */
#define CONF_RAW_TEXT(key_, s, m)                                                                                      \
    CYAML_FIELD_STRING_PTR(key_, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, s, m, 0, CYAML_UNLIMITED)
#define CONF_RAW_MAP(key_, s, m, fields)                                                                               \
    CYAML_FIELD_MAPPING_PTR(key_, CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, s, m, fields)
#define CONF_RAW_TEXTS(key_, s, m, max)                                                                                \
    CYAML_FIELD_SEQUENCE_COUNT(key_, CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, s, m.at, m.count,              \
                               &conf_schema_text, 0, max)
#define CONF_RAW_MAPS(key_, s, m, n, entry, max)                                                                       \
    CYAML_FIELD_SEQUENCE_COUNT(key_, CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, s, m, n, entry, 0, max)

extern const cyaml_schema_value_t conf_schema; /* struct conf_raw, by pointer */
extern const cyaml_schema_value_t conf_schema_text;
extern const cyaml_schema_field_t conf_schema_tls[], conf_schema_transfer_tls[]; /* the second with `listen` */
extern const cyaml_schema_field_t conf_schema_resolver[], conf_schema_rbl[], conf_schema_health[];

#endif
