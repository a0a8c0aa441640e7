/* Files on their way into a zone: read without the store, so that changes and questions go on meanwhile, then
 * committed. On the thread pool. */
#include "rbl/publish/keeper_impl.h"

#include <stdlib.h>

static int read_all(struct job *j, struct data *d, const struct conf_dataset *data, size_t count) {
    int rc = 0;
    d->ttl = j->zone->conf->ttl_s;
    d->ttl_min = j->zone->conf->min_ttl_s;
    d->ttl_max = j->zone->conf->max_ttl_s;
    d->host_bits = j->zone->conf->host_bits;
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

static const struct conf_dataset *source_files(const struct job *j, size_t *count) {
    bool own = j->load->data_count > 0;
    *count = own ? j->load->data_count : j->zone->conf->data_count;
    return own ? j->load->data : j->zone->conf->data;
}

void source_read(struct job *j) {
    struct job_load *l = j->load;
    size_t count;
    const struct conf_dataset *data = source_files(j, &count);
    l->was_read = true;
    l->read = calloc(1, sizeof *l->read);
    if (l->read == NULL || data_open(l->read) < 0) {
        free(l->read);
        l->read = NULL;
        l->code = err_set(&j->err, E_NOMEM, "zone %s: no memory to read its files", j->zone->conf->name);
        return;
    }
    uint64_t before = files_signature(data, count);
    l->code = read_all(j, l->read, data, count);
    l->midline = files_midline(data, count);
    /* Several files make one zone: none may have changed while another was read. */
    if (l->code == 0 && files_signature(data, count) != before)
        l->code = err_set(&j->err, E_AGAIN, "zone %s: a file changed while the files were read", j->zone->conf->name);
}

void source_free(struct job_load *l) {
    if (l == NULL || l->read == NULL)
        return;
    data_free(l->read);
    free(l->read);
    l->read = NULL;
}

int source_commit(struct job *j) {
    struct keeper_zone *z = j->zone;
    struct job_load *l = j->load;
    if (l->code != 0)
        return l->code;
    struct keep_commit c = {.source = j->kind == JOB_PUBLISH ? "publish" : "files",
                            .reason = l->reason,
                            .force = l->force,
                            .serial_hint = l->read->has_soa ? l->read->soa.serial : 0,
                            .dry_run = l->dry_run};
    struct keep_state st;
    int rc = 0;
    keep_state(z->keep, &st);
    if (l->midline != NULL && !z->midline && !c.force && !st.empty)
        rc = refuse_cut_off(j, l->read, &c, l->midline);
    if (rc == 0)
        rc = keep_replace(z->keep, l->read, &c, &j->result, &j->err);
    if (rc == 0 && !c.dry_run)
        z->midline = l->midline != NULL;
    source_free(l);
    return rc;
}
