/* RDATA: of which kind it is, when two are the same, and texts as templates. */
#include <ctype.h>

#include "rbl/records/in_impl.h"

enum { OWN_LEAST = 4 };

/* Where a domain name stands in the RDATA of types whose names fold case. */
static int name_at(uint16_t type) {
    switch (type) {
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
    case TYPE_DNAME:
        return 0;
    case TYPE_MX:
        return 2;
    case TYPE_SRV:
        return 6;
    default:
        return -1;
    }
}

bool records_rdata_same(uint16_t type, struct bytes a, struct bytes b) {
    int from = name_at(type);
    if (a.size != b.size)
        return false;
    if (from < 0 || a.size < (size_t)from)
        return a.size == 0 || memcmp(a.at, b.at, a.size) == 0;
    for (size_t i = 0; i < a.size; i++) {
        uint8_t x = a.at[i], y = b.at[i];
        bool folds = i >= (size_t)from && (x | 0x20) >= 'a' && (x | 0x20) <= 'z';
        if (folds ? (x | 0x20) != (y | 0x20) : x != y)
            return false;
    }
    return true;
}

bool records_is_plain(struct bytes txt) {
    return txt.size >= 1 && txt.size - 1 == txt.at[0] && txt.at[0] <= RECORDS_TXT &&
           memchr(txt.at + 1, '\0', txt.size - 1) == NULL;
}

/* Whether the text goes on as a word on neither side. */
static bool stands_alone(const uint8_t *at, size_t from, size_t size, size_t end) {
    return (from == 0 || !isalnum(at[from - 1])) && (from + size == end || !isalnum(at[from + size]));
}

void records_template(struct value *v, struct bytes txt, const char *own, size_t own_size) {
    size_t to = 0, end = txt.size - 1;
    const uint8_t *at = txt.at + 1;
    for (size_t i = 0; i < end;) {
        const uint8_t *found = own_size >= OWN_LEAST && own_size <= end - i && at[i] == (uint8_t)own[0] &&
                                       memcmp(at + i, own, own_size) == 0 && stands_alone(at, i, own_size, end)
                                   ? at + i
                                   : NULL;
        if (found != NULL) {
            v->txt[to++] = '$';
            i += own_size;
            continue;
        }
        v->txt[to++] = at[i] == '$' ? '\0' : (char)at[i];
        i++;
    }
    v->has_txt = true;
    v->txt_size = (uint16_t)to;
    v->txt[to] = '\0';
}
