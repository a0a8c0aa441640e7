/* What is in the cache as lines of a zone file. */
#include <stdlib.h>

#include <ldns/ldns.h>

#include "health/command/cache_reach.h"
#include "resolver/dns/rdata.h"

enum { RR_MAX = LIMIT_NAME_WIRE + 10 + 65535 };

static size_t rr_wire(uint8_t *to, const struct name *owner, uint32_t ttl, uint16_t klass, uint16_t type,
                      struct bytes rdata) {
    size_t at = owner->size;
    memcpy(to, owner->wire, at);
    put_u16(to + at, type);
    put_u16(to + at + 2, klass);
    put_u32(to + at + 4, ttl);
    put_u16(to + at + 8, (uint16_t)rdata.size);
    memcpy(to + at + 10, rdata.at, rdata.size);
    return at + 10 + rdata.size;
}

/* Whether the text, read again, is the same RR. */
static bool comes_back(const char *text, const uint8_t *wire, size_t size) {
    ldns_rr *rr = NULL;
    uint8_t *again = NULL;
    size_t again_size = 0;
    if (ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) != LDNS_STATUS_OK)
        return false;
    bool same = ldns_rr2wire(&again, rr, LDNS_SECTION_ANSWER, &again_size) == LDNS_STATUS_OK && again_size == size &&
                memcmp(again, wire, size) == 0;
    free(again);
    ldns_rr_free(rr);
    return same;
}

/* ldns's text, malloc'ed, with its newline; NULL: it has none that is good. */
static char *ldns_text(const uint8_t *wire, size_t size) {
    ldns_rr *rr = NULL;
    size_t at = 0;
    char *text = NULL;
    if (ldns_wire2rr(&rr, wire, size, &at, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK && at == size)
        text = ldns_rr2str(rr);
    ldns_rr_free(rr);
    if (text != NULL && comes_back(text, wire, size))
        return text;
    free(text);
    return NULL;
}

static void print_opaque(FILE *to, const struct name *owner, uint32_t ttl, uint16_t klass, uint16_t type,
                         struct bytes rdata) {
    char name[NAME_TEXT_MAX];
    fprintf(to, "%s\t%u\tCLASS%u\tTYPE%u\t\\# %zu", name_text(owner, name), ttl, klass, type, rdata.size);
    for (size_t i = 0; i < rdata.size; i++)
        fprintf(to, i == 0 ? " %02x" : "%02x", rdata.at[i]);
    fprintf(to, "\n");
}

void cache_rr_print(FILE *to, const char *indent, const struct name *owner, uint32_t ttl, uint16_t klass, uint16_t type,
                    struct bytes rdata) {
    uint8_t *wire = malloc(RR_MAX);
    char *text = wire != NULL ? ldns_text(wire, rr_wire(wire, owner, ttl, klass, type, rdata)) : NULL;
    fputs(indent, to);
    if (text != NULL)
        fputs(text, to);
    else
        print_opaque(to, owner, ttl, klass, type, rdata);
    free(text);
    free(wire);
}

static void print_answer(FILE *to, const char *indent, const struct cache_item *item,
                         void (*section)(FILE *to, enum dns_section s)) {
    static uint8_t plain[LIMIT_MESSAGE];
    struct bytes msg = {item->msg, item->msg_size}, rdata;
    struct dns_reader reader;
    struct dns_rr rr;
    int last = SECTION_ANSWER;
    if (dns_reader_open(&reader, msg.at, msg.size, NULL, NULL, NULL) != 0)
        return;
    while (dns_reader_next(&reader, &rr) == 0) {
        if (rr.section != last && section != NULL)
            section(to, rr.section);
        last = rr.section;
        if (rdata_plain(&rr, msg, plain, sizeof plain, &rdata) == 0)
            cache_rr_print(to, indent, &rr.owner, rr.ttl, rr.klass, rr.type, rdata);
    }
}

/* A denial's RRs were checked when they were kept: each is whole. */
static void print_denial(FILE *to, const char *indent, const struct rrset *r) {
    size_t at = 0, next;
    struct name owner;
    while (at < r->data.size && name_read(&owner, r->data.at, r->data.size, at, &next) == 0 &&
           r->data.size - next >= 10) {
        const uint8_t *fixed = r->data.at + next;
        struct bytes rdata = {fixed + 10, get_u16(fixed + 8)};
        if (rdata.size > r->data.size - next - 10)
            return;
        cache_rr_print(to, indent, &owner, get_u32(fixed + 4), get_u16(fixed + 2), get_u16(fixed), rdata);
        at = next + 10 + rdata.size;
    }
}

void cache_item_print(FILE *to, const char *indent, const struct cache_item *item,
                      void (*section)(FILE *to, enum dns_section s)) {
    const struct rrset *r = &item->rrset;
    struct bytes rdata;
    size_t at = 0;
    if (item->kind == CACHE_ANSWER)
        print_answer(to, indent, item, section);
    if (item->kind != CACHE_RRSET)
        return;
    if (r->kind != RRSET_DATA)
        print_denial(to, indent, r);
    for (unsigned i = 0; rrset_next(r, &at, &rdata) == 0; i++)
        cache_rr_print(to, indent, &r->owner, r->ttl_s, r->klass, i < r->count ? r->type : TYPE_RRSIG, rdata);
}
