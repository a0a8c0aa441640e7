#include "resolver/base/conf_members.h"

#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"
#include "resolver/base/conf_members_impl.h"

int conf_members_open(struct conf_members **out, const struct conf *conf, struct err *err) {
    *out = NULL;
    if (conf->rbl.zone_places != LIMIT_ZONES)
        return err_set(err, E_UNSUPPORTED, "this configuration has no places for members");
    struct conf_members *m = calloc(1, sizeof *m);
    *out = m;
    if (m == NULL)
        return err_set(err, E_NOMEM, "no memory for the members of catalogs");
    /* Who holds the configuration as const only promises not to change it; it was made by conf_read. */
    m->conf = (struct conf *)conf;
    return 0;
}

void conf_members_close(struct conf_members *m) {
    if (m == NULL)
        return;
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        if (m->at[i] != NULL)
            member_place(m, i, NULL);
    for (struct member *next, *gone = m->gone; gone != NULL; gone = next) {
        next = gone->next;
        member_free(gone);
    }
    free(m);
}

void member_free(struct member *m) {
    if (m == NULL)
        return;
    conf_free(m->parsed);
    free(m);
}

static const char *copy(char **at, const char *text) {
    size_t size = strlen(text) + 1;
    char *to = *at;
    memcpy(to, text, size);
    *at += size;
    return to;
}

int member_new(struct member **out, const struct conf *conf, const struct conf_member *from, const char *label,
               struct err *err) {
    size_t texts = strlen(from->catalog) + strlen(from->label) + strlen(from->options) + 3;
    struct member *m = calloc(1, sizeof *m + texts);
    *out = m;
    if (m == NULL)
        return err_set(err, E_NOMEM, "no memory for a member of a catalog");
    char *at = (char *)(m + 1);
    m->public = (struct conf_member){.place = from->place,
                                     .catalog = copy(&at, from->catalog),
                                     .label = copy(&at, from->label),
                                     .options = copy(&at, from->options),
                                     .left_wall_s = from->left_wall_s};
    err->code = 0;
    int rc = conf_read_zone(&m->parsed, conf, from->options, label, err);
    if (rc < 0) {
        err->code = rc;
        return rc == E_NOMEM ? rc : 0;
    }
    m->parsed->rbl.zones[0].member = true;
    m->public.zone = &m->parsed->rbl.zones[0];
    return 0;
}

bool member_same(const struct member *m, const struct conf_member *other) {
    const struct conf_member *own = &m->public;
    return own->left_wall_s == other->left_wall_s && strcmp(own->catalog, other->catalog) == 0 &&
           strcmp(own->label, other->label) == 0 && strcmp(own->options, other->options) == 0;
}

void member_place(struct conf_members *m, size_t place, struct member *new) {
    struct conf_rbl *rbl = &m->conf->rbl;
    struct member *old = m->at[place];
    m->at[place] = new;
    rbl->zones[place] = new != NULL &&new->parsed != NULL ? new->parsed->rbl.zones[0] : (struct conf_zone){.name = ""};
    if (new != NULL)
        new->public.place = place;
    if (new != NULL && place >= rbl->zone_count)
        rbl->zone_count = place + 1;
    if (old == NULL)
        return;
    old->gone_mono_ms = clock_mono_ms();
    old->next = m->gone;
    m->gone = old;
}

bool members_in_file(const struct conf_members *m, const char *name) {
    for (size_t i = 0; i < m->conf->rbl.zone_fixed; i++)
        if (strcmp(m->conf->rbl.zones[i].name, name) == 0)
            return true;
    return false;
}

const struct conf_member *conf_members_at(const struct conf_members *m, size_t place) {
    return place < LIMIT_ZONES && m->at[place] != NULL ? &m->at[place]->public : NULL;
}

const struct conf_member *conf_members_find(const struct conf_members *m, const char *name) {
    for (size_t i = 0; i < LIMIT_ZONES; i++)
        if (m->at[i] != NULL && m->at[i]->parsed != NULL && strcmp(m->at[i]->public.zone->name, name) == 0)
            return &m->at[i]->public;
    return NULL;
}

int conf_members_place(const struct conf_members *m, int64_t now_wall_s, struct err *err) {
    for (size_t i = m->conf->rbl.zone_fixed; i < LIMIT_ZONES; i++)
        if (m->at[i] == NULL &&
            (m->rests_until_s[i] <= now_wall_s || m->rests_until_s[i] > now_wall_s + MEMBERS_REST_S))
            return (int)i;
    return err_set(err, E_FULL, "this node has its most zones already (%d)", LIMIT_ZONES);
}

int conf_members_put(struct conf_members *m, const struct conf_member *from, struct err *err) {
    struct member *new;
    if (from->place < m->conf->rbl.zone_fixed || from->place >= LIMIT_ZONES)
        return err_set(err, E_RANGE, "place %zu is not one for members", from->place);
    struct member *old = m->at[from->place];
    if (old != NULL && member_same(old, from))
        return 0;
    struct err words = {.text = ""};
    int rc = member_new(&new, m->conf, from, "options", &words);
    if (rc == 0)
        rc = words.code;
    /* Keys that a later configuration lost are no reason to let go of a zone; a new one has to be right. */
    if (rc == 0 && new->parsed->later.count > 0)
        rc = err_set(&words, E_INVALID, "options: %s", new->parsed->later.at[0]);
    const struct conf_member *other = rc == 0 ? conf_members_find(m, new->public.zone->name) : NULL;
    if (rc < 0)
        err_set(err, rc, "%s", words.text);
    else if (members_in_file(m, new->public.zone->name) || (other != NULL && other->place != from->place))
        rc = err_set(err, E_EXISTS, "zone %s is there already", new->public.zone->name);
    if (rc < 0)
        member_free(new);
    else
        member_place(m, from->place, new);
    return rc;
}

void conf_members_drop(struct conf_members *m, size_t place, int64_t now_wall_s) {
    if (place >= LIMIT_ZONES || m->at[place] == NULL)
        return;
    member_place(m, place, NULL);
    m->rests_until_s[place] = now_wall_s + MEMBERS_REST_S;
}

void conf_members_sweep(struct conf_members *m, int64_t now_mono_ms, bool (*busy)(void *ctx, const struct conf_zone *),
                        void *ctx) {
    struct member **at = &m->gone;
    while (*at != NULL) {
        struct member *gone = *at;
        bool held = now_mono_ms - gone->gone_mono_ms < MEMBERS_KEEP_MS ||
                    (busy != NULL && gone->parsed != NULL && busy(ctx, gone->public.zone));
        if (held) {
            at = &gone->next;
            continue;
        }
        *at = gone->next;
        member_free(gone);
    }
}
