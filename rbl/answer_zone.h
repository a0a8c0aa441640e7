/* Inside of rbl/answer*.c: one zone that is served, and what is made of it once per commit rather than per question. */
#ifndef CANDOR_RBL_ANSWER_ZONE_H
#define CANDOR_RBL_ANSWER_ZONE_H

#include "rbl/answer.h"
#include "rbl/keep/view.h"

struct answer;

enum { ANSWER_RETRY_MS = 1000, ANSWER_LOG_MS = 60000 };

/* SOA RDATA made once per commit. Names under the apex end in a pointer that is set for each question. */
struct answer_soa {
    struct dns_soa soa;
    uint32_t ttl, negative_ttl;
    uint8_t rdata[2 * LIMIT_NAME_WIRE + 20];
    uint16_t size;
    uint16_t pointer[2];
    unsigned pointers;
};

/* The parts of one combined dataset that are attached at one name, lower-case and relative to the apex. */
struct answer_sub {
    uint64_t which;
    uint8_t source, size, labels;
    uint8_t wire[LIMIT_NAME_WIRE];
};

struct answer_zone {
    const struct conf_zone *conf;
    struct name apex;
    bool everybody;                /* the access list holds all addresses */
    const struct board_zone *slot; /* NULL: no board */
    struct board_asked *asked;     /* NULL: not counted */
    struct view *view;
    int64_t retry_at_ms, logged_at_ms;
    uint64_t tried_hint; /* what its commits were at the last try to open */
    /* of this batch */
    bool begun, ready, damaged, expired;
    int ede; /* when not ready; when stale */
    const char *ede_text;
    const struct view_apex *data;
    uint32_t listed, unlisted; /* questions, not on the board yet */
    /* made once per commit */
    bool made;
    uint32_t epoch;
    bool has_names, has_acl;
    uint64_t which4, which6, which_names;           /* datasets that have such entries */
    uint64_t type4, type6, type_names, type_others; /* datasets by type: lists of addresses, dnset, generic */
    uint64_t whole;                                 /* asked with the whole name */
    struct answer_sub *sub;                         /* sorted */
    unsigned subs;
    struct answer_soa soa;
};

/* A part of a question: these datasets, asked with the first `labels` labels (`size` octets) of the query name. */
struct answer_place {
    uint64_t which;
    uint8_t labels, size;
};
enum { ANSWER_PLACES = LIMIT_DATASETS }; /* one for each combined dataset, and the first */

/* answer_zone.c */
int answer_zone_open(struct answer_zone *z, const struct conf_zone *conf, const struct board_zone *slot,
                     struct err *err) MUST_USE;
void answer_zone_close(struct answer_zone *z);
/* Its options are others now. */
void answer_zone_options(struct answer_zone *z);
/* Begins reading for this batch (z->begun: it was); z->ready says whether it may answer. */
void answer_zone_begin(struct answer *s, struct answer_zone *z);
void answer_zone_end(struct answer_zone *z);
/* Bytes on disk were not what they should be: no more answers from this view in this batch, opened anew later. */
void answer_zone_broken(struct answer_zone *z, const struct err *err);

/* answer_sub.c. E_NOMEM. */
int answer_subs_make(struct answer_zone *z) MUST_USE;
void answer_subs_free(struct answer_zone *z);
/* Where qname, in this zone, is looked up: one place or more. *within: it is, or stands above, a name
 * that datasets are attached at, so that it exists. */
unsigned answer_places(const struct answer_zone *z, const struct name *qname, struct answer_place p[ANSWER_PLACES],
                       bool *within);

/* answer_rr.c */
void answer_put_soa(struct answer_zone *z, enum dns_section section, const struct dns_query *q, struct dns_writer *w);
void answer_put_ns(struct answer_zone *z, enum dns_section section, struct dns_writer *w);
void answer_put_hinfo(struct answer_zone *z, const struct dns_query *q, struct dns_writer *w);
void answer_soa_make(struct answer_zone *z);

#endif
