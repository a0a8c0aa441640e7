/* Inside of rbl/answer*.c.
 *
 *   answer.c       zones by name, batches: open, begin, zone, answer, end
 *   answer_zone.c  one zone: its view, whether it may answer, SOA and NS
 *   answer_name.c  from a query name to an address, and addresses as text
 *   answer_look.c  the look-ups of one question
 *   answer_rr.c    RRs: A, TXT, SOA, NS, HINFO */
#ifndef CANDOR_RBL_ANSWER_IMPL_H
#define CANDOR_RBL_ANSWER_IMPL_H

#include "rbl/answer.h"
#include "rbl/keep/view.h"

enum { ANSWER_RETRY_MS = 1000, ANSWER_LOG_MS = 60000, ANSWER_TXT_MAX = 254 };

/* SOA RDATA made once per commit. Names under the apex end in a pointer that is set for each question. */
struct answer_soa {
    struct dns_soa soa;
    uint32_t ttl, negative_ttl;
    uint8_t rdata[2 * LIMIT_NAME_WIRE + 20];
    uint16_t size;
    uint16_t pointer[2];
    unsigned pointers;
};

struct answer_zone {
    const struct conf_zone *conf;
    struct name apex;
    bool everybody; /* the access list holds all addresses */
    bool lists4;    /* the zone has lists of IPv4 addresses, empty ones too */
    const board_word *commits;
    struct view *view;
    int64_t retry_at_ms, logged_at_ms;
    uint64_t tried_hint; /* what *commits was at the last try to open */
    /* of this batch */
    bool begun, ready;
    int ede; /* when not ready; when stale */
    const char *ede_text;
    const struct view_apex *data;
    bool has4, has6, has_names;
    struct answer_soa soa;
};

/* What was found for one question. The arrays belong to one look-up after the other. */
struct answer_hits {
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned count;
    unsigned addr_bits; /* what was looked up: 32, 128, or 0 for a name */
    union {
        uint32_t addr4;
        uint8_t addr6[16];
    };
};

struct answer_txt {
    uint8_t size;
    char text[ANSWER_TXT_MAX];
};

struct answer {
    const char *state;
    struct answer_zone *zone;
    size_t zones;
    uint16_t *slot; /* zone index + 1 by hash of the apex, 0: free */
    uint32_t slots; /* a power of two, at least twice the zones */
    uint64_t key;
    uint64_t depths[2]; /* bit n: some apex has n labels */
    uint16_t *begun;    /* zones begun in this batch */
    size_t begun_count;
    int64_t now_wall_s; /* of this batch; 0: not looked yet */
    bool refuse_any;
    /* the question in hand */
    struct answer_hits found[3];
    unsigned founds;
    uint8_t a[LIMIT_ANSWER_RRS][4];
    struct answer_txt txt[LIMIT_ANSWER_RRS];
};

/* answer_zone.c */
int answer_zone_open(struct answer_zone *z, const struct conf_zone *conf, const board_word *commits,
                     struct err *err) MUST_USE;
void answer_zone_close(struct answer_zone *z);
/* Begins reading for this batch (z->begun: it was); z->ready says whether it may answer. */
void answer_zone_begin(struct answer *s, struct answer_zone *z);
void answer_zone_end(struct answer_zone *z);
/* Bytes on disk were not what they should be: no more answers from this view in this batch, opened anew later. */
void answer_zone_broken(struct answer_zone *z, const struct err *err);

/* answer_name.c: the labels in front of the apex. */
bool answer_name4(const struct name *qname, uint32_t *addr);
bool answer_name6(const struct name *qname, uint8_t addr[16]);
/* 1..3 octets or 1..31 nibbles: a prefix written in reverse. Number of bits, 0: none. */
unsigned answer_part4(const struct name *qname, unsigned labels, uint32_t *addr);
unsigned answer_part6(const struct name *qname, unsigned labels, uint8_t addr[16]);
size_t answer_text4(char to[NAME_TEXT_MAX], uint32_t addr);
size_t answer_text6(char to[NAME_TEXT_MAX], const uint8_t addr[16]);
/* The IPv4 address inside ::ffff:0:0/96 (96) or 2002::/16 (16); 0: neither. */
unsigned answer_inner4(const uint8_t addr[16], uint32_t *inner);

/* answer_look.c: fills s->found; 1: listed, 0: not listed, with *below whether names stand beneath; E_CORRUPT. */
int answer_look(struct answer *s, struct answer_zone *z, const struct name *qname, bool *below) MUST_USE;

/* answer_rr.c. answer_rrs returns how many it wrote, or E_CORRUPT. */
int answer_rrs(struct answer *s, struct answer_zone *z, const struct dns_query *q, struct dns_writer *w) MUST_USE;
void answer_put_soa(struct answer_zone *z, enum dns_section section, const struct dns_query *q, struct dns_writer *w);
void answer_put_ns(struct answer_zone *z, const struct dns_query *q, struct dns_writer *w);
void answer_put_hinfo(struct answer_zone *z, const struct dns_query *q, struct dns_writer *w);
void answer_soa_make(struct answer_zone *z);

#endif
