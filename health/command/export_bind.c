/* A master file (RFC 1035): the RRs that transfers send (rbl/records/records.h), one a line, as they come. */
#include <string.h>

#include "health/command/export.h"
#include "rbl/records/records.h"

static void put_top(const struct export *x, const struct dns_soa *soa, uint32_t ttl) {
    char primary[NAME_TEXT_MAX], contact[NAME_TEXT_MAX];
    fprintf(x->to, "; zone %s serial %u\n$ORIGIN %s\n$TTL %u\n", x->zone, soa->serial, x->zone, x->apex->ttl);
    fprintf(x->to, "@ %u SOA %s %s %u %u %u %u %u\n", ttl, name_text(&soa->primary, primary),
            name_text(&soa->contact, contact), soa->serial, soa->refresh, soa->retry, soa->expire, soa->minimum);
    if (x->apex->ns_count == 0)
        fprintf(x->to, "; the zone names no server, and a master file must\n");
}

/* The owner relative to the zone. */
static void put_owner(FILE *to, const struct name *owner, const struct name *apex) {
    struct name n = {.size = (uint8_t)(owner->size - apex->size + 1),
                     .labels = (uint8_t)(owner->labels - apex->labels)};
    char text[NAME_TEXT_MAX];
    memcpy(n.wire, owner->wire, n.size - 1u);
    if (n.labels == 0) {
        fputc('@', to);
        return;
    }
    (void)name_text(&n, text);
    fwrite(text, 1, strlen(text) - 1, to); /* without the final dot */
}

static int put_rr(const struct export *x, const struct name *apex, const struct records_rr *rr) {
    struct value v = {.kind = VALUE_RR, .type = rr->type, .txt_size = (uint16_t)rr->rdata.size};
    char text[VALUE_TEXT_MAX];
    if (rr->rdata.size > VALUE_BYTES || rr->owner.size < apex->size)
        return E_CORRUPT;
    memcpy(v.txt, rr->rdata.at, rr->rdata.size);
    put_owner(x->to, &rr->owner, apex);
    fprintf(x->to, " %u %s\n", rr->ttl, value_text(&v, text));
    return ferror(x->to) ? E_IO : 0;
}

int export_bind(struct export *x, struct err *err) {
    struct records_walk *w = NULL;
    struct records_rr rr;
    struct dns_soa soa;
    struct name apex;
    uint32_t ttl;
    int rc = name_from_text(&apex, x->zone, err);
    if (rc == 0)
        rc = records_walk_open(&w, x->keep, err);
    if (rc == 0) {
        records_walk_soa(w, &soa, &ttl);
        put_top(x, &soa, ttl);
    }
    while (rc == 0 && (rc = records_walk_next(w, &rr, err)) > 0)
        rc = put_rr(x, &apex, &rr);
    records_walk_close(w);
    return rc;
}
