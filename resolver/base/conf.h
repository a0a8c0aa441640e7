/* The configuration of a node: candor.yaml, read once, checked whole, never changed afterwards.
 *
 * The contract (keys, types, defaults) is documented in docs/configuration.md and conf/candor.yaml. Every address is
 * parsed here and is an address: no key takes a host name to look up. Texts live in the arena and end with the
 * configuration. Fields carry the names of their keys; `_s` seconds, `_ms` milliseconds. A text that was not given and
 * has no default is "", never NULL. */
#ifndef CANDOR_BASE_CONF_H
#define CANDOR_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/addr.h"
#include "resolver/base/conf_health.h"
#include "resolver/base/conf_parts.h"
#include "resolver/base/conf_rbl.h"
#include "resolver/base/conf_resolver.h"
#include "resolver/base/err.h"
#include "resolver/base/log.h"

/* Options of this node that come with a catalog (conf_remote.h). */
struct conf_remote {
    const char *catalog;               /* among rbl.catalogs; "": none do */
    struct conf_list_text allow, over; /* options that may come, and of them those that count before this file */
    const char *ca;                    /* of report.https that come; absolute */
    const struct remote_now *now;      /* what holds (conf_remote_load); NULL: nobody asked */
    uint32_t trial_s;                  /* so long a new version has to prove itself */
};
struct conf_node {
    const char *name, *state, *run, *user; /* state, run: absolute */
    struct conf_remote remote;
};
struct conf_log {
    enum log_level level;
    enum log_format format;
    enum log_target target;
};
struct conf {
    struct conf_node node;
    struct conf_log log;
    struct conf_resolver resolver;
    struct conf_rbl rbl;
    struct conf_health health;
    struct conf_list_text later; /* "resolver.dnssec.validate: read, not used by this version" : keys given whose
                                    feature is not there yet */
    int64_t changed_wall_s;      /* when that file was changed last, as it was read; 0: there is none */
    const char *path;            /* absolute; "" when no file was read */
};

/* Reads and checks `path`; NULL or an empty file gives the defaults. On failure *conf is NULL and err says
 * "FILE:LINE: KEY: expected WHAT". One call at a time. */
int conf_read(struct conf **conf, const char *path, struct err *err) MUST_USE;
/* The same from memory; relative paths start at `base_dir`, errors name `label`. */
int conf_read_text(struct conf **conf, const char *text, size_t size, const char *base_dir, const char *label,
                   struct err *err) MUST_USE;
void conf_free(struct conf *conf);
/* One zone, written as an entry of rbl.zones in one line ("{name: bl.example., ttl: 60s}"), with the keys and the
 * folder of `of`, which outlives it: (*conf)->rbl.zones[0], and nothing else in it. */
int conf_read_zone(struct conf **conf, const struct conf *of, const char *options, const char *label,
                   struct err *err) MUST_USE;

/* `text` in the place of the file that `of` was read from: its path and its folder. */
int conf_read_instead(struct conf **conf, const struct conf *of, const char *text, size_t size, const char *label,
                      struct err *err) MUST_USE;

/* The distinct addresses of all `forward:` entries, in order of first appearance: the index used on the board.
 * Returns how many there are (at most `cap` are written). */
size_t conf_upstreams(const struct conf *conf, struct addr *to, size_t cap);

#endif
