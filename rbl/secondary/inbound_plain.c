/* A plain transfer on the thread pool: messages become RRs; a whole zone becomes data, differences wait for the commit
 * and become edits there. */
#include <stdlib.h>

#include "rbl/replicate/heartbeat.h"
#include "rbl/secondary/impl.h"

static int whole_rr(struct inbound *i, const struct records_rr *rr, struct err *err) {
    if (i->records == NULL) {
        int rc = records_in_open(&i->records, i->zone->conf, err);
        if (rc == 0 && i->collects)
            rc = records_in_collect(i->records);
        if (rc < 0)
            return rc;
    }
    i->transfer = TRANSFER_AXFR;
    return records_in_add(i->records, rr, err);
}

/* Differences are looked through for their form alone. */
static int on_rr(void *ctx, enum plain_part part, const struct records_rr *rr, struct err *err) {
    return part == PLAIN_WHOLE ? whole_rr(ctx, rr, err) : 0;
}

static int keep_message(struct inbound *i, struct chunk *c, struct err *err) {
    if (i->kept.octets + c->size > SECONDARY_IXFR_MOST)
        return err_set(err, E_FULL, "an IXFR of more than %d octets", SECONDARY_IXFR_MOST);
    if (i->kept.last != NULL)
        i->kept.last->next = c;
    else
        i->kept.first = c;
    i->kept.last = c;
    i->kept.octets += c->size;
    return 0;
}

static struct chunk *take_first(struct chunks *c) {
    struct chunk *first = c->first;
    c->first = first->next;
    c->octets -= first->size;
    if (c->first == NULL)
        c->last = NULL;
    first->next = NULL;
    return first;
}

static int take_one(struct inbound *i, struct chunk *c) {
    int rc = i->complete ? err_set(&i->err, E_INVALID, "messages behind the end of the transfer")
                         : plain_take(&i->plain, c->octets, c->size, on_rr, i, &i->err);
    i->complete |= rc == 1;
    bool keeps = rc >= 0 && i->plain.type == TYPE_IXFR && i->records == NULL;
    if (keeps && (rc = keep_message(i, c, &i->err)) == 0)
        return 0;
    free(c);
    return rc < 0 ? rc : 0;
}

void inbound_plain_take(struct inbound *i) {
    int rc = 0;
    while (rc == 0 && i->working_on.first != NULL && inbound_goes_on(i))
        rc = take_one(i, take_first(&i->working_on));
    if (rc == 0 && i->complete && i->records != NULL && i->data == NULL) {
        rc = records_in_data(i->records, &i->data, &i->err);
        records_in_told(i->records, &i->told);
    }
    i->code = rc;
}

/* --- the commit */

struct editing {
    struct records_edit *edit;
    struct inbound *i;
};

static bool is_heartbeat(const struct inbound *i, const struct records_rr *rr) {
    static const char label[] = HEARTBEAT_LABEL;
    const struct name *owner = &rr->owner, *apex = &i->plain.apex;
    return rr->type == TYPE_TXT && owner->labels == apex->labels + 1 && owner->wire[0] == sizeof(label) - 1 &&
           memcmp(owner->wire + 1, label, sizeof(label) - 1) == 0;
}

static int on_edit(void *ctx, enum plain_part part, const struct records_rr *rr, struct err *err) {
    struct editing *e = ctx;
    if (part == PLAIN_REMOVE)
        return records_edit_remove(e->edit, rr, err);
    if (is_heartbeat(e->i, rr))
        e->i->told.heartbeat_ms = heartbeat_read(rr->rdata);
    return records_edit_add(e->edit, rr, err);
}

static int edit_all(struct inbound *i, struct records_edit *e, struct err *err) {
    struct editing editing = {.edit = e, .i = i};
    struct plain p;
    int rc = 0;
    plain_open(&p, &i->plain.apex, i->plain.id, TYPE_IXFR, i->plain.have);
    for (const struct chunk *c = i->kept.first; rc == 0 && c != NULL; c = c->next)
        rc = plain_take(&p, c->octets, c->size, on_edit, &editing, err);
    return rc < 0 ? rc : records_edit_finish(e, err);
}

static int commit_differences(struct inbound *i, struct keep *k, const struct keep_commit *c, struct keep_result *r,
                              struct err *err) {
    struct keep_batch *b = NULL;
    struct records_edit *e = NULL;
    struct keep_state st;
    keep_state(k, &st);
    if (st.empty || st.serial != i->plain.have)
        return err_set(err, E_NOTFOUND, "ours is no longer serial %u", i->plain.have);
    int rc = keep_batch_open(&b, k, err);
    if (rc == 0) {
        keep_batch_source(b, i->source);
        rc = records_edit_open(&e, i->zone->conf, b, err);
    }
    if (rc == 0)
        rc = edit_all(i, e, err);
    if (rc == 0)
        rc = keep_batch_commit(b, c, r, err);
    records_edit_close(e);
    keep_batch_close(b);
    return rc;
}

int inbound_plain_commit(struct inbound *i, struct keep *k, struct keep_result *r, struct err *err) {
    struct keep_commit c = {.source = i->source, .exact_serial = true, .serial_hint = i->plain.serial, .whole = true};
    if (i->data != NULL)
        return keep_replace(k, i->data, &c, r, err);
    return commit_differences(i, k, &c, r, err);
}

void inbound_plain_close(struct inbound *i) {
    if (i->records != NULL)
        records_in_close(i->records);
    i->records = NULL;
    i->data = NULL;
}
