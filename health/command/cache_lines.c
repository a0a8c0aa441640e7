#include "health/command/cache_lines.h"

#include <errno.h>
#include <stdlib.h>

#include <ldns/ldns.h>

#include "health/command/cache_reach.h"
#include "resolver/base/clock.h"
#include "resolver/dns/writer.h"

enum { WORDS = 7, WORD_MAX = NAME_TEXT_MAX, RR_FIXED = 10 };

struct words {
    unsigned count;
    char at[WORDS][WORD_MAX];
};

struct cache_lines {
    struct cache *cache;
    cache_lines_wrong wrong;
    void *ctx;
    struct cache_lines_sum sum;
    uint64_t records;  /* begun in the file */
    uint32_t passed_s; /* since the dump */
    bool ended;        /* $END was there */

    /* the record under way */
    bool open, bad, late; /* late: it has ended meanwhile */
    unsigned long line;   /* where it began */
    enum cache_kind kind;
    struct cache_key key;
    struct name name;
    unsigned rcode;
    enum dns_section section;
    struct dns_writer writer;
    uint8_t msg[LIMIT_MESSAGE];
    struct rrset rrset;
    size_t data_size;
    uint8_t data[RRSET_MAX];
};

static void fail(struct cache_lines *l, unsigned long line, const char *why) {
    l->wrong(l->ctx, line, why);
    l->bad = true;
}

/* --- words of a line */

static bool words_read(struct words *w, const char *text) {
    w->count = 0;
    for (;;) {
        text += strspn(text, " \t\r");
        size_t n = strcspn(text, " \t\r");
        if (n == 0)
            return w->count > 0;
        if (w->count == WORDS || n >= WORD_MAX)
            return false;
        memcpy(w->at[w->count], text, n);
        w->at[w->count++][n] = '\0';
        text += n;
    }
}

static bool number_read(const char *text, uint64_t most, uint64_t *to) {
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    *to = n;
    return errno == 0 && *end == '\0' && n <= most;
}

static int rcode_read(const char *text) {
    char name[16];
    for (unsigned i = 0; i < 16; i++)
        if (strcmp(dns_rcode_text(i, name), text) == 0)
            return (int)i;
    return -1;
}

static int trust_read(const char *text) {
    for (unsigned i = 0; i <= TRUST_DATA; i++)
        if (strcmp(cache_trust_names[i], text) == 0)
            return (int)i;
    return -1;
}

/* --- records: begun, filled, put */

static void put_answer(struct cache_lines *l) {
    int size = dns_writer_end(&l->writer, FLAG_QR, l->rcode);
    int e = size < 0 ? size : cache_put(l->cache, &l->key, l->msg, (size_t)size);
    if (e == 0)
        l->sum.loaded++;
    else
        fail(l, l->line,
             e == E_REFUSED ? "an answer that is not kept: TTL 0, or a denial without SOA"
                            : "not a whole answer to its question");
}

static void put_rrset(struct cache_lines *l) {
    l->rrset.data = (struct bytes){l->data, l->data_size};
    int e = cache_rrset_put(l->cache, &l->rrset);
    if (e == 0 || e == E_REFUSED) /* refused: the cache has one that is trusted more */
        l->sum.loaded += e == 0;
    else
        fail(l, l->line, "not a whole RRset");
}

static void record_end(struct cache_lines *l) {
    if (l->open && !l->bad && l->late)
        l->sum.ended++;
    else if (l->open && !l->bad)
        (l->kind == CACHE_ANSWER ? put_answer : put_rrset)(l);
    l->open = false;
}

/* NAME CLASS TYPE, the words 1 to 3 of every record. */
static bool question_read(struct cache_lines *l, const struct words *w, bool nameless) {
    uint64_t klass;
    int type = nameless ? RRSET_NAME : dns_type_from_text(w->at[3]);
    if (name_from_text(&l->name, w->at[1], NULL) != 0 || !number_read(w->at[2], UINT16_MAX, &klass) || type < 0)
        return false;
    name_lower(&l->name);
    l->key = (struct cache_key){.qname = &l->name, .qtype = (uint16_t)type, .qclass = (uint16_t)klass};
    return true;
}

