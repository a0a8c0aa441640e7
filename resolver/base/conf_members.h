/* Zones that are not in candor.yaml: members of catalogs (RFC 9432), and zones added by command. They come, change and
 * go while the node runs.
 *
 *   state/catalog/members    written by candor-sync alone, replaced by rename, read by every process
 *                            (docs/formats/members.md); board->members_epoch changes behind it
 *
 * Each has a place among conf->rbl.zones, which is its slot on the board as well, and keeps it for its life; a place
 * that became free is not taken again for MEMBERS_REST_S. What is read passes the same checks as candor.yaml. A file
 * that is damaged changes nothing: the list that was read last stays.
 *
 * One thread at a time: the loop's, or a worker's between two batches. conf->rbl.zones[place] is a copy, to be read on
 * that thread; what a job on another thread may hold is conf_member.zone, which never changes and is freed by
 * conf_members_sweep. */
#ifndef CANDOR_BASE_CONF_MEMBERS_H
#define CANDOR_BASE_CONF_MEMBERS_H

#include "resolver/base/conf.h"

enum {
    MEMBERS_LABEL_MAX = 64,      /* with NUL: one label, without dots */
    MEMBERS_FILE_MAX = 64 << 20, /* bytes */
    MEMBERS_REST_S = 60,
    MEMBERS_KEEP_MS = 7200000 /* what went away is freed after so long: longer than any transfer lives */
};

struct conf_member {
    size_t place;
    const char *catalog; /* who named it; ".": candor zone-add on this node */
    const char *label;   /* its label in the catalog: another one means another zone of this name */
    const char *options; /* as conf_read_zone takes them, name included */
    int64_t left_wall_s; /* when it left the catalog: it is served until its grace is over; 0: it is a member */
    const struct conf_zone *zone; /* filled by this room */
};

struct conf_members;
/* Nothing is read yet. `conf` outlives it. Its places for members are this object's from now on. */
int conf_members_open(struct conf_members **m, const struct conf *conf, struct err *err) MUST_USE;
void conf_members_close(struct conf_members *m);

/* Told of each place that changed: came, went, or is another zone or the same with other options. */
typedef void (*conf_members_fn)(void *ctx, size_t place);
/* Reads the file and takes over what differs. 0; E_NOTFOUND: there is no file, and all members are gone; otherwise
 * nothing changed and `err` says FILE:LINE. `fn` may be NULL. */
int conf_members_read(struct conf_members *m, conf_members_fn fn, void *ctx, struct err *err) MUST_USE;

/* For who looks once: takes the members into the configuration and ends with it (conf_free). As conf_members_read. */
int conf_read_members(struct conf *conf, struct err *err) MUST_USE;

/* NULL: no member has this place. */
const struct conf_member *conf_members_at(const struct conf_members *m, size_t place);
const struct conf_member *conf_members_find(const struct conf_members *m, const char *name);

/* --- for the one writer --- */
/* A place that nobody has; E_FULL. */
int conf_members_place(const struct conf_members *m, int64_t now_wall_s, struct err *err) MUST_USE;
/* Takes the member in, or changes it; texts are copied. E_INVALID and the words of the configuration's checks;
 * E_EXISTS: another place has a zone of this name. */
int conf_members_put(struct conf_members *m, const struct conf_member *new, struct err *err) MUST_USE;
void conf_members_drop(struct conf_members *m, size_t place, int64_t now_wall_s);
/* Durable when it returns 0. */
int conf_members_write(const struct conf_members *m, struct err *err) MUST_USE;
/* The same in two steps: the list as text (free), and, on any thread, one at a time, the file. */
int conf_members_text(const struct conf_members *m, char **text, size_t *size, struct err *err) MUST_USE;
int conf_members_store(const struct conf *conf, const char *text, size_t size, struct err *err) MUST_USE;

/* Frees what went away long ago and `busy` (may be NULL) does not hold any more. */
void conf_members_sweep(struct conf_members *m, int64_t now_mono_ms,
                        bool (*busy)(void *ctx, const struct conf_zone *zone), void *ctx);

#endif
