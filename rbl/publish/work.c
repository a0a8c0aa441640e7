#include "rbl/publish/keeper_impl.h"

#include <stdlib.h>

#include "resolver/base/clock.h"

static int work_open(struct job *j, const char *state_dir) {
    struct keeper_zone *z = j->zone;
    if (z->keep != NULL)
        return 0;
    return keep_open(&z->keep, state_dir, z->conf, &j->err);
}

/* Reads the datasets into a fresh struct data and makes the zone's contents equal to it. */
static int work_replace(struct job *j) {
    struct keeper_zone *z = j->zone;
    const struct conf_dataset *data = j->data_count > 0 ? j->data : z->conf->data;
    size_t count = j->data_count > 0 ? j->data_count : z->conf->data_count;
    if (count > LIMIT_DATASETS)
        return err_set(&j->err, E_FULL, "zone %s: %zu datasets, at most %d", z->conf->name, count, LIMIT_DATASETS);
    struct data *d = calloc(1, sizeof *d);
    if (d == NULL || data_open(d) < 0) {
        free(d);
        return err_set(&j->err, E_NOMEM, "zone %s: no memory to read its files", z->conf->name);
    }
    int rc = 0;
    d->ttl = z->conf->ttl_s;
    d->dataset_count = (unsigned)count;
    for (unsigned i = 0; i < count && rc == 0; i++) {
        d->dataset[i].type = data[i].type;
        rc = load_dataset(d, i, &data[i].files, &j->report, &j->err);
    }
    if (rc == 0)
        rc = data_settle(d, &j->err);
    if (rc == 0) {
        d->bad_lines = j->report.bad_lines;
        struct keep_commit c = {.source = j->kind == JOB_PUBLISH ? "publish" : "files",
                                .reason = j->reason,
                                .force = j->force,
                                .serial_hint = d->has_soa ? d->soa.serial : 0,
                                .dry_run = j->dry_run};
        rc = keep_replace(z->keep, d, &c, &j->result, &j->err);
    }
    data_free(d);
    free(d);
    return rc;
}

/* Which line of which file a match stands on; silently nothing when the files have moved on. */
static void work_place(struct job *j, unsigned i) {
    const struct conf_zone *zone = j->zone->conf;
    const struct keep_match *m = &j->match[i];
    if (m->dataset >= zone->data_count)
        return;
    const struct conf_list_text *files = &zone->data[m->dataset].files;
    int rc;
    if (j->why_is_name) {
        /* The entry that matched, not what was asked for: "*.example" answers for names below it. */
        struct name entry;
        rc = name_from_text(&entry, m->entry + (m->bits == 1 && m->entry[0] == '*' ? 2 : 0), NULL);
        if (rc == 0)
            rc = load_find_name(m->type, files, &entry, m->bits == 1, &j->place[i], NULL);
    } else if (addr_family(&j->why_addr) == AF_INET) {
        rc = load_find4(m->type, files, ntohl(j->why_addr.in.sin_addr.s_addr), m->bits, &j->place[i], NULL);
    } else {
        rc = load_find6(m->type, files, j->why_addr.in6.sin6_addr.s6_addr, m->bits, &j->place[i], NULL);
    }
    if (rc < 0)
        j->place[i].line = 0;
}

static int work_why(struct job *j) {
    struct keep *k = j->zone->keep;
    int rc = j->why_is_name ? keep_why_name(k, &j->why_name, j->match, KEEPER_WHY_MATCHES, &j->matches, &j->err)
                            : keep_why_addr(k, &j->why_addr, j->match, KEEPER_WHY_MATCHES, &j->matches, &j->err);
    for (unsigned i = 0; rc == 0 && i < j->matches; i++)
        work_place(j, i);
    return rc;
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
        return 0;
    case JOB_FILES:
    case JOB_PUBLISH:
        return work_replace(j);
    case JOB_WHY:
        return work_why(j);
    case JOB_HISTORY:
        return work_history(j);
    case JOB_VERIFY:
        return keep_verify(j->zone->keep, &j->err);
    case JOB_CHANGE:
    case JOB_EXPIRE:
    case JOB_COMPACT:
    case JOB_KINDS:
        break;
    }
    return err_set(&j->err, E_INVALID, "no such job");
}

void work_run(struct job *j, const char *state_dir) {
    j->code = work_open(j, state_dir);
    if (j->code == 0)
        j->code = work_kind(j);
    if (j->zone->keep == NULL)
        return;
    keep_state(j->zone->keep, &j->state);
    if (keep_stat(j->zone->keep, &j->stat, NULL) < 0)
        memset(&j->stat, 0, sizeof j->stat);
}
