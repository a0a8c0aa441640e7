/* Inside of rbl/answer*.c.
 *
 *   answer.c       zones by name, batches: open, begin, zone, end
 *   answer_come.c  zones that come and go while it serves
 *   answer_ask.c   one question: who asks, apex or below, RCODE
 *   answer_acl.c   what access lists make of it
 *   answer_zone.c  (answer_zone.h) one zone: its view, whether it may answer, what is made of it once per commit
 *   answer_sub.c   which datasets a name is asked of: the apex's, those of a subzone
 *   answer_name.c  from a query name to an address, and addresses as text
 *   answer_look.c  the look-ups of one question
 *   answer_wrong.c questions that no list of this kind can answer
 *   answer_set.c   RRs collected from values
 *   answer_rr.c    RRs written: SOA, NS, HINFO */
#ifndef CANDOR_RBL_ANSWER_IMPL_H
#define CANDOR_RBL_ANSWER_IMPL_H

#include "rbl/answer_zone.h"
#include "resolver/base/conf_members.h"

enum { ANSWER_TXT_MAX = 254 };

/* What was found for one question at one place. The arrays belong to one look-up after the other. */
struct answer_hits {
    struct view_hit hit[LIMIT_ANSWER_RRS];
    unsigned count;
    unsigned addr_bits; /* what was looked up: 32, 128, or 0 for a name */
    union {
        uint32_t addr4;
        uint8_t addr6[16];
    };
};

struct answer_rr {
    uint16_t type, size;
    uint32_t ttl;
    uint8_t rdata[VALUE_BYTES];
};

struct answer {
    const char *state;
    const struct conf *conf;
    const struct board *board;    /* NULL: nobody tells of commits and members */
    struct board *count_on;       /* NULL: questions are not counted by zone */
    struct conf_members *members; /* NULL: none may come */
    uint64_t members_epoch;       /* as last read */
    struct answer_zone *zone;     /* by place */
    size_t zones;
    struct answer_zone *global; /* the access list of all zones; NULL: none */
    uint16_t *slot;             /* zone index + 1 by hash of the apex, 0: free */
    uint32_t slots;             /* a power of two, at least twice the zones */
    uint64_t key;
    uint64_t depths[2]; /* bit n: some apex has n labels */
    uint16_t *begun;    /* zones begun in this batch */
    size_t begun_count;
    int64_t now_wall_s; /* of this batch; 0: not looked yet */
    bool refuse_any, minimal;
    struct value listed; /* what an access list has everybody told */
    /* the question in hand */
    unsigned asked_bits; /* of the address that the last place was asked for: 32, 128, 0: a name */
    uint32_t asked4;
    uint8_t asked6[16];
    struct answer_hits found[3];
    unsigned founds;
    struct answer_rr rr[LIMIT_ANSWER_RRS];
    unsigned rrs;
    bool too_many; /* RRs would be left out */
};

/* answer.c: the zone at this place of the configuration, if clients may ask for it. */
int answer_take(struct answer *s, size_t place, struct err *err) MUST_USE;
/* Finds zones by name as they are now. E_NOMEM: as before. */
int answer_index(struct answer *s, struct err *err) MUST_USE;

/* answer_come.c: between two batches; reads the list of members when it is another. */
void answer_members(struct answer *s);

/* answer_ask.c: source_ops.answer. */
void answer_ask(void *self, int index, const struct dns_query *q, const struct addr *client, struct dns_writer *w,
                struct source_answer *a);

/* answer_acl.c: what the global list and the zone's own make of a client: ACL_PASS when neither knows him. *ttl: of the
 * template in *v, when it is ACL_LISTED. E_CORRUPT, or E_AGAIN when the global list cannot be read now. */
int answer_acl(struct answer *s, struct answer_zone *z, const struct addr *client, struct value *v,
               uint32_t *ttl) MUST_USE;
/* Whether a list that is asked here could list such a name. */
bool answer_acl_fits(const struct answer_zone *z, const struct name *qname, const struct answer_place *p);

/* answer_name.c: the labels in front of the apex. */
bool answer_name4(const struct name *qname, uint32_t *addr);
bool answer_name6(const struct name *qname, uint8_t addr[16]);
/* 1..3 octets or 1..31 nibbles: a prefix written in reverse. Number of bits, 0: none. */
unsigned answer_part4(const struct name *qname, unsigned labels, uint32_t *addr);
unsigned answer_part6(const struct name *qname, unsigned labels, uint8_t addr[16]);
/* The IPv4 address inside ::ffff:0:0/96 (96) or 2002::/16 (16); 0: neither. */
unsigned answer_inner4(const uint8_t addr[16], uint32_t *inner);

/* answer_look.c: fills s->found; 1: listed, 0: not listed, with *below set when names stand beneath; E_CORRUPT. The
 * apex is looked up with labels 0: names alone. */
int answer_look(struct answer *s, struct answer_zone *z, const struct name *qname, const struct answer_place *p,
                bool *below) MUST_USE;

/* answer_wrong.c: counts a question that answer_look did not find there when it cannot have been meant for this list.
 */
void answer_wrong(const struct answer *s, const struct answer_zone *z, const struct name *qname,
                  const struct answer_place *p);

/* answer_set.c: takes what s->found has for a question of this type into s->rr; 0 or E_CORRUPT. */
int answer_collect(struct answer *s, struct answer_zone *z, uint16_t qtype) MUST_USE;
/* A and TXT of a template; `asked` stands for '$'. */
void answer_add_listed(struct answer *s, const struct value *v, uint16_t qtype, uint32_t ttl, struct bytes asked);
/* Writes what answers the question out of s->rr; how many RRs. */
unsigned answer_put_rrs(struct answer *s, const struct dns_query *q, struct dns_writer *w);

#endif
