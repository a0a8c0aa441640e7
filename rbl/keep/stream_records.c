/* A snapshot's records on their way out: values, entries, times, in the order of their tables; each is checked as it is
 * read, and the digest of all must be what the zone's is before the stream may end. */
#include "rbl/keep/stream_out.h"

static int first(struct stream_out *o, unsigned table) {
    o->table = table;
    int rc = store_cursor_open(o->t, table, &o->cursor);
    if (rc < 0)
        return rc;
    o->more = store_cursor_seek(o->cursor, (struct bytes){NULL, 0}, &o->key, &o->record);
    return o->more == E_NOTFOUND ? 0 : o->more;
}

static int next(struct stream_out *o) {
    o->more = store_cursor_next(o->cursor, &o->key, &o->record);
    return o->more == E_NOTFOUND ? 0 : o->more;
}

static void last(struct stream_out *o) {
    store_cursor_close(o->cursor);
    o->cursor = NULL;
}

/* A frame of a table's records, none when nothing is in it; behind the last record comes `stage`. */
static int end_frame(struct stream_out *o, size_t at, int rc, enum out_stage stage) {
    stream_frame_end(&o->frame, at);
    if (o->frame.size - at == STREAM_FRAME_HEAD)
        o->frame.size = at;
    if (rc == 0 && o->more != 0) {
        last(o);
        o->stage = stage;
    }
    return rc;
}

static int put_counts(struct stream_out *o) {
    size_t at;
    stream_frame_begin(&o->frame, FRAME_COUNTS, &at);
    meta_write_counts(&o->frame, o->m);
    stream_frame_end(&o->frame, at);
    o->stage = OUT_VALUES;
    return 0;
}

static int put_values(struct stream_out *o) {
    uint32_t before = 0;
    size_t at;
    int rc = o->cursor == NULL ? first(o, TABLE_VALUES) : 0;
    stream_frame_begin(&o->frame, FRAME_VALUES, &at);
    while (rc == 0 && o->more == 0 && o->frame.size < STREAM_BLOCK) {
        struct scan s = scan_of(o->record);
        uint32_t id = o->key.size == 4 ? get_u32(o->key.at) : 0, local = scan_u32(&s), files = scan_u32(&s);
        if (id <= before || s.failed || s.left > VALUE_STORED_MAX)
            return E_CORRUPT;
        buf_varint(&o->frame, id - before);
        buf_varint(&o->frame, local);
        buf_varint(&o->frame, files);
        buf_varint(&o->frame, s.left);
        buf_put(&o->frame, s.at, s.left);
        before = id;
        rc = next(o);
    }
    return end_frame(o, at, rc, OUT_ENTRIES);
}

/* The records of one table, as many as go into one block. */
static int gather(struct stream_out *o, struct err *err) {
    int taken = 1, rc = 0;
    stream_block_reset(&o->block);
    while (rc == 0 && o->more == 0 && stream_block_size(&o->block) < STREAM_BLOCK) {
        taken = stream_pack(&o->block, o->table, o->key, o->record);
        if (taken <= 0)
            return taken;
        rc = verify_record(o->verify, o->table, o->key, o->record, err);
        if (rc == 0)
            rc = next(o);
    }
    return rc;
}

static int put_entries(struct stream_out *o, struct err *err) {
    int rc = o->cursor == NULL ? first(o, o->table >= TABLE_4 && o->table < TABLE_NAMES ? o->table + 1 : TABLE_4) : 0;
    if (rc == 0)
        rc = gather(o, err);
    if (rc < 0)
        return rc;
    if (o->block.records > 0)
        stream_block_put(&o->frame, &o->block);
    if (o->more != 0) {
        last(o);
        o->stage = o->table == TABLE_NAMES ? OUT_TIMES : OUT_ENTRIES;
    }
    return 0;
}

static int put_times(struct stream_out *o) {
    uint8_t before[UNTIL_KEY_MAX];
    size_t at, before_size = 0;
    int rc = 0;
    if (o->cursor == NULL) {
        o->more = E_NOTFOUND;
        rc = o->m->format < META_FORMAT ? 0 : first(o, TABLE_UNTIL);
    }
    stream_frame_begin(&o->frame, FRAME_TIMES, &at);
    while (rc == 0 && o->more == 0 && o->frame.size < STREAM_BLOCK) {
        size_t stay = 0;
        if (o->key.size > sizeof before || o->record.size != UNTIL_TIME)
            return E_CORRUPT;
        while (stay < before_size && stay < o->key.size && before[stay] == o->key.at[stay])
            stay++;
        buf_varint(&o->frame, stay);
        buf_varint(&o->frame, o->key.size - stay);
        buf_put(&o->frame, o->key.at + stay, o->key.size - stay);
        buf_varint(&o->frame, get_u64(o->record.at));
        memcpy(before, o->key.at, o->key.size);
        before_size = o->key.size;
        rc = next(o);
    }
    return end_frame(o, at, rc, OUT_END);
}

int stream_out_records(struct stream_out *o, struct err *err) {
    int rc = o->stage == OUT_COUNTS    ? put_counts(o)
             : o->stage == OUT_VALUES  ? put_values(o)
             : o->stage == OUT_ENTRIES ? put_entries(o, err)
                                       : put_times(o);
    if (rc == 0 && o->stage == OUT_END)
        return verify_rest(o->verify, false, err);
    return rc < 0 ? err_set(err, rc, "table %s: %s", keep_tables[o->table], err_name(rc)) : 0;
}
