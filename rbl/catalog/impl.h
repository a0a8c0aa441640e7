/* Inside of rbl/catalog.
 *
 *   list.c      what a catalog says           options.c   options as text
 *   catalog.c   open, timer, the members' file, close
 *   consume.c   reading catalogs              settle.c    from what they say to the zones of this node
 *   produce.c   writing our own               command.c   what is said on the control socket
 *   remote*.c   options of nodes that travel in a catalog (remote.h): read, written, published by command */
#ifndef CANDOR_RBL_CATALOG_IMPL_H
#define CANDOR_RBL_CATALOG_IMPL_H

#include <jansson.h>

#include "rbl/catalog/catalog.h"
#include "rbl/catalog/options.h"

/* One catalog of the configuration. */
struct catalog {
    struct catalogs *all;
    const struct conf_catalog *conf;
    int zone;                 /* its place */
    struct catalog_list list; /* that is followed */
    struct catalog_list held; /* that waits for `accept`; without name: none */
    bool known, is_held;      /* list, held hold something */
    bool said;                /* its refused members were named */
    char error[ERR_TEXT_MAX]; /* why its last version is not followed; "": it is */
    uint32_t serial;          /* of what is followed or was written */
    size_t refused;           /* members of it that this node does not take */
    /* consuming */
    bool dirty, reading; /* a version that was not read yet; one is read now */
    struct keep *share;
    struct catalog_list fresh;
    uint32_t fresh_serial;
    struct err fresh_err;
    int fresh_code;
    /* producing */
    bool writing;
    uint64_t written; /* hash of what was written last; 0: nothing */
    uint64_t made_of; /* changes of the list that it was made of */
    /* options of nodes: of a catalog that is made here what it says, of node.remote.catalog what was handed over */
    struct remote_version remote;
    bool publishing;            /* `remote` is with the job that writes the next one */
    bool offered, remote_known; /* what the list says is on the disk; something was */
};

/* A command that is answered when the members' file is durable. */
struct waiting {
    struct control_call *call;
    struct waiting *next;
    uint64_t change;
    char zone[LIMIT_NAME_WIRE + 1];
};

struct catalogs {
    struct catalogs_config c;
    struct conf_members *members;
    struct catalog *at;
    size_t count;
    struct conf *plain; /* a zone with nothing but defaults */
    struct loop_timer *timer;
    bool going[LIMIT_ZONES]; /* the keeper lets go of it */
    /* the file */
    uint64_t changes, durable; /* of the list in memory; up to here it is on the disk */
    bool storing;
    char *text;
    size_t text_size;
    uint64_t text_change;
    int store_code;
    struct err store_err;
    int64_t store_after_ms;
    struct waiting *waiting;
    unsigned waits;
    bool closing, settling;
    bool stale;       /* some catalog says something else than is done */
    bool offering;    /* options of nodes are on their way to the disk */
    unsigned working; /* on the pool or with the keeper */
};

/* --- catalog.c --- */
/* The list of members is another: it goes to the disk, then everybody hears. */
void catalogs_changed(struct catalogs *c);

/* --- consume.c --- */
void catalog_read(struct catalog *k);
/* What is wrong with it, for log and board; "": nothing. */
void catalog_trouble(struct catalog *k, const char *text);
/* Follows what was held back. E_NOTFOUND. */
int catalog_accept(struct catalog *k, struct err *err) MUST_USE;

/* --- remote.c --- */
/* At the start: what a catalog that is made here says. */
void remote_open(struct catalog *k);
void remote_close(struct catalog *k);
/* What the list that is followed says, to candor-health, once it is another; as often as one likes. */
void remote_offer(struct catalog *k);
/* {"command":"config-publish","catalog":Z,"text":T}, config-rollback; without catalog: the only one that is made here.
 * False: another command. */
bool remote_control(struct catalogs *c, struct control_call *call, const json_t *doc);

/* --- settle.c --- */
/* Brings the zones of this node in line with what the catalogs say now, if they are stale, and lets go of those whose
 * grace is over; as often as one likes. */
void catalogs_settle(struct catalogs *c);
static inline bool member_is_own(const struct conf_member *m) { return m->catalog[0] == '.'; }
/* The catalog of this name; NULL. */
struct catalog *catalogs_find(const struct catalogs *c, const char *name);
uint32_t catalogs_grace_s(const struct catalogs *c, const struct conf_member *m);
/* Puts a member at its place, in the list and in the keeper. */
int catalogs_put(struct catalogs *c, const struct conf_member *m, struct err *err) MUST_USE;
/* A place that neither has; E_FULL, E_AGAIN. */
int catalogs_place(struct catalogs *c, struct err *err) MUST_USE;
void catalogs_remove(struct catalogs *c, size_t place);

/* --- produce.c --- */
/* Writes it when it is another than before. */
void catalog_produce(struct catalog *k);
void catalog_label(char to[MEMBERS_LABEL_MAX], const char *zone, uint64_t made);

#endif