static bool answer_begin(struct cache_lines *l, const struct words *w) {
    int rcode = w->count >= 5 ? rcode_read(w->at[4]) : -1;
    if (rcode < 0 || !question_read(l, w, false))
        return false;
    for (unsigned i = 5; i < w->count; i++) {
        bool dnssec = strcmp(w->at[i], "DO") == 0;
        if (!dnssec && strcmp(w->at[i], "CD") != 0)
            return false;
        *(dnssec ? &l->key.dnssec_ok : &l->key.checking_disabled) = true;
    }
    l->kind = CACHE_ANSWER;
    l->rcode = (unsigned)rcode;
    l->section = SECTION_ANSWER;
    dns_writer_open(&l->writer, l->msg, sizeof l->msg, 0, FLAG_QR, OPCODE_QUERY);
    dns_writer_question(&l->writer, &l->name, l->key.qtype, l->key.qclass);
    return true;
}

static bool rrset_begin(struct cache_lines *l, const struct words *w, enum rrset_kind kind) {
    uint64_t ttl_s;
    int trust = w->count >= 6 ? trust_read(w->at[5]) : -1;
    bool dnssec = w->count == 7 && strcmp(w->at[6], "DO") == 0;
    if (trust < 0 || !question_read(l, w, kind == RRSET_NXDOMAIN) || !number_read(w->at[4], UINT32_MAX, &ttl_s) ||
        (w->count == 7 && !dnssec))
        return false;
    l->kind = CACHE_RRSET;
    l->data_size = 0;
    l->late = ttl_s <= l->passed_s;
    l->rrset = (struct rrset){.owner = l->name,
                              .type = l->key.qtype,
                              .klass = l->key.qclass,
                              .kind = (uint8_t)kind,
                              .trust = (uint8_t)trust,
                              .with_dnssec = dnssec,
                              .ttl_s = l->late ? 0 : (uint32_t)ttl_s - l->passed_s};
    return true;
}

static void record_begin(struct cache_lines *l, const struct words *w) {
    static const char *const kinds[] = {"$RRSET", "$NODATA", "$NXDOMAIN"};
    bool good = strcmp(w->at[0], "$ANSWER") == 0 && answer_begin(l, w);
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(w->at[0], kinds[i]) == 0)
            good = rrset_begin(l, w, (enum rrset_kind)i);
    if (!good)
        fail(l, l->line, "not the beginning of a record");
}

/* --- RRs */

static bool denial_take(struct cache_lines *l, struct bytes wire) {
    if (wire.size > sizeof l->data - l->data_size)
        return false;
    memcpy(l->data + l->data_size, wire.at, wire.size);
    l->data_size += wire.size;
    l->rrset.count++;
    return true;
}

static bool data_take(struct cache_lines *l, const struct name *owner, uint16_t type, struct bytes rdata) {
    bool sig = type == TYPE_RRSIG && l->rrset.type != TYPE_RRSIG;
    uint16_t size = (uint16_t)rdata.size;
    if (!name_equal(owner, &l->rrset.owner) || (!sig && (type != l->rrset.type || l->rrset.sigs > 0)) ||
        rdata.size + sizeof size > sizeof l->data - l->data_size)
        return false;
    memcpy(l->data + l->data_size, &size, sizeof size);
    memcpy(l->data + l->data_size + sizeof size, rdata.at, rdata.size);
    l->data_size += sizeof size + rdata.size;
    *(sig ? &l->rrset.sigs : &l->rrset.count) += 1;
    return true;
}

