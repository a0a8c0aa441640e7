/* `candor rbldnsd`: rbldnsd's command line (rbldnsd(8)), taken apart, and as a candor.yaml.
 *
 *   argv -> dropin_parse -> struct dropin -> dropin_place: folders, health port -> dropin_yaml -> conf_read -> run_node
 *
 * Nothing is looked up: an address is an address, a port a number. */
#ifndef CANDOR_COMMAND_DROPIN_H
#define CANDOR_COMMAND_DROPIN_H

#include <limits.h>
#include <stdio.h>

#include "resolver/base/arena.h"
#include "resolver/base/conf.h"
#include "resolver/dns/name.h"

enum { DROPIN_SPECS = 4096, DROPIN_NOTES = 24, DROPIN_PATH = PATH_MAX };

/* One ZONE:TYPE:FILE,FILE... argument. The empty zone, the acl for all, is ".". */
struct dropin_spec {
    const char *zone; /* lower-case, with the final dot */
    enum conf_dataset_type type;
    const char *const *file; /* absolute */
    size_t files;
};

struct dropin {
    struct arena arena; /* texts of this struct that are not argv's own */
    struct addr listen[LIMIT_LISTEN];
    size_t listens;
    const char *user; /* "": nobody else */
    const char *root, *work, *pid_file;
    bool has_ttl, foreground, quick, any_prefix, lazy, only4, only6, help, print;
    uint32_t ttl_s, min_ttl_s, max_ttl_s; /* min, max 0: no bound */
    struct dropin_spec spec[DROPIN_SPECS];
    size_t specs;
    const char *note[DROPIN_NOTES]; /* options that mean nothing here, and what is so instead */
    size_t notes;
    /* Options of ours, or what dropin_place chose. */
    struct addr health; /* family 0: to be chosen */
    int health_claim;   /* a descriptor that holds the chosen port for this process; -1: none */
    const char *state, *run;
    char folder[DROPIN_PATH]; /* holds candor.yaml and, unless said otherwise, state/ and run/ */
};

/* argv[0] is "rbldnsd". E_INVALID with a text for the user, as rbldnsd ends with 1. `d` is freed with dropin_free. */
int dropin_parse(struct dropin *d, int argc, char **argv, struct err *err) MUST_USE;
void dropin_free(struct dropin *d);
/* 30, 5m, 2h, 1d, 1w: seconds, as rbldnsd takes them. False: none. */
bool dropin_time(const char *text, uint32_t *seconds);

/* The parts of dropin_parse: one ZONE:TYPE:FILE,FILE argument; a path as rbldnsd would find it after chroot to `root`
 * and chdir to `work` ("": neither), seen from outside, absolute. In the arena; NULL: *err says why. */
int dropin_spec(struct dropin *d, const char *text, struct err *err) MUST_USE;
char *dropin_path(struct dropin *d, const char *root, const char *work, const char *path, struct err *err) MUST_USE;

/* Chooses what was not given: the folder by the first address (the same at every start), and a health port on the
 * loopback that is free now. Makes nothing. */
int dropin_place(struct dropin *d, struct err *err) MUST_USE;

/* Writes the configuration. E_INVALID when a path is no UTF-8, which YAML cannot hold. */
int dropin_yaml(const struct dropin *d, FILE *to, struct err *err) MUST_USE;

#endif
