/* Writing DNS messages into a buffer of the caller's: never beyond its end, names compressed (RFC 1035 section 4.1.4,
 * case folded) against those written before, at most WRITER_NAMES of their suffixes remembered. RRs are written section
 * by section. Errors stick: check dns_writer_end() alone. Nothing allocates.
 *
 * An RRset that does not fit is taken back whole by the caller with dns_writer_mark/rewind and TC set: RRs are never
 * dropped silently. */
#ifndef CANDOR_DNS_WRITER_H
#define CANDOR_DNS_WRITER_H

#include "resolver/dns/message.h"

enum { WRITER_NAMES = 32 };

struct dns_writer {
    uint8_t *buf;
    size_t cap;       /* octets that may be written; lowered by dns_writer_reserve */
    size_t room;      /* octets that there are: at most LIMIT_MESSAGE */
    size_t size;      /* written so far */
    int error;        /* first error: E_FULL when something did not fit, E_INVALID for an RR of an earlier section */
    uint8_t question; /* octets of the question's name, which stands at DNS_HEADER; 0: none */
    unsigned names;   /* suffixes remembered; the question's not before another name is written */
    struct {
        uint16_t at;
        uint16_t hash; /* of the suffix that begins there: its size and two of its octets */
    } name[WRITER_NAMES];
    uint16_t counts[4];
};

struct dns_mark {
    size_t size;
    unsigned names;
    uint16_t counts[4];
    int error;
};

/* `flags`: enum dns_flag. `cap` below a header sticks as E_FULL, above LIMIT_MESSAGE it is LIMIT_MESSAGE. */
void dns_writer_open(struct dns_writer *w, uint8_t *buf, size_t cap, uint16_t id, uint16_t flags, uint8_t opcode);
/* The question as it was asked, case and all. */
void dns_writer_question(struct dns_writer *w, const struct name *qname, uint16_t type, uint16_t klass);
/* An RR with opaque RDATA: names in it stay as they are. */
void dns_writer_rr(struct dns_writer *w, enum dns_section s, const struct name *owner, uint16_t type, uint16_t klass,
                   uint32_t ttl, struct bytes rdata);
/* The same, of the owner that stands at `owner_at` of the message already, whole: a suffix of the question's name.
 * Nothing is looked for: what nearly every answer needs. */
void dns_writer_rr_at(struct dns_writer *w, enum dns_section s, uint16_t owner_at, uint16_t type, uint16_t klass,
                      uint32_t ttl, struct bytes rdata);
void dns_writer_a(struct dns_writer *w, enum dns_section s, const struct name *owner, uint32_t ttl,
                  const uint8_t addr[4]);
/* TXT of any length up to 65,535 less overhead, cut into character-strings of 255. */
void dns_writer_txt(struct dns_writer *w, enum dns_section s, const struct name *owner, uint32_t ttl,
                    struct bytes text);
void dns_writer_ns(struct dns_writer *w, enum dns_section s, const struct name *owner, uint32_t ttl,
                   const struct name *host);
struct dns_soa {
    struct name primary, contact;
    uint32_t serial, refresh, retry, expire, minimum;
};
void dns_writer_soa(struct dns_writer *w, enum dns_section s, const struct name *owner, uint32_t ttl,
                    const struct dns_soa *soa);

/* What the OPT RR of an answer (or query) is to say. */
struct dns_opt {
    uint16_t udp_size;
    bool dnssec_ok;
    uint16_t rcode; /* whole; the upper bits go into OPT, the lower are set by dns_writer_end */
    bool nsid;
    struct bytes nsid_text; /* empty: asks for it */
    int ede;                /* EDE_NONE: none */
    const char *ede_text;   /* NULL: none; of a longer one DNS_OPT_TEXT octets are sent */
    struct bytes cookie;    /* size 0: none */
    int keepalive;          /* in 100 ms; -1: none; DNS_KEEPALIVE_ASK: without a value, as clients send it (RFC 7828) */
    struct bytes options;   /* more, as they go out: what dns_option_put made */
    uint16_t pad;           /* the message grows to a multiple of this, or to its bound (RFC 8467); 0: as it is */
};
/* Only where the channel is encrypted, and to a client that sent the option itself (RFC 7830 section 4). */
enum { DNS_PAD_QUERY = 128, DNS_PAD_ANSWER = 468 };
enum { DNS_OPT_TEXT = 255, DNS_KEEPALIVE_ASK = -2 };
enum { DNS_OPT_FIXED = 11, DNS_OPTION_FIXED = 4 }; /* octets of an OPT without options, and of an option without data */
/* An OPT that says nothing but a size: struct dns_opt o = DNS_OPT_INIT(1232); */
#define DNS_OPT_INIT(size)                                                                                             \
    { .udp_size = (size), .ede = EDE_NONE, .keepalive = -1 }
/* Octets that dns_writer_opt will need without padding (which takes what is left), to be reserved before RRs are
 * written and released before it is called. */
size_t dns_opt_size(const struct dns_opt *o);
/* Adds an option behind the `size` octets of options that `to` holds. New size, or E_FULL. */
int dns_option_put(uint8_t *to, size_t size, size_t cap, uint16_t code, struct bytes data) MUST_USE;
void dns_writer_reserve(struct dns_writer *w, size_t octets);
void dns_writer_release(struct dns_writer *w, size_t octets);
void dns_writer_opt(struct dns_writer *w, const struct dns_opt *o);

struct dns_mark dns_writer_mark(const struct dns_writer *w);
/* Takes back what came since, errors too; what was reserved or released since stays so. */
void dns_writer_rewind(struct dns_writer *w, const struct dns_mark *m);

/* Fills in counts, adds `flags` (enum dns_flag) to those of dns_writer_open and sets the lower four bits of rcode. Size
 * of the message, or the error < 0. */
int dns_writer_end(struct dns_writer *w, uint16_t flags, unsigned rcode) MUST_USE;

/* A query: header, question, OPT (NULL: no EDNS). Returns its size or an error. */
int dns_query_write(uint8_t *buf, size_t cap, uint16_t id, uint16_t flags, const struct name *qname, uint16_t qtype,
                    uint16_t qclass, const struct dns_opt *o) MUST_USE;

#endif
