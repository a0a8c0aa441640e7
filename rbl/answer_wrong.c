/* Questions that cannot have been meant for this list, counted by zone so that somebody tells the client's owner.
 *
 *   forward   an address written forward: the address that the name reads as is no host's (0/8, 224/3; IPv6 outside of
 *             2000::/3 and of what RFC 5782 and private networks use), and the other way round it would be one. Or it
 *             is a test point, 127.0.0.1 or 127.0.0.2, written forward. About one forward question in eight shows
 * itself so; the others read as addresses like any and are not counted. name      a domain name asked of a zone that
 * lists addresses only address   an address asked of a zone that lists names only
 *
 * Only what was not listed is looked at. */
#include "rbl/answer_impl.h"

static bool forward4(uint32_t addr) {
    unsigned first = addr >> 24, last = addr & 255;
    return addr == 0x0200007f || addr == 0x0100007f ||
           ((first == 0 || first >= 224) && last > 0 && last < 224 && last != 127);
}

static bool global6(unsigned octet) { return octet >> 5 == 1; } /* 2000::/3 */

/* The last octet of the address as read is the first one the other way round, its nibbles swapped. */
static bool forward6(const uint8_t addr[16]) {
    unsigned first = addr[0], swapped = (addr[15] << 4 | addr[15] >> 4) & 255;
    bool is_host = global6(first) || first == 0 || first >> 1 == 0xfc >> 1 || first == 0xfe;
    return !is_host && global6(swapped);
}

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

/* Two labels or more that end as a domain does, and none of them a service's (_dmarc). */
static bool is_domain(const struct name *qname, unsigned labels) {
    const uint8_t *label = qname->wire;
    if (labels < 2 || (label[0] > 0 && label[1] == '_'))
        return false;
    for (unsigned i = 1; i < labels; i++)
        label += label[0] + 1;
    bool digits = true;
    for (unsigned i = 1; i <= label[0]; i++)
        digits &= is_digit(label[i]);
    return label[0] >= 2 && !digits && label[1] != '_';
}

static void count(const struct answer_zone *z, enum board_wrong what) { board_add_shared(&z->asked->wrong[what], 1); }

void answer_wrong(const struct answer *s, const struct answer_zone *z, const struct name *qname,
                  const struct answer_place *p) {
    bool addresses = ((z->type4 | z->type6 | z->which4 | z->which6) & p->which) != 0;
    bool names = ((z->type_names | (z->which_names & VIEW_LOCAL)) & p->which) != 0;
    if (z->asked == NULL)
        return;
    if (s->asked_bits != 0 && addresses) {
        if (s->asked_bits == 32 ? forward4(s->asked4) : forward6(s->asked6))
            count(z, WRONG_FORWARD);
    } else if (s->asked_bits != 0 && names) {
        count(z, WRONG_ADDRESS);
    } else if (s->asked_bits == 0 && addresses && !names && is_domain(qname, p->labels)) {
        count(z, WRONG_NAME);
    }
}
