#include "rbl/records/rdata.h"

bool records_is_meta(uint16_t type) { return type == 0 || type == TYPE_OPT || (type >= 128 && type <= 255); }

bool records_is_dnssec(uint16_t type) {
    enum { TYPE_NSEC3PARAM = 51, TYPE_CDS = 59, TYPE_CDNSKEY = 60 };
    return type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3 || type == TYPE_DNSKEY || type == TYPE_DS ||
           type == TYPE_NSEC3PARAM || type == TYPE_CDS || type == TYPE_CDNSKEY;
}

int records_name_in(uint16_t type) {
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
    int from = records_name_in(type);
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

bool records_strings_right(struct bytes r) {
    size_t at = 0;
    while (at < r.size && r.at[at] < r.size - at)
        at += (size_t)r.at[at] + 1;
    return r.size > 0 && at == r.size;
}

bool records_is_plain(struct bytes txt) {
    return txt.size >= 1 && txt.size - 1 == txt.at[0] && txt.at[0] <= RECORDS_TXT &&
           memchr(txt.at + 1, '\0', txt.size - 1) == NULL;
}
