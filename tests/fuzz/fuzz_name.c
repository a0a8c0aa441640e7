/* Names: what is read as a name is one, and comes back the same from text, from a message and from folding.
 * Input: an octet that says where the first name begins, then a message. The same octets are also taken as text. */
#include <stdlib.h>

#include "resolver/base/bytes.h"
#include "resolver/dns/const.h"
#include "resolver/dns/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

static bool same(const struct name *a, const struct name *b) {
    return a->size == b->size && a->labels == b->labels && memcmp(a->wire, b->wire, a->size) == 0;
}

static void well_formed(const struct name *n) {
    size_t at = 0;
    unsigned labels = 0;
    must(n->size >= 1 && n->labels <= LIMIT_LABELS);
    for (; n->wire[at] != 0; labels++) {
        must(n->wire[at] <= 63);
        at += (size_t)n->wire[at] + 1;
        must(at < n->size);
    }
    must(at + 1 == n->size && labels == n->labels);
}

static void text_and_back(const struct name *n) {
    char text[NAME_TEXT_MAX];
    struct name again;
    must(strlen(name_text(n, text)) < NAME_TEXT_MAX);
    must(name_from_text(&again, text, NULL) == 0);
    must(same(n, &again));
}

static void folded(const struct name *n) {
    struct name lower = *n;
    name_lower(&lower);
    well_formed(&lower);
    must(name_equal(n, &lower) && name_compare(n, &lower) == 0);
    must(name_hash(n, 42) == name_hash(&lower, 42));
}

static void cut(const struct name *n) {
    for (unsigned count = 0; count <= n->labels; count++) {
        struct name zone;
        name_strip(&zone, n, count);
        well_formed(&zone);
        must(zone.labels == n->labels - count);
        must(name_under(n, &zone) && (count == 0 || !name_under(&zone, n)));
        must(count == 0 ? name_compare(&zone, n) == 0 : name_compare(&zone, n) < 0); /* above sorts before below */
    }
}

static void two(const struct name *a, const struct name *b) {
    int order = name_compare(a, b), turned = name_compare(b, a);
    must((order > 0) == (turned < 0) && (order == 0) == (turned == 0));
    must((order == 0) == name_equal(a, b));
    must(order != 0 || name_hash(a, 1) == name_hash(b, 1));
    must(!(name_under(a, b) && name_under(b, a)) || order == 0);
}

/* Both names through the writer, which compresses the second against the first. */
static void written(const struct name *a, const struct name *b) {
    uint8_t buf[1200];
    struct dns_writer w;
    struct dns_reader r;
    struct dns_rr rr;
    struct name qname, host;
    dns_writer_open(&w, buf, sizeof buf, 0, 0, OPCODE_QUERY);
    dns_writer_question(&w, a, TYPE_NS, CLASS_IN);
    dns_writer_ns(&w, SECTION_ANSWER, b, 1, a);
    int size = dns_writer_end(&w, 0, 0);
    must(size > 0);
    must(dns_reader_open(&r, buf, (size_t)size, &qname, NULL, NULL) == 0 && same(&qname, a));
    must(dns_reader_next(&r, &rr) == 0 && name_equal(&rr.owner, b));
    must(dns_name_rdata_read(&host, &rr, buf, (size_t)size) == 0 && name_equal(&host, a));
}

static void as_text(const uint8_t *data, size_t size) {
    char text[2048];
    struct name n;
    struct err err;
    if (size >= sizeof text)
        size = sizeof text - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    if (name_from_text(&n, text, &err) != 0)
        return;
    well_formed(&n);
    text_and_back(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct name a, b;
    size_t next;
    if (size == 0)
        return 0;
    as_text(data, size);
    if (name_read(&a, data + 1, size - 1, data[0], &next) != 0)
        return 0;
    must(next > data[0] && next <= size - 1);
    well_formed(&a);
    text_and_back(&a);
    folded(&a);
    cut(&a);
    if (name_read(&b, data + 1, size - 1, next, &next) == 0) {
        two(&a, &b);
        written(&a, &b);
    }
    return 0;
}
