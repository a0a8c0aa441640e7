#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rbl/keep/value.h"

/* The octet behind the first four. Those up to FORM_TXT are all that format 1 knew. */
enum value_form { FORM_A, FORM_TXT, FORM_A_TTL, FORM_TXT_TTL, FORM_RR, FORM_ACL };

void value_put(struct buf *to, const struct value *v) {
    bool ttl = v->kind == VALUE_LISTED && v->ttl != 0;
    if (v->kind == VALUE_RR) {
        buf_u32(to, v->ttl);
        buf_u8(to, FORM_RR);
        buf_u16(to, v->type);
    } else {
        buf_put(to, v->a, sizeof v->a);
        if (v->kind == VALUE_ACL) {
            buf_u8(to, FORM_ACL);
            buf_u8(to, v->act);
            buf_u8(to, v->has_txt);
        } else {
            buf_u8(to, (v->has_txt ? FORM_TXT : FORM_A) + (ttl ? FORM_A_TTL : FORM_A));
        }
        if (ttl)
            buf_u32(to, v->ttl);
    }
    buf_put(to, v->txt, v->txt_size);
}

static int take_head(struct scan *s, struct value *v) {
    const uint8_t *head = scan_take(s, sizeof v->a);
    uint8_t form = scan_u8(s), has;
    if (head == NULL || form > FORM_ACL)
        return E_CORRUPT;
    v->kind = form == FORM_RR ? VALUE_RR : form == FORM_ACL ? VALUE_ACL : VALUE_LISTED;
    if (v->kind == VALUE_RR) {
        v->ttl = get_u32(head);
        v->type = scan_u16(s);
        return 0;
    }
    memcpy(v->a, head, sizeof v->a);
    if (v->kind == VALUE_LISTED) {
        v->has_txt = form & 1;
        v->ttl = form >= FORM_A_TTL ? scan_u32(s) : 0;
        return form >= FORM_A_TTL && v->ttl == 0 ? E_CORRUPT : 0; /* one form for each value */
    }
    v->act = scan_u8(s);
    has = scan_u8(s);
    v->has_txt = has == 1;
    return v->act > ACL_PASS || has > 1 ? E_CORRUPT : 0;
}

int value_take(struct bytes stored, struct value *v) {
    struct scan s = scan_of(stored);
    memset(v, 0, offsetof(struct value, txt) + 1);
    if (take_head(&s, v) < 0 || s.failed || s.left > (v->kind == VALUE_RR ? VALUE_BYTES : LIMIT_TXT) ||
        (v->kind != VALUE_RR && !v->has_txt && s.left > 0))
        return E_CORRUPT;
    v->txt_size = (uint16_t)s.left;
    memcpy(v->txt, s.at, s.left);
    v->txt[s.left] = '\0';
    return 0;
}

uint64_t value_hash(const struct value *v) { return XXH3_64bits(v, offsetof(struct value, txt) + v->txt_size); }
