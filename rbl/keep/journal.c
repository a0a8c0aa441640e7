#include "rbl/keep/journal.h"

enum { JOURNAL_VERSION = 1 };

void journal_key(uint8_t key[JOURNAL_KEY], uint64_t commit, uint32_t record) {
    put_u64(key, commit);
    put_u32(key + 8, record);
}

static void write_digest(struct buf *to, struct digest d) {
    buf_u64(to, d.hi);
    buf_u64(to, d.lo);
}

static struct digest read_digest(struct scan *s) {
    uint64_t hi = scan_u64(s);
    return (struct digest){.lo = scan_u64(s), .hi = hi};
}

void journal_write_header(struct buf *to, const struct journal_header *h) {
    buf_u8(to, JOURNAL_VERSION);
    buf_u8(to, h->flags);
    buf_u32(to, h->from_serial);
    buf_u32(to, h->to_serial);
    buf_u64(to, (uint64_t)h->wall_s);
    buf_u64(to, h->added);
    buf_u64(to, h->removed);
    buf_u64(to, h->entries);
    write_digest(to, h->before);
    write_digest(to, h->after);
    buf_u32(to, h->chunks);
    buf_u64(to, h->bytes);
    buf_text(to, h->source);
    buf_text(to, h->reason);
}

int journal_read_header(struct bytes record, struct journal_header *h) {
    struct scan s = scan_of(record);
    if (scan_u8(&s) != JOURNAL_VERSION)
        return E_CORRUPT;
    h->flags = scan_u8(&s);
    h->from_serial = scan_u32(&s);
    h->to_serial = scan_u32(&s);
    h->wall_s = (int64_t)scan_u64(&s);
    h->added = scan_u64(&s);
    h->removed = scan_u64(&s);
    h->entries = scan_u64(&s);
    h->before = read_digest(&s);
    h->after = read_digest(&s);
    h->chunks = scan_u32(&s);
    h->bytes = scan_u64(&s);
    scan_text(&s, h->source, sizeof h->source);
    scan_text(&s, h->reason, sizeof h->reason);
    return s.failed || s.left != 0 ? E_CORRUPT : 0;
}

int journal_header_of(struct store_txn *t, uint64_t commit, struct journal_header *h) {
    uint8_t key[JOURNAL_KEY];
    struct bytes record;
    journal_key(key, commit, 0);
    int rc = store_get(t, TABLE_JOURNAL, (struct bytes){key, sizeof key}, &record);
    return rc < 0 ? rc : journal_read_header(record, h);
}

int journal_changeset(struct store_txn *t, uint64_t commit, const struct journal_header *h, struct buf *to) {
    to->size = 0;
    if (h->chunks == 0)
        return E_NOTFOUND;
    for (uint32_t i = 1; i <= h->chunks; i++) {
        uint8_t key[JOURNAL_KEY];
        struct bytes record;
        journal_key(key, commit, i);
        int rc = store_get(t, TABLE_JOURNAL, (struct bytes){key, sizeof key}, &record);
        if (rc == E_NOTFOUND || (rc == 0 && record.size == 0))
            return E_CORRUPT;
        if (rc < 0)
            return rc;
        buf_put(to, record.at, record.size);
    }
    if (to->failed)
        return E_NOMEM;
    return to->size == h->bytes ? 0 : E_CORRUPT;
}
