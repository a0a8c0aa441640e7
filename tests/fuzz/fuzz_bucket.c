/* Bytes of a zone's records as a disk might return them: the first byte says which kind, the rest is the record.
 * Nothing may crash; what a bucket decodes to must encode again and be found by its own searches. */
#include <stdio.h>
#include <stdlib.h>

#include "rbl/keep/changeset.h"
#include "rbl/keep/journal.h"
#include "rbl/keep/until.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(int cond, const char *what) {
    if (!cond) {
        fprintf(stderr, "fuzz_bucket: %s\n", what);
        abort();
    }
}

static void searches(struct bytes b, const struct level *lv, uint64_t suffix, bool sound) {
    for (unsigned how = FIND_LONGEST; how <= FIND_CLASS; how++) {
        struct match m[4];
        unsigned count = 0;
        if (how == FIND_CLASS && lv->high > 32)
            continue;
        int rc = bucket_find(b, lv, suffix, (enum bucket_find)how, m, ARRAY_SIZE(m), &count);
        must(rc == 0 || rc == E_CORRUPT, "code of a search");
        must(count <= ARRAY_SIZE(m), "too many matches");
        must(!sound || (rc == 0 && count > 0), "an entry does not find itself");
    }
    struct match local[4];
    struct local_find f = {.silenced = -1, .bits = -1, .m = local, .cap = ARRAY_SIZE(local)};
    int rc = bucket_find_local(b, lv, suffix, &f);
    must(rc == 0 || rc == E_CORRUPT, "code of a local search");
    must(f.count <= f.cap && (f.count == 0) == (f.bits < 0), "matches of a local search");
    must(!sound || (rc == 0 && (f.count > 0 || f.silenced >= 0)), "a local entry does not find itself");
    unsigned all = lv->level + lv->width * 8u;
    for (unsigned bits = lv->level; bits <= all; bits += 5) {
        rc = bucket_touches(b, lv, suffix, bits);
        must(rc == 0 || rc == 1 || rc == E_CORRUPT, "code of touches");
        must(!sound || rc == 1, "an entry does not touch itself");
    }
}

static void place(struct bytes b, const struct level *lv, const struct item *i) {
    struct match m[LIMIT_ANSWER_RRS];
    unsigned count, same = 0;
    must(bucket_at(b, lv, i->suffix, i->bits, m, ARRAY_SIZE(m), &count) == 0, "code of a place");
    for (unsigned n = 0; n < count; n++)
        same += m[n].value == i->value;
    must(same == 1 || count == ARRAY_SIZE(m), "an entry is not at its own place");
}

static void bucket(struct bytes b, const struct level *lv) {
    struct items list = {0};
    struct buf again = {0};
    int rc = bucket_decode(b, lv, &list);
    must(rc == 0 || rc == E_CORRUPT, "code of decode");
    if (rc == 0) {
        must(list.count > 0, "an empty bucket");
        for (size_t i = 0; i < list.count; i += 1 + list.count / 8) {
            searches(b, lv, list.at[i].suffix, true);
            place(b, lv, &list.at[i]);
        }
        must(bucket_encode(&again, lv, &list) == 0, "what was decoded does not encode");
        size_t count = list.count;
        list.count = 0;
        must(bucket_decode(buf_bytes(&again), lv, &list) == 0 && list.count == count, "not the same again");
    }
    searches(b, lv, b.size >= 8 ? get_u64(b.at) & (lv->width == 2 ? 0xffff : UINT64_MAX) : 0, false);
    items_free(&list);
    buf_free(&again);
}

static void changeset(struct bytes b) {
    struct changeset_reader r;
    struct change c;
    int rc = changeset_read_open(&r, b);
    while (rc == 0 && (rc = changeset_next(&r, &c)) > 0) {
        must(c.kind < FEED_KINDS && c.dataset < LIMIT_DATASETS && c.name.size < LIMIT_NAME_WIRE, "a change's fields");
        rc = 0;
    }
    must(rc == 0 || rc == E_CORRUPT, "code of a changeset");
    changeset_read_close(&r);
}

static void meta(struct bytes b, unsigned record) {
    static struct meta m;
    struct err err;
    int rc = record == 0 ? meta_read_zone(&m, b, &err) : meta_read_apex(&m, b, &err);
    if (record == 2) {
        m.dataset_count = 3;
        rc = meta_read_counts(&m, b, &err);
    }
    must(rc == 0 || rc == E_CORRUPT || rc == E_UNSUPPORTED, "code of meta");
    must(record != 1 || rc < 0 || (m.dataset_count <= LIMIT_DATASETS && m.apex.ns_count <= META_NS_MAX), "apex");
}

/* What was read is written as the same octets: values are compared by them. */
static void value(struct bytes b) {
    struct value v, w;
    struct uses uses;
    struct buf again = {0};
    int rc = meta_read_value(b, &uses, &v);
    must(rc == 0 || rc == E_CORRUPT, "code of a value");
    if (rc == 0) {
        meta_write_value(&again, uses, &v);
        must(meta_read_value(buf_bytes(&again), &uses, &w) == 0 && value_same(&v, &w), "another value");
        must(again.size == b.size, "a value of another size");
    }
    buf_free(&again);
}

static void times(struct bytes b) {
    uint8_t key[UNTIL_KEY_MAX];
    struct until_entry e;
    int64_t wall_s;
    int rc = until_due(b, &wall_s, &e);
    must(rc == 0 || rc == E_CORRUPT, "code of a time");
    if (rc == 0)
        must(until_key(key, &e) == b.size - UNTIL_TIME && memcmp(key, b.at + UNTIL_TIME, b.size - UNTIL_TIME) == 0,
             "another entry");
}

static void names(struct bytes b) {
    struct scan s = scan_of(b);
    struct name_item i;
    int rc;
    while ((rc = name_item_next(&s, &i)) > 0)
        continue;
    must(rc == 0 || rc == E_CORRUPT, "code of a name's record");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct journal_header h;
    if (size == 0)
        return 0;
    struct bytes b = {bytes + 1, size - 1};
    unsigned kind = bytes[0] % 16;
    if (kind < 2)
        bucket(b, &bucket_levels[KIND4].at[kind]);
    else if (kind < 7)
        bucket(b, &bucket_levels[KIND6].at[kind - 2]);
    else if (kind < 10)
        meta(b, kind - 7);
    else if (kind == 10)
        names(b);
    else if (kind == 11)
        must(journal_read_header(b, &h) <= 0, "code of a header");
    else if (kind == 12)
        value(b);
    else if (kind == 14)
        times(b);
    else
        changeset(b);
    return 0;
}
