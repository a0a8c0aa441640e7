/* Options of a node that come from its catalog (docs/decisions/0035-remote-configuration.md): a fragment of candor.yaml
 * that the admin node publishes, with a version and a digest, and that nodes lay under or over a file of their own.
 *
 *   fragment      health: {...}                    for every node
 *                 nodes: { NAME: {health: {...}} } for one of them, before what is for all
 *
 * Only options that name, at worst, the wrong address may travel: no secret, password, token, file, command or port to
 * listen at. What candor.yaml says counts more than what comes, key by key (a list is one thing), but for the keys of
 * node.remote.over. Entries of health.peers that are called as this node are left out: one list does for all.
 *
 *   state/remote/published-*, previous-*   admin: what stands in its catalogs     writer: candor-sync
 *   state/remote/offered                   what the catalog says now              writer: candor-sync
 *   state/remote/trying, applied, refused  what is tried, holds, did not work     writer: candor-health
 *
 * Nothing here is believed for being in a file: texts are checked against their digest, and read as candor.yaml is. */
#ifndef CANDOR_BASE_CONF_REMOTE_H
#define CANDOR_BASE_CONF_REMOTE_H

#include <string.h>

#include "resolver/base/conf.h"

enum {
    REMOTE_BYTES = 128 << 10, /* of a fragment */
    REMOTE_DIGEST = 65,       /* SHA-256 in hexadecimal, and a NUL */
    REMOTE_WORDS = 256,
    REMOTE_TRIES = 2 /* starts with a version that was not confirmed, before it is given up */
};

/* One version of it. */
struct remote_version {
    uint64_t number; /* 0: none */
    char digest[REMOTE_DIGEST];
    int64_t wall_s;           /* when it was published; of `applied`: when it was tried first */
    unsigned tries;           /* of `trying`: how often it was started */
    bool ready, report;       /* of `trying`: what the node had before, and must have with it */
    char words[REMOTE_WORDS]; /* why it is refused, or cannot be had; "": nothing stands against it */
    char *text;               /* canonical, in one line; NULL: none. remote_version_free */
    size_t size;
};
void remote_version_free(struct remote_version *v);
static inline bool remote_same(const struct remote_version *a, const struct remote_version *b) {
    return a->number == b->number && strcmp(a->digest, b->digest) == 0;
}
int remote_digest(char to[REMOTE_DIGEST], const char *text, size_t size) MUST_USE; /* 0, E_SYSTEM */

/* Checks a fragment and writes it as it travels: v->text, size and digest. "LABEL:LINE: KEY: expected ...". */
int conf_remote_make(struct remote_version *v, const char *text, size_t size, const char *label,
                     struct err *err) MUST_USE;
/* A new configuration: the file of `local` (whose node.remote counts), read anew, and the fragment. Refuses keys that
 * are not in rbl.keys as well, for a report could not be signed. */
int conf_remote_merge(struct conf **out, const struct conf *local, const struct remote_version *v,
                      struct err *err) MUST_USE;
/* Whether `text` is an option that may travel, or has such below it: of node.remote.allow and over. "*": all. */
bool conf_remote_option(const char *text);
/* All of them, for messages. */
extern const char conf_remote_options[];

/* --- files of state/remote; `name` as above --- */
/* E_NOTFOUND: none; E_CORRUPT: no such file, or another digest. */
int remote_read(struct remote_version *v, const char *state, const char *name, struct err *err) MUST_USE;
/* Durable when it returns 0; the folder is made. */
int remote_write(const struct remote_version *v, const char *state, const char *name, struct err *err) MUST_USE;
int remote_rename(const char *state, const char *from, const char *to, struct err *err) MUST_USE;
/* 0 as well when there is none. */
int remote_remove(const char *state, const char *name, struct err *err) MUST_USE;

/* "published-..." of a catalog: its name may have octets that no file should. */
enum { REMOTE_NAME = 48 };
void remote_name(char to[REMOTE_NAME], const char *kind, const char *catalog);

/* What is shown of it. */
struct remote_view {
    const char *catalog;
    uint64_t version, offered; /* that holds, that the catalog says; 0: none */
    bool trying;               /* `version` is on trial */
    int64_t since_wall_s;      /* it holds, or was tried first */
    const char *words;         /* what stands against what is offered, or against what should hold; "": nothing */
};

/* What a process runs with. */
struct remote_now {
    struct remote_version v; /* without text; number 0: candor.yaml alone */
    bool trying;
    char words[REMOTE_WORDS]; /* why a version that should hold does not; "": it does */
};
/* At the start of a process: lays the version that holds over *conf, which is replaced; with `may_try` the one that is
 * to be tried, and gives it up when it was started REMOTE_TRIES times or does not fit. Without node.remote: nothing.
 * Never fails: what cannot be had is said in now->words, and the file alone counts. `now` outlives *conf, which points
 * at it. */
void conf_remote_load(struct conf **conf, bool may_try, struct remote_now *now);

#endif