static bool rr_take(struct cache_lines *l, struct bytes wire) {
    struct name owner;
    size_t next;
    if (name_read(&owner, wire.at, wire.size, 0, &next) != 0 || wire.size - next < RR_FIXED)
        return false;
    uint16_t type = get_u16(wire.at + next), klass = get_u16(wire.at + next + 2);
    uint32_t ttl = get_u32(wire.at + next + 4);
    struct bytes rdata = {wire.at + next + RR_FIXED, wire.size - next - RR_FIXED};
    if (klass != l->key.qclass || type == TYPE_OPT)
        return false;
    if (l->kind == CACHE_RRSET)
        return l->rrset.kind == RRSET_DATA ? data_take(l, &owner, type, rdata) : denial_take(l, wire);
    l->late |= ttl <= l->passed_s;
    dns_writer_rr(&l->writer, l->section, &owner, type, klass, l->late ? 0 : ttl - l->passed_s, rdata);
    return l->writer.error == 0;
}

static void rr_read(struct cache_lines *l, unsigned long line, const char *text) {
    ldns_rr *rr = NULL;
    uint8_t *wire = NULL;
    size_t size = 0;
    if (!l->open) {
        fail(l, line, "an RR of no record");
        return;
    }
    if (ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) != LDNS_STATUS_OK ||
        ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK)
        fail(l, line, "not an RR");
    else if (!rr_take(l, (struct bytes){wire, size}))
        fail(l, line, "an RR that does not belong to its record, or for which there is no room");
    free(wire);
    ldns_rr_free(rr);
}

/* --- lines */

static bool time_read(struct cache_lines *l, const struct words *w) {
    uint64_t at;
    int64_t now = clock_wall_s();
    if (w->count != 2 || !number_read(w->at[1], INT64_MAX, &at))
        return false;
    l->passed_s = (int64_t)at >= now ? 0 : now - (int64_t)at > UINT32_MAX ? UINT32_MAX : (uint32_t)(now - (int64_t)at);
    return true;
}

static void directive_read(struct cache_lines *l, unsigned long line, const char *text) {
    struct words w;
    uint64_t records;
    bool good = words_read(&w, text);
    if (good && l->open && strcmp(w.at[0], "$AUTHORITY") == 0) {
        l->section = SECTION_AUTHORITY;
        return;
    }
    if (good && l->open && strcmp(w.at[0], "$ADDITIONAL") == 0) {
        l->section = SECTION_ADDITIONAL;
        return;
    }
    record_end(l);
    l->line = line;
    l->bad = l->late = false;
    if (!good) {
        fail(l, line, "too many words, or too long ones");
    } else if (strcmp(w.at[0], "$TIME") == 0) {
        if (!time_read(l, &w))
            fail(l, line, "not a time");
    } else if (strcmp(w.at[0], "$END") == 0) {
        l->ended = true;
        if (w.count != 2 || !number_read(w.at[1], UINT64_MAX, &records) || records != l->records)
            fail(l, line, "not as many records as were dumped");
    } else {
        l->open = true;
        l->records++;
        record_begin(l, &w);
    }
}

void cache_lines_take(struct cache_lines *l, unsigned long line, const char *text) {
    if (text[0] == '\0' || text[0] == ';')
        return;
    if (l->ended)
        fail(l, line, "a line behind the end");
    else if (text[0] == '$')
        directive_read(l, line, text);
    else if (!l->bad)
        rr_read(l, line, text);
}

struct cache_lines *cache_lines_new(struct cache *cache, cache_lines_wrong wrong, void *ctx) {
    struct cache_lines *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->cache = cache;
    l->wrong = wrong;
    l->ctx = ctx;
    return l;
}

struct cache_lines_sum cache_lines_end(struct cache_lines *l, unsigned long line) {
    record_end(l);
    if (!l->ended)
        l->wrong(l->ctx, line, "the file ends early: no $END");
    return l->sum;
}

void cache_lines_free(struct cache_lines *l) { free(l); }
