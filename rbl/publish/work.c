#include "rbl/publish/keeper_impl.h"

#include <arpa/inet.h>
#include <stdlib.h>

static int work_open(struct job *j, const char *state_dir) {
    struct keeper_zone *z = j->zone;
    if (z->keep != NULL)
        return 0;
    return keep_open(&z->keep, state_dir, z->conf, &j->err);
}

static int read_all(struct job *j, struct data *d, const struct conf_dataset *data, size_t count) {
    int rc = 0;
    d->ttl = j->zone->conf->ttl_s;
    d->ttl_min = j->zone->conf->min_ttl_s;
    d->ttl_max = j->zone->conf->max_ttl_s;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = load_dataset(d, data[i].type, &data[i].files, &j->load->report, &j->err);
    if (rc == 0)
        rc = data_settle(d, &j->err);
    d->bad_lines = j->load->report.bad_lines;
    return rc;
}

/* A file that ends in the middle of a line has often been cut off by who was writing it. Loss of entries then counts
 * as damage, unless the last contents that were taken ended so too. */
static int refuse_cut_off(struct job *j, const struct data *d, const struct keep_commit *c, const char *file) {
    struct keep_commit dry = *c;
    struct keep_state st;
    dry.dry_run = true;
    int rc = keep_replace(j->zone->keep, d, &dry, &j->result, &j->err);
    if (rc < 0 || j->result.removed <= j->result.added)
        return rc;
    keep_state(j->zone->keep, &st);
    return err_set(&j->err, E_REFUSED,
                   "%.200s ends in the middle of a line, and %llu of %llu entries would go, %llu come: taken for cut "
                   "off, refused, kept serial %u",
                   file, (unsigned long long)j->result.removed, (unsigned long long)st.entries,
                   (unsigned long long)j->result.added, st.serial);
}

static int commit_all(struct job *j, struct data *d, const struct conf_dataset *data, size_t count) {
    struct keeper_zone *z = j->zone;
    struct keep_commit c = {.source = j->kind == JOB_PUBLISH ? "publish" : "files",
                            .reason = j->load->reason,
                            .force = j->load->force,
                            .serial_hint = d->has_soa ? d->soa.serial : 0,
                            .dry_run = j->load->dry_run};
    struct keep_state st;
    const char *midline = files_midline(data, count);
    int rc = 0;
    keep_state(z->keep, &st);
    if (midline != NULL && !z->midline && !c.force && !st.empty)
        rc = refuse_cut_off(j, d, &c, midline);
    if (rc == 0)
        rc = keep_replace(z->keep, d, &c, &j->result, &j->err);
    if (rc == 0 && !c.dry_run)
        z->midline = midline != NULL;
    return rc;
}

/* Reads the datasets into a fresh struct data and makes the zone's contents equal to it. */
static int work_replace(struct job *j) {
    struct keeper_zone *z = j->zone;
    const struct conf_dataset *data = j->load->data_count > 0 ? j->load->data : z->conf->data;
    size_t count = j->load->data_count > 0 ? j->load->data_count : z->conf->data_count;
    if (count >= LIMIT_DATASETS)
        return err_set(&j->err, E_FULL, "zone %s: %zu datasets, at most %d", z->conf->name, count, LIMIT_DATASETS - 1);
    struct data *d = calloc(1, sizeof *d);
    if (d == NULL || data_open(d) < 0) {
        free(d);
        return err_set(&j->err, E_NOMEM, "zone %s: no memory to read its files", z->conf->name);
    }
    uint64_t before = files_signature(data, count);
    int rc = read_all(j, d, data, count);
    /* Several files make one zone: none may have changed while another was read. */
    if (rc == 0 && files_signature(data, count) != before)
        rc = err_set(&j->err, E_AGAIN, "zone %s: a file changed while the files were read", z->conf->name);
    if (rc == 0)
        rc = commit_all(j, d, data, count);
    data_free(d);
    free(d);
    return rc;
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
    int rc = j->why->is_name
                 ? keep_why_name(k, &j->why->name, j->why->match, KEEPER_WHY_MATCHES, &j->why->matches, &j->err)
                 : keep_why_addr(k, &j->why->addr, j->why->match, KEEPER_WHY_MATCHES, &j->why->matches, &j->err);
    for (unsigned i = 0; rc == 0 && i < j->why->matches; i++)
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
    case JOB_EXPIRE:
    case JOB_COMPACT:
    case JOB_CHANGE:
        return err_set(&j->err, E_UNSUPPORTED, "zones cannot be changed entry by entry yet");
    case JOB_KINDS:
        break;
    }
    return err_set(&j->err, E_INVALID, "no such job");
}

/* Behind the job: when the next entry is due, and the numbers for the board. */
static void work_after(struct job *j) {
    struct keep *k = j->zone->keep;
    keep_state(k, &j->state);
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
        give_all(j, work_kind(j));
    else
        j->code = work_kind(j);
    if (j->zone->keep != NULL)
        work_after(j);
}
