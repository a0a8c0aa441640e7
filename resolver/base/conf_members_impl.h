/* Inside of conf_members*.c. */
#ifndef CANDOR_BASE_CONF_MEMBERS_IMPL_H
#define CANDOR_BASE_CONF_MEMBERS_IMPL_H

#include "resolver/base/conf_members.h"
#include "resolver/base/limits.h"

/* One member; its texts stand behind it. */
struct member {
    struct conf_member public;
    struct conf *parsed; /* NULL: its options do not fit this node */
    struct member *next; /* of those that went away */
    int64_t gone_mono_ms;
};

struct conf_members {
    struct conf *conf;
    struct member *at[LIMIT_ZONES];
    int64_t rests_until_s[LIMIT_ZONES];
    struct member *gone;
};

/* E_NOMEM alone: options that do not fit are a member without a zone, and `err` has the words (its code is set). */
int member_new(struct member **out, const struct conf *conf, const struct conf_member *from, const char *label,
               struct err *err) MUST_USE;
void member_free(struct member *m);
/* Puts it, or NULL, at its place; what was there goes away. */
void member_place(struct conf_members *m, size_t place, struct member *new);
/* Whether a zone of the file, or a catalog, has this name. */
bool members_in_file(const struct conf_members *m, const char *name);
/* Whether nothing about it is different. */
bool member_same(const struct member *m, const struct conf_member *other);

#endif
