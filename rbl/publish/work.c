#include "rbl/publish/keeper_impl.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "rbl/keep/walk.h"
#include "resolver/base/log.h"

static int work_open(struct job *j, const char *state_dir) {
    struct keeper_zone *z = j->zone;
    if (z->keep != NULL)
        return 0;
    return keep_open(&z->keep, state_dir, z->conf, &j->err);
}

/* The entry as the line's key: what matched, not what was asked ("*.example" answers for names below it). */
static int place_key(struct load_key *key, const struct keep_match *m, bool is_name, struct name *entry) {
    char text[64];
    size_t size = strcspn(m->entry, "/");
    *key = (struct load_key){.dataset = m->dataset, .bits = m->bits, .excluded = m->excluded, .value = &m->value};
    if (is_name) {
        key->kind = LOAD_KEY_NAME;
        key->name = entry;
        return name_from_text(entry, m->entry + (m->bits == 1 && m->entry[0] == '*' ? 2 : 0), NULL);
    }
    if (size >= sizeof text)
        return E_INVALID;
    memcpy(text, m->entry, size);
    text[size] = '\0';
    key->kind = strchr(text, ':') != NULL ? LOAD_KEY_6 : LOAD_KEY_4;
    int ok = key->kind == LOAD_KEY_6 ? inet_pton(AF_INET6, text, key->addr6) : inet_pton(AF_INET, text, &key->addr);
    key->addr = ntohl(key->addr);
    return ok == 1 ? 0 : E_INVALID;
}

/* Which line of which file a match stands on; silently nothing when the files have moved on. */
static void work_place(struct job *j, unsigned i) {
    const struct conf_zone *zone = j->zone->conf;
    const struct keep_match *m = &j->why->match[i];
    struct load_place *place = &j->why->place[i];
    struct load_key key;
    struct name entry;
    if (m->local || place_key(&key, m, j->why->is_name, &entry) < 0)
        return;
    if (load_find(zone->data, zone->data_count, &key, place, NULL) < 0)
        place->line = 0;
}

static int work_why(struct job *j) {
    struct keep *k = j->zone->keep;
    struct job_why *w = j->why;
    return w->is_name ? keep_why_name(k, &w->name, w->match, KEEPER_WHY_MATCHES, &w->matches, &j->err)
                      : keep_why_addr(k, &w->addr, w->match, KEEPER_WHY_MATCHES, &w->matches, &j->err);
}

void work_places(struct job *j) {
    for (unsigned i = 0; j->code == 0 && i < j->why->matches; i++)
        work_place(j, i);
}

static int work_history(struct job *j) {
    j->history = arena_alloc(&j->arena, KEEPER_HISTORY * sizeof *j->history);
    if (j->history == NULL)
        return err_set(&j->err, E_NOMEM, "no memory for the history");
    return keep_history(j->zone->keep, j->history, KEEPER_HISTORY, &j->history_count, &j->err);
}

static int work_kind(struct job *j) {
    switch (j->kind) {
    case JOB_OPEN:
    case JOB_STAT: /* the numbers are fetched after every job */
        return keep_look_after(j->zone->keep, &j->err);
    case JOB_FILES:
    case JOB_PUBLISH:
        return source_commit(j);
    case JOB_WHY:
        return work_why(j);
    case JOB_HISTORY:
        return work_history(j);
    case JOB_VERIFY:
        return keep_verify(j->zone->keep, &j->err);
    case JOB_EXPIRE:
        return group_expire(j, &j->err);
    case JOB_COMPACT:
        return keep_compact(j->zone->keep, &j->result, &j->err);
    case JOB_WRITE:
        return j->write(j->ctx, j->zone->keep, &j->result, &j->err);
    case JOB_CHANGE: /* a group: group.c */
    case JOB_KINDS:
        break;
    }
    return err_set(&j->err, E_INVALID, "no such job");
}

/* The apex as it is committed, for the loop: what it has is older. */
static void work_apex(struct job *j) {
    const struct dataset *dataset;
    unsigned count;
    const struct view_apex *apex = keep_apex(j->zone->keep, &dataset, &count);
    bool same = j->kind != JOB_OPEN && !j->result.changed && j->expired == 0;
    if (apex == NULL || j->state.empty || same)
        return;
    j->apex = malloc(sizeof *j->apex);
    if (j->apex != NULL)
        *j->apex = *apex;
}

/* Behind the job: when the next entry is due, and the numbers for the board. */
static void work_after(struct job *j) {
    struct keep *k = j->zone->keep;
    keep_state(k, &j->state);
    if ((j->kind == JOB_OPEN || j->kind == JOB_CHANGE) && !j->state.empty) {
        struct err err = {0};
        if (group_expire(j, &err) < 0)
            LOG(LEVEL_WARN, "entries whose time is up stay for now", KS("zone", j->zone->conf->name),
                KS("why", err.text));
        keep_state(k, &j->state);
    }
    work_apex(j);
    if (j->result.changed && j->kind != JOB_COMPACT)
        j->compaction_wanted = keep_wants_compaction(k);
    j->local_entries = keep_local_entries(k);
    j->stat_known = j->stat_wanted && keep_stat(k, &j->stat, NULL) == 0;
}

static void give_all(struct job *first, int code) {
    for (struct job *j = first; j != NULL; j = j->next) {
        j->code = code;
        if (j != first)
            j->err = first->err;
    }
}

void work_run(struct job *j, const char *state_dir) {
    j->code = work_open(j, state_dir);
    if (j->code != 0)
        give_all(j, j->code);
    else if (j->kind == JOB_CHANGE)
        group_run(j);
    else
        j->code = work_kind(j);
    if (j->zone->keep != NULL)
        work_after(j);
}
